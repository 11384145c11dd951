"""Orders of DEGIRO's account statement: the fills of an order with its fees and exchanges."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal

from financeproj.core.money import ZERO, strip_zeros
from integrations.statements.amounts import divide
from integrations.statements.sheet import BadRow, RawRow, bad_row
from portfolios.calc.import_rows import gettext_noop as _

# Currency → the sum of its changes, or what is wrong with one of them.
Exchanged = dict[str, Decimal | BadRow]


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


@dataclass(slots=True)
class Order:
    """The rows with one order id.

    `first` is the first fill of each day, `fees_by_line` the fees of a fill by its line, and
    `exchanged` what was exchanged, by day and currency ("" is all days). `id_counts` counts the
    external ids given so far.
    """

    trades: list[RawRow] = field(default_factory=list)
    fees: list[RawRow] = field(default_factory=list)
    exchanges: list[RawRow] = field(default_factory=list)
    first: dict[str, RawRow] = field(default_factory=dict)
    fees_by_line: dict[int, list[RawRow]] = field(default_factory=lambda: defaultdict(list))
    exchanged: dict[str, Exchanged] = field(default_factory=lambda: defaultdict(dict))
    id_counts: Counter[str] = field(default_factory=Counter)

    def add_up(self) -> None:
        """Assign the fees to fills and add up the exchanges, once all rows are known.

        The fees of a day go to its first fill, those of a day without fills to the first of all.
        """
        for fee in self.fees:
            fill = self.first.get(fee["date"]) or self.trades[0]
            self.fees_by_line[fill.line].append(fee)
        for raw in self.exchanges:
            for day in {raw["date"], ""}:
                _add_change(self.exchanged[day], raw)

    def fees_of(self, fill: RawRow) -> list[RawRow]:
        return self.fees_by_line.get(fill.line, [])

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


def total_fees(fees: list[RawRow]) -> tuple[Decimal, str]:
    currencies = {raw["currency"] for raw in fees}
    if not currencies:
        return ZERO, ""
    if len(currencies) > 1:
        raise bad_row(
            "currency",
            None,
            "mixed_currencies",
            _(
                "The fees of the order are in several currencies. Enter the trade by hand and skip "
                "this row."
            ),
        )
    total = ZERO
    for raw in fees:
        total -= raw.number_or_zero("change")
    return total, currencies.pop()
