"""Test that nothing that one user sends becomes a fact for another.

Every model that users share, and every way in which a user can write: while no source answers, no
shared row may be made, changed or deleted.
"""

from datetime import date
from decimal import Decimal as D

import pytest
from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import transaction

from conftest import api_client, forget
from financeproj.core.api.throttling import AnonThrottle
from financeproj.users.models import User
from integrations.backups.tests.archives import entry_of, put, rewritten
from integrations.exports.writing import write_export
from integrations.imports.tests.test_resolving import bought as bought_at_trading_212
from integrations.models import AssignedBudget, YnabBudget
from integrations.simulated import SimulatedSource
from marketdata import services as marketdata
from marketdata.models import (
    CurrencyPair,
    HeldBack,
    HistoricalExchangeRate,
    HistoricalStockPrice,
    LookUpAnswer,
    StockDividend,
    StockMetadata,
    StockQuote,
    StockSplit,
)
from marketdata.sources import SourceUnavailable
from marketdata.tests.factories import instrument, with_closes, with_quote
from portfolios.models import Holding
from portfolios.services import create_portfolio
from portfolios.tests.conftest import trade
from tests.test_url_walk import CALLS, OPEN, ask
from tests.world import world  # noqa: F401  (a fixture)

pytestmark = [pytest.mark.django_db, pytest.mark.untraced]

APPLE = "US0378331005"
OF_INSTRUMENTS = (StockQuote, HistoricalStockPrice, StockSplit, StockDividend, HeldBack)
SHARED = {
    StockMetadata: {"owner__isnull": True},
    **{model: {"stock__owner__isnull": True} for model in OF_INSTRUMENTS},
    CurrencyPair: {},
    HistoricalExchangeRate: {},
    YnabBudget: {},
    AssignedBudget: {},
    LookUpAnswer: {},
}


# Users, what may lack one, the operator's files, copies of shared rows, and answers of sources to
# questions about identifiers.
NOT_SHARED = {
    "users.User",
    "users.SignIn",
    "history.HistoryEntry",
    "integrations.Backup",
    "marketdata.StockVector",
    "marketdata.PairVector",
    "marketdata.LookUpAnswer",
}
OURS = {"users", "history", "marketdata", "portfolios", "pensions", "integrations"}


def belongs_to_a_user(model):
    """Whether each row of a model leads to a user."""
    for field in model._meta.concrete_fields:
        target = field.related_model
        if target is None or field.null or target is model:
            continue
        if target is User or belongs_to_a_user(target):
            return True
    return False


def test_every_model_without_a_user_is_watched_here():
    shared = set()
    for model in apps.get_models():
        if model._meta.app_label in OURS and not belongs_to_a_user(model):
            shared.add(model)
    assert {model for model in shared if model._meta.label not in NOT_SHARED} <= SHARED.keys()


def facts():
    """Return all rows that users share, by model."""
    found = {}
    for model, condition in SHARED.items():
        rows = model._default_manager.filter(**condition).order_by("pk")
        names = [field.attname for field in model._meta.concrete_fields]
        found[model.__name__] = list(rows.values(*names))
    return found


@pytest.fixture(autouse=True)
def _unthrottled(monkeypatch):
    monkeypatch.setattr(AnonThrottle, "rate", "1000/min", raising=False)


@pytest.fixture
def shared(world, other_user, yahoo, settings, monkeypatch):
    """The world of one user, shared facts on which another relies, and sources that are down."""
    day = date(2024, 1, 2)
    stock = with_quote(with_closes(instrument("MSFT", currency="NOK"), {day: 370}), 371, day)
    marketdata.record_rates(base="USD", target="NOK", rates=[(day, D("10.4"))], source="yahoo")
    theirs = create_portfolio(user=other_user, name="Theirs", currency="NOK")
    trade(theirs, stock, "buy", "100", "300", on=day)

    def is_down(self, ticker, start):
        raise SourceUnavailable("down")

    monkeypatch.setattr(SimulatedSource, "history", is_down)
    monkeypatch.setattr(SimulatedSource, "search", lambda self, query, limit: [])
    yahoo.fault = "500"
    settings.YNAB_BASE_URL = "http://127.0.0.1:9/v1"
    settings.MARKET_DATA_TIMEOUT_SECONDS = 1
    return world


