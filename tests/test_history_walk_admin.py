"""Walk every form and action of the admin, and find each change in the history."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal as D
from typing import Any, NamedTuple

import pytest
from django.apps import apps
from django.contrib import admin
from django.db.models import Model
from django.forms import BaseForm
from django.test import Client, RequestFactory
from django.urls import reverse

from financeproj.history.models import Door, HistoryEntry
from financeproj.users.models import User
from integrations.imports.pipeline import import_statement
from integrations.models import AssignedBudget, SyncRun, YnabBudget, YnabSettings
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
from pensions.models import ContributionPlan, PensionAccount, PensionValueEntry
from portfolios.models import (
    DismissedSplit,
    Holding,
    ImportBatch,
    ImportMapping,
    InstrumentAlias,
    Portfolio,
    PortfolioBalance,
    Transaction,
    TransactionGroup,
    TransactionVector,
)
from portfolios.services import remember_aliases, undo_import
from tests.test_history_walk import (
    ACCOUNT,
    GROUP,
    PLAN,
    PORTFOLIO,
    TRANSACTION,
    VALUE,
    Act,
    keys,
    new_entries,
    rolled_back,
    said,
)
from tests.world import STATEMENT, World, world  # noqa: F401  (world is a fixture)

pytestmark = [pytest.mark.django_db, pytest.mark.untraced]
OURS = ("users", "marketdata", "portfolios", "pensions", "integrations")


class Form(NamedTuple):
    """What is changed in a form, and what that records."""

    acts: list[Act]
    changes: Callable[[World], dict[str, Any]] = lambda w: {}
    row: Callable[[World], Model] | None = None


def fixed(**fields: Any) -> Callable[[World], dict[str, Any]]:
    return lambda w: fields


def of_stock(**fields: Any) -> Callable[[World], dict[str, Any]]:
    return lambda w: {"stock": str(w.holding.stock_id), **fields}


def of_account(**fields: Any) -> Callable[[World], dict[str, Any]]:
    return lambda w: {"account": str(w.account.pk), **fields}


def credit_of(w: World) -> PortfolioBalance:
    return PortfolioBalance.objects.get(kind="credit")


def undone(w: World) -> ImportBatch:
    return ImportBatch.objects.get(state="undone")


def of_pair(**fields: Any) -> Callable[[World], dict[str, Any]]:
    return lambda w: {"pair": str(CurrencyPair.objects.get(base="EUR", target="NOK").pk), **fields}


def of_portfolio(**fields: Any) -> Callable[[World], dict[str, Any]]:
    return lambda w: {"portfolio": str(w.portfolio.pk), **fields}


def of_holding(**fields: Any) -> Callable[[World], dict[str, Any]]:
    return lambda w: {"holding": str(w.holding.pk), **fields}


def of_user(**fields: Any) -> Callable[[World], dict[str, Any]]:
    return lambda w: {"user": str(w.user.pk), **fields}


def of_ola(w: World) -> dict[str, Any]:
    return {"user": str(User.objects.get(username="ola").pk), "budget_id": w.budget_id}


def unheld(w: World) -> StockMetadata:
    return StockMetadata.objects.get(ticker="UNHELD")


def quote(w: World) -> dict[str, Any]:
    return {
        "stock": str(unheld(w).pk),
        "price": "5",
        "as_of_0": "2024-05-02",
        "as_of_1": "12:00:00",
        "day": "2024-05-02",
        "fetched_at_0": "2024-05-02",
        "fetched_at_1": "12:00:00",
        "source": "manual",
    }


INSTRUMENT = "asset_type company_name country currency exchange isin sector source ticker"
USER = "base_currency email is_active is_staff is_superuser username"
LONG = "a long phrase 17"
FORMS = {
    (StockMetadata, "add"): Form(
        [Act("created", "instrument", INSTRUMENT)],
        fixed(
            ticker="NEW.DEMO",
            currency="NOK",
            company_name="New",
            source="yahoo",
            asset_type="stock",
        ),
    ),
    (StockMetadata, "change"): Form(
        [Act("changed", "instrument", "sector")], fixed(sector="Energy")
    ),
    (StockMetadata, "delete"): Form([Act("deleted", "instrument", INSTRUMENT)], row=unheld),
    (StockQuote, "add"): Form(
        [Act("quote_entered", "instrument", "as_of day fetched_at price source")], quote
    ),
    (StockQuote, "change"): Form(
        [Act("quote_entered", "instrument", "as_of fetched_at price")],
        fixed(price="7", as_of_0="2024-05-02", as_of_1="12:00:00"),
    ),
    (StockQuote, "delete"): Form(
        [Act("quote_deleted", "instrument", "as_of day fetched_at previous_close price source")]
    ),
    (HistoricalStockPrice, "add"): Form(
        [Act("price_entered", "instrument", "close date source")],
        of_stock(date="2024-08-03", close="5"),
    ),
    (HistoricalStockPrice, "change"): Form(
        [Act("price_entered", "instrument", "close source")], fixed(close="7")
    ),
    (HistoricalStockPrice, "delete"): Form(
        [Act("price_deleted", "instrument", "close date source")]
    ),
    # A split is also booked into the holding.
    (StockSplit, "add"): Form(
        [
            Act("split_entered", "instrument", "date ratio source"),
            Act("splits_booked", "instrument"),
        ],
        of_stock(date="2024-08-01", ratio="2"),
    ),
    (StockSplit, "change"): Form([Act("split_entered", "instrument", "ratio")], fixed(ratio="3")),
    (StockSplit, "delete"): Form([Act("split_deleted", "instrument", "date ratio source")]),
    (StockDividend, "add"): Form(
        [Act("dividend_entered", "instrument", "amount date source")],
        of_stock(date="2024-08-01", amount="2"),
    ),
    (StockDividend, "change"): Form(
        [Act("dividend_entered", "instrument", "amount source")], fixed(amount="3")
    ),
    (StockDividend, "delete"): Form([Act("dividend_deleted", "instrument", "amount date source")]),
    (HistoricalExchangeRate, "add"): Form(
        [Act("rate_entered", "exchange_rate", "date rate source")],
        of_pair(date="2024-08-03", rate="11"),
    ),
    (HistoricalExchangeRate, "change"): Form(
        [Act("rate_entered", "exchange_rate", "rate source")], fixed(rate="12")
    ),
    (HistoricalExchangeRate, "delete"): Form(
        [Act("rate_deleted", "exchange_rate", "date rate source")]
    ),
    (CurrencyPair, "delete"): Form([Act("deleted", "exchange_rate")]),
    (User, "add"): Form(
        [Act("created", "user", USER)],
        fixed(username="per", password1=LONG, password2=LONG, usable_password="true"),
    ),
    (User, "change"): Form([Act("changed", "user", "email")], fixed(email="new@example.org")),
    (User, "delete"): Form(
        [Act("deleted", "user", USER)], row=lambda w: User.objects.get(username="ola")
    ),
    (PortfolioBalance, "add"): Form(
        [Act("balance_set", "portfolio", "cash date")],
        of_portfolio(kind="cash", date="2024-01-02", amount="5"),
    ),
    (PortfolioBalance, "change"): Form(
        [Act("balance_set", "portfolio", "date used_credit")], fixed(amount="7"), credit_of
    ),
    (PortfolioBalance, "delete"): Form(
        [Act("balance_deleted", "portfolio", "date used_credit")], row=credit_of
    ),
    (Transaction, "add"): Form(
        [Act("created", "transaction", TRANSACTION)],
        of_holding(type="buy", date="2024-05-02", quantity="1", price="100", commission="0"),
    ),
    (Transaction, "change"): Form(
        [Act("changed", "transaction", "price")], fixed(price="99"), lambda w: w.transaction
    ),
    (Transaction, "delete"): Form(
        [Act("deleted", "transaction", TRANSACTION)], row=lambda w: w.transaction
    ),
    (Holding, "change"): Form(
        [Act("changed", "holding", "company_name")], fixed(company_name="Renamed")
    ),
    (Holding, "delete"): Form([Act("deleted", "holding")]),
    (TransactionGroup, "change"): Form(
        [Act("changed", "transaction_group", "note")], fixed(note="In March")
    ),
    (TransactionGroup, "delete"): Form([Act("deleted", "transaction_group", GROUP)]),
    (DismissedSplit, "delete"): Form([Act("deleted", "dismissed_split", "date ratio")]),
    (InstrumentAlias, "add"): Form(
        [Act("created", "instrument_alias", "key ticker")], of_user(key="NEW", ticker="FJORD.DEMO")
    ),
    (InstrumentAlias, "change"): Form(
        [Act("changed", "instrument_alias", "ticker")], fixed(ticker="BREEN.DEMO")
    ),
    (InstrumentAlias, "delete"): Form([Act("deleted", "instrument_alias", "key ticker")]),
    (ImportMapping, "delete"): Form([Act("deleted", "import_mapping", "mapping")]),
    (PensionAccount, "add"): Form(
        [Act("created", "pension_account", ACCOUNT)], of_user(name="New", currency="NOK")
    ),
    (PensionAccount, "change"): Form(
        [Act("changed", "pension_account", "name")], fixed(name="Renamed")
    ),
    (PensionAccount, "delete"): Form([Act("deleted", "pension_account", ACCOUNT)]),
    (PensionValueEntry, "add"): Form(
        [Act("created", "pension_value", VALUE)], of_account(date="2024-05-31", value="5")
    ),
    (PensionValueEntry, "change"): Form(
        [Act("changed", "pension_value", "value")], fixed(value="7")
    ),
    (PensionValueEntry, "delete"): Form([Act("deleted", "pension_value", VALUE)]),
    (ContributionPlan, "add"): Form(
        [Act("created", "contribution_plan", PLAN)],
        of_account(amount="5", frequency="monthly", start="2024-05-01", growth="0"),
    ),
    (ContributionPlan, "change"): Form(
        [Act("changed", "contribution_plan", "amount")], fixed(amount="7")
    ),
    (ContributionPlan, "delete"): Form([Act("deleted", "contribution_plan", PLAN)]),
    (Portfolio, "add"): Form(
        [Act("created", "portfolio", PORTFOLIO)],
        of_user(name="New", currency="NOK", used_credit="0", cash="0"),
    ),
    (Portfolio, "change"): Form([Act("changed", "portfolio", "name")], fixed(name="Renamed")),
    (Portfolio, "delete"): Form([Act("deleted", "portfolio", PORTFOLIO)]),
    (ImportBatch, "delete"): Form([Act("deleted", "import")], row=undone),
    # Choosing a budget for a user assigns it.
    (YnabSettings, "add"): Form(
        [
            Act("changed", "ynab_settings", "assigned"),
            Act("changed", "ynab_settings", "budget_id"),
        ],
        of_ola,
    ),
    (YnabSettings, "change"): Form([Act("changed", "ynab_settings")]),
    (YnabSettings, "delete"): Form([Act("changed", "ynab_settings", "budget_id")]),
    (AssignedBudget, "add"): Form([Act("changed", "ynab_settings", "assigned")], of_ola),
    # What is not assigned any more is not chosen either.
    (AssignedBudget, "delete"): Form(
        [
            Act("changed", "ynab_settings", "budget_id"),
            Act("changed", "ynab_settings", "assigned"),
        ]
    ),
}
# What the program keeps for itself and makes again: copies of rows, of YNAB's answers, a log.
NOT_RECORDED = {StockVector, PairVector, TransactionVector, YnabBudget, SyncRun}


@pytest.fixture
def staff(db):
    return User.objects.create_superuser("anne", "anne@example.org")


@pytest.fixture
def page(staff):
    client = Client(raise_request_exception=False)
    client.force_login(staff)
    return client


@pytest.fixture
def full(world, other_user):
    """The world with a row of every model that the admin writes."""
    unheld = instrument("UNHELD", currency="NOK")
    stock = world.holding.stock
    market.record_splits(stock=unheld, splits=[(date(2023, 3, 1), D(2))], source="manual")
    market.record_dividends(stock=stock, dividends=[(date(2023, 3, 1), D(2))], source="manual")
    market.record_rates(base="EUR", target="NOK", rates=[(date(2024, 5, 2), D(11))], source="ecb")
    HeldBack.objects.create(
        kind="price",
        stock=stock,
        date=date(2024, 5, 2),
        value=D("500.5"),
        reason="jump",
        source="simulated",
        seen_at=datetime(2024, 5, 2, tzinfo=UTC),
    )
    DismissedSplit.objects.create(holding=world.holding, date=date(2023, 3, 1), ratio=D(2))
    remember_aliases(user=world.user, tickers={"fjord": "FJORD.DEMO"})
    other = STATEMENT.replace(b"5,", b"3,")
    second = import_statement(portfolio=world.portfolio, data=other, file_name="undone.csv")
    undo_import(import_batch=second.import_batch)
    return world


def url(model: type[Model], name: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def typed(form: BaseForm) -> Iterator[tuple[str, str | list[str]]]:
    """Return what a browser sends of a form that was not changed."""
    for bound in form:
        value = bound.value()
        widget = bound.field.widget
        if hasattr(widget, "decompress"):
            parts = widget.decompress(value) if not isinstance(value, list) else value
            for index, part in enumerate(parts):
                yield f"{bound.html_name}_{index}", "" if part is None else str(part)
        elif value is True:
            yield bound.html_name, "on"
        elif isinstance(value, list):
            yield bound.html_name, [str(getattr(one, "pk", one)) for one in value]
        elif value is not None and value is not False:
            yield bound.html_name, str(value)


def sent(client: Client, address: str, changes: dict[str, Any]) -> dict[str, Any]:
    context = client.get(address).context
    body = dict(typed(context["adminform"].form))
    for inline in context["inline_admin_formsets"]:
        body |= dict(typed(inline.formset.management_form))
        for form in inline.formset.initial_forms:
            body |= dict(typed(form))
    return body | changes


def test_every_form_of_the_admin_is_walked(staff):
    request = RequestFactory().get("/")
    request.user = staff
    offered = {
        (model, name)
        for app in OURS
        for model in apps.get_app_config(app).get_models()
        if model not in NOT_RECORDED
        for name, is_allowed in admin.site.get_model_admin(model).get_model_perms(request).items()
        if is_allowed and name != "view"
    }
    assert offered == set(FORMS)


def test_each_form_records_its_acts_as_those_of_the_staff_member(full, page, staff):
    before, wrong = keys(), []
    for (model, name), form in FORMS.items():
        with rolled_back():
            row = form.row(full) if form.row else model._default_manager.first()
            address = url(model, name) if name == "add" else url(model, name, row.pk)
            if name == "delete":
                body = {"post": "yes"}
            else:
                body = sent(page, address, form.changes(full))
            response = page.post(address, body)
            found = new_entries(before)
        acts = [said(entry) for entry in found]
        doors = {(entry.door, entry.actor_id) for entry in found}
        if response.status_code != 302 or acts != form.acts or doors != {(Door.ADMIN, staff.pk)}:
            wrong.append((model.__name__, name, response.status_code, acts, doors))
    assert wrong == []


def test_a_form_that_is_refused_records_nothing(full, page):
    before, rows = keys(), full.rows()
    for model, fields in (
        (Transaction, {"quantity": "-1"}),
        (Portfolio, {"currency": "NOPE"}),
        (PensionValueEntry, {"date": "2999-01-01"}),
        (HistoricalStockPrice, {"close": "-1"}),
        (InstrumentAlias, {"ticker": " "}),
    ):
        address = url(model, "change", model._default_manager.first().pk)
        response = page.post(address, sent(page, address, fields))
        assert response.status_code == 200, model
        assert response.context["adminform"].form.errors, model
        assert new_entries(before) == [], model
    assert full.rows() == rows


ACTIONS = [
    (
        HeldBack,
        "accept",
        lambda w: HeldBack.objects.get(kind="price"),
        "held_back_accepted",
        Door.ADMIN,
    ),
    (
        HeldBack,
        "dismiss",
        lambda w: HeldBack.objects.get(kind="price"),
        "held_back_dismissed",
        Door.ADMIN,
    ),
    (ImportBatch, "undo_imports", lambda w: w.import_batch, "undone", Door.IMPORT),
    (PensionAccount, "sync_now", None, "created", Door.ADMIN),
    (Transaction, "delete_selected", lambda w: w.transaction, "deleted", Door.ADMIN),
    (DismissedSplit, "delete_selected", None, "deleted", Door.ADMIN),
    (ImportMapping, "delete_selected", None, "deleted", Door.ADMIN),
]


@pytest.mark.parametrize(
    ("model", "action", "row", "expected", "door"),
    ACTIONS,
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_action_records_what_it_does(full, page, staff, model, action, row, expected, door):
    before = keys()
    row = row(full) if row else model._default_manager.first()
    body = {"action": action, "_selected_action": [str(row.pk)], "post": "yes"}
    assert page.post(url(model, "changelist"), body).status_code == 302
    found = [(entry.action, entry.door, entry.actor_id) for entry in new_entries(before)]
    assert found == [(expected, door, staff.pk)]


def test_a_password_set_in_the_admin_is_recorded_without_it(full, page, staff):
    before = keys()
    address = reverse("admin:auth_user_password_change", args=[full.user.pk])
    body = {"password1": LONG, "password2": LONG, "usable_password": "true"}
    assert page.post(address, body).status_code == 302
    [entry] = new_entries(before)
    assert (entry.action, entry.door, entry.actor_id) == (
        "password_changed",
        Door.ADMIN,
        staff.pk,
    )
    assert entry.changes == {}


def test_the_history_itself_can_be_read_and_not_changed(full, page):
    [entry] = HistoryEntry.objects.filter(action="created", object_type="pension_account")
    listed = page.get(url(HistoryEntry, "changelist"), {"q": entry.object_id})
    assert listed.status_code == 200
    assert "Solbakken Fripolise" in listed.content.decode()
    shown = page.get(url(HistoryEntry, "change", entry.pk))
    assert shown.status_code == 200
    assert "<p>name: None → Solbakken Fripolise</p>" in shown.content.decode()
    before = keys()
    for name in ("add", "change", "delete"):
        args = () if name == "add" else (entry.pk,)
        assert page.post(url(HistoryEntry, name, *args), {"post": "yes"}).status_code == 403
    assert keys() == before


def test_the_page_of_an_object_leads_to_its_recorded_changes(full, page):
    shown = page.get(url(Portfolio, "change", full.portfolio.pk)).content.decode()
    address = f"{url(HistoryEntry, 'changelist')}?object_id__exact={full.portfolio.pk}"
    assert f'<a href="{address}">Recorded changes</a>' in shown
    listed = page.get(address)
    assert listed.status_code == 200
    found = {entry.object_id for entry in listed.context["cl"].result_list}
    assert found == {str(full.portfolio.pk)}
