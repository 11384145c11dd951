"""Test the admin: every model is there, no page queries per row, writes use the services."""

import re
from datetime import date, timedelta
from decimal import Decimal as D

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken
from rest_framework_simplejwt.tokens import RefreshToken

from financeproj.core.errors import Conflict
from financeproj.users.models import User
from integrations.imports.pipeline import import_statement
from marketdata import services as market
from marketdata.models import (
    CurrencyPair,
    HeldBack,
    HistoricalExchangeRate,
    HistoricalStockPrice,
    PairVector,
    StockDividend,
    StockMetadata,
    StockQuote,
    StockSplit,
    StockVector,
)
from marketdata.tests.factories import instrument
from portfolios import services
from portfolios.models import (
    Holding,
    ImportBatch,
    InstrumentAlias,
    Portfolio,
    PortfolioBalance,
    Transaction,
    TransactionVector,
)
from portfolios.tests.conftest import make_stock, no_other_rates, portfolio, stock, trade  # noqa: F401  (fixtures)

pytestmark = pytest.mark.django_db
OURS = ("users", "marketdata", "portfolios", "pensions", "integrations")


@pytest.fixture
def page(client, user):
    user.is_staff = user.is_superuser = True
    user.save()
    client.force_login(user)
    return client


def url(model, name, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def our_models():
    return [model for app in OURS for model in apps.get_app_config(app).get_models()]


@pytest.mark.untraced
@pytest.mark.parametrize("model", our_models(), ids=lambda model: model.__name__)
def test_every_model_is_listed_with_columns_search_and_filters(page, model):
    shown = admin.site.get_model_admin(model)
    assert len(shown.list_display) >= 3
    assert shown.search_fields
    assert shown.list_filter
    assert page.get(url(model, "changelist"), {"q": "x"}).status_code == 200


def queries(page, address):
    with CaptureQueriesContext(connection) as captured:
        assert page.get(address).status_code == 200
    return len(captured)


def test_lists_ask_no_query_per_row(page, portfolio, make_stock):
    models = (StockMetadata, Holding, Transaction, Portfolio)
    trade(portfolio, make_stock("FIRST.DEMO", price="10"), "buy", "5", "10")
    for model in models:
        queries(page, url(model, "changelist"))
    before = [queries(page, url(model, "changelist")) for model in models]
    for index in range(6):
        trade(portfolio, make_stock(f"M{index}.DEMO", price="10"), "buy", "5", "10")
        services.create_portfolio(user=portfolio.user, name=f"P{index}", currency="NOK")
    assert [queries(page, url(model, "changelist")) for model in models] == before


def test_the_page_of_a_refused_token_asks_no_query_per_token(page, user):
    def refused_token():
        token = RefreshToken.for_user(user)
        token.blacklist()
        return BlacklistedToken.objects.get(token__jti=token["jti"])

    address = url(BlacklistedToken, "change", refused_token().pk)
    queries(page, address)
    before = queries(page, address)
    for _ in range(6):
        refused_token()
    assert queries(page, address) == before


@pytest.mark.parametrize(
    "model", [StockVector, PairVector, TransactionVector], ids=lambda model: model.__name__
)
def test_a_vector_is_listed_without_its_data_and_rebuilt_after_deletion(
    page, api, portfolio, make_stock, no_other_rates, model
):
    stock = make_stock("ATLAS.USD.DEMO", currency="USD", price="10")
    market.record_prices(stock=stock, closes=[(date(2024, 5, 2), D(9))], source="simulated")
    market.record_rates(base="USD", target="NOK", rates=[(date(2024, 5, 2), D(11))], source="test")
    trade(portfolio, stock, "buy", "5", "10", on=date(2024, 5, 2), exchange_rate="11")
    chart = f"/api/v1/portfolios/{portfolio.pk}/performance"
    assert api.get(chart).status_code == 200
    vector = model.objects.get()
    owner = {StockVector: "stock", PairVector: "pair", TransactionVector: "portfolio"}[model]
    version = getattr(vector, owner).version
    pages = [
        url(model, "changelist"),
        *(url(model, name, vector.pk) for name in ("change", "delete")),
    ]
    for address in pages:
        with CaptureQueriesContext(connection) as captured:
            html = page.get(address).content.decode()
        assert str(getattr(vector, owner)) in html
        column = f'"{model._meta.db_table}"."data"'
        assert not [
            one["sql"] for one in captured if column in one["sql"].replace(f"LENGTH({column})", "")
        ]
    assert f'<td class="field-size">{len(vector.data)}</td>' in page.get(pages[0]).content.decode()
    assert page.get(url(model, "add")).status_code == 403
    assert page.post(pages[1], {"version": "9"}).status_code == 403
    assert page.post(pages[2], {"post": "yes"}).status_code == 302
    assert not model.objects.exists()
    assert api.get(chart).status_code == 200
    rebuilt = model.objects.get()
    assert (bytes(rebuilt.data) != b"", getattr(rebuilt, owner).version) == (True, version + 1)


def form(row_or_holding, **changes):
    return {
        "type": "buy",
        "date": "2024-05-02",
        "quantity": "10",
        "price": "100.25",
        "commission": "0",
        **changes,
    }


def test_a_transaction_saved_in_the_admin_replays_the_holding(page, portfolio, stock):
    first = trade(portfolio, stock, "buy", "4", "100")
    response = page.post(url(Transaction, "add"), form(first, holding=str(first.holding_id)))
    assert response.status_code == 302
    assert Holding.objects.get().current_quantity == 14
    response = page.post(url(Transaction, "change", first.pk), form(first, quantity="5"))
    assert response.status_code == 302
    holding = Holding.objects.get()
    assert (holding.current_quantity, holding.cost_basis) == (15, 15 * 100.25)


def test_figures_that_are_only_shown_have_no_zeros_behind_them(page, portfolio, stock):
    row = trade(portfolio, stock, "buy", "4", "12.5")
    HeldBack.objects.create(
        kind="price",
        stock=stock,
        date="2024-05-02",
        value=D("500.5"),
        reason="jump",
        source="simulated",
    )
    for address, figures in (
        (url(Transaction, "change", row.pk), ["12.5", "–"]),
        (url(Holding, "change", row.holding_id), ["4", "12.5", "50", "0", "0", "0"]),
        (url(HeldBack, "change", HeldBack.objects.get().pk), ["500.5", "–"]),
    ):
        shown = re.findall(
            r'<div class="readonly">([0-9.]+|–)</div>', page.get(address).content.decode()
        )
        assert shown == figures


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"type": "sell", "quantity": "99"}, "quantity", "99 requested, 4 held on 2024-05-02"),
        ({"date": "2999-01-01"}, "date", "in the future"),
        ({"price": ""}, "price", "A price is required"),
        ({"quantity": "0." + "1" * 29}, "quantity", "significant digits"),
        ({"external_id": "N-1"}, "external_id", "already"),
        ({"quantity": "-1"}, "quantity", "The quantity must be above 0."),
        ({"price": "-5"}, "price", "The price must be 0 or more."),
        ({"commission": "-1"}, "commission", "The commission must be 0 or more."),
        ({"type": "transfer_in", "commission": "5"}, "commission", "add it to the price"),
        ({"exchange_rate": "0"}, "exchange_rate", "The exchange rate must be above 0."),
    ],
)
def test_the_admin_refuses_what_the_api_refuses_with_a_message_at_the_field(
    page,
    portfolio,
    stock,
    changes,
    field,
    message,
):
    first = trade(portfolio, stock, "buy", "4", "100", external_id="N-1")
    response = page.post(
        url(Transaction, "add"), form(first, holding=str(first.holding_id), **changes)
    )
    assert response.status_code == 200
    errors = response.context["adminform"].form.errors
    assert list(errors) == [field]
    assert message in str(errors)
    assert Transaction.objects.count() == 1
    assert Holding.objects.get().current_quantity == 4


