"""Test that only which files are imported counts, not the order of imports and undos."""

from collections import defaultdict
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN
from decimal import Decimal as D
from itertools import combinations, permutations
from random import Random

import pytest

from integrations.imports.pipeline import import_statement
from integrations.statements.tests.samples.base import ATLAS, FUND
from integrations.statements.tests.test_swissquote import HEADER
from marketdata.tests.factories import instrument, with_rates
from portfolios import services
from portfolios.models import ImportBatch, Transaction
from portfolios.tests.conftest import trade
from portfolios.tests.test_cash import money
from portfolios.valuation import agreements_of

pytestmark = pytest.mark.django_db

YEARS = (2022, 2023, 2024)
SHARES = {"USD": f"ATL;ATLAS;{ATLAS}", "CHF": f"WERELD;WERELDFONDS;{FUND}"}
TICKERS = {ATLAS: "ATLAS.USD.DEMO", FUND: "WERELD.CHF.DEMO"}
# What stood there before the first year.
BEFORE = {"CHF": D("500.25"), "USD": D("-70.10")}
COLUMNS = (
    "type",
    "date",
    "holding__stock__ticker",
    "quantity",
    "price",
    "settlement_currency",
    "settlement_amount",
    "source",
)


def rows_of(year, random, balances):
    """Return the rows of a year, the oldest first, each with the balance after it."""
    days = sorted(random.sample(range(360), 5))
    rows = []
    for number in days:
        day = (date(year, 1, 1) + timedelta(days=number)).strftime("%d-%m-%Y 10:00:00")
        currency = random.choice(["CHF", "USD"])
        cents = D(random.randrange(1, 100_000)) / 100
        kind = random.choice(["Credit", "Debit", "Buy", "Interests", "Custody fees"])
        shares, quantity, price, costs, net = ";;", "1.0", "0.00", "0.00", cents
        if kind in ("Debit", "Custody fees"):
            net = -cents
        elif kind == "Buy":
            shares, quantity, price, costs = SHARES[currency], "3.0", str(cents), "1.50"
            net = -3 * cents - D("1.50")
        balances[currency] += net
        rows.append(
            f"{day};0;{kind};{shares};{quantity};{price};{costs};0.00;{net};"
            f"{balances[currency]};{currency}"
        )
    return rows


def file_of(rows, *, has_balances):
    lines = []
    for row in rows:
        cells = row.split(";")
        if not has_balances:
            cells[11] = ""
        lines.append(";".join(cells))
    return "\n".join([HEADER, *lines[::-1]]).encode()


class Files:
    """Files of three years, one a year, imported into one portfolio and undone."""

    def __init__(self, portfolio, seed, with_balances):
        random, balances = Random(seed), dict(BEFORE)
        self.portfolio = portfolio
        self.data, self.imports = {}, {}
        overlap = []
        for year in YEARS:
            rows = rows_of(year, random, balances)
            self.data[year] = file_of([*overlap, *rows], has_balances=year in with_balances)
            overlap = rows[-1:]  # is in the next file too

    def add(self, year):
        outcome = import_statement(
            portfolio=self.portfolio,
            data=self.data[year],
            file_name=f"{year}.csv",
            instruments=TICKERS,
        )
        assert not outcome.problems
        self.imports[year] = outcome.import_batch.pk

    def undo(self, year):
        services.undo_import(import_batch=ImportBatch.objects.get(pk=self.imports.pop(year)))

    def state(self):
        """Return all that the ledger says of the portfolio, but for ids and the order of entry."""
        self.portfolio.refresh_from_db()
        rows = Transaction.objects.filter(portfolio=self.portfolio).values_list(*COLUMNS)
        agreement = agreements_of([self.portfolio])[self.portfolio.pk]
        first = agreement.first_difference
        differs = first and (first.day, first.stated.checkpoint.amount, first.got)
        return (
            sorted(rows, key=str),
            self.portfolio.cash_from,
            agreement.agrees_until,
            differs,
        )


ORDERS = list(permutations(YEARS))
MODES = {"all": YEARS, "none": (), "one": (2023,), "two": (2022, 2024)}


@pytest.fixture
def rates():
    with_rates("USD", "NOK", {date(2021, 12, 1): "9"})
    with_rates("CHF", "NOK", {date(2021, 12, 1): "10"})


