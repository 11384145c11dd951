"""Which instrument a broker means: by ISIN or by a name of its own, while we go by tickers."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from financeproj.core.db.names import name_key
from financeproj.core.errors import DomainError
from financeproj.core.identifiers import is_ticker
from financeproj.users.models import User
from integrations.statements.base import RowError, StatementRow
from marketdata import queries
from marketdata import services as marketdata
from marketdata.models import StockMetadata
from marketdata.selectors import instruments_visible_to
from portfolios import selectors
from portfolios.calc.kinds import types_where

PAYMENTS = frozenset(types_where(lambda rules: rules.is_paid_in_any_currency))
TRADES = frozenset(types_where(lambda rules: rules.moves_shares))
CANDIDATES = 10
LOOKED_AT = 5


@dataclass(slots=True)
class Resolution:
    """`rows` have their tickers now; `listed` is for Import.instruments; `tickers` by key are to be
    remembered.
    """

    rows: list[StatementRow] = field(default_factory=list)
    errors: list[RowError] = field(default_factory=list)
    listed: list[dict[str, Any]] = field(default_factory=list)
    tickers: dict[str, str] = field(default_factory=dict)
    isins: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Wanted:
    """One instrument of a statement."""

    isin: str | None
    symbol: str | None
    name: str
    currency: str | None
    ticker: str | None = None
    resolved_by: str | None = None
    is_traded: bool = False
    candidates: list[dict[str, Any]] = field(default_factory=list)


def key_of(row: StatementRow) -> str:
    return row.isin or name_key(row.symbol or row.company_name)


def resolve(*, user: User, rows: Iterable[StatementRow], choices: Mapping[str, str]) -> Resolution:
    """Give every row that has none a ticker: as the request says (`choices`: ISIN or name →
    ticker), as the user chose before, the known instrument of that ISIN, what the sources find for
    the ISIN (the listing in the row's currency), what they know under the broker's symbol. Rows
    whose instrument stays unknown fail with `unresolved`.
    """
    rows = list(rows)
    wanted: dict[str, _Wanted] = {}
    for row in rows:
        if row.ticker:
            continue
        one = wanted.setdefault(
            key_of(row), _Wanted(row.isin, row.symbol, row.company_name, row.currency)
        )
        # What it is traded in says which listing it is; a dividend may be paid in another currency.
        if row.currency and (one.currency is None or (row.type in TRADES and not one.is_traded)):
            one.currency, one.is_traded = row.currency, row.type in TRADES
        one.symbol = one.symbol or row.symbol
    _as_chosen(user, wanted, choices)
    _as_known(user, wanted)
    end = time.monotonic() + settings.MARKET_DATA_TIMEOUT_SECONDS
    for one in wanted.values():
        if one.ticker is None and time.monotonic() < end:
            _as_found(user, one)
    _fill_currencies(user, wanted.values())
    resolution = Resolution()
    for row in rows:
        if not row.ticker:
            one = wanted[key_of(row)]
            row.ticker = one.ticker or ""
            if row.currency is None and (row.price_in or row.commission_in):
                row.currency = one.currency  # to be converted into
            elif row.type in PAYMENTS and one.currency and row.currency not in (None, one.currency):
                row.price_in = row.price_in or row.currency
                row.commission_in = row.commission_in or row.currency
                row.currency, row.exchange_rate = one.currency, None
        if row.ticker:
            resolution.rows.append(row)
        else:
            resolution.errors.append(_unresolved(row, wanted[key_of(row)]))
    for key, one in wanted.items():
        resolution.listed.append(
            {
                "name": one.name,
                "isin": one.isin,
                "symbol": one.symbol,
                "ticker": one.ticker,
                "currency": one.currency,
                "resolved_by": one.resolved_by,
                "candidates": one.candidates,
            }
        )
        if one.ticker:
            resolution.tickers[key] = one.ticker
            if one.isin:
                resolution.isins[one.ticker] = one.isin
    return resolution


def _as_chosen(user: User, wanted: Mapping[str, _Wanted], choices: Mapping[str, str]) -> None:
    said = {name_key(name): ticker.strip().upper() for name, ticker in choices.items()}
    for ticker in said.values():
        if not is_ticker(ticker):
            raise DomainError(f"{ticker} is no ticker.", attr="instruments", code="invalid")
    before = selectors.instrument_aliases(user, wanted)
    for key, one in wanted.items():
        names = [name_key(name) for name in (one.isin, one.symbol, one.name) if name]
        chosen = next((said[name] for name in names if name in said), None)
        if chosen:
            one.ticker, one.resolved_by = chosen, "request"
        elif key in before:
            one.ticker, one.resolved_by = before[key], "earlier choice"


def _as_known(user: User, wanted: Mapping[str, _Wanted]) -> None:
    isins = {one.isin for one in wanted.values() if one.isin and one.ticker is None}
    known: dict[str, list[StockMetadata]] = {}
    for stock in instruments_visible_to(user).filter(isin__in=isins).order_by("ticker"):
        known.setdefault(stock.isin, []).append(stock)
    for one in wanted.values():
        if one.ticker is None and one.isin in known:
            fitting = [stock for stock in known[one.isin] if one.currency in (None, stock.currency)]
            if len(fitting) == 1:
                one.ticker, one.resolved_by = fitting[0].ticker, "isin"


def _fill_currencies(user: User, wanted: Iterable[_Wanted]) -> None:
    """The currencies of known instruments of which no trade in the file tells it."""
    untold = [one for one in wanted if one.ticker and not one.is_traded]
    stocks = instruments_visible_to(user).filter(ticker__in={one.ticker for one in untold})
    known = dict(stocks.values_list("ticker", "currency"))
    for one in untold:
        if one.ticker in known:
            one.currency = known[one.ticker]


def _as_found(user: User, one: _Wanted) -> None:
    if one.isin:
        hits = queries.search(user=user, query=one.isin, limit=CANDIDATES)
        one.candidates = [
            {
                "ticker": hit.ticker,
                "name": hit.company_name,
                "exchange": hit.exchange,
                "currency": hit.currency,
            }
            for hit in hits
        ]
        if any(hit.currency is None for hit in hits):
            asked = [
                candidate
                for candidate in one.candidates[:LOOKED_AT]
                if candidate["currency"] is None
            ]
            for candidate, stock in zip(asked, _looked_up(user, asked), strict=True):
                candidate["currency"] = stock.currency if stock else None
        fitting = [
            c["ticker"] for c in one.candidates if one.currency and c["currency"] == one.currency
        ]
        if fitting or (len(hits) == 1 and one.currency is None):
            one.ticker, one.resolved_by = (fitting or [hits[0].ticker])[0], "isin search"
            return
    if one.symbol and is_ticker(one.symbol.upper()):
        [stock] = _looked_up(user, [{"ticker": one.symbol.upper(), "currency": one.currency}])
        if stock and not stock.is_manual:
            one.ticker, one.resolved_by = stock.ticker, "symbol"


def _looked_up(user: User, wanted: list[dict[str, Any]]) -> list[StockMetadata | None]:
    """What the database or a source knows under these tickers; nothing that is only our own word
    for it.
    """
    found = marketdata.instruments_for_import(
        user=user, wanted=[(one["ticker"], one["currency"], "") for one in wanted], dry_run=True
    )
    stocks = [found[one["ticker"]] for one in wanted]
    return [
        stock
        if isinstance(stock, StockMetadata) and (not stock._state.adding or stock.exchange_timezone)
        else None
        for stock in stocks
    ]


def _unresolved(row: StatementRow, one: _Wanted) -> RowError:
    what = one.isin or one.symbol or one.name
    listed = ", ".join(candidate["ticker"] for candidate in one.candidates[:LOOKED_AT])
    hint = f" Candidates: {listed}." if listed else ""
    return RowError(
        row.row,
        "isin" if one.isin else "symbol",
        what,
        "unresolved",
        f"Which instrument {one.name or what} ({what}) is cannot be told: "
        f'say it with instruments={{"{what}": "TICKER"}}.{hint}',
    )
