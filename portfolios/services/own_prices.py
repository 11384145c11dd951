"""Let a holder price an instrument by hand of which its source has no prices."""

from datetime import date
from decimal import Decimal

from django.db import transaction
from django.db.models import Exists, OuterRef

from financeproj.core.errors import DomainError
from financeproj.core.identifiers import is_ticker
from financeproj.users.models import User
from marketdata.models import HistoricalStockPrice, StockMetadata
from marketdata.selectors import instrument_for
from marketdata.services import copy_for_user, enter_price, instrument_to_price
from portfolios.models import Checkpoint, Holding, Portfolio
from portfolios.services.ledger_rows import lock_portfolios
from portfolios.services.settling import move_holding


def unpriced_instrument(*, user: User, ticker: str) -> StockMetadata | None:
    """Return the shared instrument of `ticker` if the user holds it and its source has no prices.

    None while the source was not asked for its history, and for any other instrument.
    """
    ticker = ticker.strip().upper()
    stock = instrument_for(user=user, ticker=ticker) if is_ticker(ticker) else None
    if stock is None or stock.owner_id is not None:
        return None
    closes = HistoricalStockPrice.objects.filter(stock=OuterRef("pk"))
    found = StockMetadata.objects.filter(
        ~Exists(closes), pk=stock.pk, quote=None, history_fetched_at__isnull=False
    )
    return found.filter(holdings__portfolio__user=user).first()


def instrument_to_enter(*, user: User, ticker: str) -> StockMetadata:
    """Return the instrument of which the user may enter prices. Raises NotFound and Conflict."""
    unpriced = unpriced_instrument(user=user, ticker=ticker)
    return unpriced or instrument_to_price(user=user, ticker=ticker)


def can_price(*, user: User, ticker: str) -> bool:
    """Return whether the user may enter prices of the instrument of `ticker`."""
    try:
        instrument_to_enter(user=user, ticker=ticker)
    except DomainError:
        return False
    return True


@transaction.atomic
def enter_price_by_hand(
    *, user: User, ticker: str, day: date, close: Decimal
) -> tuple[HistoricalStockPrice, bool]:
    """Store a price by hand on `day`; return the row and whether the day had none.

    An unpriced shared instrument becomes the user's own: the user's holdings move to it, those of
    others stay. Raises NotFound, Conflict and ValidationError.
    """
    if unpriced_instrument(user=user, ticker=ticker) is not None:
        # All of the user's portfolios: a trade that is being recorded may add a holding of it.
        lock_portfolios(Portfolio.objects.filter(user=user).values_list("pk", flat=True))
    unpriced = unpriced_instrument(user=user, ticker=ticker)
    if unpriced is None:
        stock = instrument_to_price(user=user, ticker=ticker)
    else:
        stock = _made_own(user, unpriced)
    return enter_price(stock=stock, day=day, close=close)


def _made_own(user: User, shared: StockMetadata) -> StockMetadata:
    own = copy_for_user(stock=shared, user=user)
    holdings = Holding.objects.filter(stock=shared, portfolio__user=user)
    for holding in holdings.select_related("portfolio").order_by("portfolio_id"):
        move_holding(holding, own)
    said = Checkpoint.objects.filter(stock=shared, import_batch__portfolio__user=user)
    said.update(stock=own)
    return own