def test_deleting_a_buy_that_a_sale_needs_is_refused_with_a_message(page, portfolio, stock):
    bought = trade(portfolio, stock, "buy", "4", "100")
    trade(portfolio, stock, "sell", "4", "120", on=date(2024, 6, 3))
    response = page.post(url(Transaction, "delete", bought.pk), {"post": "yes"}, follow=True)
    assert "would exceed what is held" in str(next(iter(response.context["messages"])))
    action = {"action": "delete_selected", "_selected_action": [str(bought.pk)], "post": "yes"}
    response = page.post(url(Transaction, "changelist"), action, follow=True)
    assert "would exceed what is held" in str(next(iter(response.context["messages"])))
    assert Transaction.objects.count() == 2


def test_a_portfolio_saved_in_the_admin_keeps_its_dated_credit(page, user):
    body = {
        "user": str(user.pk),
        "name": "Nordic",
        "currency": "NOK",
        "used_credit": "100",
        "cash": "7",
    }
    assert page.post(url(Portfolio, "add"), body).status_code == 302
    portfolio = Portfolio.objects.get()
    assert (portfolio.used_credit, portfolio.cash, PortfolioBalance.objects.count()) == (100, 7, 2)
    refused = page.post(url(Portfolio, "add"), {**body, "name": "NORDIC"})
    assert "already" in str(refused.context["adminform"].form.errors["name"])
    change = {**body, "name": "Norden", "used_credit": "50"}
    assert page.post(url(Portfolio, "change", portfolio.pk), change).status_code == 302
    portfolio.refresh_from_db()
    assert (portfolio.name, portfolio.used_credit) == ("Norden", 50)
    assert page.post(url(Portfolio, "delete", portfolio.pk), {"post": "yes"}).status_code == 302
    assert not Portfolio.objects.exists()


