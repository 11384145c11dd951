"""Which files an export has, and which rows and columns each.

Whatever is added states the version it came with, and VERSION grows by one. Nothing is renamed or
removed: when a field of a model is renamed, its column keeps its name and gets another lookup.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.db.models import Case, F, Field, Model, Q, QuerySet, Value, When

from financeproj.core.db.rows import stored_field
from financeproj.history.models import HistoryEntry
from financeproj.users.models import User
from integrations.models import YnabBudget, YnabSettings
from marketdata.models import (
    CurrencyPair,
    HistoricalExchangeRate,
    HistoricalStockPrice,
    StockDividend,
    StockMetadata,
    StockQuote,
    StockSplit,
)
from pensions.models import ContributionPlan, PensionAccount, PensionValueEntry
from portfolios.models import (
    Checkpoint,
    DismissedSplit,
    Holding,
    ImportBatch,
    ImportMapping,
    InstrumentAlias,
    KnownRows,
    OpeningBalance,
    Portfolio,
    PortfolioBalance,
    Transaction,
    TransactionGroup,
)

KIND = "financeproj-export"
VERSION = 4
# Objects of the history that have the id of their user.
OBJECTS_OF_THE_USER = ("user", "ynab_settings")


@dataclass(frozen=True, slots=True)
class Column:
    """`name` in the header, `lookup` of its values, and the first version that has it.

    `field` is the field whose values an annotation has, when `lookup` is one.
    """

    name: str
    lookup: str
    since: int = 1
    field: str = ""


def columns(names: str, *, since: int = 1) -> tuple[Column, ...]:
    """Columns that are named as the fields of the model."""
    return tuple(Column(name, name, since) for name in names.split())


@dataclass(frozen=True, slots=True)
class File:
    """One CSV file: `rows` of `model` and its columns.

    The columns `shown` come last; they are for people and are not read back.
    """

    name: str
    model: type[Model]
    columns: tuple[Column, ...]
    rows: Callable[[User], QuerySet[Any]]
    shown: tuple[Column, ...] = ()
    since: int = 1

    @property
    def lookups(self) -> list[str]:
        return [column.lookup for column in (*self.columns, *self.shown)]

    def header(self, version: int) -> list[str]:
        """The names of all columns that a file of `version` has."""
        written = (*self.columns, *self.shown)
        return [column.name for column in written if column.since <= version]

    def columns_of(self, version: int) -> list[Column]:
        """The columns that are read from a file of `version`."""
        return [column for column in self.columns if column.since <= version]

    def field_of(self, column: Column) -> tuple[Field, bool]:
        """What the cells of a column hold, and whether they may be empty.

        For a foreign key it is the field that it points at.
        """
        model = self.model
        *path, last = (column.field or column.lookup).split("__")
        for name in path:
            model = stored_field(model, name).related_model or model
        field = stored_field(model, last)
        is_nullable = field.null
        if isinstance(field, models.ForeignKey):
            field = field.target_field
        return field, is_nullable


# --- What belongs to a user -----------------------------------------------------------------------


def instruments_of(user: User) -> QuerySet[StockMetadata]:
    """What the user holds, held, prices by hand, has named for statements or has checkpoints of."""
    named = InstrumentAlias.objects.filter(user=user).values("ticker")
    held = Holding.objects.filter(portfolio__user=user).values("stock")
    stated = Checkpoint.objects.filter(import_batch__portfolio__user=user, stock__isnull=False)
    return StockMetadata.objects.filter(
        Q(pk__in=held)
        | Q(pk__in=stated.values("stock"))
        | Q(owner=user)
        | Q(owner__isnull=True, ticker__in=named)
    )


def pairs_of(user: User) -> QuerySet[CurrencyPair]:
    """The pairs of all currencies of the user, and of the two through which rates are crossed."""
    currencies = {user.base_currency, "EUR", "USD"}
    for rows in (
        instruments_of(user),
        Portfolio.objects.filter(user=user),
        PensionAccount.objects.filter(user=user),
    ):
        currencies |= set(rows.using(user._state.db).values_list("currency", flat=True))
    return CurrencyPair.objects.filter(base__in=currencies, target__in=currencies)


def _rates_of(user: User) -> QuerySet[HistoricalExchangeRate]:
    rates = HistoricalExchangeRate.objects.filter(pair__in=pairs_of(user))
    return rates.order_by("pair_id", "date")


def _budgets_of(user: User) -> QuerySet[YnabBudget]:
    chosen = YnabSettings.objects.filter(user=user).values("budget")
    return YnabBudget.objects.filter(pk__in=chosen)


def _finished_imports_of(user: User) -> QuerySet[ImportBatch]:
    """A running one has recorded nothing yet, and its file waits for a worker of this system."""
    rows = ImportBatch.objects.filter(portfolio__user=user)
    return rows.exclude(state=ImportBatch.State.RUNNING).order_by(
        "portfolio_id", "created_at", "pk"
    )


def _checkpoints_of(user: User) -> QuerySet[Checkpoint]:
    rows = Checkpoint.objects.filter(import_batch__in=_finished_imports_of(user).order_by())
    return rows.order_by("import_batch_id", "day", "row", "pk")


def _known_rows_of(user: User) -> QuerySet[KnownRows]:
    rows = KnownRows.objects.filter(import_batch__in=_finished_imports_of(user).order_by())
    return rows.order_by("import_batch_id")


def _dismissed_splits_of(user: User) -> QuerySet[DismissedSplit]:
    rows = DismissedSplit.objects.filter(holding__portfolio__user=user)
    return rows.order_by("holding_id", "date")


def _history_of(user: User) -> QuerySet[HistoryEntry]:
    """Without the user's own id, since the user has another one elsewhere."""
    is_user = Q(object_type__in=OBJECTS_OF_THE_USER)
    object_id = Case(When(is_user, then=Value("")), default=F("object_id"))
    entries = HistoryEntry.objects.filter(owner_id=user.pk)
    return entries.annotate(exported_object_id=object_id).order_by("at", "pk")


