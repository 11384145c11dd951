"""Examples of what companies do to their shares, worked by hand: average, lots, gains, bridge, TWR.

Days are counted back from today: `day(30)` is 30 days ago.
"""

from decimal import Decimal as D

import pytest

from portfolios import services
from portfolios.models import Holding
from portfolios.tests.conftest import rate, trade
from portfolios.tests.test_returns_of_actions import (
    action,
    bridge,
    closes,
    day,
    get,
    performance,
    post,
)

pytestmark = pytest.mark.django_db


def target(ticker, quantity, share=None):
    body = {"ticker": ticker, "quantity": D(quantity)}
    return body if share is None else {**body, "cost_share": D(share)}


def cost_of(portfolio, stock):
    """Return the shares, the cost and the average of a holding."""
    held = Holding.objects.get(portfolio=portfolio, stock=stock)
    average = held.average_cost_per_share
    return held.current_quantity, held.cost_basis, average and round(average, 8)


def gains(api, portfolio, method):
    """Return (ticker, kind, gain, [(days ago, shares, cost)]) of each realised gain."""
    rows = get(api, f"portfolios/{portfolio.pk}/realised-gains?method={method}")
    found = []
    for row in rows:
        lots = [(lot["bought_on"], r(lot["quantity"]), r(lot["cost"])) for lot in row["lots"]]
        found.append((row["ticker"], row["kind"], r(row["gain"]), lots))
    return found


def r(number):
    return round(number, 6)


def lot(ago, quantity, cost):
    return str(day(ago)), D(quantity), D(cost)


def price_effects(api, portfolio):
    """Return the price effect of each holding that has one, and of all, after adding up."""
    moved = bridge(api, portfolio)
    return {name: r(one["price_effect"]) for name, one in moved.items() if one["price_effect"]}


def test_a_merger_for_shares_and_cash_and_a_sale_of_what_came(api, portfolio, make_stock):
    t, a = make_stock("T.DEMO"), make_stock("A.DEMO")
    held = trade(portfolio, t, "buy", "120", "30", on=day(20)).holding
    closes(t, d20="30", d11="60")
    closes(a, d10="125", d5="130")
    cash = {"currency": "NOK", "amount": 1200}
    post(api, action(held, "exchange", 10, [target("A.DEMO", "48")], cash=cash))
    # 6,000 in shares and 1,200 in cash: five sixths and one sixth of 3,600.
    assert cost_of(portfolio, a) == (48, 3000, D("62.5"))
    trade(portfolio, a, "sell", "48", "130", on=day(5))
    for method in ("average", "fifo"):
        paid_out, sold = gains(api, portfolio, method)
        assert (paid_out[:3], sold[:3]) == (("T.DEMO", "action", 600), ("A.DEMO", "sale", 3240))
    assert sold[3] == [lot(20, "48", "3000")]
    assert [cost for _, _, cost in paid_out[3]] == [600]
    figures = performance(api, portfolio)
    # 60 / 30 and 130 / 125.
    assert (r(figures["twr"]), figures["net_flow"]) == (D("1.08"), 3600 - 1200 - 6240)
    assert (figures["gain"], figures["realised_gain"], figures["end_value"]) == (3840, 3840, 0)
    assert price_effects(api, portfolio) == {"T.DEMO": 3600, "A.DEMO": 240, "all": 3840}


