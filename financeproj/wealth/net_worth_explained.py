"""Net worth at the end of a period: its parts with prices, rates, dates and sources."""

from datetime import date
from decimal import Decimal

from financeproj.core.money import ZERO, round_for_storage, strip_zeros
from financeproj.wealth.net_worth import Wealth, net_worth_over_time
from marketdata.selectors import rates_on
from pensions.selectors import ValuedAccount
from portfolios.reports.balances import entry_on
from portfolios.reports.histories import PortfolioHistory
from portfolios.reports.shown import RateShown, ledgers_until, positions_shown, rate_shown
from portfolios.valuation import cash_on, cash_pairs

FORMULAS = {
    "portfolios": "the sum over portfolios of the values of their positions"
    " (quantity × price × rate) × rate",
    "cash": "the sum over portfolios of cash × rate",
    "credit": "the sum over portfolios of used credit × rate",
    "pensions": "the sum over pension accounts of value × rate",
    "net_worth": "portfolios + cash − credit + pensions",
}


def net_worth_explained(wealth: Wealth) -> dict[str, object]:
    """Explain net worth at the end of the period."""
    day = wealth.period.end
    rates = _rates_shown(wealth, day)
    portfolios = []
    for history in wealth.report.histories:
        rate = rates[history.portfolio.currency]
        portfolios.append(_portfolio_shown(wealth, history, rate))
    pensions = []
    for pension in wealth.pensions:
        rate = rates[pension.account.currency]
        pensions.append(_pension_shown(pension, rate, day))
    report = net_worth_over_time(wealth, interval="month")
    last_point = report.points[-1]
    numbers = {}
    for name, formula in FORMULAS.items():
        numbers[name] = {"value": getattr(last_point, name), "formula": formula}
    return {
        "currency": wealth.currency,
        "date": day,
        "inputs": {"portfolios": portfolios, "pensions": pensions},
        "numbers": numbers,
        "missing": report.missing,
        "missing_why": report.missing_why,
    }


def _rates_shown(wealth: Wealth, day: date) -> dict[str, RateShown]:
    """Return each currency's rate into the base currency on `day`."""
    currencies = wealth.currencies()
    found = rates_on([(code, wealth.currency) for code in currencies], day)
    shown = {}
    for code in currencies:
        rate = found.get((code, wealth.currency))
        shown[code] = rate_shown(code, wealth.currency, rate, day)
    return shown


def _portfolio_shown(
    wealth: Wealth, history: PortfolioHistory, rate: RateShown
) -> dict[str, object]:
    day = wealth.period.end
    balances = wealth.balances[history.portfolio.pk]
    begins = wealth.counts_from(history)
    counts_back = begins is not None and day >= begins
    positions = positions_shown(history, ledgers_until(history, day), day)
    values = [position.value for position in positions if position.value is not None]
    cash = _balance_shown(entry_on(balances.cash, day, counts_back=counts_back))
    credit = _balance_shown(entry_on(balances.credit, day, counts_back=counts_back))
    if history.portfolio.cash_from is not None and day >= history.portfolio.cash_from:
        cash, credit = _derived_shown(wealth, history)
    return {
        "portfolio_id": history.portfolio.pk,
        "name": history.portfolio.name,
        "positions": positions,
        "value": strip_zeros(round_for_storage(sum(values, ZERO))),
        "cash": cash,
        "used_credit": credit,
        "rate": rate,
    }


def _derived_shown(
    wealth: Wealth, history: PortfolioHistory
) -> tuple[dict[str, object], dict[str, object]]:
    """Show cash and used credit that follow from the transactions, with each currency's balance."""
    day, portfolio = wealth.period.end, history.portfolio
    money = wealth.money[portfolio.pk]
    rates = rates_on(cash_pairs(portfolio, money), day)
    derived = cash_on(portfolio, money, day, rates)
    currencies: list[dict[str, object]] = []
    for one in derived.currencies:
        rate = rates.get((one.currency, portfolio.currency))
        shown = rate_shown(one.currency, portfolio.currency, rate, day)
        currencies.append({"balance": one.balance, "value": one.value, "rate": shown})
    return (
        {"amount": derived.cash, "entered_for": None, "currencies": currencies},
        {"amount": derived.used_credit, "entered_for": None, "currencies": currencies},
    )


def _balance_shown(entry: tuple[date, Decimal] | None) -> dict[str, object]:
    if entry is None:
        return {"amount": ZERO, "entered_for": None}
    entered_for, amount = entry
    return {"amount": strip_zeros(amount), "entered_for": entered_for}


def _pension_shown(pension: ValuedAccount, rate: RateShown, day: date) -> dict[str, object]:
    """Show the value last entered by `day`; None before the first."""
    entry = pension.value_on(day)
    shown = {
        "account_id": pension.account.pk,
        "name": pension.account.name,
        "value_id": None,
        "date": None,
        "source": None,
        "value": None,
        "rate": rate,
    }
    if entry is not None:
        shown["value_id"] = entry.pk
        shown["date"] = entry.date
        shown["source"] = entry.source
        shown["value"] = strip_zeros(entry.value)
    return shown
