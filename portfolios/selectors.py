"""Read portfolios, holdings, transactions and imports. Every query count is constant."""

from collections import Counter
from collections.abc import Iterable
from datetime import date
from typing import NamedTuple
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Prefetch, Q, QuerySet

from financeproj.core.identifiers import is_isin
from financeproj.users.models import User
from marketdata.calc.rates import Pair
from marketdata.models import StockMetadata
from portfolios.calc.kinds import TransactionType, types_where
from portfolios.models import (
    Checkpoint,
    Holding,
    ImportBatch,
    ImportMapping,
    InstrumentAlias,
    Portfolio,
    Transaction,
    TransactionGroup,
)


def portfolios_of(user: User) -> QuerySet[Portfolio]:
    """Return the user's portfolios, in the user's order."""
    return Portfolio.objects.filter(user=user)


def portfolios_with_checkpoints() -> list[Portfolio]:
    """Return all users' portfolios of which a file says what stood on a day, with their users."""
    stated = Checkpoint.objects.filter(import_batch__state=ImportBatch.State.DONE)
    portfolios = Portfolio.objects.filter(pk__in=stated.values("import_batch__portfolio"))
    return list(portfolios.select_related("user").order_by("user__username", "position", "pk"))


def holdings_visible_to(user: User) -> QuerySet[Holding]:
    return Holding.objects.filter(portfolio__user=user).select_related("portfolio", "stock")


def transactions_visible_to(user: User) -> QuerySet[Transaction]:
    return Transaction.objects.filter(portfolio__user=user).select_related(
        "holding__stock", "portfolio", "group"
    )


_NOT_SHOWN = {
    "effective_date",
    "imported_as",
    "cost_share",
    "takes_all",
    "cash_rate",
    "stood_as",
}
_SHOWN_COLUMNS = [
    *(field.name for field in Transaction._meta.concrete_fields if field.name not in _NOT_SHOWN),
    "holding__company_name",
    "holding__stock__ticker",
    "holding__stock__company_name",
    "holding__stock__currency",
    "portfolio__currency",
    "group__kind",
]


def with_shown_columns(rows: QuerySet[Transaction]) -> QuerySet[Transaction]:
    """Limit `rows` to the columns that a list shows: most columns of holdings are not needed."""
    related = rows.select_related(None).select_related("holding__stock", "portfolio", "group")
    return related.only(*_SHOWN_COLUMNS)


def groups_visible_to(user: User) -> QuerySet[TransactionGroup]:
    """Return the user's groups with their legs. Two queries when read."""
    legs = Transaction.objects.select_related("holding__stock", "portfolio", "group")
    groups = TransactionGroup.objects.filter(portfolio__user=user).select_related("portfolio")
    return groups.prefetch_related(Prefetch("transactions", queryset=legs))


class Rename(NamedTuple):
    """The ticker under which the shares of another one go on, from `day` on."""

    ticker: str
    day: date


def renames_in(portfolio: Portfolio) -> dict[str, Rename]:
    """Return what became of instruments that got a new ticker or ISIN, by their former ticker.

    That is: all its shares were exchanged at once, one for one and without cash, for those of one
    other instrument in the same currency, and none were traded since. Two queries at most.
    """
    later = Transaction.objects.filter(
        portfolio=portfolio,
        holding__stock__ticker=OuterRef("holding__stock__ticker"),
        effective_date__gt=OuterRef("effective_date"),
        type__in=types_where(lambda rules: rules.moves_shares),
    )
    gone = Transaction.objects.filter(
        ~Exists(later),
        portfolio=portfolio,
        type=TransactionType.EXCHANGE_OUT,
        group__kind=TransactionGroup.Kind.EXCHANGE,
        settlement_amount__isnull=True,
        holding__current_quantity=0,
    )
    outs = list(gone.select_related("holding__stock"))
    came = Transaction.objects.filter(
        type=TransactionType.EXCHANGE_IN, group__in=[out.group_id for out in outs]
    )
    targets: dict[UUID | None, list[Transaction]] = {}
    for row in came.select_related("holding__stock"):
        targets.setdefault(row.group_id, []).append(row)
    exchanges = Counter(out.own_holding.stock.ticker for out in outs)
    found: dict[str, Rename] = {}
    for out in outs:
        given = out.own_holding.stock
        received = targets.get(out.group_id, [])
        if len(received) != 1 or exchanges[given.ticker] > 1:
            continue
        target = received[0]
        stock = target.own_holding.stock
        if target.quantity == out.quantity and stock.currency == given.currency:
            found[given.ticker] = Rename(stock.ticker, out.effective_date)
    return found


def imports_visible_to(user: User) -> QuerySet[ImportBatch]:
    return ImportBatch.objects.filter(portfolio__user=user).select_related("portfolio")


def troubled_imports() -> QuerySet[ImportBatch]:
    """Return all users' imports that failed or differ from the file's own balance.

    Those that were undone are left out.
    """
    needs_attention = Q(state=ImportBatch.State.FAILED) | Q(reconciled=False)
    return ImportBatch.objects.filter(needs_attention).exclude(state=ImportBatch.State.UNDONE)


def instrument_aliases(user: User, keys: Iterable[str]) -> dict[str, str]:
    """Return the ticker that the user chose before, by key; unknown keys are absent."""
    aliases = InstrumentAlias.objects.filter(user=user, key__in=set(keys))
    return dict(aliases.values_list("key", "ticker"))


def import_mappings_of(user: User) -> QuerySet[ImportMapping]:
    """Return the mappings that the user saved, and the words of formats, by name."""
    return ImportMapping.objects.filter(user=user).order_by("name")


def held_stock_ids() -> set[UUID]:
    """Return the instruments that any user holds now."""
    return set(Holding.objects.filter(current_quantity__gt=0).values_list("stock_id", flat=True))


def needed_pairs() -> set[Pair]:
    """Return the currency pairs that any user's figures need.

    They are instrument to portfolio, and portfolio to base currency.
    """
    held = Holding.objects.exclude(stock__currency=F("portfolio__currency"))
    reported = Portfolio.objects.exclude(currency=F("user__base_currency"))
    pairs = set(held.values_list("stock__currency", "portfolio__currency").distinct())
    pairs.update(reported.values_list("currency", "user__base_currency").distinct())
    return pairs


def isins_to_learn() -> set[tuple[UUID, str]]:
    """Return (instrument, ISIN) of what users call shared instruments that have no ISIN."""
    without = StockMetadata.objects.filter(owner__isnull=True, isin="")
    stock_of = dict(without.values_list("ticker", "pk"))
    aliases = InstrumentAlias.objects.filter(ticker__in=without.values("ticker"))
    named = aliases.values_list("ticker", "key").distinct()
    return {(stock_of[ticker], key) for ticker, key in named if ticker in stock_of and is_isin(key)}
