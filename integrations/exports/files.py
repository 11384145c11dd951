"""Which files an export has, which rows and columns each, and how a value is written in a cell."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Field, Model, Q, QuerySet

from financeproj.core.db.fields import ExactDecimalField
from financeproj.core.money import strip_zeros
from financeproj.users.models import User
from integrations.models import YnabBudget, YnabSettings
from integrations.statements.generic import guarded, unguarded
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
    DismissedSplit,
    Holding,
    ImportBatch,
    InstrumentAlias,
    Portfolio,
    PortfolioBalance,
    Transaction,
)

KIND = "financeproj-export"
VERSION = 1
BOM = "\ufeff"  # without it Excel takes UTF-8 for something else
BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class File:
    """One CSV file: rows of `model`, a column for each lookup. `shown` columns are for people and
    not read back.
    """

    name: str
    model: type[Model]
    columns: tuple[str, ...]
    rows: Callable[[User], QuerySet[Any]]
    shown: tuple[tuple[str, str], ...] = ()

    @property
    def header(self) -> list[str]:
        return [*self.columns, *(name for name, _ in self.shown)]

    @property
    def lookups(self) -> list[str]:
        return [*self.columns, *(lookup for _, lookup in self.shown)]

    @property
    def fields(self) -> list[tuple[Field, bool]]:
        """What the cells of each column hold, and whether they may be empty; of a foreign key what
        it points at.
        """
        return [_field(self.model, column) for column in self.columns]


def _field(model: type[Model], lookup: str) -> tuple[Field, bool]:
    *path, last = lookup.split("__")
    for name in path:
        model = model._meta.get_field(name).related_model
    field = model._meta.get_field(last)
    return (field.target_field if isinstance(field, models.ForeignKey) else field), field.null


# --- What is a user's -----------------------------------------------------------------------------


def instruments_of(user: User) -> QuerySet[StockMetadata]:
    """What the user holds or held, priced by hand, or has named for statements."""
    named = InstrumentAlias.objects.filter(user=user).values("ticker")
    held = Holding.objects.filter(portfolio__user=user).values("stock")
    return StockMetadata.objects.filter(
        Q(pk__in=held) | Q(owner=user) | Q(owner__isnull=True, ticker__in=named)
    )  # fmt: skip


def pairs_of(user: User) -> QuerySet[CurrencyPair]:
    """The pairs of every currency that the user has anything in, and of the two through which rates
    are crossed.
    """
    currencies = {user.base_currency, "EUR", "USD"}
    for rows in (
        instruments_of(user),
        Portfolio.objects.filter(user=user),
        PensionAccount.objects.filter(user=user),
    ):
        currencies |= set(rows.using(user._state.db).values_list("currency", flat=True))
    return CurrencyPair.objects.filter(base__in=currencies, target__in=currencies)


def _of_instruments(model: type[Model]) -> Callable[[User], QuerySet[Any]]:
    return lambda user: model._default_manager.filter(stock__in=instruments_of(user)).order_by(
        "stock_id", "date"
    )


def _of_portfolios(model: type[Model], *order: str) -> Callable[[User], QuerySet[Any]]:
    return lambda user: model._default_manager.filter(portfolio__user=user).order_by(
        "portfolio_id", *order
    )


def _of_accounts(model: type[Model], *order: str) -> Callable[[User], QuerySet[Any]]:
    return lambda user: model._default_manager.filter(account__user=user).order_by(
        "account_id", *order
    )


TIMES = ("created_at", "updated_at")

FILES = (
    File(
        "profile.csv",
        User,
        (
            "username",
            "email",
            "first_name",
            "last_name",
            "base_currency",
            "retirement_goal_amount",
            "retirement_goal_year",
            "date_joined",
        ),
        lambda user: User.objects.filter(pk=user.pk),
    ),
    File(
        "ynab_budget.csv",
        YnabBudget,
        (
            "id",
            "name",
            "verified",
            "currency",
            "currency_fetched_at",
            "accounts",
            "accounts_fetched_at",
            "server_knowledge",
        ),
        lambda user: YnabBudget.objects.filter(
            pk__in=YnabSettings.objects.filter(user=user).values("budget")
        ),
    ),
    File(
        "instruments.csv",
        StockMetadata,
        (
            "id",
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
            "history_fetched_at",
            *TIMES,
        ),
        lambda user: instruments_of(user).order_by("ticker", "pk"),
    ),
    File(
        "splits.csv",
        StockSplit,
        ("stock_id", "date", "ratio", "source"),
        _of_instruments(StockSplit),
    ),
    File(
        "dividends.csv",
        StockDividend,
        ("stock_id", "date", "amount", "source"),
        _of_instruments(StockDividend),
    ),
    File(
        "prices.csv",
        HistoricalStockPrice,
        ("stock_id", "date", "close", "source"),
        _of_instruments(HistoricalStockPrice),
    ),
    File(
        "quotes.csv",
        StockQuote,
        ("stock_id", "price", "previous_close", "as_of", "day", "fetched_at", "source"),
        lambda user: StockQuote.objects.filter(stock__in=instruments_of(user)).order_by("pk"),
    ),
    File("currency_pairs.csv", CurrencyPair, ("base", "target", "fetched_at"), pairs_of),
    File(
        "exchange_rates.csv",
        HistoricalExchangeRate,
        ("pair__base", "pair__target", "date", "rate", "source"),
        lambda user: HistoricalExchangeRate.objects.filter(pair__in=pairs_of(user)).order_by(
            "pair_id", "date"
        ),
    ),
    File(
        "portfolios.csv",
        Portfolio,
        ("id", "name", "brokerage_firm", "currency", "used_credit", "cash", "position", *TIMES),
        lambda user: Portfolio.objects.filter(user=user).order_by("position", "created_at", "pk"),
    ),
    File(
        "balances.csv",
        PortfolioBalance,
        ("portfolio_id", "kind", "date", "amount", "updated_at"),
        _of_portfolios(PortfolioBalance, "kind", "date"),
        shown=(("portfolio", "portfolio__name"),),
    ),
    File(
        "imports.csv",
        ImportBatch,
        (
            "id",
            "portfolio_id",
            "file_name",
            "file_sha256",
            "format",
            "encoding",
            "delimiter",
            "account",
            "state",
            "progress",
            "rows",
            "created",
            "duplicates",
            "ignored",
            "ignored_sums",
            "failed",
            "reconciled",
            "first_divergence",
            "errors",
            "warnings",
            "instruments",
            "adopted",
            *TIMES,
        ),
        # One that is still running has recorded nothing yet, and its file waits here for a worker
        # of this system.
        lambda user: _of_portfolios(ImportBatch, "created_at", "pk")(user).exclude(
            state=ImportBatch.State.RUNNING
        ),
        shown=(("portfolio", "portfolio__name"),),
    ),
    File(
        "holdings.csv",
        Holding,
        (
            "id",
            "portfolio_id",
            "stock_id",
            "company_name",
            "current_quantity",
            "average_cost_per_share",
            "cost_basis",
            "realised_gain",
            "income",
            "charges",
            "first_transaction_on",
            "last_transaction_on",
            "unbooked_split_on",
            *TIMES,
        ),
        _of_portfolios(Holding, "pk"),
        shown=(("portfolio", "portfolio__name"), ("ticker", "stock__ticker")),
    ),
    File(
        "dismissed_splits.csv",
        DismissedSplit,
        ("holding_id", "date", "ratio"),
        lambda user: DismissedSplit.objects.filter(holding__portfolio__user=user).order_by(
            "holding_id", "date"
        ),
        shown=(("ticker", "holding__stock__ticker"),),
    ),
    File(
        "transactions.csv",
        Transaction,
        (
            "id",
            "portfolio_id",
            "holding_id",
            "type",
            "date",
            "effective_date",
            "sequence",
            "quantity",
            "price",
            "commission",
            "exchange_rate",
            "note",
            "external_id",
            "source",
            "import_batch_id",
            "imported_as",
            "average_cost_per_share_at_transaction",
            "realised_gain",
            *TIMES,
        ),
        _of_portfolios(Transaction, "sequence"),
        shown=(
            ("portfolio", "portfolio__name"),
            ("ticker", "holding__stock__ticker"),
            ("currency", "holding__stock__currency"),
        ),
    ),
    File(
        "instrument_names.csv",
        InstrumentAlias,
        ("key", "ticker", "updated_at"),
        lambda user: InstrumentAlias.objects.filter(user=user).order_by("key"),
    ),
    File(
        "pension_accounts.csv",
        PensionAccount,
        ("id", "name", "currency", "ynab_account_id", *TIMES),
        lambda user: PensionAccount.objects.filter(user=user).order_by("created_at", "pk"),
    ),
    File(
        "pension_values.csv",
        PensionValueEntry,
        ("id", "account_id", "date", "value", "source", *TIMES),
        _of_accounts(PensionValueEntry, "date"),
        shown=(("account", "account__name"),),
    ),
    File(
        "pension_contributions.csv",
        ContributionPlan,
        ("id", "account_id", "amount", "frequency", "start", "end", "growth", *TIMES),
        _of_accounts(ContributionPlan, "start", "pk"),
        shown=(("account", "account__name"),),
    ),
)


# --- Cells ----------------------------------------------------------------------------------------


def cell(value: Any) -> str:
    """`value` as text that `value_of` reads back exactly and no spreadsheet calculates. NULL is an
    empty cell.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return guarded(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{strip_zeros(value):f}"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict | list):
        # Sorted, since PostgreSQL keeps the keys of an object in an order of its own.
        return guarded(json.dumps(value, ensure_ascii=False, sort_keys=True))
    return str(value)


def value_of(text: str, field: Field, is_nullable: bool) -> Any:
    """What a cell says of `field`. Raises ValidationError, ValueError or KeyError for what the
    field cannot hold.
    """
    if not text and is_nullable:
        return None
    if isinstance(field, models.JSONField):
        return json.loads(unguarded(text))
    if isinstance(field, models.BooleanField):
        return BOOLEANS[text]
    if isinstance(field, models.CharField | models.TextField):
        text = unguarded(text)
    elif not text:
        raise ValidationError("It is empty.")
    value = field.to_python(text)
    if isinstance(field, ExactDecimalField):
        field.validate(value, None)
    field.run_validators(value)
    return value


def csv_lines(rows: Iterable[Iterable[Any]]) -> Iterator[bytes]:
    """Each row as a line of CSV: comma, CRLF, UTF-8."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    for row in rows:
        writer.writerow([cell(value) for value in row])
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()
