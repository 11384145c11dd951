"""Market data in the admin; writes go through `marketdata.services`, or vectors would be stale."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.db.models import Exists, Max, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString

from financeproj.core.admin import (
    ActingAdmin,
    ReadOnlyAdmin,
    RowForm,
    ServiceAdmin,
    VectorAdmin,
    number_column,
)
from financeproj.core.drawing import line_chart
from financeproj.core.errors import DomainError
from financeproj.core.shared.enqueue import enqueue_on_commit
from marketdata import gateway, services, tasks, vectors
from marketdata.models import (
    CurrencyPair,
    HeldBack,
    HeldBackAnswer,
    HistoricalExchangeRate,
    HistoricalStockPrice,
    LookUp,
    LookUpAnswer,
    PairVector,
    StockDividend,
    StockMetadata,
    StockQuote,
    StockSplit,
    StockVector,
)

CLOSES_DRAWN = 500  # two years


def row_form(
    form_model: Any, form_fields: tuple[str, ...], save: Callable[[Any], None]
) -> type[RowForm]:
    """A form for rows of `form_model` that `save` writes."""

    class Form(RowForm):
        save_row = staticmethod(save)

        class Meta:
            model = form_model
            fields = form_fields

    return Form


class ByHandAdmin(ServiceAdmin):
    """Rows that a source writes and a person may correct."""

    delete: Callable[[Any], None]

    def delete_row(self, row: Any) -> None:
        self.delete(row)


class Freshness(admin.SimpleListFilter):
    title = "price"
    parameter_name = "price"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("stale", "Stale: older than a day"),
            ("unpriced", "Unpriced"),
            ("held_back", "With values held back"),
            ("renamed", "Listed under another ticker now"),
        ]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[StockMetadata]
    ) -> QuerySet[StockMetadata]:
        if self.value() == "stale":
            return queryset.filter(
                ~Q(source=StockMetadata.MANUAL),
                quote__fetched_at__lt=timezone.now() - timedelta(days=1),
            )
        if self.value() == "unpriced":
            priced = HistoricalStockPrice.objects.filter(stock=OuterRef("pk"))
            return queryset.filter(~Exists(priced), quote__isnull=True)
        if self.value() == "held_back":
            held_back = HeldBack.objects.filter(stock=OuterRef("pk"), state="held_back")
            return queryset.filter(Exists(held_back))
        if self.value() == "renamed":
            return queryset.exclude(renamed_to="")
        return queryset


@admin.action(description="Refresh prices", permissions=["change"])
def refresh_prices(
    modeladmin: Any, request: HttpRequest, queryset: QuerySet[StockMetadata]
) -> None:
    for pk in queryset.values_list("pk", flat=True):
        enqueue_on_commit(tasks.fetch_history, str(pk))
    modeladmin.message_user(
        request, f"{queryset.count()} instruments are being refreshed.", messages.SUCCESS
    )


@admin.register(StockMetadata)
class StockMetadataAdmin(ServiceAdmin):
    form = row_form(
        StockMetadata,
        (
            "ticker",
            "company_name",
            "currency",
            "asset_type",
            "exchange",
            "exchange_timezone",
            "sector",
            "country",
            "isin",
            "source",
            "owner",
        ),
        services.save_instrument,
    )
    list_display = (
        "ticker",
        "company_name",
        "currency",
        "asset_type",
        "exchange",
        "price",
        "as_of",
        "source",
        "owner",
    )
    list_filter = (Freshness, "asset_type", "currency", "source")
    list_select_related = ("quote", "owner")
    search_fields = ("ticker", "company_name", "isin")
    autocomplete_fields = ("owner",)
    readonly_fields = ("renamed_to", "chart", "history_fetched_at", "version")
    date_hierarchy = "created_at"
    actions = (refresh_prices,)
    change_list_template = "admin/marketdata/stockmetadata/change_list.html"

    @admin.display(description="closes as traded")
    def chart(self, stock: StockMetadata) -> SafeString | str:
        newest = (
            HistoricalStockPrice.objects.filter(stock=stock)
            .order_by("-date")
            .values_list("date", "close")
        )
        return line_chart(list(newest[:CLOSES_DRAWN])[::-1], stock.currency)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """With the circuit of each third party above the list."""
        return super().changelist_view(
            request, {**(extra_context or {}), "third_parties": gateway.state()}
        )

    @admin.display(ordering="quote__price")
    def price(self, row: StockMetadata) -> str:
        quote = getattr(row, "quote", None)
        return format(quote.price.normalize(), "f") if quote else "–"

    @admin.display(ordering="quote__as_of")
    def as_of(self, row: StockMetadata) -> Any:
        quote = getattr(row, "quote", None)
        return quote.as_of if quote else None

    def delete_row(self, row: StockMetadata) -> None:
        services.delete_instrument(stock=row)


@admin.register(StockQuote)
class StockQuoteAdmin(ByHandAdmin):
    form = row_form(
        StockQuote,
        ("stock", "price", "previous_close", "as_of", "day", "fetched_at", "source"),
        services.save_quote,
    )
    delete = staticmethod(services.delete_quote)
    list_display = (
        "stock",
        number_column("price"),
        number_column("previous_close"),
        "as_of",
        "fetched_at",
        "source",
    )
    list_filter = ("source", "stock__currency")
    list_select_related = ("stock",)
    search_fields = ("stock__ticker", "stock__company_name")
    autocomplete_fields = ("stock",)
    date_hierarchy = "as_of"


class OfInstrument(ByHandAdmin):
    """One dated row of an instrument."""

    list_filter = ("source", "stock__currency")
    list_select_related = ("stock",)
    search_fields = ("stock__ticker", "stock__company_name")
    autocomplete_fields = ("stock",)
    date_hierarchy = "date"


@admin.register(HistoricalStockPrice)
class HistoricalStockPriceAdmin(OfInstrument):
    form = row_form(HistoricalStockPrice, ("stock", "date", "close"), services.save_price)
    delete = staticmethod(services.delete_price)
    list_display = ("date", "stock", number_column("close"), "source")


@admin.register(StockSplit)
class StockSplitAdmin(OfInstrument):
    form = row_form(StockSplit, ("stock", "date", "ratio"), services.save_split)
    delete = staticmethod(services.delete_split)
    list_display = ("date", "stock", number_column("ratio"), "source")


@admin.register(StockDividend)
class StockDividendAdmin(OfInstrument):
    form = row_form(StockDividend, ("stock", "date", "amount"), services.save_dividend)
    delete = staticmethod(services.delete_dividend)
    list_display = ("date", "stock", number_column("amount"), "source")


def _answer(
    modeladmin: Any,
    request: HttpRequest,
    queryset: QuerySet[HeldBack],
    answer: Callable[..., HeldBack],
    word: str,
) -> None:
    for row in queryset.select_related("stock", "pair"):
        name = f"{row.stock or row.pair}, {row}"
        if row.kind == HeldBack.Kind.SPLIT:
            detail = "Each user answers a split for the own holdings, on the page Held back."
            modeladmin.message_user(request, f"{name}: {detail}", messages.ERROR)
            continue
        try:
            answer(row=row)
            modeladmin.message_user(request, f"{name}: {word}.", messages.SUCCESS)
        except DomainError as error:
            modeladmin.message_user(request, f"{name}: {error.detail}", messages.ERROR)


@admin.action(description="Accept: believe it, for all users", permissions=["act"])
def accept(modeladmin: Any, request: HttpRequest, queryset: QuerySet[HeldBack]) -> None:
    _answer(modeladmin, request, queryset, services.accept_held_back, "accepted")


@admin.action(description="Dismiss: never believe it", permissions=["act"])
def dismiss(modeladmin: Any, request: HttpRequest, queryset: QuerySet[HeldBack]) -> None:
    _answer(modeladmin, request, queryset, services.dismiss_held_back, "dismissed")


@admin.register(HeldBack)
class HeldBackAdmin(ActingAdmin, ReadOnlyAdmin, ServiceAdmin):
    list_display = fields = readonly_fields = (
        "date",
        "kind",
        "stock",
        "pair",
        number_column("value"),
        number_column("before"),
        "reason",
        "state",
        "source",
        "since",
        "seen_at",
    )
    list_filter = ("state", "kind", "reason", "source")
    list_select_related = ("stock", "pair")
    search_fields = ("stock__ticker", "stock__company_name", "pair__base", "pair__target")
    date_hierarchy = "date"
    actions = (accept, dismiss)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # a dismissed value must stay, or its source brings it back


@admin.register(HeldBackAnswer)
class HeldBackAnswerAdmin(ReadOnlyAdmin, ServiceAdmin):
    list_display = fields = readonly_fields = ("held_back", "user", "accepted", "answered_at")
    list_filter = ("accepted",)
    list_select_related = ("held_back", "user")
    search_fields = ("held_back__stock__ticker", "user__username")
    date_hierarchy = "answered_at"

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # the holdings would not be replayed


@admin.register(LookUp)
class LookUpAdmin(ReadOnlyAdmin):
    """What waits for the worker, which alone adds and removes rows."""

    list_display = fields = readonly_fields = (
        "isin",
        "symbol",
        "currency",
        "user",
        "place",
        "attempts",
        "asked_at",
    )
    list_filter = ("currency", "attempts")
    list_select_related = ("user",)
    search_fields = ("isin", "symbol", "user__username")
    date_hierarchy = "asked_at"

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(LookUpAnswer)
class LookUpAnswerAdmin(ReadOnlyAdmin):
    """What the sources said; the worker forgets old answers."""

    list_display = fields = readonly_fields = ("text", "found", "answered_at")
    list_filter = ("answered_at",)
    search_fields = ("text",)
    date_hierarchy = "answered_at"

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.action(description="Refresh rates", permissions=["act"])
def refresh_rates(modeladmin: Any, request: HttpRequest, queryset: QuerySet[CurrencyPair]) -> None:
    for base, target in queryset.values_list("base", "target"):
        enqueue_on_commit(tasks.refresh_pair, base, target)
    modeladmin.message_user(
        request, f"{queryset.count()} pairs are being refreshed.", messages.SUCCESS
    )


@admin.register(CurrencyPair)
class CurrencyPairAdmin(ActingAdmin, ReadOnlyAdmin, ServiceAdmin):
    list_display = ("base", "target", "last_rate_on", "fetched_at", "version")
    list_filter = ("base", "target")
    search_fields = ("base", "target")
    date_hierarchy = "fetched_at"
    actions = (refresh_rates,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[CurrencyPair]:
        return super().get_queryset(request).annotate(latest=Max("rates__date"))

    @admin.display(ordering="latest")
    def last_rate_on(self, row: Any) -> Any:
        return row.latest

    def delete_row(self, row: CurrencyPair) -> None:
        services.delete_pair(row)


@admin.register(HistoricalExchangeRate)
class HistoricalExchangeRateAdmin(ByHandAdmin):
    form = row_form(HistoricalExchangeRate, ("pair", "date", "rate"), services.save_rate)
    delete = staticmethod(services.delete_rate)
    list_display = ("date", "pair", number_column("rate"), "source")
    list_filter = ("source", "pair")
    list_select_related = ("pair",)
    search_fields = ("pair__base", "pair__target")
    autocomplete_fields = ("pair",)
    date_hierarchy = "date"


class SeriesAdmin(VectorAdmin):
    date_hierarchy = "first_day"

    def delete_row(self, row: Any) -> None:
        vectors.discard_vector(row)


@admin.register(StockVector)
class StockVectorAdmin(SeriesAdmin):
    owner = "stock"
    list_display = ("stock", "version", "rows_version", "first_day", "size")
    list_filter = ("stock__currency", "stock__source")
    list_select_related = ("stock",)
    search_fields = ("stock__ticker", "stock__company_name")


@admin.register(PairVector)
class PairVectorAdmin(SeriesAdmin):
    owner = "pair"
    list_display = ("pair", "version", "rows_version", "first_day", "size")
    list_filter = ("pair__base", "pair__target")
    list_select_related = ("pair",)
    search_fields = ("pair__base", "pair__target")