def test_an_instrument_name_may_grow_in_lower_case_up_to_its_limit(page, user):
    entered = {"user": user.pk, "ticker": "acme"}
    made = page.post(url(InstrumentAlias, "add"), entered | {"key": "ΐ" * 200})
    assert made.status_code == 302
    assert InstrumentAlias.objects.get().key == "ΐ".casefold() * 200
    refused = page.post(url(InstrumentAlias, "add"), entered | {"key": "ΐ" * 201})
    assert "at most 600 characters" in str(refused.context["adminform"].form.errors["key"])
    assert InstrumentAlias.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"cash": "1234567890.12345678901" + "1" * 20}, "cash", "significant digits"),
        ({"used_credit": "-1"}, "used_credit", "Used credit must be 0 or more."),
    ],
)
def test_a_portfolio_with_an_amount_that_cannot_be_is_not_saved_in_part(
    page, user, fields, field, message
):
    body = {
        "user": str(user.pk),
        "name": "Nordic",
        "currency": "NOK",
        "used_credit": "100",
        "cash": "7",
    }
    refused = page.post(url(Portfolio, "add"), {**body, **fields})
    errors = refused.context["adminform"].form.errors
    assert list(errors) == [field]
    assert message in str(errors)
    assert not Portfolio.objects.exists()
    assert page.post(url(Portfolio, "add"), body).status_code == 302
    portfolio = Portfolio.objects.get()
    refused = page.post(
        url(Portfolio, "change", portfolio.pk), {**body, "name": "Norden", **fields}
    )
    assert list(refused.context["adminform"].form.errors) == [field]
    assert list(Portfolio.objects.values_list("name", "used_credit", "cash")) == [
        ("Nordic", 100, 7)
    ]
    assert sorted(PortfolioBalance.objects.values_list("amount", flat=True)) == [7, 100]


def test_an_untouched_cash_of_0_is_not_stored_as_a_value(page, user):
    body = {
        "user": str(user.pk),
        "name": "Nordic",
        "currency": "NOK",
        "used_credit": "100",
        "cash": "0",
    }
    assert page.post(url(Portfolio, "add"), body).status_code == 302
    assert list(PortfolioBalance.objects.values_list("kind", "amount")) == [("credit", 100)]


