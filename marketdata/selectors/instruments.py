"""Which instruments there are, and their splits."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, When

from financeproj.users.models import User
from marketdata.models import HistoricalStockPrice, StockDividend, StockMetadata, StockSplit


def instruments_visible_to(user: User) -> QuerySet[StockMetadata]:
    """Return the instruments that sources describe, and the user's own."""
    return StockMetadata.objects.filter(Q(owner__isnull=True) | Q(owner=user))


def instrument_for(*, user: User, ticker: str) -> StockMetadata | None:
    """Return the user's instrument of `ticker` (in any case), else the shared one.

    What a source describes comes before what it does not describe yet.
    """
    found = instruments_visible_to(user).filter(ticker=ticker.strip().upper())
    rank = Case(
        When(source=StockMetadata.MANUAL, then=0), When(owner__isnull=True, then=1), default=2
    )
    return found.order_by(rank).first()


def unconfirmed_instruments() -> QuerySet[StockMetadata]:
    """Return the instruments that no source has described yet."""
    return StockMetadata.objects.filter(owner__isnull=False).exclude(source=StockMetadata.MANUAL)


def instruments_to_settle(
    stock_ids: Collection[UUID] | None = None,
) -> list[tuple[StockMetadata, StockMetadata]]:
    """Return the unconfirmed instruments (all by default) of which there is a shared one, with it.

    One query where there is none.
    """
    shared = StockMetadata.objects.filter(owner__isnull=True)
    own = unconfirmed_instruments().filter(Exists(shared.filter(ticker=OuterRef("ticker"))))
    if stock_ids is not None:
        own = own.filter(pk__in=stock_ids)
    found = list(own.order_by("pk"))
    if not found:
        return []
    of_ticker = {stock.ticker: stock for stock in shared.filter(ticker__in=own.values("ticker"))}
    return [(stock, of_ticker[stock.ticker]) for stock in found if stock.ticker in of_ticker]


def instruments_described_otherwise(stock_ids: Iterable[UUID]) -> set[UUID]:
    """Return those of `stock_ids` that a source describes in another currency than the user, who
    prices them by hand (`currency_differs`).
    """
    found = StockMetadata.objects.filter(pk__in=list(stock_ids)).exclude(described_currency="")
    return set(found.values_list("pk", flat=True))


def sourced(stock_ids: Iterable[UUID]) -> QuerySet[StockMetadata]:
    """Return those of `stock_ids` that a source is asked about: not those priced by hand, and not
    the unconfirmed ones of which there is a shared one.
    """
    shared = StockMetadata.objects.filter(ticker=OuterRef("ticker"), owner__isnull=True)
    found = StockMetadata.objects.filter(pk__in=list(stock_ids))
    found = found.exclude(source=StockMetadata.MANUAL)
    return found.filter(Q(owner__isnull=True) | ~Exists(shared))


def known_instruments(*, user: User, query: str, limit: int) -> list[StockMetadata]:
    """Return stored instruments by ticker, name or ISIN.

    The exact ticker or ISIN comes first, then what begins with `query`.
    """
    same = Q(ticker__iexact=query) | Q(isin__iexact=query)
    contained = Q(ticker__icontains=query) | Q(company_name__icontains=query)
    rank = Case(
        When(same, then=0),
        When(ticker__istartswith=query, then=1),
        When(company_name__istartswith=query, then=2),
        default=3,
    )
    found = instruments_visible_to(user).filter(contained | same).annotate(rank=rank)
    best = found.order_by("rank", "ticker", F("owner").asc(nulls_last=True))[: 2 * limit]
    by_ticker: dict[str, StockMetadata] = {}
    for stock in best:
        by_ticker.setdefault(stock.ticker, stock)  # the user's own instrument hides the shared one
    return list(by_ticker.values())[:limit]


def currencies_in_use(*, user: User) -> set[str]:
    """Return the user's base currency, and those of what they own or hold."""
    held = StockMetadata.objects.filter(Q(owner=user) | Q(holdings__portfolio__user=user))
    accounts = user.portfolios, user.pension_accounts
    found = {user.base_currency, *held.values_list("currency", flat=True)}
    for one in accounts:
        found.update(one.values_list("currency", flat=True))
    return found


def sourced_instruments(tickers: Iterable[str] = ()) -> list[StockMetadata]:
    """Return the instruments that a source prices, or only those of `tickers`.

    Raises LookupError naming the tickers that none of them has.
    """
    stocks = StockMetadata.objects.exclude(source=StockMetadata.MANUAL).order_by("ticker")
    wanted = {ticker.upper() for ticker in tickers}
    if not wanted:
        return list(stocks)
    found = list(stocks.filter(ticker__in=wanted))
    unknown = wanted.difference(stock.ticker for stock in found)
    if unknown:
        raise LookupError(f"No source prices {', '.join(sorted(unknown))} here.")
    return found


def unpriced_and_old(
    stock_ids: Iterable[UUID], *, before: datetime
) -> tuple[list[StockMetadata], list[StockMetadata]]:
    """Return the instruments without any price, and those last quoted `before`, by ticker.

    Instruments priced by hand are never old. Two queries.
    """
    stocks = StockMetadata.objects.filter(pk__in=set(stock_ids)).order_by("ticker")
    has_close = Exists(HistoricalStockPrice.objects.filter(stock=OuterRef("pk")))
    unpriced = stocks.filter(~has_close, quote__isnull=True)
    old = stocks.filter(quote__fetched_at__lt=before).exclude(source=StockMetadata.MANUAL)
    return list(unpriced), list(old)


def splits_of(
    stock_ids: Iterable[UUID], *, after: date | None = None
) -> dict[UUID, list[tuple[date, Decimal]]]:
    """Return splits (date, new shares per old one) by instrument, oldest first.

    Instruments without any are absent.
    """
    rows = StockSplit.objects.filter(stock_id__in=list(stock_ids))
    if after is not None:
        rows = rows.filter(date__gt=after)
    return _by_instrument(rows.order_by("date").values_list("stock_id", "date", "ratio"))


def dividends_of(stock_ids: Iterable[UUID]) -> dict[UUID, list[tuple[date, Decimal]]]:
    """Return dividends (ex-date, amount per share as paid) by instrument, oldest first.

    Instruments without any are absent.
    """
    rows = StockDividend.objects.filter(stock_id__in=list(stock_ids))
    return _by_instrument(rows.order_by("date").values_list("stock_id", "date", "amount"))


def _by_instrument(
    rows: Iterable[tuple[UUID, date, Decimal]],
) -> dict[UUID, list[tuple[date, Decimal]]]:
    found: dict[UUID, list[tuple[date, Decimal]]] = defaultdict(list)
    for stock_id, day, number in rows:
        found[stock_id].append((day, number))
    return dict(found)
