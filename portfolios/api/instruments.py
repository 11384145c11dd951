"""What is known of one instrument, with the user's holdings of it."""

from datetime import date
from decimal import Decimal
from uuid import UUID

from drf_spectacular.utils import extend_schema
from msgspec import Struct
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from financeproj.core.api.schema import THIRD_PARTY, refusals
from financeproj.core.api.serializers import ApiSerializer, TextField
from financeproj.core.api.views import ApiView
from financeproj.core.money import strip_zeros
from financeproj.users.api.authentication import user_of
from financeproj.users.models import User
from marketdata import queries, services
from marketdata.api.payloads import DividendPayload, SplitPayload, StoredPricePayload
from marketdata.api.serializers import EnteredPriceSerializer
from marketdata.models import AssetType, HistoricalStockPrice, StockMetadata
from marketdata.selectors import DayClose, instrument_details, prices_by_hand
from portfolios.selectors import holdings_visible_to
from portfolios.services import enter_price_by_hand, instrument_to_enter, unpriced_instrument


class DayClosePayload(Struct):
    date: date
    close: Decimal


class HeldInPayload(Struct):
    """A holding of the instrument; `current_quantity` in shares.

    `rename_dismissed`: the user does not want to follow its new ticker.
    """

    id: UUID
    portfolio_id: UUID
    portfolio_name: str
    current_quantity: Decimal
    rename_dismissed: bool


class InstrumentPayload(Struct):
    """An instrument with its first and last stored close, as traded.

    `renamed_to` is the ticker under which its source lists it now, if another: an exchange of one
    share for one of that ticker follows it.

    `held_back` is the number of its prices and dividends that are held back, and of the splits that
    wait for the user.
    """

    ticker: str
    company_name: str
    isin: str
    currency: str
    exchange: str
    asset_type: str
    sector: str
    country: str
    source: str
    first_close: DayClosePayload | None
    last_close: DayClosePayload | None
    splits: list[SplitPayload]
    dividends: list[DividendPayload]
    holdings: list[HeldInPayload]
    held_back: int
    renamed_to: str | None


class InstrumentChangeSerializer(ApiSerializer):
    company_name = TextField(max_length=200, required=False, allow_blank=True)
    sector = TextField(max_length=100, required=False, allow_blank=True)
    country = TextField(max_length=100, required=False, allow_blank=True)
    asset_type = serializers.ChoiceField(AssetType.choices, required=False)

    answer_fields = InstrumentPayload.__struct_fields__


class InstrumentView(ApiView):
    @extend_schema(responses={200: InstrumentPayload, **THIRD_PARTY})
    def get(self, request: Request, ticker: str) -> Response:
        """What is stored of the instrument; the source is asked for one that is new."""
        stock = queries.instrument_named(user=user_of(request), ticker=ticker)
        return Response(_payload(user_of(request), stock))

    @extend_schema(
        request=InstrumentChangeSerializer,
        responses={200: InstrumentPayload, **refusals(403, 409)},
    )
    def patch(self, request: Request, ticker: str) -> Response:
        """Describe an instrument of one's own; staff describe any. Else 403."""
        stock = services.instrument_to_describe(user=user_of(request), ticker=ticker)
        form = InstrumentChangeSerializer(data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        stock = services.describe_instrument(stock=stock, **form.validated_data)
        return Response(_payload(user_of(request), stock))


class PricesByHandView(ApiView):
    @extend_schema(responses={200: list[StoredPricePayload], **refusals(409)})
    def get(self, request: Request, ticker: str) -> Response:
        """The prices entered by hand, newest first."""
        user = user_of(request)
        if unpriced_instrument(user=user, ticker=ticker) is not None:
            return Response([])
        stock = services.instrument_to_price(user=user, ticker=ticker)
        return Response([_stored_price(row) for row in prices_by_hand(stock)])

    @extend_schema(
        request=EnteredPriceSerializer,
        responses={**dict.fromkeys((200, 201), StoredPricePayload), **refusals(409)},
    )
    def post(self, request: Request, ticker: str) -> Response:
        """A price by hand, for an instrument that no source has described: one's own, to staff
        also another user's. A second one on a date replaces the first (200). An instrument that one
        holds and of which its source has no prices becomes one's own.
        """
        user = user_of(request)
        instrument_to_enter(user=user, ticker=ticker)
        form = EnteredPriceSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        row, is_new = enter_price_by_hand(
            user=user,
            ticker=ticker,
            day=form.validated_data["date"],
            close=form.validated_data["close"],
        )
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(_stored_price(row), status=code)


def _stored_price(row: HistoricalStockPrice) -> StoredPricePayload:
    return StoredPricePayload(
        ticker=row.stock.ticker,
        date=row.date,
        close=strip_zeros(row.close),
        currency=row.stock.currency,
        source=row.source,
    )


def _payload(user: User, stock: StockMetadata) -> InstrumentPayload:
    known = instrument_details(stock)
    found = holdings_visible_to(user).filter(stock=stock).select_related("portfolio", "stock")
    holdings = list(found.order_by("portfolio__name", "pk"))
    waiting: set[str] = set()
    for holding in holdings:
        waiting.update(holding.waiting_splits)
    return InstrumentPayload(
        ticker=stock.ticker,
        company_name=stock.company_name,
        isin=stock.isin,
        currency=stock.currency,
        exchange=stock.exchange,
        asset_type=stock.asset_type,
        sector=stock.sector,
        country=stock.country,
        source=stock.source,
        first_close=_close_payload(known.first_close),
        last_close=_close_payload(known.last_close),
        splits=[SplitPayload(day, strip_zeros(ratio)) for day, ratio in known.splits],
        dividends=[DividendPayload(day, strip_zeros(amount)) for day, amount in known.dividends],
        holdings=[
            HeldInPayload(
                id=holding.pk,
                portfolio_id=holding.portfolio_id,
                portfolio_name=holding.portfolio.name,
                current_quantity=strip_zeros(holding.current_quantity),
                rename_dismissed=holding.is_rename_dismissed,
            )
            for holding in holdings
        ],
        held_back=known.held_back + len(waiting),
        renamed_to=stock.renamed_to or None,
    )


def _close_payload(known: DayClose | None) -> DayClosePayload | None:
    if known is None:
        return None
    day, close = known
    return DayClosePayload(day, strip_zeros(close))