def test_five_wrong_passwords_lock_the_admin_too(client, user):
    body = {"username": "kari", "password": "wrong"}
    codes = [client.post("/admin/login/", body).status_code for _ in range(6)]
    assert codes == [200, 200, 200, 200, 429, 429]
    assert int(client.post("/admin/login/", body)["Retry-After"]) > 0


def test_a_close_corrected_in_the_admin_moves_the_version(page, stock):
    body = {"stock": str(stock.pk), "date": "2024-05-02", "close": "101.5"}
    assert page.post(url(HistoricalStockPrice, "add"), body).status_code == 302
    row = HistoricalStockPrice.objects.get()
    assert (row.close, row.source) == (D("101.5"), "manual")
    version = StockMetadata.objects.get().version
    assert version > stock.version
    assert (
        page.post(url(HistoricalStockPrice, "change", row.pk), {**body, "close": "99"}).status_code
        == 302
    )
    row.refresh_from_db()
    assert (row.close, StockMetadata.objects.get().version) == (99, version + 1)
    twice = page.post(url(HistoricalStockPrice, "add"), body)
    assert "has a price already" in str(twice.context["adminform"].form.errors)
    negative = page.post(
        url(HistoricalStockPrice, "add"), {**body, "date": "2024-05-03", "close": "-1"}
    )
    assert negative.status_code == 200
    assert (
        page.post(url(HistoricalStockPrice, "delete", row.pk), {"post": "yes"}).status_code == 302
    )
    assert (HistoricalStockPrice.objects.count(), StockMetadata.objects.get().version) == (
        0,
        version + 2,
    )


def test_a_split_entered_in_the_admin_is_booked_into_the_holding(page, portfolio, stock):
    trade(portfolio, stock, "buy", "10", "100")
    body = {"stock": str(stock.pk), "date": "2024-06-10", "ratio": "4"}
    assert page.post(url(StockSplit, "add"), body).status_code == 302
    assert Holding.objects.get().current_quantity == 40


def test_the_currency_of_a_traded_instrument_is_fixed(page, portfolio, stock):
    body = {"ticker": stock.ticker, "currency": "SEK", "asset_type": "etf", "source": "simulated"}
    assert page.post(url(StockMetadata, "change", stock.pk), body).status_code == 302
    trade(portfolio, stock, "buy", "10", "100", exchange_rate="1")
    refused = page.post(url(StockMetadata, "change", stock.pk), {**body, "currency": "NOK"})
    assert "fixed" in str(refused.context["adminform"].form.errors["currency"])
    assert (
        page.post(url(StockMetadata, "change", stock.pk), {**body, "sector": "Energy"}).status_code
        == 302
    )
    stock.refresh_from_db()
    assert (stock.currency, stock.sector, stock.asset_type) == ("SEK", "Energy", "etf")
    page.post(url(StockMetadata, "delete", stock.pk), {"post": "yes"})
    assert StockMetadata.objects.filter(pk=stock.pk).exists()


def test_a_rate_corrected_in_the_admin_is_the_one_that_counts(page):
    pair = CurrencyPair.objects.create(base="USD", target="NOK")
    body = {"pair": str(pair.pk), "date": "2024-05-02", "rate": "10.75"}
    assert page.post(url(HistoricalExchangeRate, "add"), body).status_code == 302
    assert HistoricalExchangeRate.objects.get().source == "manual"
    assert CurrencyPair.objects.get().version == 1
    refused = page.post(
        url(HistoricalExchangeRate, "add"), {**body, "date": "2024-05-03", "rate": "0"}
    )
    assert refused.status_code == 200
    assert HistoricalExchangeRate.objects.count() == 1


