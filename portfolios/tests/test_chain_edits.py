"""Test a chain of three portfolios in two currencies, worked by hand, when its start changes.

A (kroner) buys T, a share in euros. B (euros) gets 16 of 20 T and exchanges them for 32 N, a share
in kroner. C (kroner) gets 24 N and sells 21.
"""

from decimal import Decimal as D

import pytest

from portfolios import services
from portfolios.models import Holding, Portfolio, Transaction, TransactionGroup
from portfolios.tests.conftest import rate, trade
from portfolios.tests.test_returns_of_actions import action, closes, day, post
from portfolios.tests.test_worked_actions import cost_of, gains, lot, target

pytestmark = pytest.mark.django_db
ROWS = "/api/v1/transactions"
GROUPS = "/api/v1/transaction-groups"


class Chain:
    def __init__(self, api, a, b, c, t, n):
        self.api, self.a, self.b, self.c, self.t, self.n = api, a, b, c, t, n
        self.first = trade(a, t, "buy", "10", "100", on=day(30), exchange_rate="10")
        trade(a, t, "buy", "10", "130", on=day(25), exchange_rate="11")
        self.to_b = self.move(self.holding(a, t), b, 16, 20)
        exchange = action(self.holding(b, t), "exchange", 15, [target("N.DEMO", "32")])
        self.exchange = post(api, exchange)
        self.to_c = self.move(self.holding(b, n), c, 24, 10)
        self.sale = trade(c, n, "sell", "21", "700", on=day(5))

    def holding(self, portfolio, stock):
        return Holding.objects.get(portfolio=portfolio, stock=stock)

    def move(self, holding, portfolio, quantity, ago):
        body = {"kind": "transfer", "holding_id": str(holding.pk), "quantity": quantity}
        return post(self.api, {**body, "to_portfolio_id": str(portfolio.pk), "date": str(day(ago))})

    def edit(self, **changes):
        response = self.api.patch(f"{ROWS}/{self.first.pk}", changes)
        assert response.status_code == 200, response.content

    def lots_of_sale(self):
        [(ticker, kind, gain, lots)] = gains(self.api, self.c, "fifo")
        assert (ticker, kind) == ("N.DEMO", "sale")
        return gain, lots


@pytest.fixture
def chain(api, user, portfolio, make_stock, no_other_rates):
    t, n = make_stock("T.DEMO", "EUR"), make_stock("N.DEMO", "NOK")
    for pair, ago, value in (
        (("NOK", "EUR"), 20, "0.08"),
        (("EUR", "NOK"), 15, "12"),
        (("EUR", "NOK"), 10, "11.5"),
    ):
        rate(*pair, value, on=day(ago))
    closes(t, d30="100", d16="150")
    closes(n, d15="900")
    b = services.create_portfolio(user=user, name="B", currency="EUR")
    c = services.create_portfolio(user=user, name="C", currency="NOK")
    return Chain(api, portfolio, b, c, t, n)


def test_the_costs_and_lots_reach_the_sale_in_the_third_portfolio(chain):
    # Of 2,300 euros and 24,300 kroner a fifth stays.
    assert cost_of(chain.a, chain.t) == (4, 4860, 115)
    # 19,440 kroner at 0.08; 1,840 euros at 12. A quarter stays.
    assert cost_of(chain.b, chain.t) == (0, 0, None)
    assert cost_of(chain.b, chain.n) == (8, D("388.8"), 690)
    # 1,166.4 euros at 11.5 are 13,413.6 kroner for 24, of which 21 are sold at 700.
    assert cost_of(chain.c, chain.n) == (3, D("1676.7"), 690)
    [sold] = gains(chain.api, chain.c, "average")
    assert sold[2] == 14700 - D("11736.9")
    # The 10 T of the first day are 20 N: 10,000 x 0.08 x 11.5. The next one is a twelfth of
    # 8,580 x 0.08 x 11.5.
    assert chain.lots_of_sale() == (
        14700 - D("9857.8"),
        [lot(30, "20", "9200"), lot(25, "1", "657.8")],
    )