def orders_of(number):
    """Return a part of the orders of import and undo, so that each pair is tried in one mode."""
    pairs = [(i, j) for i in range(len(ORDERS)) for j in range(len(ORDERS))]
    return [(ORDERS[i], ORDERS[j]) for i, j in pairs if (i + j) % len(MODES) == number]


@pytest.mark.parametrize("mode", MODES)
def test_years_imported_and_undone_in_all_orders_end_as_if_only_the_rest_was_imported(
    portfolio, rates, mode
):
    number = list(MODES).index(mode)
    files = Files(portfolio, number, MODES[mode])
    expected = {}
    for count in range(len(YEARS) + 1):
        for chosen in combinations(YEARS, count):
            for year in chosen:
                files.add(year)
            expected[frozenset(chosen)] = files.state()
            for year in reversed(chosen):
                files.undo(year)
    assert expected[frozenset()][0] == []
    if mode == "all":
        assert expected[frozenset(YEARS)][3] is None
    for added, undone in orders_of(number):
        for year in added:
            files.add(year)
            assert files.state() == expected[frozenset(files.imports)]
        for year in undone:
            files.undo(year)
            assert files.state() == expected[frozenset(files.imports)]


def money_in(portfolio):
    """Return the sum of what each row moved, by currency, without the product's own sums."""
    found = defaultdict(D)
    for row in Transaction.objects.filter(portfolio=portfolio).select_related("holding__stock"):
        currency, amount = row.settlement_currency or "NOK", row.settlement_amount
        if amount is None:  # a purchase by hand, or one whose price was edited
            cost = row.quantity * row.price + row.commission + row.tax
            rate = 1 if row.settlement_currency else row.exchange_rate
            amount = -(cost * rate).quantize(D("0.01"), ROUND_HALF_EVEN)
        found[currency] += amount
    return dict(found)


def change_something(files, random):
    """Enter, change or delete a row by hand, or import or undo a year."""
    portfolio, chosen = files.portfolio, random.random()
    rows = list(Transaction.objects.filter(portfolio=portfolio).exclude(source="derived"))
    amount = D(random.randrange(1, 10**6)) / 100
    on = date(2022, 1, 1) + timedelta(days=random.randrange(1000))
    if chosen < 0.4:
        year = random.choice(YEARS)
        if year in files.imports:
            files.undo(year)
        else:
            files.add(year)
    elif chosen < 0.6:
        money(portfolio, "deposit", str(amount), on, random.choice(["CHF", "USD"]))
    elif chosen < 0.7:
        stock = instrument(f"F{len(rows)}.{random.random()}", currency="USD", source="simulated")
        trade(portfolio, stock, "buy", "0.375", str(amount), on=on, exchange_rate="9.123")
    elif rows and chosen < 0.9:
        row = random.choice(rows)
        if row.holding_id is None:
            sign = 1 if row.settlement_amount > 0 else -1
            services.update_money(row=row, settlement_amount=sign * amount)
        else:
            services.update_transaction(row=row, price=amount)
    elif rows:
        row = random.choice(rows)
        delete = services.delete_money if row.holding_id is None else services.delete_transaction
        delete(row=row)


@pytest.mark.parametrize("seed", range(4))
def test_opening_and_rows_make_each_closing_balance_whatever_is_imported_edited_and_undone(
    api, portfolio, rates, seed
):
    random = Random(seed)
    files = Files(portfolio, seed, random.choice(list(MODES.values())))
    url = f"/api/v1/portfolios/{portfolio.pk}"
    for _ in range(25):
        change_something(files, random)
        expected = money_in(portfolio)
        shown = api.get(f"{url}/cash").json(parse_float=D)["currencies"]
        assert {one["currency"]: one["balance"] for one in shown} == expected
        for currency in expected:
            query = {"currency": currency, "start": "2023-01-01"}
            statement = api.get(f"{url}/statement", query).json(parse_float=D)
            moved = sum((row["amount"] for row in statement["rows"]), D(0))
            assert statement["opening_balance"] + moved == statement["closing_balance"]
            assert statement["closing_balance"] == expected[currency]
    rows = list(Transaction.objects.order_by("sequence").values())
    assert api.put(f"{url}/cash-from", {"cash_from": "2023-06-01"}).status_code == 200
    assert api.put(f"{url}/cash-from", {"cash_from": None}).status_code == 200
    assert list(Transaction.objects.order_by("sequence").values()) == rows
