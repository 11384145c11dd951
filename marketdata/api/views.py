from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from financeproj.core.api.query import choice_parameter, integer_parameter, text_parameter
from financeproj.core.api.schema import THIRD_PARTY, refusals
from financeproj.core.api.views import ApiView
from financeproj.core.currencies import currencies
from financeproj.core.errors import DomainError, NotFound
from financeproj.core.money import EXACT, round_for_display, strip_zeros
from financeproj.users.api.authentication import user_of
from marketdata import queries, services
from marketdata.api.payloads import (
    ClosePointPayload,
    CurrencyPayload,
    DividendPayload,
    PriceHistoryPayload,
    PricePayload,
    RateHistoryPayload,
    RatePayload,
    RatePointPayload,
    SplitPayload,
)
from marketdata.api.query import period_of
from marketdata.models import StockMetadata
from marketdata.selectors import PriceNow, currencies_in_use, price_history

START = OpenApiParameter("start", OpenApiTypes.DATE, description="Default: the first day known.")
END = OpenApiParameter("end", OpenApiTypes.DATE, description="Default: today.")
INTERVALS = ("day", "week", "month")
INTERVAL = OpenApiParameter("interval", enum=INTERVALS, default="day")


class CurrenciesView(ApiView):
    @extend_schema(responses=list[CurrencyPayload])
    def get(self, request: Request) -> Response:
        """The ISO 4217 currencies in circulation, by code."""
        used = currencies_in_use(user=user_of(request))
        return Response(
            [
                CurrencyPayload(
                    code=info.code,
                    name=info.name,
                    symbol=info.symbol,
                    decimal_places=info.decimal_places,
                    in_use=info.code in used,
                )
                for info in currencies().values()
            ]
        )


class SearchView(ApiView):
    @extend_schema(
        parameters=[
            OpenApiParameter(
                "q",
                {"type": "string", "pattern": r"^[^\x00]*$"},
                required=True,
                description="Part of a ticker or name, or an ISIN.",
            ),
            OpenApiParameter("limit", int, default=10),
        ],
        responses=list[queries.Hit],
    )
    def get(self, request: Request) -> Response:
        """Instruments by ticker, name or ISIN: those known here first, then the source's."""
        query = text_parameter(request, "q")
        limit = integer_parameter(request, "limit", minimum=1, maximum=50) or 10
        if not query or len(query) > 100:
            raise DomainError(
                "Search for 1 to 100 characters.",
                attr="q",
                code="required" if not query else "too_long",
            )
        return Response(queries.search(user=user_of(request), query=query, limit=limit))


class PriceView(ApiView):
    @extend_schema(responses={200: PricePayload, **THIRD_PARTY})
    def get(self, request: Request, ticker: str) -> Response:
        """The latest price, at most as old as the cache time unless `stale`."""
        stock = queries.instrument_named(user=user_of(request), ticker=ticker)
        return Response(_price_payload(stock, queries.price_of(stock=stock)))


def _price_payload(stock: StockMetadata, price: PriceNow) -> PricePayload:
    previous = change = change_pct = None
    if price.previous_close is not None:
        previous = strip_zeros(price.previous_close)
        change = strip_zeros(EXACT.subtract(price.price, price.previous_close))
        if price.previous_close:
            change_pct = round_for_display(EXACT.divide(change, price.previous_close))
    return PricePayload(
        ticker=stock.ticker,
        price=strip_zeros(price.price),
        previous_close=previous,
        change=change,
        change_pct=change_pct,
        currency=stock.currency,
        as_of=price.as_of,
        fetched_at=price.fetched_at,
        source=price.source,
        stale=price.stale,
    )


class PriceByHandView(ApiView):
    @extend_schema(responses={204: None, **refusals(409)})
    def delete(self, request: Request, ticker: str, **day: str) -> Response:
        """Delete a price entered by hand."""
        stock = services.instrument_to_price(user=user_of(request), ticker=ticker)
        services.delete_price_by_hand(stock=stock, day=_day_in_path(day["date"]))
        return Response(status=status.HTTP_204_NO_CONTENT)


def _day_in_path(text: str) -> date:
    """Return the day that `text` names, as 2024-05-31. Raises NotFound."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:
        raise NotFound(f'"{text}" is not a date such as 2024-05-31.')
    return day


def _week_of(day: date) -> tuple[int, int]:
    return day.isocalendar()[:2]


def _month_of(day: date) -> tuple[int, int]:
    return day.year, day.month


def sampled(points: Sequence[Any], interval: str, day_of: Callable[[Any], date]) -> list[Any]:
    """Return the last point of each day, ISO week or month."""
    if interval == "day":
        return list(points)
    period = _month_of
    if interval == "week":
        period = _week_of
    last = {period(day_of(point)): point for point in points}
    return list(last.values())


class HistoryView(ApiView):
    @extend_schema(
        parameters=[START, END, INTERVAL],
        responses={200: PriceHistoryPayload, **THIRD_PARTY},
    )
    def get(self, request: Request, ticker: str) -> Response:
        """Closes as traded and in today's shares, with splits and dividends of the same days."""
        start, end = period_of(request)
        interval = choice_parameter(request, "interval", INTERVALS, "day")
        stock = queries.instrument_named(user=user_of(request), ticker=ticker)
        is_recent = queries.ensure_recent_history(stock=stock)
        found = price_history(stock=stock, start=start, end=end)
        points = sampled(found.points, interval, lambda point: point[0])
        return Response(
            PriceHistoryPayload(
                ticker=stock.ticker,
                currency=stock.currency,
                points=[
                    ClosePointPayload(day, strip_zeros(close), strip_zeros(adjusted))
                    for day, close, adjusted in points
                ],
                splits=[SplitPayload(day, strip_zeros(ratio)) for day, ratio in found.splits],
                dividends=[
                    DividendPayload(day, strip_zeros(amount)) for day, amount in found.dividends
                ],
                stale=not is_recent,
            )
        )


class RateView(ApiView):
    @extend_schema(responses={200: RatePayload, **THIRD_PARTY})
    def get(self, request: Request, **currencies: str) -> Response:
        """Units of `to` for one unit of `from`."""
        rate = queries.rate_of(base=currencies["from"], target=currencies["to"])
        return Response(
            RatePayload(
                base=currencies["from"].upper(),
                target=currencies["to"].upper(),
                rate=strip_zeros(rate.rate),
                date=rate.date,
                source=rate.source,
                stale=rate.stale,
            )
        )


class RateHistoryView(ApiView):
    @extend_schema(parameters=[START, END], responses={200: RateHistoryPayload, **THIRD_PARTY})
    def get(self, request: Request, **currencies: str) -> Response:
        """The rates of the days that have one."""
        start, end = period_of(request)
        base, target, found, is_stale = queries.rates_between(
            base=currencies["from"], target=currencies["to"], start=start, end=end
        )
        return Response(
            RateHistoryPayload(
                base=base,
                target=target,
                points=[RatePointPayload(day, strip_zeros(rate)) for day, rate in found.points],
                source=found.source,
                stale=is_stale,
            )
        )
