"""Make the files of a release that later releases must still read: data/README.md says how.

Everything happens at one fixed moment, and the numbers come from the simulated source.
"""

import json
import sys
import tempfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from pathlib import Path
from typing import Any

NOW = datetime(2026, 11, 27, 18, tzinfo=UTC)  # a Friday, after the exchanges have closed
FIRST_CLOSE = date(2022, 6, 1)  # Older closes are left out, to keep the files small.
# The rates are given: those of a network or a package would change from day to day.
SOURCES = {
    "MARKET_DATA_SOURCES": ["integrations.simulated.SimulatedSource"],
    "EXCHANGE_RATE_SOURCES": [],
}
PASSWORD = "correct horse battery"


def fill() -> None:
    """Give an empty, migrated database two users and one row or more in every table."""
    kari, ola = _users()
    _rates()
    _market_data(kari)
    _nordic_savings(kari)
    _own_things(kari)
    _wall_street(ola)
    _pensions(kari, ola)
    _ynab(kari)
    _read_all()  # which asks the source for what is missing
    _forget_old_closes()
    _hold_back_prices()
    _read_all()  # which stores vectors
    _other_apps(kari)


def _users() -> list[Any]:
    from django.contrib.auth.models import Group, Permission

    from financeproj.users.models import User
    from financeproj.users.services import set_retirement_goal

    kari = User.objects.create_superuser("kari", "kari@example.org", PASSWORD)
    ola = User.objects.create_user("ola", "ola@example.org", PASSWORD, base_currency="USD")
    User.objects.filter(pk=ola.pk).update(is_staff=True)
    set_retirement_goal(user=kari, amount=D("4500000.5"), year=2046)
    accountants = Group.objects.create(name="Accountants")
    for codename in ("view_portfolio", "view_transaction", "view_importbatch"):
        accountants.permissions.add(Permission.objects.get(codename=codename))
    ola.groups.add(accountants)
    ola.user_permissions.add(Permission.objects.get(codename="delete_importbatch"))
    return [kari, ola]


def _rates() -> None:
    from marketdata.services import record_rates

    days = [date(2022, 6, 1) + timedelta(days=days) for days in range(0, 1640, 7)]
    days += [date(2026, 11, day) for day in range(20, 28)]
    for target, rate, step in (
        ("NOK", D("10.15"), D("0.0071")),
        ("SEK", D("10.52"), D("0.0033")),
        ("USD", D("1.0525"), D("0.00031")),
    ):
        rates = [(day, rate + index * step) for index, day in enumerate(days)]
        record_rates(base="EUR", target=target, rates=rates, source="ecb")
        inverse = [(day, (1 / value).quantize(D("1e-9"))) for day, value in rates]
        record_rates(base=target, target="EUR", rates=inverse, source="yahoo")


def _market_data(kari: Any) -> None:
    """A split that is not the source's, and what a file asked for."""
    from marketdata import services
    from marketdata.models import LookUp, LookUpAnswer

    breen = services.instrument_for_trade(user=kari, ticker="BREEN.DEMO", currency=None)
    services.record_splits(stock=breen, splits=[(date(2023, 3, 1), D("0.5"))], source="manual")
    LookUpAnswer.objects.create(text="NO0000000001", answered_at=NOW)
    LookUp.objects.create(user=kari, isin="NO0000000002", place=0, asked_at=NOW)


