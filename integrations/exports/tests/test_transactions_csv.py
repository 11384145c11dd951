"""Test that the exported CSV can be imported without loss."""

import csv as csv_module
import io
from datetime import date
from decimal import Decimal as D
from uuid import uuid4

import pytest

from integrations.conftest import Upload
from integrations.imports.pipeline import import_statement
from marketdata.tests.factories import instrument
from portfolios import services
from portfolios.models import Holding, Transaction
from portfolios.tests.conftest import trade

pytestmark = pytest.mark.django_db

PATH = "/api/v1/transactions/export.csv"


def exported(api, **query):
    response = api.get(PATH, query)
    assert response.status_code == 200
    return b"".join(response.streaming_content)


def table(data):
    return list(csv_module.DictReader(io.StringIO(data.decode(), newline="")))


def transactions(portfolio):
    names = (
        "type",
        "date",
        "quantity",
        "price",
        "commission",
        "exchange_rate",
        "note",
        "external_id",
    )
    derived = ("average_cost_per_share_at_transaction", "realised_gain", "holding__stock__ticker")
    return list(portfolio.transactions.order_by("date", "sequence").values_list(*names, *derived))


def holdings(portfolio):
    names = (
        "stock__ticker",
        "current_quantity",
        "average_cost_per_share",
        "cost_basis",
        "realised_gain",
        "income",
    )
    more = ("charges", "first_transaction_on", "last_transaction_on")
    rows = (
        Holding.objects.filter(portfolio=portfolio)
        .select_related("stock")
        .order_by("stock__ticker")
    )
    return [*rows.values_list(*names, *more), *(row.name for row in rows)]


@pytest.fixture
def full(portfolio):
    """A portfolio with every transaction type and unusual texts and numbers."""
    fjord = instrument("FJORD.DEMO", currency="NOK", source="simulated", company_name="=Fjord & Co")
    atlas = instrument("ATLAS.USD.DEMO", currency="USD", source="simulated")
    trade(
        portfolio,
        fjord,
        "buy",
        "10.123456789",
        "99.99",
        commission="29.5",
        note="=1+1",
        on=date(2024, 1, 2),
    )
    trade(
        portfolio,
        fjord,
        "buy",
        "3",
        "0.000000123456",
        note="'=quoted",
        external_id="@id",
        on=date(2024, 1, 2),
    )
    trade(portfolio, fjord, "split", "4", on=date(2024, 1, 5))
    trade(
        portfolio,
        fjord,
        "sell",
        "1.5",
        "30",
        note='a "quote", a comma\nand a line',
        on=date(2024, 2, 1),
    )
    trade(portfolio, fjord, "transfer_out", "0.5", note="＝1;=2;'＋3\n-4", on=date(2024, 2, 2))
    trade(portfolio, fjord, "dividend", "10", "1.25", note="-5", on=date(2024, 3, 1))
    trade(
        portfolio,
        fjord,
        "tax",
        "1",
        "1234",
        note="'tis æøå €",
        external_id="+47",
        on=date(2024, 3, 1),
    )
    trade(
        portfolio,
        atlas,
        "transfer_in",
        "1234",
        "1.234",
        exchange_rate="10.98765",
        on=date(2024, 1, 3),
    )
    trade(
        portfolio, atlas, "fee", "1", "0", commission="1", exchange_rate="11", on=date(2024, 4, 1)
    )
    trade(
        portfolio,
        atlas,
        "interest",
        "1",
        "999999999999.99",
        exchange_rate="0.5",
        on=date(2024, 4, 1),
    )
    return portfolio


def test_an_export_imported_into_an_empty_portfolio_gives_the_same_again(api, user, full):
    data = exported(api, portfolio_id=str(full.pk))
    other = services.create_portfolio(user=user, name="Copy", currency="NOK")
    body = Upload(api, other).done(data=data)
    assert (body["created"], body["rows"]) == (10, 10)
    assert transactions(other) == transactions(full)
    assert holdings(other) == holdings(full)


