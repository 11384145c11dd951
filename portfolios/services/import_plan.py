"""What an import would write, worked out under the portfolio's lock before any of it is written.

The rows of the file go through steps, each a function from rows to the rows that go on and the
problems of the others: usable → new → rated → replayed.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from operator import attrgetter
from uuid import UUID, uuid4

from django.db.models import Q

from financeproj.core.errors import DomainError
from financeproj.core.money import ONE, ZERO
from marketdata.models import StockMetadata
from marketdata.selectors import known_splits
from portfolios.calc.duplicates import Matches, fingerprint, match
from portfolios.calc.import_rows import ImportRow, RowProblem, gettext_noop
from portfolios.calc.kinds import RULES
from portfolios.models import DismissedSplit, Holding, Portfolio, Transaction, TransactionSource
from portfolios.services.holding_changes import HoldingChange, NewRow, Problems, fit_rows
from portfolios.services.ledger_rows import LedgerRow, next_sequence, stored_rows
from portfolios.services.repeated_splits import repeated_splits
from portfolios.services.split_booking import Dismissed

READ_AT_ONCE = 2000
# Brokers round shares to so many decimals or more; fewer are whole shares, or a mistake.
LEAST_DECIMALS = 2

# An instrument, or why there is none.
Instruments = Mapping[str, StockMetadata | DomainError]
# (from, to, day) → the rate.
Rates = Mapping[tuple[str, str, date], Decimal | None]
# The fingerprint of a row and its external id.
Key = tuple[str, str | None]


@dataclass(slots=True)
class ImportPlan:
    """Everything that an import would write.

    `adopted` gives stored transactions the external id that the file has. `short_of_shares` are the
    instruments of which the file sells more than is held. `rows_after` are all rows of the changed
    holdings, by instrument; the lists after it are those of HoldingChange, of all holdings.
    """

    holdings: dict[UUID, Holding]
    duplicates: int = 0
    adopted: dict[UUID, str] = field(default_factory=dict)
    problems: Problems = field(default_factory=list)
    short_of_shares: list[StockMetadata] = field(default_factory=list)
    changed_holdings: list[Holding] = field(default_factory=list)
    rows_after: dict[UUID, list[LedgerRow]] = field(default_factory=dict)
    added: list[NewRow] = field(default_factory=list)
    splits: list[LedgerRow] = field(default_factory=list)
    changed: list[LedgerRow] = field(default_factory=list)
    gone: list[LedgerRow] = field(default_factory=list)
    tells_something_new: bool = False

    @property
    def leaves_something(self) -> bool:
        """Whether it creates rows, or tells a checkpoint that no other import tells."""
        return bool(self.added or self.tells_something_new)

    def include(self, change: HoldingChange) -> None:
        self.changed_holdings.append(change.holding)
        self.rows_after[change.holding.stock_id] = change.rows
        self.added += change.added
        self.splits += change.splits
        self.changed += change.changed
        self.gone += change.gone


def make_plan(
    portfolio: Portfolio,
    rows: Sequence[ImportRow],
    instruments: Instruments,
    rates: Rates,
    on_progress: Callable[[float], None],
) -> ImportPlan:
    """Work out what importing `rows` into the locked `portfolio` would write.

    `on_progress` is called with the fraction of this that is done.
    """
    usable, unusable = _usable_rows(rows, instruments)
    keys = [_key_of(row) for row in usable]
    matches = _match(portfolio, usable, keys)
    new, contradicted = _new_rows(usable, keys, matches)
    settled, unsettled = _settled_rows(new, instruments, portfolio.currency)
    rated, unrated = _rated_rows(settled, instruments, rates, portfolio.currency)
    holdings = {one.stock_id: one for one in Holding.objects.filter(portfolio=portfolio)}
    plan = ImportPlan(holdings, duplicates=len(matches.duplicates), adopted=matches.adopted)
    plan.problems = [*unusable, *contradicted, *unsettled, *unrated]
    sequence = next_sequence(portfolio)
    by_holding: dict[UUID, list[NewRow]] = defaultdict(list)
    for row, print_, rate in rated:
        stock = instruments[row.ticker]
        assert isinstance(stock, StockMetadata)  # nosec B101  # for mypy: the others are unusable
        holding = _holding(holdings, portfolio, stock, row.company_name)
        entry = _ledger_row(row, holding, rate, sequence)
        by_holding[holding.pk].append(NewRow(row, print_, entry, holding))
        sequence += 1
    _replay_all(plan, portfolio, by_holding, _half_unit(rows), on_progress)
    for split in plan.splits:
        split.sequence = sequence
        sequence += 1
    return plan


def _half_unit(rows: Iterable[ImportRow]) -> Decimal:
    """Return half a unit of the last decimal that the file writes of shares; 0 below two decimals.

    After a split, shares are rounded so when they are sold. Ratios of splits are no shares.
    """
    decimals = 0
    for row in rows:
        exponent = row.quantity.as_tuple().exponent
        if not RULES[row.type].is_ratio and isinstance(exponent, int):
            decimals = max(decimals, -exponent)
    if decimals < LEAST_DECIMALS:
        return ZERO
    return Decimal(5).scaleb(-decimals - 1)


def _replay_all(
    plan: ImportPlan,
    portfolio: Portfolio,
    by_holding: Mapping[UUID, list[NewRow]],
    half_unit: Decimal,
    on_progress: Callable[[float], None],
) -> None:
    """Add to `plan` what the new rows change in their holdings."""
    touched = [holding for holding in plan.holdings.values() if holding.pk in by_holding]
    stored = stored_rows(touched)
    stock_ids = [holding.stock_id for holding in touched]
    splits = known_splits(stock_ids, user_id=portfolio.user_id)
    dismissed = _dismissed_splits(touched)
    for done, holding in enumerate(touched):
        on_progress(done / len(touched))
        old, added = stored[holding.pk], by_holding[holding.pk]
        entries = [one.entry for one in added]
        repeated = repeated_splits([*old, *entries], entries)
        plan.duplicates += len(repeated)
        fitted = fit_rows(
            holding,
            old,
            [one for one in added if one.entry.pk not in repeated],
            splits[holding.stock_id],
            dismissed[holding.pk],
            half_unit,
        )
        plan.problems += fitted.problems
        if fitted.is_short:
            plan.short_of_shares.append(holding.stock)
        if fitted.change is not None:
            plan.include(fitted.change)


def _usable_rows(
    rows: Sequence[ImportRow], instruments: Instruments
) -> tuple[list[ImportRow], Problems]:
    """Keep the rows whose instrument is known, in its currency."""
    usable: list[ImportRow] = []
    problems: Problems = []
    for row in rows:
        stock = instruments[row.ticker]
        if isinstance(stock, DomainError):
            problem = RowProblem(stock.code, stock.message, stock.params)
            column = stock.attr or "ticker"
            problems.append(problem.at(row.row, column, getattr(row, column, row.ticker)))
        elif row.currency and row.currency != stock.currency:
            message = gettext_noop("%(ticker)s is quoted in %(currency)s.")
            params = {"ticker": stock.ticker, "currency": stock.currency}
            problem = RowProblem("currency_mismatch", message, params)
            problems.append(problem.at(row.row, "currency", row.currency))
        else:
            usable.append(row)
    return usable, problems


def _key_of(row: ImportRow) -> Key:
    print_ = fingerprint(row.ticker, row.date, row.type, row.quantity, row.price, row.charge)
    return print_, row.external_id


def _match(portfolio: Portfolio, rows: list[ImportRow], keys: list[Key]) -> Matches[UUID]:
    """Find the rows that the portfolio has already."""
    if not rows:
        return Matches()
    first = min(rows, key=attrgetter("date"))
    last = max(rows, key=attrgetter("date"))
    return match(keys, _stored_keys(portfolio, first.date, last.date))


def _new_rows(
    rows: list[ImportRow], keys: list[Key], matches: Matches[UUID]
) -> tuple[list[tuple[ImportRow, str]], Problems]:
    """Keep the rows that the portfolio does not have yet, with their fingerprints."""
    new: list[tuple[ImportRow, str]] = []
    problems: Problems = []
    for position, (row, (print_, external_id)) in enumerate(zip(rows, keys, strict=True)):
        if position in matches.contradicted:
            message = gettext_noop(
                "An earlier row of the file has the id %(id)s too, but other content."
            )
            problem = RowProblem("duplicate_external_id", message, {"id": external_id or ""})
            problems.append(problem.at(row.row, "external_id", external_id))
        elif position not in matches.duplicates:
            new.append((row, print_))
    return new, problems


def _settled_rows(
    rows: list[tuple[ImportRow, str]], instruments: Instruments, currency: str
) -> tuple[list[tuple[ImportRow, str]], Problems]:
    """Keep the rows of which it is known what went through the account."""
    settled: list[tuple[ImportRow, str]] = []
    problems: Problems = []
    for row, print_ in rows:
        stock = instruments[row.ticker]
        assert isinstance(stock, StockMetadata)  # nosec B101  # for mypy: the others are unusable
        known = (None, currency, stock.currency)
        if row.settlement_amount is None and row.settlement_currency not in known:
            message = gettext_noop("The amount in %(currency)s is missing: give settlement_amount.")
            params = {"currency": row.settlement_currency or ""}
            problem = RowProblem("settlement_amount_required", message, params)
            problems.append(problem.at(row.row, "settlement_amount", None))
        else:
            settled.append((row, print_))
    return settled, problems


def _rated_rows(
    rows: list[tuple[ImportRow, str]], instruments: Instruments, rates: Rates, currency: str
) -> tuple[list[tuple[ImportRow, str, Decimal | None]], Problems]:
    """Keep the rows whose rate into `currency` the file gives or is known, with that rate."""
    rated: list[tuple[ImportRow, str, Decimal | None]] = []
    problems: Problems = []
    for row, print_ in rows:
        rate = row.exchange_rate
        if rate is None and RULES[row.type].is_priced:
            stock = instruments[row.ticker]
            assert isinstance(stock, StockMetadata)  # nosec B101  # for mypy, as above
            rate = _rate(stock.currency, currency, row.date, rates)
            if rate is None:
                problems.append(_no_rate(row, stock.currency, currency))
                continue
        rated.append((row, print_, rate))
    return rated, problems


def _rate(base: str, target: str, day: date, rates: Rates) -> Decimal | None:
    return ONE if base == target else rates.get((base, target, day))


def _no_rate(row: ImportRow, base: str, target: str) -> RowProblem:
    message = gettext_noop(
        "No rate from %(base)s to %(target)s is known on %(date)s: give exchange_rate."
    )
    params = {"base": base, "target": target, "date": str(row.date)}
    problem = RowProblem("exchange_rate_required", message, params)
    return problem.at(row.row, "exchange_rate", None)


def _holding(
    holdings: dict[UUID, Holding], portfolio: Portfolio, stock: StockMetadata, company_name: str
) -> Holding:
    """Return the holding of `stock`, made and put into `holdings` if it is new."""
    holding = holdings.get(stock.pk)
    if holding is None:
        holding = holdings[stock.pk] = Holding(portfolio=portfolio, stock=stock)
    elif "stock" not in holding._state.fields_cache:
        holding.portfolio, holding.stock = portfolio, stock
    is_unnamed = holding._state.adding and not holding.company_name
    if is_unnamed and company_name and company_name != stock.company_name:
        holding.company_name = company_name
    return holding


def _ledger_row(row: ImportRow, holding: Holding, rate: Decimal | None, sequence: int) -> LedgerRow:
    return LedgerRow(
        pk=uuid4(),
        holding_id=holding.pk,
        type=row.type,
        effective_date=row.date,
        date=row.date,
        sequence=sequence,
        quantity=row.quantity,
        price=row.price,
        commission=row.commission or ZERO,
        tax=row.tax or ZERO,
        exchange_rate=rate,
        source=TransactionSource.IMPORT,
        is_new=True,
    )


def _dismissed_splits(holdings: list[Holding]) -> dict[UUID, list[Dismissed]]:
    """Read the splits that the user deleted in each holding."""
    dismissed: dict[UUID, list[Dismissed]] = defaultdict(list)
    rows = DismissedSplit.objects.filter(holding__in=holdings)
    for holding_id, day, ratio in rows.values_list("holding_id", "date", "ratio"):
        dismissed[holding_id].append((day, ratio))
    return dismissed


# --- What the portfolio has already ---------------------------------------------------------------


def _stored_keys(
    portfolio: Portfolio, first: date, last: date
) -> Iterator[tuple[UUID, str, str | None]]:
    """Yield key, fingerprint and external id of what the portfolio has: as imported, else as it is
    now.

    Those of other days than `first` to `last` are left out where neither can match.
    """
    rows = Transaction.objects.filter(portfolio=portfolio).exclude(
        source=TransactionSource.MARKET_DATA
    )
    imported = rows.exclude(imported_as="").values_list("pk", "imported_as", "external_id")
    yield from imported.iterator(READ_AT_ONCE)
    could_match = Q(date__range=(first, last)) | Q(external_id__isnull=False)
    by_hand = rows.filter(could_match, imported_as="").values_list(
        "pk",
        "external_id",
        "holding__stock__ticker",
        "date",
        "type",
        "quantity",
        "price",
        "commission",
        "tax",
    )
    for row in by_hand.iterator(READ_AT_ONCE):
        pk, external_id, ticker, day, kind, quantity, price, commission, tax = row
        print_ = fingerprint(ticker or "", day, kind, quantity, price, commission + tax)
        yield pk, print_, external_id