def test_an_edit_of_the_first_purchase_reaches_the_sale_in_the_third_portfolio(chain):
    chain.edit(price=150)
    # 2,800 euros and 29,300 kroner.
    assert cost_of(chain.a, chain.t) == (4, 5860, 140)
    assert cost_of(chain.b, chain.n) == (8, D("468.8"), 840)
    assert cost_of(chain.c, chain.n) == (3, D("2021.7"), 840)
    [sold] = gains(chain.api, chain.c, "average")
    assert sold[2] == 14700 - D("14151.9")
    assert chain.lots_of_sale() == (
        14700 - D("14457.8"),
        [lot(30, "20", "13800"), lot(25, "1", "657.8")],
    )
    # On a later day, its shares leave after the others.
    chain.edit(date=str(day(22)))
    assert cost_of(chain.c, chain.n) == (3, D("2021.7"), 840)
    assert gains(chain.api, chain.c, "average")[0][2] == D("548.1")
    # 14,300 x 0.08 x 11.5, and a twelfth of 9,000 x 0.08 x 11.5.
    assert chain.lots_of_sale() == (
        14700 - 13156 - 690,
        [lot(25, "20", "13156"), lot(22, "1", "690")],
    )
    chain.edit(price=100, date=str(day(30)))
    assert chain.lots_of_sale() == (
        14700 - D("9857.8"),
        [lot(30, "20", "9200"), lot(25, "1", "657.8")],
    )
    assert list(services.contradicted_chains()) == []


def everything():
    models = (Transaction, Holding, TransactionGroup, Portfolio)
    return [list(model.objects.order_by("pk").values()) for model in models]


def leg(chain, group, place):
    return f"{ROWS}/{group['transactions'][place]['id']}"


@pytest.mark.parametrize(
    ("write", "status", "asked", "held", "on"),
    [
        # Fewer shares, or later ones, for the sale in C.
        (lambda c: c.api.patch(leg(c, c.to_c, 1), {"quantity": 20}), 422, 21, 20, 5),
        (lambda c: c.api.patch(leg(c, c.to_c, 0), {"date": str(day(4))}), 422, 21, 0, 5),
        (lambda c: c.api.delete(f"{GROUPS}/{c.to_c['id']}"), 409, 21, 0, 5),
        (
            lambda c: c.api.put(
                f"{GROUPS}/{c.to_c['id']}", {"kind": "transfer", "quantity": 20}
            ),
            422, 21, 20, 5,
        ),
        # What C got, B would not have had, nor A.
        (
            lambda c: c.api.put(
                f"{GROUPS}/{c.exchange['id']}",
                {"kind": "exchange", "date": str(day(15)), "targets": [target("N.DEMO", "23")]},
            ),
            422, 24, 23, 10,
        ),
        (lambda c: c.api.delete(f"{GROUPS}/{c.exchange['id']}"), 409, 24, 0, 10),
        (lambda c: c.api.patch(f"{ROWS}/{c.first.pk}", {"quantity": 5}), 422, 16, 15, 20),
        (lambda c: c.api.patch(f"{ROWS}/{c.first.pk}", {"date": str(day(19))}), 422, 16, 10, 20),
        (lambda c: c.api.delete(f"{ROWS}/{c.first.pk}"), 409, 16, 10, 20),
    ],
)  # fmt: skip
def test_an_edit_that_lacks_shares_further_on_changes_nothing(
    chain, write, status, asked, held, on
):
    before = everything()
    lacking = Transaction.objects.get(
        date=day(on), quantity=asked, type__in=("sell", "transfer_out")
    )
    response = write(chain)
    [error] = response.json()["errors"]
    assert (response.status_code, error["code"]) == (status, "insufficient_quantity")
    assert f"{asked} requested, {held} held on {day(on)}" in error["detail"]
    assert f"transaction {lacking.pk}" in error["detail"]
    assert everything() == before


def test_more_than_the_third_portfolio_got_is_not_sold(chain):
    before = everything()
    response = chain.api.patch(f"{ROWS}/{chain.sale.pk}", {"quantity": 25})
    [error] = response.json()["errors"]
    assert (response.status_code, error["attr"]) == (422, "quantity")
    assert f"25 requested, 24 held on {day(5)}" in error["detail"]
    assert everything() == before