def _of_instruments(model: type[Model]) -> Callable[[User], QuerySet[Any]]:
    rows = model._default_manager
    return lambda user: rows.filter(stock__in=instruments_of(user)).order_by("stock_id", "date")


def _of_portfolios(model: type[Model], *order: str) -> Callable[[User], QuerySet[Any]]:
    rows = model._default_manager
    return lambda user: rows.filter(portfolio__user=user).order_by("portfolio_id", *order)


def _of_accounts(model: type[Model], *order: str) -> Callable[[User], QuerySet[Any]]:
    rows = model._default_manager
    return lambda user: rows.filter(account__user=user).order_by("account_id", *order)


# --- The files ------------------------------------------------------------------------------------

PORTFOLIO = Column("portfolio", "portfolio__name")
ACCOUNT = Column("account", "account__name")
TIMES = columns("created_at updated_at")

FILES = (
    File(
        "profile.csv",
        User,
        columns(
            "username email first_name last_name base_currency retirement_goal_amount "
            "retirement_goal_year date_joined"
        ),
        lambda user: User.objects.filter(pk=user.pk),
    ),
    File(
        "ynab_budget.csv",
        YnabBudget,
        columns(
            "id name verified currency currency_fetched_at accounts accounts_fetched_at "
            "server_knowledge"
        ),
        _budgets_of,
    ),
    File(
        "instruments.csv",
        StockMetadata,
        columns(
            "id ticker company_name currency asset_type exchange exchange_timezone sector country "
            "isin source history_fetched_at"
        )
        + TIMES
        + columns("described_currency", since=3),
        lambda user: instruments_of(user).order_by("ticker", "pk"),
    ),
    File(
        "splits.csv",
        StockSplit,
        columns("stock_id date ratio source"),
        _of_instruments(StockSplit),
    ),
    File(
        "dividends.csv",
        StockDividend,
        columns("stock_id date amount source"),
        _of_instruments(StockDividend),
    ),
    File(
        "prices.csv",
        HistoricalStockPrice,
        columns("stock_id date close source"),
        _of_instruments(HistoricalStockPrice),
    ),
    File(
        "quotes.csv",
        StockQuote,
        columns("stock_id price previous_close as_of day fetched_at source"),
        lambda user: StockQuote.objects.filter(stock__in=instruments_of(user)).order_by("pk"),
    ),
    File(
        "currency_pairs.csv",
        CurrencyPair,
        columns("base target fetched_at"),
        pairs_of,
    ),
    File(
        "exchange_rates.csv",
        HistoricalExchangeRate,
        columns("pair__base pair__target date rate source"),
        _rates_of,
    ),
    File(
        "portfolios.csv",
        Portfolio,
        (
            *columns("id name brokerage_firm currency used_credit cash position"),
            *columns("cash_from cash_from_by", since=3),
            *TIMES,
        ),
        lambda user: Portfolio.objects.filter(user=user).order_by("position", "created_at", "pk"),
    ),
    File(
        "balances.csv",
        PortfolioBalance,
        columns("portfolio_id kind date amount updated_at"),
        _of_portfolios(PortfolioBalance, "kind", "date"),
        shown=(PORTFOLIO,),
    ),
    File(
        "openings.csv",
        OpeningBalance,
        columns("portfolio_id currency amount", since=3),
        _of_portfolios(OpeningBalance, "currency"),
        shown=(PORTFOLIO,),
        since=3,
    ),
    File(
        "imports.csv",
        ImportBatch,
        columns(
            "id portfolio_id file_name file_sha256 format encoding delimiter account state "
            "progress rows created duplicates ignored ignored_sums failed reconciled "
            "first_divergence errors warnings instruments adopted"
        )
        + columns("checkpoint_count", since=3)
        + columns("money_created groups_created completed completed_rows mapping_name", since=4)
        + columns("accepts_opening opening problems", since=4)
        + TIMES,
        _finished_imports_of,
        shown=(PORTFOLIO,),
    ),
    File(
        "checkpoints.csv",
        Checkpoint,
        (
            Column("statement_id", "import_batch_id", since=3),
            *columns("currency stock_id day amount decimals row rows_of_day", since=3),
        ),
        _checkpoints_of,
        shown=(Column("ticker", "stock__ticker"),),
        since=3,
    ),
    File(
        "known_rows.csv",
        KnownRows,
        (Column("statement_id", "import_batch_id", since=4), *columns("rows", since=4)),
        _known_rows_of,
        since=4,
    ),
    File(
        "holdings.csv",
        Holding,
        columns(
            "id portfolio_id stock_id company_name current_quantity average_cost_per_share "
            "cost_basis realised_gain income charges first_transaction_on last_transaction_on "
            "unbooked_split_on"
        )
        + columns("dismissed_rename", since=4)
        + TIMES,
        _of_portfolios(Holding, "pk"),
        shown=(PORTFOLIO, Column("ticker", "stock__ticker")),
    ),
    File(
        "dismissed_splits.csv",
        DismissedSplit,
        columns("holding_id date ratio"),
        _dismissed_splits_of,
        shown=(Column("ticker", "holding__stock__ticker"),),
    ),
    File(
        "groups.csv",
        TransactionGroup,
        (
            *columns("id portfolio_id kind label note external_id is_linked", since=3),
            *columns("warnings", since=4),
            Column("statement_id", "import_batch_id", since=3),
            *columns("created_at updated_at", since=3),
        ),
        _of_portfolios(TransactionGroup, "created_at", "pk"),
        shown=(PORTFOLIO,),
        since=3,
    ),
    File(
        "transactions.csv",
        Transaction,
        (
            *columns(
                "id portfolio_id holding_id type date effective_date sequence quantity price "
                "commission exchange_rate note external_id source"
            ),
            *columns(
                "tax settlement_currency settlement_amount booked_on group_id",
                since=3,
            ),
            *columns("cost_share takes_all cash_rate stood_as carried", since=4),
            Column("statement_id", "import_batch_id"),
            *columns("imported_currency imported_amount imported_on", since=3),
            *columns("imported_as average_cost_per_share_at_transaction realised_gain"),
            *TIMES,
        ),
        _of_portfolios(Transaction, "sequence"),
        shown=(
            PORTFOLIO,
            Column("ticker", "holding__stock__ticker"),
            Column("currency", "holding__stock__currency"),
        ),
    ),
    File(
        "instrument_names.csv",
        InstrumentAlias,
        columns("key ticker updated_at"),
        lambda user: InstrumentAlias.objects.filter(user=user).order_by("key"),
    ),
    File(
        "import_mappings.csv",
        ImportMapping,
        columns("name format mapping header updated_at", since=4),
        lambda user: ImportMapping.objects.filter(user=user).order_by("name"),
        since=4,
    ),
    File(
        "pension_accounts.csv",
        PensionAccount,
        columns("id name currency ynab_account_id") + TIMES,
        lambda user: PensionAccount.objects.filter(user=user).order_by("created_at", "pk"),
    ),
    File(
        "pension_values.csv",
        PensionValueEntry,
        columns("id account_id date value source") + TIMES,
        _of_accounts(PensionValueEntry, "date"),
        shown=(ACCOUNT,),
    ),
    File(
        "pension_contributions.csv",
        ContributionPlan,
        columns("id account_id amount frequency start end growth") + TIMES,
        _of_accounts(ContributionPlan, "start", "pk"),
        shown=(ACCOUNT,),
    ),
    File(
        "history.csv",
        HistoryEntry,
        (
            *columns("id at"),
            Column("actor", "actor__username"),
            *columns("door request_id action object_type"),
            Column("object_id", "exported_object_id", field="object_id"),
            *columns("object_label portfolio_id within_id changes counts"),
        ),
        _history_of,
        since=2,
    ),
)


def files_of(version: int) -> list[File]:
    """The files that an export of `version` has."""
    return [file for file in FILES if file.since <= version]