def test_an_export_imported_where_it_came_from_changes_nothing(api, full, dump):
    before = dump()
    response = Upload(api, full)(data=exported(api))
    assert (response.status_code, response.json()["duplicates"]) == (200, 10)
    assert dump() == before


def test_an_export_saved_again_by_a_nordic_spreadsheet_is_still_the_same(api, user, full):
    rows = table(exported(api))
    out = io.StringIO()
    writer = csv_module.writer(out, delimiter=";")
    writer.writerow(rows[0])
    for row in rows:
        numbers = {
            name: row[name].replace(".", ",")
            for name in ("quantity", "price", "commission", "exchange_rate")
        }
        day = date.fromisoformat(row["date"]).strftime("%d.%m.%Y")
        writer.writerow((row | numbers | {"date": day}).values())
    other = services.create_portfolio(user=user, name="Copy", currency="NOK")
    Upload(api, other).done(data=out.getvalue().encode("utf-16"))
    assert transactions(other) == transactions(full)


def test_no_cell_starts_like_a_formula(api, full):
    for row in table(exported(api)):
        for name in ("ticker", "company_name", "note", "external_id"):
            for part in row[name].replace("\n", ";").split(";"):
                assert part[:1] not in ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def test_the_export_has_exact_decimals_and_one_line_a_transaction_in_the_order_of_entry(api, full):
    first, second, *_ = rows = table(exported(api))
    assert len(rows) == 10
    assert (first["quantity"], first["price"], first["commission"], first["exchange_rate"]) == (
        "10.123456789",
        "99.99",
        "29.5",
        "1",
    )
    assert (second["price"], second["note"], second["external_id"]) == (
        "0.000000123456",
        "''=quoted",
        "'@id",
    )
    assert [row["date"] for row in rows] == sorted(row["date"] for row in rows)


def test_every_portfolio_is_exported_unless_one_is_named(api, user, full):
    other = services.create_portfolio(user=user, name="Other", currency="NOK")
    trade(other, Holding.objects.first().stock, "buy", "1", "1", exchange_rate="1")
    assert len(table(exported(api))) == 11
    assert len(table(exported(api, portfolio_id=str(other.pk)))) == 1


def test_the_portfolio_of_another_user_is_not_exported(other_api, full):
    assert table(exported(other_api)) == []
    assert other_api.get(PATH, {"portfolio_id": str(full.pk)}).status_code == 404


def test_a_portfolio_that_cannot_be_read_or_found_is_an_error(api, portfolio):
    assert api.get(PATH, {"portfolio_id": "mine"}).status_code == 400
    assert api.get(PATH, {"portfolio_id": str(uuid4())}).status_code == 404


def test_an_export_needs_the_same_queries_for_any_number_of_rows(
    api, portfolio, django_assert_num_queries
):
    Upload(api, portfolio).done(*(f"2024-01-02,buy,FJORD.DEMO,1,{price}" for price in range(1, 31)))
    with django_assert_num_queries(1):
        assert len(table(exported(api))) == 30
    assert Transaction.objects.filter(price=D(30)).exists()


def test_tax_and_the_brokers_amount_survive_the_round_trip(api, user, db):
    stock = instrument("MONEY.DEMO", currency="NOK")
    portfolio = services.create_portfolio(user=user, name="Nordic", currency="NOK")
    trade(
        portfolio,
        stock,
        "buy",
        "0.6242",
        "48.05",
        tax=D("0.3"),
        settlement_amount=D("-30.29"),
        booked_on=date(2024, 5, 6),
    )
    data = exported(api)
    copy = services.create_portfolio(user=user, name="Copy", currency="NOK")
    import_statement(portfolio=copy, data=data, file_name="copy.csv")
    row = copy.transactions.get()
    assert (row.tax, row.settlement_amount) == (D("0.3"), D("-30.29"))
    assert (row.settlement_currency, row.booked_on) == (None, date(2024, 5, 6))