@pytest.mark.parametrize(
    ("model", "fields", "field", "message"),
    [
        (HistoricalStockPrice, {"close": "-1"}, "close", "The price must be 0 or more."),
        (
            HistoricalStockPrice,
            {"close": "3", "date": "2024-05-02"},
            "date",
            "That day has a price already.",
        ),
        (StockSplit, {"ratio": "0"}, "ratio", "The ratio must be above 0 and not 1."),
        (StockSplit, {"ratio": "3", "date": "2024-05-02"}, "date", "That day has a split already."),
        (StockDividend, {"amount": "0"}, "amount", "The amount must be above 0."),
        (
            StockDividend,
            {"amount": "3", "date": "2024-05-02"},
            "date",
            "That day has a dividend already.",
        ),
        (StockQuote, {"price": "-1", "day": "2024-05-03"}, "price", "The price must be 0 or more."),
        (HistoricalExchangeRate, {"rate": "0"}, "rate", "The rate must be above 0."),
        (
            HistoricalExchangeRate,
            {"rate": "3", "date": "2024-05-02"},
            "date",
            "That day has a rate already.",
        ),
        (
            PortfolioBalance,
            {"kind": "credit", "amount": "-1"},
            "amount",
            "Used credit must be 0 or more.",
        ),
        (
            StockMetadata,
            {"ticker": "FJORD.DEMO"},
            "ticker",
            "There is an instrument of this ticker already.",
        ),
        (StockMetadata, {"ticker": "no ticker"}, "ticker", "A ticker is made of capital letters"),
    ],
)
def test_a_number_or_a_day_that_cannot_be_is_refused_at_its_field(
    page, portfolio, make_stock, model, fields, field, message
):
    stock, other, day = make_stock(), make_stock("OTHER.DEMO"), date(2024, 5, 2)
    market.record_prices(stock=stock, closes=[(day, D(2))], source="simulated")
    market.record_splits(stock=stock, splits=[(day, D(2))], source="simulated")
    market.record_dividends(stock=stock, dividends=[(day, D(2))], source="simulated")
    market.record_rates(base="USD", target="NOK", rates=[(day, D(2))], source="simulated")
    before = list(model.objects.values_list())
    body = {
        "stock": str(other.pk if model is StockQuote else stock.pk),
        "pair": str(CurrencyPair.objects.get().pk),
        "portfolio": str(portfolio.pk),
        "date": "2024-05-03",
        "currency": "NOK",
        "asset_type": "stock",
        **dict.fromkeys(("as_of_0", "fetched_at_0"), "2024-05-03"),
        **dict.fromkeys(("as_of_1", "fetched_at_1"), "00:00"),
        "source": "simulated",
        **fields,
    }
    response = page.post(url(model, "add"), body)
    errors = response.context["adminform"].form.errors
    assert list(errors) == [field]
    assert message in str(errors)
    assert list(model.objects.values_list()) == before


@pytest.mark.parametrize(
    ("model", "value"),
    [
        (HistoricalStockPrice, "close"),
        (StockSplit, "ratio"),
        (StockDividend, "amount"),
        (StockQuote, "price"),
        (HistoricalExchangeRate, "rate"),
    ],
)
def test_the_admin_takes_nothing_of_the_future(page, portfolio, make_stock, model, value):
    stock = make_stock()
    trade(portfolio, stock, "buy", "10", "100")
    pair = CurrencyPair.objects.create(base="USD", target="NOK")
    today = timezone.localdate()
    field = "day" if model is StockQuote else "date"
    now = {
        "as_of_0": today,
        "as_of_1": "00:00",
        "fetched_at_0": today,
        "fetched_at_1": "00:00",
        "source": "simulated",
    }
    body = {"stock": str(stock.pk), "pair": str(pair.pk), value: "2", **now}
    refused = page.post(url(model, "add"), {**body, field: today + timedelta(days=1)})
    assert refused.context["adminform"].form.errors == {
        field: [f"The date {today + timedelta(days=1)} is in the future."]
    }
    assert not model.objects.exists()
    assert (Holding.objects.get().current_quantity, StockMetadata.objects.get().version) == (10, 0)
    assert page.post(url(model, "add"), {**body, field: today}).status_code == 302
    assert model.objects.count() == 1