def _nordic_savings(kari: Any) -> None:
    """A portfolio filled by files: one whose rows count, one with rows that failed, one undone."""
    from portfolios import services
    from portfolios.models import Checkpoint, ImportBatch
    from tests.entries import statement, trade

    nordic = services.create_portfolio(
        user=kari, name="Nordic savings", currency="NOK", brokerage_firm="Demo broker"
    )
    services.set_balance(portfolio=nordic, kind="cash", amount=D("12500.75"), on=date(2023, 1, 2))
    services.set_balance(portfolio=nordic, kind="credit", amount=D("4000"), on=date(2024, 1, 2))
    statement(
        nordic,
        "demo-nordic.csv",
        "2022-06-02,buy,FJORD.DEMO,40,131.5,29,,,,n-1",
        "2022-06-07,buy,SPLITVIK.DEMO,10,212.25,29,,,before a split,n-2",
        "2022-06-09,buy,BREEN.DEMO,30,88.8,29,,,,n-3",
        "2023-05-11,dividend,FJORD.DEMO,40,2.75,,,,,n-4",
        "2023-08-15,sell,FJORD.DEMO,15,149.9,29,,,,n-5",
        "2024-02-20,sell,BREEN.DEMO,15,201,29,,,all of it after a reverse split,n-6",
        "2024-04-03,fee,FJORD.DEMO,1,45,,,,custody,n-7",
        "2025-01-15,buy,ATLAS.USD.DEMO,12,181.4,1,USD,11.02,,n-8",
    )
    trade(nordic, "FJORD.DEMO", "buy", "2025-03-03", "1", "140", exchange_rate=D(1))
    statement(
        nordic,
        "demo-adopting.csv",
        "2025-03-03,buy,FJORD.DEMO,1,140,,,1,,n-9",
        "2025-03-04,buy,FJORD.DEMO,2,141.1,,,1,,n-10",
    )
    statement(
        nordic,
        "demo-with-errors.csv",
        "2025-04-01,buy,FJORD.DEMO,1,-1,,,,,",
        "2025-04-02,buy,FJORD.DEMO,1,139.5,,,1,,",
        on_error="skip",
    )
    undone = statement(
        nordic,
        "demo-undone.csv",
        "2025-05-01,buy,GONE.DEMO,1,100,,,1,,",
        "2025-05-02,buy,FJORD.DEMO,4,138,,,1,,",
    )
    services.undo_import(import_batch=undone)
    figure = {"day": date(2025, 4, 2), "decimals": 2, "row": 3, "rows_of_day": 1}
    batch = ImportBatch.objects.get(file_name="demo-with-errors.csv")
    fjord = nordic.holdings.get(stock__ticker="FJORD.DEMO").stock
    Checkpoint.objects.create(import_batch=batch, currency="NOK", amount=D("10.5"), **figure)
    Checkpoint.objects.create(import_batch=batch, stock=fjord, amount=D(4), **figure)


def _own_things(kari: Any) -> None:
    """An instrument priced by hand, awkward texts, a deleted split, names for statements."""
    from marketdata import services as marketdata
    from portfolios import services
    from tests.entries import trade

    odd = services.create_portfolio(
        user=kari, name='Ærlig & "Øvrig" 株, Oy', currency="SEK", brokerage_firm="=HYPERLINK(1)"
    )
    services.create_portfolio(user=kari, name="-empty", currency="EUR")
    services.set_balance(portfolio=odd, kind="cash", amount=D("-1234.56"), on=date(2022, 7, 4))
    trade(odd, "MYCO", "buy", "2022-06-03", "12345.6789012345", "0.00000123456789", currency="SEK")
    trade(odd, "MYCO", "split", "2022-09-01", "0.1")
    trade(odd, "MYCO", "tax", "2022-09-02", "1", "3", note='\'@home\r\nnext "line",\t…')
    trade(odd, "MYCO", "sell", "2023-01-04", "234.5", "1.5", commission=D(9), external_id="-17")
    myco = odd.holdings.get(stock__ticker="MYCO").stock
    for day, close in ((date(2023, 1, 4), "1.5"), (date(2026, 11, 20), "2.25")):
        marketdata.enter_price(stock=myco, day=day, close=D(close))
    # The source's split is deleted here and must not come back; the other portfolio keeps it.
    trade(odd, "SPLITVIK.DEMO", "buy", "2022-06-08", "10", "214", exchange_rate=D("1.03"))
    booked = odd.transactions.get(holding__stock__ticker="SPLITVIK.DEMO", type="split")
    services.delete_transaction(row=booked)
    trade(odd, "SPLITVIK.DEMO", "transfer_in", "2023-02-01", "5", "90", exchange_rate=D("0.98"))
    trade(odd, "SPLITVIK.DEMO", "transfer_out", "2023-02-02", "2")
    trade(odd, "SPLITVIK.DEMO", "interest", "2023-03-01", "1", "4.25", exchange_rate=D(1))
    services.update_holding(holding=odd.holdings.get(stock=myco), company_name="My own company")
    services.remember_aliases(user=kari, tickers={"NO0010096985": "FJORD.DEMO", "+ødd": "MYCO"})
    services.save_mapping(
        user=kari,
        name="=bank",
        format_name="mapped",
        mapping={"columns": {"date": "Dag"}, "types": {"Kjøp": "buy"}},
        header=["Dag", "Hva", ""],
    )


