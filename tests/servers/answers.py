"""What an installation answers: every GET of the schema, asked for everything that a user has.

Run in a process of the installation: `python -m tests.servers.answers USERNAME NOW` writes, for
each URL, its template, status and body.
"""

import json
import re
import sys
from itertools import product

import django
import time_machine

BY = ("holding", "currency", "exchange", "asset_type", "sector", "country")
EUR_AND_USD = {"EUR", "USD"}


def walk(user):
    from drf_spectacular.generators import SchemaGenerator
    from rest_framework.test import APIClient

    from integrations.exports.files import instruments_of

    client = APIClient(raise_request_exception=False, SERVER_NAME="127.0.0.1")
    client.force_authenticate(user)
    found = {}

    def get(template, path=None, **query):
        path = path or template
        response = client.get(f"/api/v1{path}", query)
        body = b"".join(response.streaming_content) if response.streaming else response.content
        text = body.decode().replace(str(user.pk), "USER")
        text = re.sub(r'"request_id":"[^"]*"', '"request_id":"…"', text)
        found[f"{path} {json.dumps(query)}"] = [template, response.status_code, text]
        return json.loads(text) if text.startswith(("[", "{")) else None

    def each(template, ids, name="id", **query):
        return [get(template, template.replace(f"{{{name}}}", str(pk)), **query) for pk in ids]

    for path in (
        "/users/me",
        "/currencies",
        "/dashboard",
        "/goal",
        "/settings/ynab",
        "/ynab/accounts",
    ):
        get(path)
    get("/pension/projection", include_portfolios="true", simulations=50, seed=7, years=3)
    get("/transactions/export.csv")
    get("/imports/formats")
    get("/performance", start="2019-01-01")
    get("/performance", include_cash="true")
    get("/bridge")
    get("/bridge", include_cash="true")
    get("/net-worth", interval="month")
    get("/net-worth/explain")
    for interval in ("day", "month"):
        get("/timeline", interval=interval)
    for by in (*BY, "portfolio"):
        get("/allocation", by=by)

    portfolios = [one["id"] for one in get("/portfolios")]
    for path in ("", "/cash", "/agreement", "/statement", "/statement.csv"):
        each(f"/portfolios/{{id}}{path}", portfolios)
    groups = [one["id"] for one in get("/transaction-groups")["results"]]
    each("/transaction-groups/{id}", groups)
    for name in ("timeline", "performance", "performance/explain", "bridge", "realised-gains"):
        each(f"/portfolios/{{id}}/{name}", portfolios)
        if name != "realised-gains":
            each(f"/portfolios/{{id}}/{name}", portfolios, include_cash="true")
    each("/portfolios/{id}/realised-gains", portfolios, method="fifo", year=2024)
    each("/portfolios/{id}/timeline", portfolios, interval="week", benchmark="ATLAS.USD.DEMO")
    for by in BY:
        each("/portfolios/{id}/allocation", portfolios, by=by)
    holdings = [
        one["id"]
        for rows in each("/portfolios/{id}/holdings", portfolios, include_closed="true")
        for one in rows
    ]
    for path in ("", "/explain"):
        each(f"/holdings/{{id}}{path}", holdings)
    rows = [row for rows in each("/holdings/{id}/transactions", holdings) for row in rows]
    get("/transactions")
    for portfolio in portfolios:
        get("/transactions", portfolio_id=portfolio, type="sell")
    each(
        "/transactions/{id}",
        [row["id"] for row in rows if row["note"] or row["source"] != "import"],
    )
    each("/imports/{id}", [one["id"] for one in get("/imports")])
    get("/imports/mappings")

    accounts = [one["id"] for one in get("/pension/accounts")]
    for path in ("", "/values", "/contributions"):
        each(f"/pension/accounts/{{id}}{path}", accounts)
    for account in accounts:
        get("/pension/projection", account_id=account, years=2)
    for portfolio in portfolios:
        get("/history", portfolio_id=portfolio)
    for account in accounts:
        get("/history", object=account)
    each("/ynab/accounts/{account_id}/balance", ["checking", "unknown"], "account_id")

    stocks = list(instruments_of(user))
    tickers = sorted({stock.ticker for stock in stocks})
    for path in ("", "/price", "/history"):
        each(f"/stocks/{{ticker}}{path}", tickers, "ticker")
    # Of other tickers staff would get another user's, who is in no export.
    by_hand = sorted({stock.ticker for stock in stocks if stock.is_manual})
    each("/stocks/{ticker}/prices", by_hand, "ticker")
    for ticker in tickers:
        get("/stocks/search", q=ticker)
    used = {stock.currency for stock in stocks} | EUR_AND_USD | {user.base_currency}
    for base, target in product(sorted(used), repeat=2):
        for template in ("/exchange-rates/{from}/{to}", "/exchange-rates/{from}/{to}/history"):
            get(template, template.replace("{from}", base).replace("{to}", target))

    schema = SchemaGenerator().get_schema(request=None, public=True)
    readable = {
        path.removeprefix("/api/v1") for path, calls in schema["paths"].items() if "get" in calls
    }
    walked = {template for template, status, _ in found.values() if status == 200}
    # The export itself is compared file by file. Sign-ins, what is held back and the status of
    # other parties are in no export. Plans need YNAB, which does not answer here.
    left_out = {"/export", "/held-back", "/settings/ynab/plans", "/sign-ins", "/status"}
    assert readable - walked == left_out, readable ^ walked
    return found


def main():
    username, now = sys.argv[1:]
    django.setup()
    from financeproj.users.models import User

    with time_machine.travel(now, tick=False):
        json.dump(walk(User.objects.get(username=username)), sys.stdout)


if __name__ == "__main__":
    main()