def test_held_back_prices_are_accepted_or_dismissed(page, stock):
    for day in ("2024-05-02", "2024-05-03"):
        HeldBack.objects.create(
            kind="price", stock=stock, date=day, value=500, reason="jump", source="simulated"
        )
    first, second = HeldBack.objects.order_by("date")
    listed = url(HeldBack, "changelist")
    page.post(listed, {"action": "accept", "_selected_action": [str(first.pk)]})
    page.post(listed, {"action": "dismiss", "_selected_action": [str(second.pk)]})
    states = HeldBack.objects.order_by("date").values_list("state", flat=True)
    assert list(states) == ["accepted", "dismissed"]
    assert list(HistoricalStockPrice.objects.values_list("date", "close")) == [
        (date(2024, 5, 2), 500)
    ]


@pytest.mark.parametrize("question", ["stale", "unpriced", "held_back"])
def test_filters_answer_a_question(page, make_stock, question):
    priced = make_stock("FRESH.DEMO", price="10")
    wanted = make_stock("WANTED.DEMO", price=None if question == "unpriced" else "10")
    if question == "stale":
        StockQuote.objects.filter(stock=wanted).update(fetched_at="2024-01-01T00:00:00Z")
    if question == "held_back":
        HeldBack.objects.create(
            kind="price",
            stock=wanted,
            date="2024-05-02",
            value=500,
            reason="jump",
            source="simulated",
        )
    found = page.get(url(StockMetadata, "changelist"), {"price": question}).context["cl"].queryset
    assert list(found) == [wanted]
    assert priced not in found


def test_an_import_is_undone_in_the_admin_once(page, portfolio, stock):
    data = b"date,type,ticker,quantity,price\n2024-05-02,buy,FJORD.DEMO,10,100\n"
    import_batch = import_statement(
        portfolio=portfolio, data=data, file_name="trades.csv"
    ).import_batch
    undo = {"action": "undo_imports", "_selected_action": [str(import_batch.pk)]}
    page.post(url(ImportBatch, "changelist"), undo, follow=True)
    assert not Transaction.objects.exists()
    again = page.post(url(ImportBatch, "changelist"), undo, follow=True)
    assert "nothing to undo" in str(next(iter(again.context["messages"])))


def test_transactions_are_exported_from_the_admin_in_the_format_that_the_import_reads(
    page, portfolio, stock
):
    row = trade(portfolio, stock, "buy", "10", "100.50", note="=1+1")
    export = {"action": "export_csv", "_selected_action": [str(row.pk)]}
    lines = page.post(url(Transaction, "changelist"), export).getvalue().decode().splitlines()
    assert lines[0].startswith("date,type,ticker")
    assert lines[1].startswith("2024-05-02,buy,FJORD.DEMO")
    assert "'=1+1" in lines[1]
    assert len(lines) == 2


def test_an_instrument_name_is_corrected_in_the_admin(page, user):
    body = {"user": str(user.pk), "key": "Ødd  Näme", "ticker": "fjord.demo"}
    assert page.post(url(InstrumentAlias, "add"), body).status_code == 302
    row = InstrumentAlias.objects.get()
    assert (row.key, row.ticker) == ("ødd näme", "FJORD.DEMO")
    isin = {**body, "key": "no0010096985"}  # kept in capitals, as statements are looked up
    assert page.post(url(InstrumentAlias, "change", row.pk), isin).status_code == 302
    assert list(InstrumentAlias.objects.values_list("key", "ticker")) == [
        ("NO0010096985", "FJORD.DEMO")
    ]
    for fields, field, message in (
        ({"ticker": "no ticker!!"}, "ticker", '"NO TICKER!!" is not a valid ticker.'),
        (
            {"key": "NO0010096985", "ticker": "OTHER"},
            "key",
            "The user has a ticker for this name already.",
        ),
    ):
        refused = page.post(url(InstrumentAlias, "add"), {**body, **fields})
        assert refused.context["adminform"].form.errors == {field: [message]}
    assert list(InstrumentAlias.objects.values_list("key", "ticker")) == [
        ("NO0010096985", "FJORD.DEMO")
    ]