def _wall_street(ola: Any) -> None:
    """The other user's portfolio, with a file that still waits for a worker."""
    from integrations.imports.options import ImportOptions
    from integrations.imports.pipeline import read_file
    from integrations.imports.queue import queue_import
    from portfolios import services
    from tests.entries import HEADER, trade

    wall_street = services.create_portfolio(user=ola, name="Wall Street", currency="USD")
    trade(wall_street, "ATLAS.USD.DEMO", "buy", "2022-06-06", "20", "150.5", commission=D(1))
    trade(wall_street, "SPLITPEAK.USD.DEMO", "buy", "2022-06-06", "6", "300", commission=D(1))
    trade(wall_street, "ATLAS.USD.DEMO", "sell", "2024-06-06", "5", "170.25", commission=D(1))
    trade(wall_street, "MYCO", "buy", "2024-06-07", "3", "7", currency="USD")  # another MYCO
    data = "\n".join([HEADER, "2026-11-02,buy,HARBOR.USD.DEMO,1,200,,,,,"]).encode()
    queue_import(
        portfolio=wall_street,
        data=data,
        file_name="waiting.csv",
        read=read_file(data, ImportOptions(), ola),
        options=ImportOptions(),
    )


def _pensions(kari: Any, ola: Any) -> None:
    from pensions import services

    scheme = services.create_account(user=kari, name="@Old scheme", currency="EUR")
    for day, value in (("2024-05-31", "0"), ("2025-10-31", "10000.01"), ("2026-10-31", "12345.67")):
        services.record_value(account=scheme, on=date.fromisoformat(day), value=D(value))
    services.create_contribution(
        account=scheme,
        amount=D("250.5"),
        frequency="quarterly",
        start=date(2024, 1, 1),
        growth=D("0.015"),
    )
    services.create_contribution(
        account=scheme, amount=D(1), frequency="yearly", start=date(2023, 1, 1),
        end=date(2030, 1, 1),
    )  # fmt: skip
    services.create_account(user=kari, name="Without a value", currency="NOK")
    own = services.create_account(user=ola, name="401(k)", currency="USD")
    services.record_value(account=own, on=date(2026, 9, 30), value=D("80000"))


def _ynab(kari: Any) -> None:
    from integrations.models import SyncRun, YnabBudget, YnabSettings
    from pensions.models import PensionAccount

    checking = {
        "id": "checking",
        "name": "Brukskonto",
        "type": "checking",
        "balance": -1234560,
        "cleared_balance": 0,
        "uncleared_balance": -1234560,
        "closed": False,
        "deleted": False,
    }
    budget = YnabBudget.objects.create(
        id="plan-1",
        name="Hushold",
        verified=True,
        currency="NOK",
        currency_fetched_at=NOW,
        accounts={"checking": checking},
        accounts_fetched_at=NOW,
        server_knowledge=12,
    )
    YnabSettings.objects.create(user=kari, budget=budget)
    account = PensionAccount.objects.get(user=kari, name="Without a value")
    PensionAccount.objects.filter(pk=account.pk).update(ynab_account_id="checking")
    SyncRun.objects.create(
        user=kari,
        trigger="nightly",
        outcome="attention",
        accounts=[
            {
                "account_id": str(account.pk),
                "name": account.name,
                "outcome": "failed",
                "detail": "A balance below 0 is not a pension.",
            }
        ],
        started_at=NOW - timedelta(days=1),
        finished_at=NOW - timedelta(days=1),
    )


def _read_all() -> None:
    for username in ("kari", "ola"):
        figures(username)


def _forget_old_closes() -> None:
    from marketdata import vectors
    from marketdata.models import HistoricalStockPrice, StockVector

    StockVector.objects.all().delete()
    vectors.vector_cache.clear()
    HistoricalStockPrice.objects.filter(date__lt=FIRST_CLOSE).as_service().delete()


