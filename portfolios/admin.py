"""Admin pages of portfolios. Every write goes through `portfolios.services`."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminDateWidget
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html_join

from financeproj.core.admin import (
    CascadingDeleteAdmin,
    ReadOnlyAdmin,
    RowForm,
    ServiceAdmin,
    ServiceForm,
    VectorAdmin,
    number_column,
)
from financeproj.core.db.rows import pks_of
from financeproj.core.money import ZERO
from financeproj.core.shared.enqueue import enqueue_on_commit
from financeproj.users.admin import FinanceUserAdmin
from financeproj.users.models import User
from marketdata.tasks import fetch_history
from portfolios import services
from portfolios.models import (
    ACTION_KINDS,
    Checkpoint,
    DismissedSplit,
    Holding,
    ImportMapping,
    InstrumentAlias,
    OpeningBalance,
    Portfolio,
    PortfolioBalance,
    Transaction,
    TransactionGroup,
    TransactionVector,
)
from portfolios.reports.vectors import discard_vector
from portfolios.valuation import agreements_of, described


@admin.register(User)
class OwnerAdmin(FinanceUserAdmin):
    """Delete users together with their portfolios."""

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        services.delete_users(users=User.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        services.delete_users(users=User.objects.filter(pk__in=pks_of(queryset)))


class PortfolioForm(ServiceForm):
    class Meta:
        model = Portfolio
        fields = ("user", "name", "brokerage_firm", "currency", "used_credit", "cash")

    def write(self, fields: dict[str, Any]) -> Portfolio:
        if self.instance._state.adding:
            return services.create_portfolio(
                **fields | {"cash": fields["cash"] or None}
            )  # an untouched 0 is not given
        fields.pop("user", None)
        return services.update_portfolio(
            portfolio=Portfolio.objects.get(pk=self.instance.pk), **fields
        )


# Registered by integrations, which adds the page that imports a file.
class PortfolioAdmin(CascadingDeleteAdmin, ServiceAdmin):
    form = PortfolioForm
    list_display = (
        "name",
        "user",
        "brokerage_firm",
        "currency",
        number_column("used_credit"),
        number_column("cash"),
    )
    list_filter = ("currency", "brokerage_firm", "user")
    list_select_related = ("user",)
    search_fields = ("name", "brokerage_firm", "user__username", "user__email")
    autocomplete_fields = ("user",)
    date_hierarchy = "created_at"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("user", "agreement") if obj else ()

    @admin.display(description="agreement with the broker")
    def agreement(self, portfolio: Portfolio) -> str:
        return described(agreements_of([portfolio])[portfolio.pk])

    def delete_row(self, row: Portfolio) -> None:
        services.delete_portfolio(portfolio=row)


class BalanceForm(ServiceForm):
    class Meta:
        model = PortfolioBalance
        fields = ("portfolio", "kind", "date", "amount")

    def write(self, fields: dict[str, Any]) -> PortfolioBalance:
        portfolio, kind, on = fields["portfolio"], fields["kind"], fields["date"]
        services.set_balance(portfolio=portfolio, kind=kind, amount=fields["amount"], on=on)
        return PortfolioBalance.objects.get(portfolio=portfolio, kind=kind, date=on)


@admin.register(PortfolioBalance)
class PortfolioBalanceAdmin(ServiceAdmin):
    form = BalanceForm
    list_display = ("portfolio", "kind", "date", number_column("amount"), "updated_at")
    list_filter = ("kind", "portfolio")
    list_select_related = ("portfolio",)
    search_fields = ("portfolio__name",)
    autocomplete_fields = ("portfolio",)
    date_hierarchy = "date"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("portfolio", "kind", "date") if obj else ()

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        if obj is None:
            return form

        class Change(form):  # type: ignore[misc, valid-type]
            def write(self, fields: dict[str, Any]) -> PortfolioBalance:
                key = {"portfolio": obj.portfolio, "kind": obj.kind, "date": obj.date}
                return super().write({**key, **fields})

        return Change

    def delete_row(self, row: PortfolioBalance) -> None:
        services.delete_balance(balance=row)


# What a transaction of money alone derives from its amount.
FIELDS_OF_SHARES = ("quantity", "price", "commission", "exchange_rate")


class TransactionForm(ServiceForm):
    class Meta:
        model = Transaction
        fields = (
            "holding",
            "type",
            "date",
            "quantity",
            "price",
            "commission",
            "tax",
            "exchange_rate",
            "settlement_currency",
            "settlement_amount",
            "booked_on",
            "note",
            "external_id",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "holding" in self.fields:
            self.fields["holding"].required = True
        if "tax" in self.fields:
            self.fields["tax"].required = False
        if "exchange_rate" in self.fields:
            self.fields["exchange_rate"].help_text = "Leave empty to look it up for the date."

    def write(self, fields: dict[str, Any]) -> Transaction:
        fields = {**fields, "external_id": fields.get("external_id") or None}
        fields["tax"] = fields.get("tax") or ZERO
        fields["settlement_currency"] = fields.get("settlement_currency") or None
        if self.instance._state.adding:
            holding = fields.pop("holding")
            row = services.record_transaction(
                portfolio=holding.portfolio, stock=holding.stock, **fields
            )
            if holding.stock.history_fetched_at is None:
                enqueue_on_commit(fetch_history, str(holding.stock_id))
            return row
        fields.pop("holding", None)
        row = Transaction.objects.select_related("holding__stock", "portfolio", "group").get(
            pk=self.instance.pk
        )
        if not row.is_money_alone and row.group_id is not None:
            fields.pop("external_id")
            return services.update_share_leg(row=row, **fields)
        if not row.is_money_alone:
            return services.update_transaction(row=row, **fields)
        for name in FIELDS_OF_SHARES:
            fields.pop(name)
        if row.group_id is not None:
            return services.update_leg(row=row, **fields)
        return services.update_money(row=row, **fields)


@admin.register(Transaction)
class TransactionAdmin(ServiceAdmin):
    form = TransactionForm
    list_display = (
        "date",
        "type",
        "instrument",
        "portfolio",
        number_column("quantity"),
        number_column("price"),
        number_column("commission"),
        number_column("tax"),
        number_column("settlement_amount"),
        "settlement_currency",
        number_column("realised_gain"),
        "source",
    )
    list_display_links = ("date", "type")
    list_filter = ("type", "source", "portfolio")
    list_select_related = ("holding__stock", "portfolio")
    search_fields = (
        "holding__stock__ticker",
        "holding__company_name",
        "note",
        "external_id",
        "portfolio__name",
    )
    autocomplete_fields = ("holding",)
    readonly_fields = (
        number_column("average_cost_per_share_at_transaction"),
        number_column("realised_gain"),
        "source",
        "import_batch",
    )
    date_hierarchy = "date"

    @admin.display(ordering="holding__stock__ticker")
    def instrument(self, row: Transaction) -> str:
        return row.holding.stock.ticker if row.holding else ""

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "holding") if obj else tuple(self.readonly_fields)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Show what looks like a mistake in the transaction, which the form has written."""
        super().save_model(request, obj, form, change)
        for warning in services.warnings_of([obj]).get(obj.pk, ()):
            messages.warning(request, warning.detail())

    def delete_row(self, row: Transaction) -> None:
        services.delete_row(row=row)