def test_no_call_of_the_api_writes_what_users_share(shared):
    before, wrong = facts(), []
    assert len([rows for rows in before.values() if rows]) >= 7
    for key in CALLS.keys() - OPEN:
        if key[0] == "get":
            continue
        with transaction.atomic():
            ask(api_client(shared.user), key, shared)
            after = facts()
            transaction.set_rollback(True)
        forget()
        if after != before:
            wrong.append(key)
    assert wrong == []


def bought(world, **fields):
    body = {
        "portfolio_id": str(world.portfolio.pk),
        "type": "buy",
        "date": "2024-05-02",
        "quantity": 1,
        "price": 10,
        "exchange_rate": 1,
    }
    return api_client(world.user).post("/api/v1/transactions", body | fields)


def imported(world, header, *lines, **fields):
    file = SimpleUploadedFile("x.csv", "\n".join([header, *lines]).encode())
    body = {"portfolio_id": str(world.portfolio.pk), "file": file} | fields
    return api_client(world.user).post("/api/v1/transactions/import-csv", body, format="multipart")


def trade_of_a_new_ticker(world):
    assert bought(world, ticker="ACME", currency="VND", company_name="Mine").status_code == 201


def trade_in_another_currency(world):
    assert bought(world, ticker="MSFT", currency="VND").status_code == 422


def trade_under_another_name(world):
    response = bought(world, ticker="MSFT", currency="NOK", company_name="Not Microsoft")
    assert response.status_code == 201


def split_of_a_shared_instrument(world):
    assert bought(world, ticker="MSFT", currency="NOK").status_code == 201
    fields = {"type": "split", "quantity": 1000, "price": None, "exchange_rate": None}
    response = bought(world, ticker="MSFT", **fields)
    assert response.status_code == 201, response.json()


def price_by_hand_of_a_shared_instrument(world):
    response = api_client(world.user).post(
        "/api/v1/stocks/MSFT/prices", {"date": "2024-05-02", "close": 1}
    )
    assert response.status_code == 409


def import_that_maps_an_isin(world):
    data = bought_at_trading_212(currency="NOK", symbol="AAPL", isin=APPLE).decode()
    response = imported(world, *data.splitlines(), instruments=f'{{"{APPLE}": "MSFT"}}')
    assert response.status_code == 201, response.json()


def import_of_many_new_tickers(world):
    header = "date,type,ticker,quantity,price,currency,exchange_rate,commission,note,external_id"
    lines = [f"2024-05-02,buy,S{number},1,10,VND,1,,," for number in range(20)]
    response = imported(world, header, *lines)
    assert response.status_code == 201, response.json()


def budget_of_the_operator(world):
    response = api_client(world.user).post("/api/v1/settings/ynab", {"budget_id": "another"})
    assert response.status_code == 422


WAYS = [
    trade_of_a_new_ticker,
    trade_in_another_currency,
    trade_under_another_name,
    split_of_a_shared_instrument,
    price_by_hand_of_a_shared_instrument,
    import_that_maps_an_isin,
    import_of_many_new_tickers,
    budget_of_the_operator,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_what_a_user_sends_changes_nothing_that_users_share(shared, other_user, way):
    before = facts()
    way(shared)
    assert facts() == before
    [theirs] = Holding.objects.filter(portfolio__user=other_user)
    assert theirs.current_quantity == 100


def _added(files, manifest, name, line):
    put(files, manifest, name, files[name] + line + "\r\n")
    entry_of(manifest, name)["rows"] += 1


def test_an_archive_changes_nothing_that_users_share(shared, other_user, tmp_path):
    bought(shared, ticker="MSFT", currency="NOK")
    bought(shared, ticker="ACME", currency="VND")
    stock_id = StockMetadata.objects.get(ticker="MSFT").pk
    path = tmp_path / "export.zip"
    with path.open("wb") as file:
        write_export(user=shared.user, file=file)

    def hostile(files, manifest):
        _added(files, manifest, "splits.csv", f"{stock_id},2024-02-01,1000,yahoo")
        _added(files, manifest, "dividends.csv", f"{stock_id},2024-02-01,9,yahoo")
        _added(files, manifest, "prices.csv", f"{stock_id},2024-02-01,1,yahoo")
        _added(files, manifest, "exchange_rates.csv", "USD,NOK,2024-02-01,99,yahoo")
        quotes = files["quotes.csv"].replace(",371,", ",1,")
        put(files, manifest, "quotes.csv", quotes)

    before = facts()
    call_command("import_data", str(rewritten(path, hostile)), "--user", "zoë")
    assert facts() == before
    [theirs] = Holding.objects.filter(portfolio__user=other_user)
    assert theirs.current_quantity == 100