def _hold_back_prices() -> None:
    """Two closes that wait for a person, of days on which the source has none."""
    from marketdata.models import HeldBack, StockMetadata

    breen = StockMetadata.objects.get(ticker="BREEN.DEMO")
    for day, close, reason in (
        (date(2026, 11, 21), D("9999.5"), "jump"),
        (date(2026, 11, 22), D(0), "not_positive"),
    ):
        HeldBack.objects.create(
            kind="price",
            stock=breen,
            date=day,
            value=close,
            before=D(120),
            reason=reason,
            source="simulated",
        )


def _other_apps(kari: Any) -> None:
    """Rows of apps that are not ours, which only a backup of the same state brings back."""
    from axes.models import AccessAttempt
    from django.contrib.admin.models import CHANGE, LogEntry
    from django.contrib.contenttypes.models import ContentType
    from django.contrib.sessions.backends.db import SessionStore
    from rest_framework_simplejwt.tokens import RefreshToken

    from financeproj.users.models import SignIn
    from financeproj.users.services import issue_tokens

    LogEntry.objects.create(
        user=kari,
        content_type=ContentType.objects.get_for_model(type(kari)),
        object_id=str(kari.pk),
        object_repr="kari",
        action_flag=CHANGE,
    )
    AccessAttempt.objects.create(username="kari", ip_address="192.0.2.1", failures_since_start=1)
    SessionStore().save()
    RefreshToken.for_user(kari).blacklist()
    RefreshToken.for_user(kari)
    issue_tokens(user=kari, address="192.0.2.1", agent="Firefox")
    SignIn.objects.create(
        user=kari,
        name_key="00",
        address="192.0.2.1",
        network="192.0.2.1",
        agent="Firefox",
        success=True,
    )


# --- What must be the same afterwards -------------------------------------------------------------

SUMMARY = (
    "market_value",
    "net_value",
    "cost_basis",
    "unrealised_gain",
    "realised_gain",
    "income",
    "charges",
    "total_gain",
    "missing",
)
HOLDING = (
    "ticker",
    "company_name",
    "currency",
    "current_quantity",
    "average_cost_per_share",
    "cost_basis",
    "price",
    "price_source",
    "exchange_rate",
    "market_value",
    "realised_gain",
    "income",
    "charges",
    "first_transaction_on",
    "last_transaction_on",
)
TRANSACTION = (
    "type",
    "date",
    "quantity",
    "price",
    "commission",
    "exchange_rate",
    "amount",
    "average_cost_per_share_at_transaction",
    "realised_gain",
    "note",
    "external_id",
    "source",
)
IMPORT = ("file_name", "format", "state", "rows", "created", "duplicates", "ignored", "failed")
CONTRIBUTION = ("amount", "frequency", "start", "end", "growth")
DASHBOARD = ("net_worth", "portfolios_value", "cash", "used_credit", "pensions_value", "total_gain")


def figures(username: str) -> dict[str, Any]:
    """The user's amounts, counts and states as the API answers them, by name and without ids.

    Only what later releases keep as it is: no rates of return, whose definitions may improve.
    """
    from rest_framework.test import APIClient

    from financeproj.users.models import User

    client = APIClient(SERVER_NAME="127.0.0.1")
    client.force_authenticate(User.objects.get(username=username))

    def get(path: str, **query: str) -> Any:
        answer = client.get(f"/api/v1{path}", query)
        assert answer.status_code == 200, (path, answer.content)
        return json.loads(answer.content)

    me, goal, ynab = get("/users/me"), get("/goal"), get("/settings/ynab")
    portfolios = get("/portfolios")
    accounts = get("/pension/accounts")
    net_worth = get("/net-worth", interval="month")["points"]
    found = {
        "user": _picked(me, ("username", "email", "base_currency")),
        "goal": _picked(goal, ("amount", "year")),
        "ynab": _picked(ynab, ("budget_id", "budget_name", "verified")),
        "portfolios": [_portfolio(get, row) for row in portfolios],
        "pension_accounts": [_pension_account(get, row) for row in accounts],
        "imports": sorted((_picked(row, IMPORT) for row in get("/imports")), key=_as_text),
        "dashboard": _picked(get("/dashboard"), DASHBOARD),
        "net_worth": [_picked(point, ("date", "net_worth")) for point in net_worth],
    }
    tickers = {
        holding["ticker"] for portfolio in found["portfolios"] for holding in portfolio["holdings"]
    }
    found["closes"] = {ticker: _closes(get, ticker) for ticker in sorted(tickers)}
    return found