@pytest.mark.parametrize(
    ("prices", "share"),
    [
        ({"d10": "48", "d5": "50"}, None),
        ({"d7": "48", "d5": "50"}, None),
        ({}, "0.2"),
    ],
    ids=["priced at once", "priced after 3 days", "never priced"],
)
def test_a_spin_off_takes_a_part_of_each_lot(api, portfolio, make_stock, prices, share):
    x, y = make_stock("X.DEMO"), make_stock("Y.DEMO")
    held = trade(portfolio, x, "buy", "60", "50", on=day(30)).holding
    trade(portfolio, x, "buy", "40", "60", on=day(25))
    closes(x, d30="50", d25="60", d10="48")
    closes(y, **prices)
    group = post(api, action(held, "spin_off", 10, [target("Y.DEMO", "25", share)]))
    assert (group["targets"][0]["cost_share"], group["warnings"]) == (D("0.2"), [])
    # 1 for 4: 25 at 48 are 1,200 of 6,000, so 20 % of 5,400 moves.
    assert cost_of(portfolio, x) == (100, 4320, D("43.2"))
    assert cost_of(portfolio, y) == (25, 1080, D("43.2"))
    trade(portfolio, y, "sell", "15", "50", on=day(5))
    assert gains(api, portfolio, "average")[0][:3] == ("Y.DEMO", "sale", 102)
    # The lot of 60 gave 15 with 20 % of its 3,000.
    assert gains(api, portfolio, "fifo") == [("Y.DEMO", "sale", 150, [lot(30, "15", "600")])]
    figures = performance(api, portfolio)
    assert round(figures["twr"], 12) == round(D(6000) / 5400 * 6050 / 6000 - 1, 12)
    assert (figures["end_value"], figures["gain"]) == (5300, 650)
    assert price_effects(api, portfolio) == {"X.DEMO": 600, "Y.DEMO": 50, "all": 650}


def test_rights_are_granted_half_exercised_and_half_lapsed(api, portfolio, make_stock):
    share, rights = make_stock("SHR.DEMO"), make_stock("RTS.DEMO")
    held = trade(portfolio, share, "buy", "100", "50", on=day(30)).holding
    closes(share, d30="50", d20="48", d5="50")
    closes(rights, d20="2")
    post(api, action(held, "spin_off", 20, [target("RTS.DEMO", "100", "0")]))
    assert cost_of(portfolio, rights)[:2] == (100, 0)
    of_rights = Holding.objects.get(portfolio=portfolio, stock=rights)
    # Two rights at 2 and 44 in cash for a share at 48.
    cash = {"currency": "NOK", "amount": -1100}
    body = action(of_rights, "exercise", 15, [target("SHR.DEMO", "25")], cash=cash, quantity_out=50)
    post(api, body)
    assert cost_of(portfolio, share) == (125, 6100, D("48.8"))
    trade(portfolio, rights, "sell", "50", "0", on=day(10))
    trade(portfolio, share, "sell", "125", "50", on=day(5))
    for method in ("average", "fifo"):
        lapsed, sold = gains(api, portfolio, method)
        assert (lapsed[:3], sold[:3]) == (("RTS.DEMO", "sale", 0), ("SHR.DEMO", "sale", 150))
    assert sold[3] == [lot(30, "100", "5000"), lot(15, "25", "1100")]
    figures = performance(api, portfolio)
    assert round(figures["twr"], 12) == round(D(6000) / 6100 * 6250 / 6000 - 1, 12)
    assert (figures["gain"], figures["net_flow"]) == (150, 5000 + 1100 - 6250)
    assert price_effects(api, portfolio) == {"SHR.DEMO": 250, "RTS.DEMO": -100, "all": 150}


