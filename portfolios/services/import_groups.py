"""The exchanges, spin-offs and exercised rights among the rows of an import."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from uuid import UUID, uuid4

from financeproj.core.errors import DomainError
from financeproj.core.money import EXACT, ONE, ZERO, round_for_storage
from marketdata.models import StockMetadata
from portfolios.calc.carried import Brought, Taken
from portfolios.calc.cost_shares import (
    Part,
    Shares,
    SharesDoNotAddUp,
    shares_of_exchange,
    shares_of_spin_off,
)
from portfolios.calc.import_rows import ImportRow, RowProblem, gettext_noop
from portfolios.calc.kinds import RULES
from portfolios.models import ACTION_KINDS, ImportBatch, Portfolio, TransactionGroup
from portfolios.services.actions import COST_SHARE_UNKNOWN
from portfolios.services.given_rates import impossible_rate
from portfolios.services.group_values import Group, GroupValues, needs_values, values_of
from portfolios.services.holding_changes import ImportedLeg, Problems
from portfolios.services.import_money import FoundRow, Rates

Kind = TransactionGroup.Kind
Instruments = Mapping[str, StockMetadata | DomainError]
# The line and the type of a leg: one row of a file may say what goes and what comes.
LegKey = tuple[int, str]
INCOMPLETE = RowProblem(
    "incomplete_group",
    gettext_noop(
        "Shares that go out for others need a row for what goes out and one for what comes in, of "
        "one day. Enter it by hand and skip this row."
    ),
)
NOT_PAID = RowProblem(
    "wrong_sign",
    gettext_noop("To exercise rights is to pay for shares: the money must be below 0."),
)
COST_SHARES = RowProblem(
    "cost_shares", gettext_noop("The cost shares of a group must add up to 1.")
)
NO_RATE = gettext_noop(
    "No rate from %(base)s to %(target)s is known on %(date)s: give exchange_rate."
)


@dataclass(slots=True)
class FoundGroups:
    """The legs by line and type, and the groups to make of them.

    `names` says of which name in the file each leg is; `unknown` are the lines of targets whose
    cost share is unknown, for want of prices of the `unpriced`, `unpaired` those of shares that
    came without their other side.
    """

    legs: dict[LegKey, ImportedLeg] = field(default_factory=dict)
    groups: dict[UUID, TransactionGroup] = field(default_factory=dict)
    names: dict[LegKey, str] = field(default_factory=dict)
    unknown: list[int] = field(default_factory=list)
    unpriced: list[StockMetadata] = field(default_factory=list)
    unpaired: list[int] = field(default_factory=list)
    problems: Problems = field(default_factory=list)


def key_of(row: ImportRow) -> LegKey:
    return row.row, row.type


def is_leg(row: ImportRow) -> bool:
    """Whether a row has shares that go or come by what a company does."""
    return not row.is_money_alone and RULES[row.type].is_exchange


def rates_for_groups(
    rows: Iterable[ImportRow], instruments: Instruments, currency: str
) -> set[tuple[str, str, date]]:
    """Return the rates that the groups of a file need and that it does not give."""
    wanted: set[tuple[str, str, date]] = set()
    for out, targets in _by_name(filter(is_leg, rows)).values():
        if out is None:
            continue
        base = _currency_of(out, instruments)
        cash_in = out.settlement_currency or currency
        if out.settlement_amount:
            wanted.add((cash_in, currency, out.date))
        for target in targets:
            own = _currency_of(target, instruments)
            wanted |= {(base, own, out.date), (cash_in, own, out.date)}
            if needs_values(out, targets):
                wanted |= {(base, currency, out.date), (own, currency, out.date)}
    needed: set[tuple[str, str, date]] = set()
    for pair in wanted:
        start, end, _day = pair
        if start and end and start != end:
            needed.add(pair)
    return needed


def find_groups(
    portfolio: Portfolio, found: Sequence[FoundRow], instruments: Instruments, rates: Rates
) -> FoundGroups:
    """Return the legs among the new rows of a file. Those of a group that cannot be have problems.

    Shares that come without their other side come at no cost.
    """
    result = FoundGroups()
    legs: dict[LegKey, ImportRow] = {}
    for one in found:
        if is_leg(one.row):
            legs[key_of(one.row)] = one.row
    named = _by_name(legs.values())
    whole: list[Group] = []
    for out, targets in named.values():
        if out is not None:
            whole.append((out, targets))
    values = values_of(portfolio, whole, found, instruments, rates)
    maker = _Maker(portfolio, instruments, rates, values, result)
    for name, (out, targets) in named.items():
        if out is None and not name.startswith(GROUPED):
            result.unpaired += [row.row for row in targets]
            continue
        rows = list(targets)
        if out is not None:
            rows.append(out)
        for row in rows:
            result.names[key_of(row)] = name
        try:
            maker.add(out, targets)
        except _Refused as refused:
            result.problems += _problems_of(rows, refused.problem)
    return result


# Before the name of a group in the file; rows of no group have the line as their own.
GROUPED = "="
Sides = tuple[ImportRow | None, list[ImportRow]]


def _by_name(rows: Iterable[ImportRow]) -> dict[str, Sides]:
    """Return what goes out and what comes in of each group."""
    legs: dict[str, list[ImportRow]] = defaultdict(list)
    for row in rows:
        name = str(row.row)
        if row.group:
            name = f"{GROUPED}{row.group}"
        legs[name].append(row)
    return {name: _sides(rows) for name, rows in legs.items()}


def _sides(legs: Iterable[ImportRow]) -> Sides:
    """Return what goes out and what comes in; nothing comes in if two go out: no group has two."""
    outs: list[ImportRow] = []
    targets: list[ImportRow] = []
    for row in legs:
        if RULES[row.type].shares < 0:
            outs.append(row)
        else:
            targets.append(row)
    if not outs:
        return None, targets
    if len(outs) > 1:
        targets = []
    return outs[0], targets


def _currency_of(row: ImportRow, instruments: Instruments) -> str:
    stock = instruments.get(row.ticker)
    return stock.currency if isinstance(stock, StockMetadata) else ""


def _problems_of(rows: Iterable[ImportRow], problem: RowProblem) -> Problems:
    """Return a problem of each leg; one of a single leg keeps its column."""
    problems: Problems = []
    for row in rows:
        if row.row == problem.row:
            problems.append(problem)
        else:
            problems.append(problem.at(row.row, "type", row.type))
    return problems


class _Refused(Exception):
    """Rows cannot be a group; `problem` says why."""

    def __init__(self, problem: RowProblem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def _require_group(out: ImportRow | None, targets: Sequence[ImportRow]) -> ImportRow:
    """Return what goes out. Raises _Refused unless the rows have what a group has."""
    if out is None or not targets or out.group_kind not in ACTION_KINDS:
        raise _Refused(INCOMPLETE)
    for target in targets:
        if target.date != out.date or target.ticker == out.ticker:
            raise _Refused(INCOMPLETE)
    amount = out.settlement_amount or ZERO
    if out.group_kind == Kind.EXERCISE and amount >= 0:
        raise _Refused(NOT_PAID)
    return out


@dataclass(frozen=True, slots=True)
class _Maker:
    """Make the legs of the groups of one file, and put them into `result`."""

    portfolio: Portfolio
    instruments: Instruments
    rates: Rates
    values: GroupValues
    result: FoundGroups

    def add(self, out: ImportRow | None, targets: Sequence[ImportRow]) -> None:
        """Add a group with its legs. Raises _Refused."""
        out = _require_group(out, targets)
        group_id = uuid4()
        cash_rate = self._cash_rate(out)
        try:
            shares, cash_share = _shares(out, targets, self.values, cash_rate)
        except SharesDoNotAddUp as error:
            raise _Refused(COST_SHARES) from error
        legs = {key_of(out): _leg_of_out(group_id, out, shares, cash_share, cash_rate)}
        for target, share in zip(targets, shares.shares, strict=False):
            legs[key_of(target)] = self._leg_of(group_id, out, target, share)
        self.result.legs |= legs
        warnings: list[str] = []
        if shares.is_unknown:
            warnings.append(COST_SHARE_UNKNOWN)
            self._note_unknown(out, targets)
        self.result.groups[group_id] = TransactionGroup(
            id=group_id,
            portfolio_id=self.portfolio.pk,
            kind=out.group_kind,
            label=out.group_label,
            note=out.note,
            warnings=warnings,
        )

    def _cash_rate(self, out: ImportRow) -> Decimal | None:
        """Return the rate of the money into the portfolio's currency. Raises _Refused."""
        currency = self.portfolio.currency
        cash_in = out.settlement_currency or currency
        rate = self._given_or_known(out, cash_in, currency)
        if out.settlement_amount and rate is None:
            raise _Refused(_no_rate(cash_in, currency, out.date))
        return rate

    def _leg_of(
        self, group_id: UUID, out: ImportRow, target: ImportRow, share: Decimal
    ) -> ImportedLeg:
        """Return the leg of what comes. Raises _Refused."""
        base = _currency_of(out, self.instruments)
        own = _currency_of(target, self.instruments)
        rate = self._given_or_known(target, base, own)
        if rate is None:
            raise _Refused(_no_rate(base, own, out.date))
        paid_at: Decimal | None = None
        if (out.settlement_amount or ZERO) < 0:
            cash_in = out.settlement_currency or self.portfolio.currency
            paid_at = self._rate(cash_in, own, out.date)
            if paid_at is None:
                raise _Refused(_no_rate(cash_in, own, out.date))
        return ImportedLeg(
            group_id,
            Brought(),
            exchange_rate=rate,
            cost_share=round_for_storage(share),
            cash_rate=paid_at,
        )

    def _given_or_known(self, row: ImportRow, base: str, target: str) -> Decimal | None:
        """Return the rate that a row gives, else that of its day. Raises _Refused."""
        impossible = impossible_rate(row.exchange_rate, base, target, row.row)
        if impossible is not None:
            raise _Refused(impossible)
        return row.exchange_rate or self._rate(base, target, row.date)

    def _rate(self, base: str, target: str, day: date) -> Decimal | None:
        return ONE if base == target else self.rates.get((base, target, day))

    def _note_unknown(self, out: ImportRow, targets: Iterable[ImportRow]) -> None:
        """Note the targets whose cost share is unknown, and the instruments that lack a price."""
        for row in targets:
            if row.cost_share is None:
                self.result.unknown.append(row.row)
        for row in (out, *targets):
            stock = self.instruments.get(row.ticker)
            if isinstance(stock, StockMetadata):
                self.result.unpriced.append(stock)