def _picked(row: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: row[name] for name in names}


def _as_text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _portfolio(get: Any, row: Any) -> dict[str, Any]:
    path = f"/portfolios/{row['id']}"
    holdings = []
    for holding in get(f"{path}/holdings", include_closed="true"):
        rows = get(f"/holdings/{holding['id']}/transactions")
        transactions = sorted((_picked(one, TRANSACTION) for one in rows), key=_as_text)
        holdings.append({**_picked(holding, HOLDING), "transactions": transactions})
    gains = get(f"{path}/realised-gains", method="fifo")
    points = get(f"{path}/timeline", interval="month")["points"]
    return {
        **_picked(row, ("name", "brokerage_firm", "currency", "cash", "used_credit", "position")),
        **_picked(row["summary"], SUMMARY),
        "holdings": sorted(holdings, key=_as_text),
        "fifo": [_picked(one, ("ticker", "date", "quantity", "proceeds", "gain")) for one in gains],
        "timeline": [_picked(one, ("date", "market_value", "cost_basis")) for one in points],
    }


def _pension_account(get: Any, row: Any) -> dict[str, Any]:
    path = f"/pension/accounts/{row['id']}"
    return {
        **_picked(row, ("name", "currency", "ynab_account_id", "current_value")),
        "values": [_picked(one, ("date", "value", "source")) for one in get(f"{path}/values")],
        "contributions": [_picked(one, CONTRIBUTION) for one in get(f"{path}/contributions")],
    }


def _closes(get: Any, ticker: str) -> list[Any]:
    """How many closes are stored, the first and the last."""
    points = get(f"/stocks/{ticker}/history", start=str(FIRST_CLOSE))["points"]
    if not points:
        return [0]
    return [len(points), points[0], points[-1]]


def differences(found: Any, expected: Any, where: str = "") -> list[str]:
    """Where `found` is not what `expected` states; what only `found` has is a later addition."""
    if isinstance(expected, dict):
        lines = []
        for name, value in expected.items():
            lines += differences(found.get(name), value, f"{where}.{name}")
        return lines
    if isinstance(expected, list) and isinstance(found, list) and len(found) == len(expected):
        lines = []
        for number, (one, value) in enumerate(zip(found, expected, strict=True)):
            lines += differences(one, value, f"{where}[{number}]")
        return lines
    if found == expected:
        return []
    return [f"{where}: {found!r:.200} instead of {expected!r:.200}"]


# --- The files ------------------------------------------------------------------------------------


def write(version: str, folder: Path) -> None:
    """Write a backup, kari's export and everybody's figures into `folder`, named by `version`."""
    from django.db import connection

    from financeproj.users.models import User
    from integrations.backups.services import make_backup
    from integrations.exports.writing import write_export

    with tempfile.TemporaryDirectory() as work:
        made = make_backup(folder=Path(work))
        assert made.proved, made.detail
        backup = folder / f"backup-{version}-{connection.vendor}.zip"
        backup.write_bytes(Path(made.path).read_bytes())
    with (folder / f"export-{version}.zip").open("wb") as file:
        write_export(user=User.objects.get(username="kari"), file=file)
    found = {name: figures(name) for name in ("kari", "ola")}
    text = json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False)
    (folder / f"figures-{version}.json").write_text(text + "\n")


def empty_tables() -> list[str]:
    """The tables of our apps that the files of the release would say nothing about."""
    from integrations.backups.states import own_labels
    from integrations.backups.tables import archived_models, table_of

    labels = own_labels()
    models = [model for model in archived_models() if model._meta.app_label in labels]
    return [table_of(model) for model in models if not model._base_manager.exists()]


def main() -> None:
    import django
    import time_machine

    django.setup()
    from django.test import override_settings

    version, folder = sys.argv[1:]
    with time_machine.travel(NOW, tick=False), override_settings(**SOURCES):
        fill()
        write(version, Path(folder))
    for table in empty_tables():
        sys.stderr.write(f"{table} has no row: let fill() make one.\n")


if __name__ == "__main__":
    main()