def test_the_class_of_a_fund_is_changed(api, portfolio, make_stock):
    old, new = make_stock("OLD.DEMO"), make_stock("NEW.DEMO")
    held = trade(portfolio, old, "buy", "100", "12", on=day(30)).holding
    trade(portfolio, old, "buy", "50", "15", on=day(25))
    closes(old, d30="12", d25="15", d11="18")
    closes(new, d10="10", d5="11")
    # 1.797720728 new units for an old one.
    came = 150 * D("1.797720728")
    post(api, action(held, "exchange", 10, [target("NEW.DEMO", came)]))
    assert cost_of(portfolio, new) == (came, 1950, round(1950 / came, 8))
    trade(portfolio, new, "sell", "100", "11", on=day(5))
    [sold] = gains(api, portfolio, "average")
    assert sold[2] == r(1100 - 100 * 1950 / came)
    [sold] = gains(api, portfolio, "fifo")
    cost = 1200 * 100 / (100 * D("1.797720728"))
    assert sold == ("NEW.DEMO", "sale", r(1100 - cost), [lot(30, "100", r(cost))])
    figures = performance(api, portfolio)
    growth = D(2250) / 1950 * 18 / 15 * (came * 10) / 2700 * 11 / 10
    assert round(figures["twr"], 12) == round(growth - 1, 12)
    assert r(figures["end_value"]) == r((came - 100) * 11)
    assert price_effects(api, portfolio) == {
        "OLD.DEMO": r(came * 10 - 1950),
        "NEW.DEMO": r(came),
        "all": r(came * 11 - 1950),
    }


def test_an_isin_changes_twice(api, portfolio, make_stock):
    one, two, three = (make_stock(f"{name}.DEMO") for name in ("ONE", "TWO", "THREE"))
    held = trade(portfolio, one, "buy", "10", "100", on=day(30)).holding
    trade(portfolio, one, "buy", "10", "200", on=day(25))
    closes(one, d30="100", d25="200")
    closes(two, d20="200")
    closes(three, d15="200", d5="300")
    post(api, action(held, "exchange", 20, [target("TWO.DEMO", "20")], label="Symbol change"))
    held = Holding.objects.get(stock=two)
    post(api, action(held, "exchange", 15, [target("THREE.DEMO", "20")], label="Symbol change"))
    assert cost_of(portfolio, three) == (20, 3000, 150)
    trade(portfolio, three, "sell", "10", "300", on=day(5))
    assert gains(api, portfolio, "average")[0][2] == 1500
    assert gains(api, portfolio, "fifo") == [("THREE.DEMO", "sale", 2000, [lot(30, "10", "1000")])]
    figures = performance(api, portfolio)
    # 4,000 of 3,000, then 300 of 200.
    assert (r(figures["twr"]), figures["gain"], figures["end_value"]) == (1, 3000, 3000)
    assert price_effects(api, portfolio) == {"ONE.DEMO": 1000, "THREE.DEMO": 2000, "all": 3000}


def test_7_of_10_shares_move_to_a_portfolio_in_euros_and_are_sold_there(
    api, user, portfolio, make_stock, no_other_rates
):
    acme = make_stock("ACME.DEMO", "USD")
    euros = services.create_portfolio(user=user, name="Euros", currency="EUR")
    for ago in range(31):
        rate("USD", "NOK", "10", on=day(ago))
        rate("EUR", "NOK", "12.5", on=day(ago))
        rate("USD", "EUR", "0.8", on=day(ago))
    closes(acme, d30="100", d10="110", d5="120")
    held = trade(portfolio, acme, "buy", "10", "100", on=day(30), exchange_rate="10").holding
    body = {"kind": "transfer", "holding_id": str(held.pk), "quantity": 7, "date": str(day(10))}
    post(api, {**body, "to_portfolio_id": str(euros.pk)})
    assert cost_of(portfolio, acme) == (3, 3000, 100)
    assert cost_of(euros, acme) == (7, 560, 100)  # 7,000 kroner at 0.08
    trade(euros, acme, "sell", "7", "120", on=day(5), exchange_rate="0.8")
    assert gains(api, euros, "average")[0][2] == 112  # 672 less 560
    assert gains(api, euros, "fifo") == [("ACME.DEMO", "sale", 112, [lot(30, "7", "560")])]
    there = performance(api, euros)
    # In at 7 × 110 × 0.8 = 616, out at 672.
    assert round(there["twr"], 12) == round(D(672) / 616 - 1, 12)
    assert (there["gain"], there["net_flow"]) == (56, 616 - 672)
    assert price_effects(api, euros) == {"ACME.DEMO": 56, "all": 56}
    here = performance(api, portfolio)
    assert (r(here["twr"]), here["gain"], here["end_value"]) == (D("0.2"), 1300, 3600)
    assert price_effects(api, portfolio) == {"ACME.DEMO": 1300, "all": 1300}
    # Over both, the move is not a flow.
    both = get(api, "performance")
    assert (r(both["twr"]), r(both["net_flow"]), r(both["gain"])) == (D("0.2"), 1600, 2000)


