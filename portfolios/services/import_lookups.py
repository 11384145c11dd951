"""What an import has to know before its database transaction begins."""

from collections.abc import Container, Iterable, Mapping
from datetime import date
from decimal import Decimal

from financeproj.core.errors import DomainError
from financeproj.users.models import User
from marketdata import services as marketdata
from marketdata.models import StockMetadata
from marketdata.queries import exchange_rates_for_import
from portfolios.calc.import_rows import ImportRow
from portfolios.calc.kinds import RULES
from portfolios.models import Portfolio
from portfolios.services.import_groups import rates_for_groups
from portfolios.services.openings import ONE_DAY
from portfolios.services.share_openings import FileSays
from portfolios.services.usable_rows import Instruments


def instruments_of(
    user: User,
    rows: Iterable[ImportRow],
    identified: Container[str],
    by_hand: Container[str],
    *,
    dry_run: bool,
    seconds: float | None,
) -> Instruments:
    """Find the instrument of each ticker, or why there is none. May ask the sources for `seconds`,
    in a dry run not about those `identified`.
    """
    currencies: dict[str, str | None] = {}
    names: dict[str, str] = {}
    for row in rows:
        if row.is_money_alone:
            continue
        currencies[row.ticker] = currencies.get(row.ticker) or row.currency
        names[row.ticker] = names.get(row.ticker) or row.company_name

    def look_up(tickers: Mapping[str, str | None]) -> Instruments:
        wanted = [(ticker, currency, names[ticker]) for ticker, currency in tickers.items()]
        return marketdata.instruments_for_import(
            user=user,
            wanted=wanted,
            dry_run=dry_run,
            unasked=identified if dry_run else (),
            by_hand=by_hand,
            seconds=seconds,
        )

    found = look_up(currencies)
    # The first currency in the file is wrong: the instrument is what it is without it, and each row
    # is judged alone.
    mismatched = [ticker for ticker, stock in found.items() if _is_mismatch(stock)]
    return {**found, **look_up(dict.fromkeys(mismatched))}


def _is_mismatch(stock: StockMetadata | DomainError) -> bool:
    return isinstance(stock, DomainError) and stock.code == "currency_mismatch"


def rates_of(
    portfolio: Portfolio, rows: Iterable[ImportRow], instruments: Instruments, says: FileSays
) -> dict[tuple[str, str, date], Decimal | None]:
    """Find the rates of the days on which the file gives none."""
    wanted: set[tuple[str, str, date]] = set()
    for row in rows:
        if row.is_money_alone:
            if row.settlement_currency != portfolio.currency:
                wanted.add((row.settlement_currency or "", portfolio.currency, row.date))
            continue
        if row.exchange_rate is not None or not RULES[row.type].is_priced:
            continue
        stock = instruments[row.ticker]
        if isinstance(stock, StockMetadata) and stock.currency != portfolio.currency:
            wanted.add((stock.currency, portfolio.currency, row.date))
    wanted |= rates_for_groups(rows, instruments, portfolio.currency)
    if says.accepts_opening:
        wanted |= _wanted_for_openings(portfolio, rows, instruments, says)
    return exchange_rates_for_import(wanted) if wanted else {}


def _wanted_for_openings(
    portfolio: Portfolio, rows: Iterable[ImportRow], instruments: Instruments, says: FileSays
) -> set[tuple[str, str, date]]:
    """Return the rates of the days before the first rows of instruments that checkpoints name."""
    tickers = {one.ticker for one in says.checkpoints}
    first: dict[str, date] = {}
    for row in rows:
        if row.ticker and row.ticker in tickers:
            first[row.ticker] = min(first.get(row.ticker, row.date), row.date)
    wanted: set[tuple[str, str, date]] = set()
    for ticker, day in first.items():
        stock = instruments[ticker]
        if isinstance(stock, StockMetadata) and stock.currency != portfolio.currency:
            wanted.add((stock.currency, portfolio.currency, day - ONE_DAY))
    return wanted