def _leg_of_out(
    group_id: UUID,
    out: ImportRow,
    shares: Shares,
    cash_share: Decimal | None,
    cash_rate: Decimal | None,
) -> ImportedLeg:
    share, takes_all = ONE, not out.quantity
    if out.group_kind == Kind.SPIN_OFF:
        share, takes_all = sum(shares.shares, ZERO), False
    if not out.settlement_amount:
        cash_rate = None
    return ImportedLeg(
        group_id,
        Taken(share=share, takes_all=takes_all),
        exchange_rate=cash_rate,
        cost_share=cash_share,
        takes_all=takes_all,
    )


def _shares(
    out: ImportRow, targets: Sequence[ImportRow], values: GroupValues, cash_rate: Decimal | None
) -> tuple[Shares, Decimal | None]:
    """Return the share of each target and of the received cash, if there is any.

    What a file leaves open is shared by market value, where it is known. Raises SharesDoNotAddUp.
    """
    parts = [
        Part(target.cost_share, values.comes.get((target.row, target.ticker))) for target in targets
    ]
    received = out.settlement_amount or ZERO
    if received > 0:
        value = None if cash_rate is None else EXACT.multiply(received, cash_rate)
        parts.append(Part(out.cost_share, value))
    if out.group_kind == Kind.SPIN_OFF:
        found = shares_of_spin_off(parts, values.stays.get(out.row))
    else:
        found = shares_of_exchange(parts)
    cash_share: Decimal | None = None
    if received > 0:
        cash_share = round_for_storage(found.shares[-1])
    return found, cash_share


def _no_rate(base: str, target: str, day: date) -> RowProblem:
    params = {"base": base, "target": target, "date": str(day)}
    return RowProblem("exchange_rate_required", NO_RATE, params)


def new_groups(
    groups: Iterable[TransactionGroup], import_batch: ImportBatch
) -> list[TransactionGroup]:
    """Return the groups with the import that makes them; stores nothing."""
    made = list(groups)
    for group in made:
        group.import_batch = import_batch
    return made