def test_capital_beyond_the_cost_is_returned_in_dollars(api, portfolio, make_stock, no_other_rates):
    usa = make_stock("USA.DEMO", "USD")
    for ago in range(31):
        rate("USD", "NOK", "11" if ago <= 10 else "10", on=day(ago))
    closes(usa, d30="20", d10="5")
    trade(portfolio, usa, "buy", "10", "20", on=day(30), exchange_rate="10")
    trade(portfolio, usa, "return_of_capital", "10", "25", on=day(10), exchange_rate="11")
    assert cost_of(portfolio, usa) == (10, 0, 0)
    for method in ("average", "fifo"):
        # 250 dollars at 11, less the 2,000 that they cost.
        assert gains(api, portfolio, method)[0][:3] == ("USA.DEMO", "return_of_capital", 750)
    assert gains(api, portfolio, "fifo")[0][3] == [lot(30, "0", "2000")]
    figures = performance(api, portfolio)
    assert (r(figures["twr"]), figures["gain"]) == (D("0.65"), 1300)  # (550 + 2,750) / 2,000
    assert (figures["income"], figures["realised_gain"]) == (0, 750)
    moved = bridge(api, portfolio)["all"]
    assert (moved["price_effect"], moved["fx_effect"]) == (1100, 200)


def test_a_bonus_share_for_twenty_leaves_the_cost(api, portfolio, make_stock):
    stock = make_stock("BON.DEMO")
    closes(stock, d30="105", d20="126", d10="120", d5="130")
    trade(portfolio, stock, "buy", "40", "105", on=day(30))
    trade(portfolio, stock, "buy", "20", "126", on=day(20))
    trade(portfolio, stock, "split", "1.05", on=day(10))
    assert cost_of(portfolio, stock) == (63, 6720, round(D(6720) / 63, 8))
    trade(portfolio, stock, "sell", "42", "130", on=day(5))
    assert gains(api, portfolio, "average")[0][2] == 980  # 5,460 less 42 of 63 shares' 6,720
    assert gains(api, portfolio, "fifo") == [("BON.DEMO", "sale", 1260, [lot(30, "42", "4200")])]
    figures = performance(api, portfolio)
    # 7,560 of 6,720, nothing on the day of the bonus, 130 of 120.
    assert (r(figures["twr"]), figures["gain"]) == (D("0.21875"), 1470)
    assert price_effects(api, portfolio) == {"BON.DEMO": 1470, "all": 1470}


def test_a_reverse_split_pays_cash_for_the_fraction(api, portfolio, make_stock):
    stock = make_stock("REV.DEMO")
    closes(stock, d30="10", d11="12", d10="120")
    trade(portfolio, stock, "buy", "105", "10", on=day(30))
    trade(portfolio, stock, "split", "0.1", on=day(10))
    trade(portfolio, stock, "sell", "0.5", "120", on=day(10))
    assert cost_of(portfolio, stock) == (10, 1000, 100)
    assert gains(api, portfolio, "average")[0][2] == 10
    assert gains(api, portfolio, "fifo") == [("REV.DEMO", "sale", 10, [lot(30, "0.5", "50")])]
    figures = performance(api, portfolio)
    assert (r(figures["twr"]), figures["gain"], figures["end_value"]) == (D("0.2"), 210, 1200)
    assert price_effects(api, portfolio) == {"REV.DEMO": 210, "all": 210}
