"""Orders of DEGIRO's account statement: the fills of an order with its charges and exchanges."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from financeproj.core.money import EXACT, ZERO, strip_zeros
from integrations.statements.amounts import divide
from integrations.statements.raw_rows import BadRow, RawRow

# Currency → the sum of its changes, or what is wrong with one of them.
Exchanged = dict[str, Decimal | BadRow]
CENT = Decimal("0.01")


def _add_change(exchanged: Exchanged, raw: RawRow) -> None:
    """Add the change of `raw` to the sum of its currency."""
    before = exchanged.get(raw["currency"], ZERO)
    if isinstance(before, BadRow):
        return
    try:
        exchanged[raw["currency"]] = before + raw.number_or_zero("change")
    except BadRow as problem:
        exchanged[raw["currency"]] = problem


def _sum_of(exchanged: Exchanged, currency: str) -> Decimal:
    found = exchanged.get(currency, ZERO)
    if isinstance(found, BadRow):
        raise found
    return found


def change_or_zero(raw: RawRow) -> Decimal:
    try:
        return raw.number_or_zero("change")
    except BadRow:
        return ZERO  # It is the error of its own row.


@dataclass(slots=True)
class Order:
    """The rows with one order id.

    `charges` are fees and taxes. `first` is the first fill of each day, `charges_by_line` the
    charges of a fill by its line, and `exchanged` what was exchanged, by day and currency ("" is
    all days). `settled` is what a fill took, with charges in its own currency, in the currency that
    it was exchanged to, by line; `absorbed` are the lines of exchanges that are in it. `id_counts`
    counts the external ids given so far.
    """

    trades: list[RawRow] = field(default_factory=list)
    charges: list[RawRow] = field(default_factory=list)
    exchanges: list[RawRow] = field(default_factory=list)
    first: dict[str, RawRow] = field(default_factory=dict)
    charges_by_line: dict[int, list[RawRow]] = field(default_factory=lambda: defaultdict(list))
    exchanged: dict[str, Exchanged] = field(default_factory=lambda: defaultdict(dict))
    settled: dict[int, tuple[Decimal, str]] = field(default_factory=dict)
    absorbed: set[int] = field(default_factory=set)
    id_counts: Counter[str] = field(default_factory=Counter)

    def add_up(self) -> None:
        """Assign the charges to fills and add up the exchanges, once all rows are known.

        The charges of a day go to its first fill, those of a day without fills to the first of all.
        """
        for charge in self.charges:
            fill = self.first.get(charge["date"]) or self.trades[0]
            self.charges_by_line[fill.line].append(charge)
        for raw in self.exchanges:
            for day in {raw["date"], ""}:
                _add_change(self.exchanged[day], raw)
        fills, exchanges = _by_day(self.trades), _by_day(self.exchanges)
        settled = [self._settle(fills.get(day, []), rows) for day, rows in exchanges.items()]
        if not all(settled):
            self.settled.clear()
            self.absorbed.clear()
            self._settle(self.trades, self.exchanges)

    def _settle(self, fills: list[RawRow], exchanges: list[RawRow]) -> bool:
        """Share out what was exchanged among the fills, if it is exactly what they took.

        Returns whether it is. The last fill takes the rest.
        """
        traded_in = {fill["currency"] for fill in fills}
        exchanged_to = {raw["currency"] for raw in exchanges} - traded_in
        if len(traded_in) != 1 or len(exchanged_to) != 1:
            return False
        [traded], [other] = traded_in, exchanged_to
        taken = [self._taken(fill, traded) for fill in fills]
        total = sum(taken, ZERO)
        exchanged = _total(exchanges, traded)
        if not total or abs(total + exchanged) > CENT:
            return False
        paid = _total(exchanges, other)
        left = paid
        for fill, amount in zip(fills, taken, strict=True):
            part = left
            if fill is not fills[-1]:
                part = EXACT.divide(EXACT.multiply(paid, amount), total).quantize(CENT)
            left -= part
            self.settled[fill.line] = (part, other)
        self.absorbed |= {raw.line for raw in exchanges}
        return True

    def _taken(self, fill: RawRow, currency: str) -> Decimal:
        """Return what a fill moved in its own currency, with what was charged in it."""
        charged = _total(self.charges_of(fill), currency)
        return change_or_zero(fill) + min(charged, ZERO)

    def charges_of(self, fill: RawRow) -> list[RawRow]:
        return self.charges_by_line.get(fill.line, [])

    def exchanged_on(self, day: str) -> Exchanged:
        """Return what was exchanged on a day, or on all days if nothing was.

        A file of that day alone gives the same.
        """
        return self.exchanged.get(day) or self.exchanged.get("", {})

    def external_id(self, fill: RawRow, quantity: Decimal, price: Decimal) -> str:
        """Make an id of what the fill says.

        It does not depend on which other fills of the order are in the file.
        """
        time = f"{fill.day('date')}T{fill['time']}"
        traded = f"{strip_zeros(quantity):f}@{strip_zeros(price):f}"
        external_id = f"{fill['order']}:{time}:{traded}"
        self.id_counts[external_id] += 1
        count = self.id_counts[external_id]
        return external_id if count == 1 else f"{external_id}:{count}"


def _by_day(rows: Iterable[RawRow]) -> dict[str, list[RawRow]]:
    found: dict[str, list[RawRow]] = defaultdict(list)
    for raw in rows:
        found[raw["date"]].append(raw)
    return found


def _total(rows: Iterable[RawRow], currency: str) -> Decimal:
    return sum((change_or_zero(raw) for raw in rows if raw["currency"] == currency), ZERO)


def price_of_currency(exchanged: Exchanged, currency: str) -> tuple[Decimal | None, str]:
    """Return (price of one unit of `currency`, in which currency), as far as the rows show it."""
    if len(exchanged) != 2 or currency not in exchanged:
        return None, ""
    [account_currency] = exchanged.keys() - {currency}
    bought = _sum_of(exchanged, currency)
    paid = _sum_of(exchanged, account_currency)
    if not bought or not paid:
        return None, ""
    return divide(abs(paid), abs(bought)), account_currency


def charges_by_currency(charges: Iterable[RawRow]) -> dict[str, Decimal]:
    """Return what was charged in each currency, above 0 for what was paid."""
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for raw in charges:
        totals[raw["currency"]] -= raw.number_or_zero("change")
    return dict(totals)