@pytest.fixture
def berit(make_user):
    """A user with an imported transaction of an instrument with manual prices."""
    berit = make_user("berit")
    cabin = instrument("CABIN", currency="NOK", owner=berit)
    market.enter_price(stock=cabin, day=date(2024, 5, 2), close=D(100))
    own = services.create_portfolio(user=berit, name="Own", currency="NOK")
    data = b"date,type,ticker,quantity,price\n2024-05-02,buy,CABIN,1,100\n"
    import_statement(portfolio=own, data=data, file_name="trades.csv")
    return berit


OF_A_USER = (Portfolio, Holding, Transaction, ImportBatch, StockMetadata, HistoricalStockPrice)


@pytest.mark.parametrize("by_action", [False, True])
def test_a_user_is_deleted_with_all_that_is_theirs(page, berit, by_action):
    assert [model.objects.count() for model in OF_A_USER] == [1] * 6
    if by_action:
        action = {"action": "delete_selected", "_selected_action": [str(berit.pk)]}
        shown = page.post(url(User, "changelist"), action)
        assert page.post(url(User, "changelist"), {**action, "post": "yes"}).status_code == 302
    else:
        shown = page.get(url(User, "delete", berit.pk))
        assert page.post(url(User, "delete", berit.pk), {"post": "yes"}).status_code == 302
    assert "user berit, with everything that belongs to it" in shown.content.decode()
    assert [model.objects.count() for model in OF_A_USER] == [0] * 6
    assert list(User.objects.values_list("username", flat=True)) == ["kari"]


@pytest.mark.parametrize("by_action", [False, True])
def test_a_user_whose_instrument_others_hold_stays_whole(page, berit, portfolio, by_action):
    trade(portfolio, StockMetadata.objects.get(), "buy", "1", "100")
    if by_action:
        action = {"action": "delete_selected", "_selected_action": [str(berit.pk)], "post": "yes"}
        response = page.post(url(User, "changelist"), action, follow=True)
    else:
        response = page.post(url(User, "delete", berit.pk), {"post": "yes"}, follow=True)
    messages = [str(message) for message in response.context["messages"]]
    assert messages == [
        "Nothing was deleted: other users hold their instruments (CABIN in Nordic)."
    ]
    assert (User.objects.count(), Portfolio.objects.count(), Transaction.objects.count()) == (
        2,
        2,
        2,
    )


def test_a_held_instrument_is_not_deleted(page, portfolio, stock):
    trade(portfolio, stock, "buy", "10", "100")
    shown = page.get(url(StockMetadata, "delete", stock.pk)).content.decode()
    assert "FJORD.DEMO in Nordic" in shown
    page.post(url(StockMetadata, "delete", stock.pk), {"post": "yes"})
    with pytest.raises(Conflict, match=r"FJORD\.DEMO is in a portfolio\."):
        market.delete_instrument(stock=stock)
    assert (StockMetadata.objects.count(), Holding.objects.count()) == (1, 1)


def test_a_portfolio_goes_with_its_imports_and_an_import_stays_while_transactions_name_it(
    page, portfolio, stock
):
    data = b"date,type,ticker,quantity,price\n2024-05-02,buy,FJORD.DEMO,10,100\n"
    import_batch = import_statement(
        portfolio=portfolio, data=data, file_name="trades.csv"
    ).import_batch
    page.post(url(ImportBatch, "delete", import_batch.pk), {"post": "yes"})
    assert (ImportBatch.objects.count(), Transaction.objects.count()) == (1, 1)
    assert page.post(url(Portfolio, "delete", portfolio.pk), {"post": "yes"}).status_code == 302
    assert (
        Portfolio.objects.count(),
        ImportBatch.objects.count(),
        Transaction.objects.count(),
    ) == (
        0,
        0,
        0,
    )
