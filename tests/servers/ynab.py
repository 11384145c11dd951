"""A local server that plays YNAB, with all its failures."""

import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "kN7-secret-Zq4xW9vB2mT6"

ERRORS = {  # status: (id, name)
    400: ("400", "bad_request"),
    401: ("401", "unauthorized"),
    403: ("403.1", "subscription_lapsed"),
    404: ("404.2", "resource_not_found"),
    409: ("409", "conflict"),
    429: ("429", "too_many_requests"),
    500: ("500", "internal_server_error"),
    503: ("503", "service_unavailable"),
}


def currency_format(code: str) -> dict[str, Any]:
    return {
        "iso_code": code,
        "example_format": "123 456,78",
        "decimal_digits": 2,
        "decimal_separator": ",",
        "symbol_first": True,
        "group_separator": " ",
        "currency_symbol": code,
        "display_symbol": True,
    }


class Plan:
    """One plan with its accounts. Every change is counted, as in YNAB's server_knowledge."""

    def __init__(self, name: str, currency: str | None) -> None:
        self.id = str(uuid.uuid4())
        self.name = name
        self.currency = currency
        self.knowledge = 100
        self.accounts: dict[str, dict[str, Any]] = {}
        self.changed: dict[str, int] = {}

    def put(self, account_id: str | None = None, **fields: Any) -> str:
        """Add or change an account; `balance` in milliunits."""
        account_id = account_id or str(uuid.uuid4())
        account = self.accounts.setdefault(
            account_id,
            {
                "id": account_id,
                "name": "Pension",
                "type": "otherAsset",
                "on_budget": False,
                "closed": False,
                "note": None,
                "balance": 0,
                "cleared_balance": 0,
                "uncleared_balance": 0,
                "transfer_payee_id": str(uuid.uuid4()),
                "direct_import_linked": False,
                "direct_import_in_error": False,
                "last_reconciled_at": None,
                "deleted": False,
            },
        )
        account |= fields
        if "balance" in fields and "cleared_balance" not in fields:
            account |= {"cleared_balance": fields["balance"], "uncleared_balance": 0}
        self.knowledge += 1
        self.changed[account_id] = self.knowledge
        return account_id

    def delete(self, account_id: str) -> None:
        self.put(account_id, deleted=True)

    def since(self, knowledge: int | None) -> list[dict[str, Any]]:
        if knowledge is None:
            return [account for account in self.accounts.values() if not account["deleted"]]
        return [account for key, account in self.accounts.items() if self.changed[key] > knowledge]