class HoldingForm(ServiceForm):
    class Meta:
        model = Holding
        fields = ("company_name",)

    def write(self, fields: dict[str, Any]) -> Holding:
        holding = Holding.objects.select_related("stock", "portfolio").get(pk=self.instance.pk)
        return services.update_holding(holding=holding, **fields)


@admin.action(description="Refresh prices", permissions=["change"])
def refresh_prices(modeladmin: Any, request: HttpRequest, queryset: QuerySet[Holding]) -> None:
    stock_ids = set(queryset.values_list("stock_id", flat=True))
    for stock_id in stock_ids:
        enqueue_on_commit(fetch_history, str(stock_id))
    modeladmin.message_user(
        request, f"{len(stock_ids)} instruments are being refreshed.", messages.SUCCESS
    )


@admin.register(Holding)
class HoldingAdmin(ServiceAdmin):
    form = HoldingForm
    list_display = (
        "stock",
        "portfolio",
        number_column("current_quantity", "quantity"),
        number_column("average_cost_per_share", "average cost"),
        number_column("cost_basis"),
        number_column("realised_gain"),
        number_column("income"),
        "transaction_count",
        "last_transaction_on",
    )
    list_filter = ("portfolio", "stock__currency", "stock__asset_type")
    list_select_related = ("stock", "portfolio")
    search_fields = (
        "stock__ticker",
        "stock__isin",
        "company_name",
        "stock__company_name",
        "portfolio__name",
    )
    readonly_fields = (
        "portfolio",
        "stock",
        number_column("current_quantity"),
        number_column("average_cost_per_share"),
        number_column("cost_basis"),
        number_column("realised_gain"),
        number_column("income"),
        number_column("charges"),
        "first_transaction_on",
        "last_transaction_on",
    )
    date_hierarchy = "last_transaction_on"
    actions = (refresh_prices,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Holding]:
        return super().get_queryset(request).annotate(transaction_total=Count("transactions"))

    @admin.display(ordering="transaction_total", description="transactions")
    def transaction_count(self, row: Any) -> int:
        return row.transaction_total

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # the first transaction creates a holding

    def delete_row(self, row: Holding) -> None:
        services.delete_holding(holding=row)


@admin.register(DismissedSplit)
class DismissedSplitAdmin(ReadOnlyAdmin, ServiceAdmin):
    list_display = fields = readonly_fields = ("holding", "date", number_column("ratio"))
    list_select_related = ("holding__stock", "holding__portfolio")
    list_filter = ("holding__portfolio",)
    search_fields = ("holding__stock__ticker",)
    date_hierarchy = "date"

    def delete_row(self, row: DismissedSplit) -> None:
        services.delete_dismissed_split(row)


