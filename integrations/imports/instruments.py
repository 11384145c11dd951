"""Identify the instruments of a file: brokers give an ISIN or a name of their own, we use
tickers.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain
from typing import Any

from msgspec.structs import replace

from financeproj.core.db.names import name_key
from financeproj.core.errors import DomainError
from financeproj.core.identifiers import MAX_TICKER_LENGTH, is_ticker, looks_like_isin
from financeproj.users.models import User
from integrations.statements.base import StatementRow
from integrations.statements.values import folded
from marketdata.models import StockMetadata
from marketdata.selectors import instruments_visible_to
from marketdata.selectors.look_ups import Key, waiting_keys
from marketdata.services import look_ups
from marketdata.services.look_ups import Wanted
from portfolios import selectors
from portfolios.calc.import_problems import text_of
from portfolios.calc.import_rows import RowProblem
from portfolios.calc.import_rows import gettext_noop as _
from portfolios.calc.kinds import types_where

PAYMENTS = frozenset(types_where(lambda rules: rules.is_paid_in_any_currency))
TRADES = frozenset(types_where(lambda rules: rules.moves_shares))
CANDIDATES = 10
BY_HAND = "MANUAL"  # in place of a ticker: no source prices the instrument
_NOT_OF_A_TICKER = re.compile(r"[^a-z0-9]+")
LISTED_IN_ERRORS = 5


@dataclass(slots=True)
class Identified:
    """The rows of a file with tickers, and the problems of those whose instrument is unknown.

    `listed` is for ImportBatch.instruments. `tickers` (by what the broker calls the instrument) and
    `isins` (by ticker) are to be remembered for the next file. `found_by_isin` are the tickers that
    the search for the ISIN found, `by_hand` those of instruments that the request says to price by
    hand. About those `still_open` the sources have not answered yet.
    """

    rows: list[StatementRow] = field(default_factory=list)
    problems: list[RowProblem] = field(default_factory=list)
    listed: list[dict[str, Any]] = field(default_factory=list)
    tickers: dict[str, str] = field(default_factory=dict)
    isins: dict[str, str] = field(default_factory=dict)
    found_by_isin: set[str] = field(default_factory=set)
    by_hand: set[str] = field(default_factory=set)
    still_open: list[Wanted] = field(default_factory=list)


@dataclass(slots=True)
class _Instrument:
    """An instrument as the file names it, and what is found out about it.

    `is_open` if the sources have not answered all that is to be asked about it.
    """

    isin: str | None
    symbol: str | None
    name: str
    currency: str | None
    ticker: str | None = None
    resolved_by: str | None = None
    is_traded: bool = False
    candidates: list[dict[str, Any]] = field(default_factory=list)
    is_open: bool = False
    is_by_hand: bool = False

    def wanted(self) -> Wanted:
        """Return what the sources are to identify."""
        isin, symbol = "", (self.symbol or "").upper()
        if self.isin and looks_like_isin(self.isin):
            isin = self.isin
        if not is_ticker(symbol):
            symbol = ""
        return Wanted(isin, symbol, self.currency or "")


# ISIN or name → the currencies in which it is traded, of those that are traded in several.
Listings = dict[str, list[str]]


def key_of(row: StatementRow, listings: Listings) -> str:
    """Return what the broker calls the instrument of a row, and its currency if it has several.

    What is paid in a currency in which it is not traded belongs to the listing traded first.
    """
    name = _name(row)
    if name not in listings:
        return name
    currencies = listings[name]
    if row.currency in currencies:
        return listing_key(name, row.currency)
    return listing_key(name, currencies[0])


def _name(row: StatementRow) -> str:
    return row.isin or name_key(row.symbol or row.company_name)


def listing_key(name: str, currency: str | None) -> str:
    """Return what one listing of an ISIN or name is called: the one in that currency."""
    return name_key(f"{name}:{currency or ''}")


def _listings(rows: Iterable[StatementRow]) -> Listings:
    traded: Listings = {}
    for row in rows:
        if row.currency and row.type in TRADES and not row.ticker:
            currencies = traded.setdefault(_name(row), [])
            if row.currency not in currencies:
                currencies.append(row.currency)
    return {name: currencies for name, currencies in traded.items() if len(currencies) > 1}


def identify_instruments(
    rows: Sequence[StatementRow],
    *,
    user: User,
    choices: Mapping[str, str],
    seconds: float,
    is_worker_alive: bool = False,
) -> Identified:
    """Give every row that has none a ticker.

    In this order: what the request says (`choices`: ISIN, one listing as ISIN:currency, or name →
    ticker, or "manual"), what the user chose before, the known instrument of that ISIN, what the
    sources find for the ISIN (the listing in the row's currency), what they know under the broker's
    symbol. Rows whose instrument stays unknown fail with `unresolved`. The sources are asked for
    `seconds` in all; with a worker not about what waits for it.
    """
    listings = _listings(rows)
    unnamed = _unnamed_instruments(rows, listings)
    by_hand = _apply_choices(user, unnamed, choices)
    _price_by_hand(user, by_hand, listings)
    _apply_known_isins(user, unnamed)
    identified = Identified()
    open_ones = [one for one in unnamed.values() if one.ticker is None]
    identified.still_open = _ask_sources(user, open_ones, seconds, is_worker_alive)
    _fill_currencies(user, unnamed.values())
    for row in rows:
        if row.ticker or row.is_money_alone:
            identified.rows.append(row)
            continue
        instrument = unnamed[key_of(row, listings)]
        if instrument.ticker:
            identified.rows.append(_with_instrument(row, instrument))
        else:
            identified.problems.append(_unresolved(row, instrument, listings))
    for key, one in unnamed.items():
        identified.listed.append(_listed(one))
        if one.ticker:
            identified.tickers[key] = one.ticker
            if one.is_by_hand:
                identified.by_hand.add(one.ticker)
            if one.isin:
                identified.isins[one.ticker] = one.isin
            if one.resolved_by == "isin search":
                identified.found_by_isin.add(one.ticker)
    return identified


def _unnamed_instruments(
    rows: Iterable[StatementRow], listings: Listings
) -> dict[str, _Instrument]:
    """Collect the instruments of the rows without a ticker."""
    found: dict[str, _Instrument] = {}
    for row in rows:
        if row.ticker or row.is_money_alone:
            continue
        key = key_of(row, listings)
        if key not in found:
            found[key] = _Instrument(row.isin, row.symbol, row.company_name, row.currency)
        one = found[key]
        # What it is traded in says which listing it is; a dividend may be paid in another currency.
        is_first_trade = row.type in TRADES and not one.is_traded
        if row.currency and (one.currency is None or is_first_trade):
            one.currency = row.currency
            one.is_traded = row.type in TRADES
        one.symbol = one.symbol or row.symbol
    return found


def _with_instrument(row: StatementRow, one: _Instrument) -> StatementRow:
    """Return `row` with ticker and currency of its instrument; other currencies are noted at the
    amounts that are in them.
    """
    ticker = one.ticker or ""
    if row.currency is None and (row.price_in or row.commission_in):
        return replace(row, ticker=ticker, currency=one.currency)
    is_known = one.currency is not None and row.currency is not None
    if row.type in PAYMENTS and is_known and row.currency != one.currency:
        return replace(
            row,
            ticker=ticker,
            price_in=row.price_in or row.currency,
            commission_in=row.commission_in or row.currency,
            currency=one.currency,
            exchange_rate=None,
        )
    return replace(row, ticker=ticker)


def _listed(one: _Instrument) -> dict[str, Any]:
    return {
        "name": one.name,
        "isin": one.isin,
        "symbol": one.symbol,
        "ticker": one.ticker,
        "currency": one.currency,
        "resolved_by": one.resolved_by,
        "candidates": one.candidates,
    }


def _apply_choices(
    user: User, unnamed: Mapping[str, _Instrument], choices: Mapping[str, str]
) -> dict[str, _Instrument]:
    """Take what the request says, else what the user chose for an earlier file. Return those that
    are to be priced by hand, which have no ticker yet.
    """
    chosen = {name_key(name): ticker.strip().upper() for name, ticker in choices.items()}
    for ticker in chosen.values():
        if not is_ticker(ticker):
            raise DomainError(
                f'"{ticker}" is not a valid ticker.', attr="instruments", code="invalid"
            )
    named = {key: _keys(key, one) for key, one in unnamed.items()}
    before = selectors.instrument_aliases(user, chain.from_iterable(named.values()))
    by_hand: dict[str, _Instrument] = {}
    for key, one in unnamed.items():
        earlier = [before[name] for name in named[key] if name in before]
        given = [name for name in (one.isin, one.symbol, one.name) if name]
        names = [listing_key(name, one.currency) for name in given]
        names += [name_key(name) for name in given]
        tickers = [chosen[name] for name in names if name in chosen]
        if tickers and tickers[0] == BY_HAND:
            by_hand[key] = one
        elif tickers and tickers[0]:
            one.ticker = tickers[0]
            one.resolved_by = "request"
        elif earlier:
            one.ticker = earlier[0]
            one.resolved_by = "earlier choice"
    return by_hand


def _price_by_hand(user: User, by_hand: Mapping[str, _Instrument], listings: Listings) -> None:
    """Give instruments their own tickers: the ISIN or name.

    If another listing has that ticker, the currency of the trades follows (`IE00…-CHF`).
    """
    listed: set[str] = set()
    for name, currencies in listings.items():
        listed.update(listing_key(name, currency) for currency in currencies)
    tickers = {key: _own_ticker(one) for key, one in by_hand.items()}
    of_listings = {key: f"{tickers[key]}-{one.currency}" for key, one in by_hand.items()}
    named = {*tickers.values(), *of_listings.values()}
    known = dict(
        instruments_visible_to(user).filter(ticker__in=named).values_list("ticker", "currency")
    )
    for key, one in by_hand.items():
        ticker, of_listing = tickers[key], of_listings[key]
        is_free = ticker not in known and key not in listed
        if known.get(ticker) == one.currency or not is_ticker(of_listing):
            one.ticker = ticker
        elif of_listing in known or (one.is_traded and not is_free):
            one.ticker = of_listing
        else:
            one.ticker = ticker
        one.resolved_by = "manual"
        one.is_by_hand = True


def _keys(key: str, one: _Instrument) -> list[str]:
    """Return the keys under which an earlier choice may be remembered, the most exact first."""
    name = one.isin or one.symbol or one.name
    return [listing_key(name, one.currency), key]


def _own_ticker(one: _Instrument) -> str:
    """Return the ticker of an instrument that goes by its ISIN or name.

    Raises DomainError if neither gives one.
    """
    if one.isin and is_ticker(one.isin):
        return one.isin
    words = _NOT_OF_A_TICKER.sub(" ", folded(one.name or one.symbol or "")).upper().split()
    ticker = "-".join(words)[:MAX_TICKER_LENGTH].strip("-")
    if not is_ticker(ticker):
        raise DomainError(
            f'No ticker can be made of "{one.name[:60]}". Choose one.',
            attr="instruments",
            code="invalid",
        )
    return ticker


def _apply_known_isins(user: User, unnamed: Mapping[str, _Instrument]) -> None:
    """Take the one known instrument of an ISIN in the currency of the rows."""
    isins = {one.isin for one in unnamed.values() if one.isin and one.ticker is None}
    known: dict[str, list[StockMetadata]] = {}
    for stock in instruments_visible_to(user).filter(isin__in=isins).order_by("ticker"):
        known.setdefault(stock.isin, []).append(stock)
    for one in unnamed.values():
        if one.ticker is not None or one.isin not in known:
            continue
        fitting = [stock for stock in known[one.isin] if one.currency in (None, stock.currency)]
        if len(fitting) == 1:
            one.ticker = fitting[0].ticker
            one.resolved_by = "isin"


def _fill_currencies(user: User, instruments: Iterable[_Instrument]) -> None:
    """Set the currencies of known instruments that the file has no trade of."""
    untraded = [one for one in instruments if one.ticker and not one.is_traded]
    stocks = instruments_visible_to(user).filter(ticker__in={one.ticker for one in untraded})
    known = dict(stocks.values_list("ticker", "currency"))
    for one in untraded:
        if one.ticker in known:
            one.currency = known[one.ticker]


def _ask_sources(
    user: User, instruments: Sequence[_Instrument], seconds: float, is_worker_alive: bool
) -> list[Wanted]:
    """Let the sources identify instruments; return those about which questions are open."""
    if not instruments:
        return []
    wanted = [one.wanted() for one in instruments]
    waiting: set[Key] = set()
    if is_worker_alive:
        waiting = waiting_keys(user)
    look_ups.identify(wanted, user=user, seconds=seconds, without=waiting)
    still_open: list[Wanted] = []
    for one, found in zip(instruments, wanted, strict=True):
        for listing in found.listings[:CANDIDATES]:
            one.candidates.append(asdict(listing) | {"currency": listing.currency or None})
        one.ticker = found.ticker or None
        one.resolved_by = found.found_by or None
        one.is_open = bool(found.questions)
        if one.is_open:
            still_open.append(found)
    return still_open


def _unresolved(row: StatementRow, one: _Instrument, listings: Listings) -> RowProblem:
    what = one.isin or one.symbol or one.name
    if _name(row) in listings:
        what = f"{what}:{one.currency}"  # as the request names one listing
    column = "isin" if one.isin else "symbol"
    params = {"name": one.name or what, "what": what}
    if one.is_open:
        message = _(
            "Could not identify %(name)s (%(what)s) yet. Choose its ticker. Or try again in a "
            "minute."
        )
    elif one.candidates:
        listed = [candidate["ticker"] for candidate in one.candidates[:LISTED_IN_ERRORS]]
        params["candidates"] = ", ".join(listed)
        message = _(
            "Could not identify %(name)s (%(what)s). Choose its ticker. Candidates: %(candidates)s."
        )
    else:
        message = _("Could not identify %(name)s (%(what)s). Choose its ticker.")
    problem = RowProblem("unresolved", message, params, sample=text_of(row))
    return problem.at(row.row, column, what)