class YnabServer:
    """State and behaviour of the server; `mode` says how it answers.

    Modes: ok, a status of ERRORS, `html`, `truncated` (less than Content-Length), `cut` (half a
      JSON), `no_data`,
    `list`, `slow` (`delay` seconds), `drip` (a byte at a time), `redirect`, `echo` (a 401 that
    repeats the header). `roots` are the names under which plans are found.
    """

    def __init__(self) -> None:
        self.plans: dict[str, Plan] = {}
        self.mode: str | int = "ok"
        self.delay = 30.0
        self.retry_after: str | None = None
        self.roots = {"plans", "budgets"}
        self.requests: list[str] = []
        self.keys: list[str | None] = []
        self.stopped = threading.Event()
        self.url = ""
        self.server: ThreadingHTTPServer | None = None
        self.is_closed = False

    def close(self) -> None:
        """Refuse connections from now on. Safe to call twice."""
        self.stopped.set()
        self.is_closed = True
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()

    def plan(self, name: str = "Household", currency: str | None = "NOK") -> Plan:
        plan = Plan(name, currency)
        self.plans[plan.id] = plan
        return plan

    def answer(self, path: str, query: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        parts = path.strip("/").split("/")
        if parts[0] not in self.roots:
            return error(404)
        if len(parts) == 1:
            rows = []
            for plan in self.plans.values():
                row = {"id": plan.id, "name": plan.name, "currency_format": None}
                if plan.currency:
                    row["currency_format"] = currency_format(plan.currency)
                rows.append(row)
            return 200, {
                "data": {
                    parts[0]: rows,
                    "default_plan" if parts[0] == "plans" else "default_budget": None,
                }
            }
        plan = self.plans.get(parts[1])
        if plan is None:
            return error(404)
        if len(parts) == 2:
            return 200, {
                "data": {parts[0].rstrip("s"): {"id": plan.id, "name": plan.name}},
            }
        if parts[2:] == ["settings"]:
            money = currency_format(plan.currency) if plan.currency else None
            return 200, {
                "data": {
                    "settings": {"date_format": {"format": "DD.MM.YYYY"}, "currency_format": money}
                }
            }
        if parts[2:] == ["accounts"]:
            known = query.get("last_knowledge_of_server")
            accounts = plan.since(int(known[0]) if known else None)
            return 200, {"data": {"accounts": accounts, "server_knowledge": plan.knowledge}}
        account = (
            plan.accounts.get(parts[3]) if len(parts) == 4 and parts[2] == "accounts" else None
        )
        return (
            (200, {"data": {"account": account}})
            if account and not account["deleted"]
            else error(404)
        )


def error(status: int, detail: str = "Our fault or yours.") -> tuple[int, dict[str, Any]]:
    number, name = ERRORS[status]
    return status, {"error": {"id": number, "name": name, "detail": detail}}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    ynab: YnabServer

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        split = urlsplit(self.path)
        path = split.path.removeprefix("/v1")
        given = self.headers.get("Authorization")
        self.ynab.requests.append(path + (f"?{split.query}" if split.query else ""))
        self.ynab.keys.append(given)
        if self.ynab.is_closed:  # a connection that was kept alive
            self.close_connection = True
            return
        mode = self.ynab.mode
        if mode == "slow":
            self.ynab.stopped.wait(self.ynab.delay)
        if isinstance(mode, int):
            status, body = error(mode)
        elif mode == "echo":
            status, body = error(401, f"You sent {given}")
        elif given != f"Bearer {KEY}":
            status, body = error(401)
        else:
            status, body = self.ynab.answer(path, parse_qs(split.query))
        self.send(mode, status, json.dumps(body).encode())

    def send(self, mode: str | int, status: int, body: bytes) -> None:
        if mode == "html":
            self.write(200, b"<!doctype html><title>Maintenance</title>", "text/html")
        elif mode == "truncated":
            self.write(status, body[: len(body) // 2], length=len(body))
        elif mode == "cut":
            self.write(status, body[: len(body) // 2])
        elif mode == "no_data":
            self.write(status, b'{"data": null}')
        elif mode == "list":
            self.write(status, b"[1, 2]")
        elif mode == "redirect":
            self.write(302, b"", location=f"{self.ynab.url}/plans")
        elif mode == "drip":
            self.write(status, b"", length=len(body))
            for place in range(len(body)):
                if self.ynab.stopped.wait(0.05):
                    return
                self.wfile.write(body[place : place + 1])
        else:
            self.write(status, body)

    def write(
        self,
        status: int,
        body: bytes,
        kind: str = "application/json",
        length: int | None = None,
        location: str = "",
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.send_header("Set-Cookie", "session=1")
        if length is not None:
            self.send_header("Connection", "close")
        if location:
            self.send_header("Location", location)
        if status in (429, 503) and self.ynab.retry_after:
            self.send_header("Retry-After", self.ynab.retry_after)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = length is not None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that gave up, which some tests are about."""


@contextmanager
def ynab_server() -> Iterator[YnabServer]:
    """Run the server; `url` is the value of YNAB_BASE_URL."""
    ynab = YnabServer()
    handler = type("BoundHandler", (Handler,), {"ynab": ynab})
    server = ynab.server = _Server(("127.0.0.1", 0), handler)
    ynab.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    try:
        yield ynab
    finally:
        ynab.close()
        thread.join(5)


if __name__ == "__main__":
    with ynab_server() as running:
        household = running.plan()
        household.put(name="Pension", balance=1_234_567_890)
        print(f"YNAB_BASE_URL={running.url} YNAB_API_KEY={KEY} budget_id={household.id}")  # noqa: T201
        while True:
            time.sleep(60)
