"""Sign in, import a file into a portfolio, and print the portfolio's performance.

python performance.py http://127.0.0.1:8000 USERNAME PASSWORD PORTFOLIO FILE
"""

import sys
from pathlib import Path

import requests

address, username, password, name, file = sys.argv[1:]
api = requests.Session()


def ask(method, path, **content):
    answer = api.request(method, f"{address}/api/v1{path}", timeout=60, **content)
    if not answer.ok:
        sys.exit(
            f"{answer.status_code}: "
            + "; ".join(error["detail"] for error in answer.json()["errors"])
        )
    return answer.json()


tokens = ask("POST", "/auth/login", json={"username": username, "password": password})
api.headers["Authorization"] = f"Bearer {tokens['access']}"

known = {portfolio["name"]: portfolio for portfolio in ask("GET", "/portfolios")}
portfolio = known.get(name) or ask("POST", "/portfolios", json={"name": name, "currency": "NOK"})
form = {"portfolio_id": portfolio["id"]}
done = ask(
    "POST", "/transactions/import-csv", data=form, files={"file": (file, Path(file).read_bytes())}
)
print(f"{done['created']} transactions imported, {done['duplicates']} already imported")

result = ask("GET", f"/portfolios/{portfolio['id']}/performance")
rate = f"{result['twr']:.2%}" if result["twr"] is not None else result["reasons"]["twr"]
print(
    f"{name}: {result['end_value']:.2f} {result['currency']}, "
    f"gain {result['gain']:.2f}, return {rate}"
)
