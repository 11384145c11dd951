"""Exchange rates of transactions: what may be given, and the rate of the day otherwise."""

from datetime import date
from decimal import Decimal

from financeproj.core.errors import DomainError
from financeproj.core.money import ONE
from marketdata import queries
from portfolios.calc.import_rows import RowProblem, gettext_noop

CODE = "same_currency_rate"
MESSAGE = gettext_noop(
    "Both amounts are in %(currency)s, so the exchange rate must be 1. Leave it out."
)


def _is_possible(rate: Decimal | None, base: str, target: str) -> bool:
    """Return whether the rate fits the currencies. One of 0 or less is refused elsewhere."""
    return rate is None or rate == ONE or rate <= 0 or base != target


def refuse_impossible_rate(rate: Decimal | None, base: str, target: str, attr: str) -> None:
    """Raise DomainError for a given rate other than 1 between equal currencies."""
    if not _is_possible(rate, base, target):
        raise DomainError(MESSAGE, attr=attr, code=CODE, params={"currency": base})


def impossible_rate(rate: Decimal | None, base: str, target: str, line: int) -> RowProblem | None:
    """Return the problem of such a rate on a line of a file, None if there is none."""
    if _is_possible(rate, base, target):
        return None
    return RowProblem(CODE, MESSAGE, {"currency": base}).at(line, "exchange_rate", rate)


def rate_of_the_day(base: str, target: str, day: date, attr: str) -> Decimal:
    """Look up the rate of a day. May ask the sources.

    Raises DomainError (`exchange_rate_required`) at `attr`, which a user can enter, if none is
    known.
    """
    if base == target:
        return ONE
    rate = queries.exchange_rate_for_trade(base=base, target=target, day=day)
    if rate is None:
        raise DomainError(
            f"No exchange rate from {base} to {target} is known on {day}. Enter {attr}.",
            attr=attr,
            code="exchange_rate_required",
        )
    return rate