class AliasForm(RowForm):
    save_row = staticmethod(services.save_alias)

    class Meta:
        model = InstrumentAlias
        fields = ("user", "key", "ticker")


@admin.register(InstrumentAlias)
class InstrumentAliasAdmin(ServiceAdmin):
    form = AliasForm
    list_display = ("key", "ticker", "user", "updated_at")
    list_filter = ("user",)
    list_select_related = ("user",)
    search_fields = ("key", "ticker", "user__username")
    autocomplete_fields = ("user",)
    date_hierarchy = "updated_at"

    def delete_row(self, row: InstrumentAlias) -> None:
        services.delete_alias(row)


@admin.register(ImportMapping)
class ImportMappingAdmin(ReadOnlyAdmin, ServiceAdmin):
    list_display = ("name", "format", "user", "updated_at")
    list_filter = ("format", "user")
    list_select_related = ("user",)
    search_fields = ("name", "user__username")
    date_hierarchy = "updated_at"

    def delete_row(self, row: ImportMapping) -> None:
        services.delete_mapping(row)


class GroupForm(ServiceForm):
    """The day and the texts of a group; what the legs move is changed on the pages, or by API."""

    date = forms.DateField(widget=AdminDateWidget)

    class Meta:
        model = TransactionGroup
        fields = ("label", "note")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        legs = Transaction.objects.filter(group=self.instance.pk)
        days = legs.values_list("date", flat=True)
        self.fields["date"].initial = max(days, default=None)

    def write(self, fields: dict[str, Any]) -> TransactionGroup:
        group = TransactionGroup.objects.select_related("portfolio").get(pk=self.instance.pk)
        return services.describe_group(group=group, **fields)


@admin.register(TransactionGroup)
class TransactionGroupAdmin(ServiceAdmin):
    form = GroupForm
    list_display = ("kind", "label", "portfolio", "legs", "note", "created_at")
    list_filter = ("kind", "portfolio")
    list_select_related = ("portfolio",)
    search_fields = (
        "note",
        "label",
        "external_id",
        "portfolio__name",
        "transactions__holding__stock__ticker",
    )
    date_hierarchy = "created_at"
    fields = ("kind", "portfolio", "legs", "date", "label", "note", "external_id", "import_batch")
    readonly_fields = ("kind", "portfolio", "legs", "external_id", "import_batch")

    def get_queryset(self, request: HttpRequest) -> QuerySet[TransactionGroup]:
        groups = super().get_queryset(request)
        return groups.prefetch_related("transactions__holding__stock", "transactions__portfolio")

    @admin.display(description="transactions")
    def legs(self, row: TransactionGroup) -> str:
        links: list[tuple[str, str]] = []
        for leg in row.transactions.all():
            thing = leg.holding.stock.ticker if leg.holding else leg.settlement_currency
            address = reverse("admin:portfolios_transaction_change", args=[leg.pk])
            links.append((address, f"{leg.date} {leg.type} {thing}"))
        return format_html_join(", ", '<a href="{}">{}</a>', links)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Only what a company did has a label."""
        is_action = obj is not None and obj.kind in ACTION_KINDS
        return self.readonly_fields if is_action else (*self.readonly_fields, "label")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # groups are entered on the pages, or by API

    def delete_row(self, row: TransactionGroup) -> None:
        services.delete_group(group=row)


@admin.register(OpeningBalance)
class OpeningBalanceAdmin(ReadOnlyAdmin):
    """What was said with cash-from, where it is changed too."""

    list_display = ("portfolio", "currency", number_column("amount"))
    list_filter = ("currency", "portfolio")
    list_select_related = ("portfolio",)
    search_fields = ("currency", "portfolio__name")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Checkpoint)
class CheckpointAdmin(ReadOnlyAdmin):
    """What files say. It is deleted with its import."""

    list_display = (
        "portfolio",
        "import_batch",
        "day",
        "currency",
        "stock",
        number_column("amount"),
        "row",
    )
    list_filter = ("currency", "import_batch__portfolio")
    list_select_related = ("import_batch__portfolio", "stock")
    search_fields = ("import_batch__file_name", "import_batch__portfolio__name", "stock__ticker")
    date_hierarchy = "day"

    @admin.display(ordering="import_batch__portfolio")
    def portfolio(self, row: Checkpoint) -> Portfolio:
        return row.import_batch.portfolio

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(TransactionVector)
class TransactionVectorAdmin(VectorAdmin):
    owner = "portfolio"
    list_display = ("portfolio", "version", "rows_version", "size")
    list_filter = ("portfolio__currency", "portfolio__user")
    list_select_related = ("portfolio",)
    search_fields = ("portfolio__name", "portfolio__user__username")

    def delete_row(self, row: TransactionVector) -> None:
        discard_vector(row)
