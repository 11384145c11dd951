"""Which rows of a file can be recorded, and what the problems of the others are."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID

from financeproj.core.errors import DomainError
from financeproj.core.money import ONE
from marketdata.models import StockMetadata
from marketdata.selectors import prices_on_days
from portfolios.calc.import_rows import ImportRow, RowProblem, gettext_noop
from portfolios.calc.kinds import RULES
from portfolios.services.given_rates import impossible_rate
from portfolios.services.holding_changes import Problems
from portfolios.services.import_money import FoundRow, Rates
from portfolios.services.share_openings import MAX_AGE_DAYS

# An instrument, or why there is none.
Instruments = Mapping[str, StockMetadata | DomainError]


def usable_rows(
    rows: Sequence[ImportRow], instruments: Instruments
) -> tuple[list[ImportRow], Problems]:
    """Keep the rows whose instrument is known, in its currency."""
    usable: list[ImportRow] = []
    problems: Problems = []
    for row in rows:
        if row.is_money_alone:
            usable.append(row)
            continue
        stock = instruments[row.ticker]
        if isinstance(stock, DomainError):
            problem = RowProblem(stock.code, stock.message, stock.params)
            column = stock.attr or "ticker"
            problems.append(problem.at(row.row, column, getattr(row, column, row.ticker)))
        elif row.currency and row.currency != stock.currency:
            message = gettext_noop("%(ticker)s is quoted in %(currency)s.")
            params = {"ticker": stock.ticker, "currency": stock.currency}
            problem = RowProblem("currency_mismatch", message, params)
            problems.append(problem.at(row.row, "currency", row.currency))
        else:
            usable.append(row)
    return usable, problems


def shares_and_money(new: Iterable[FoundRow]) -> tuple[list[FoundRow], list[FoundRow]]:
    """Divide rows into those of holdings and those of money alone."""
    shares: list[FoundRow] = []
    alone: list[FoundRow] = []
    for found in new:
        if found.row.is_money_alone:
            alone.append(found)
        else:
            shares.append(found)
    return shares, alone


def settled_rows(
    rows: list[FoundRow], instruments: Instruments, currency: str
) -> tuple[list[FoundRow], Problems]:
    """Keep the rows of which it is known what went through the account."""
    settled: list[FoundRow] = []
    problems: Problems = []
    for found in rows:
        row = found.row
        stock = instruments[row.ticker]
        assert isinstance(stock, StockMetadata)  # nosec B101  # for mypy: the others are unusable
        known = (None, currency, stock.currency)
        if row.settlement_amount is None and row.settlement_currency not in known:
            message = gettext_noop("The amount in %(currency)s is missing: give settlement_amount.")
            params = {"currency": row.settlement_currency or ""}
            problem = RowProblem("settlement_amount_required", message, params)
            problems.append(problem.at(row.row, "settlement_amount", None))
        else:
            settled.append(found)
    return settled, problems


def rated_rows(
    rows: list[FoundRow], instruments: Instruments, rates: Rates, currency: str
) -> tuple[list[tuple[FoundRow, Decimal | None]], Problems]:
    """Keep the rows whose rate into `currency` the file gives or is known, with that rate."""
    rated: list[tuple[FoundRow, Decimal | None]] = []
    problems: Problems = []
    for found in rows:
        row, rate = found.row, found.row.exchange_rate
        stock = instruments[row.ticker]
        assert isinstance(stock, StockMetadata)  # nosec B101  # for mypy, as above
        if not _has_another_rate(row):
            impossible = impossible_rate(rate, stock.currency, currency, row.row)
            if impossible is not None:
                problems.append(impossible)
                continue
        if rate is None and RULES[row.type].is_priced:
            rate = _rate(stock.currency, currency, row.date, rates)
            if rate is None:
                problems.append(_no_rate(row, stock.currency, currency))
                continue
        rated.append((found, rate))
    return rated, problems


def _has_another_rate(row: ImportRow) -> bool:
    """Whether the rate of a row is not that of its day: the cost was brought along at what was
    paid, or it is a leg of a group, whose rate is between what goes and what comes.
    """
    rules = RULES[row.type]
    return rules.brings_cost or (rules.is_exchange and bool(row.group))


def closes_of_unpriced(
    rated: Iterable[tuple[FoundRow, Decimal | None]], instruments: Instruments
) -> dict[tuple[UUID, date], Decimal]:
    """Return the closes of the days on which shares came in without a price. Two queries, if any
    did.
    """
    wanted: list[tuple[UUID, date]] = []
    for found, _ in rated:
        stock = instruments[found.row.ticker]
        if found.row.is_cost_unknown and isinstance(stock, StockMetadata):
            wanted.append((stock.pk, found.row.date))
    return prices_on_days(wanted, max_age_days=MAX_AGE_DAYS)


def _rate(base: str, target: str, day: date, rates: Rates) -> Decimal | None:
    return ONE if base == target else rates.get((base, target, day))


def _no_rate(row: ImportRow, base: str, target: str) -> RowProblem:
    message = gettext_noop(
        "No rate from %(base)s to %(target)s is known on %(date)s: give exchange_rate."
    )
    params = {"base": base, "target": target, "date": str(row.date)}
    problem = RowProblem("exchange_rate_required", message, params)
    return problem.at(row.row, "exchange_rate", None)
