"""XTB: sales that stand in two rows, one with what the shares had cost and one with the profit.

In other files one row says all that a sale brought. Then a row with the profit only repeats what
follows from it.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal

from financeproj.core.money import EXACT, ZERO
from integrations.statements.amounts import half_unit, rounding_of_product
from integrations.statements.raw_rows import BadRow, RawRow, bad_row
from integrations.statements.values import single_spaced
from portfolios.calc.import_rows import gettext_noop as _

# How much two rates of one moment may differ beyond what rounding explains.
SAME_RATE = Decimal("0.0005")
_TRADED = re.compile(
    r"(?:OPEN |CLOSE )?(?:BUY|SELL) (\d{1,12}(?:\.\d{1,8})?)(?:/\d{1,12}(?:\.\d{1,8})?)?"
    r" @ (\d{1,12}(?:\.\d{1,8})?)",
    re.ASCII,
)
# (symbol, time)
Key = tuple[str, str]


class Profits:
    """The profit of each sale, by its line, and the lines of the rows that state profits."""

    def __init__(
        self, sales: Iterable[RawRow], closed: Iterable[RawRow], own: Iterable[RawRow]
    ) -> None:
        """`closed` are rows with profits, `own` the sales whose price is in the account's currency.

        If one of those has all that it brought in its own row, so have all.
        """
        self._of: dict[int, Decimal] = {}
        self._unclear: set[int] = set()
        by_key: dict[Key, tuple[list[RawRow], list[RawRow]]] = defaultdict(lambda: ([], []))
        for raw in sales:
            by_key[_key(raw)][0].append(raw)
        for raw in closed:
            if _key(raw) in by_key:
                by_key[_key(raw)][1].append(raw)
        self.lines = {raw.line for _sold, profits in by_key.values() for raw in profits}
        are_whole = False
        for raw in own:
            are_whole |= bool(by_key[_key(raw)][1]) and _is_whole(raw)
        if not are_whole:
            for sold, profits in by_key.values():
                self._pair(sold, profits)

    def of(self, raw: RawRow) -> Decimal:
        """Return the profit that a row next to this sale states, 0 without one. Raises BadRow."""
        if raw.line in self._unclear:
            message = _(
                "Several sales have this time, and the file does not say which profit is whose."
            )
            raise bad_row("time", raw["time"], "unpaired_action", message)
        return self._of.get(raw.line, ZERO)

    def _pair(self, sold: Sequence[RawRow], profits: Sequence[RawRow]) -> None:
        """Pair sales and profits of one moment in the order of the file, or the opposite one.

        Several have to give one rate.
        """
        if not profits:
            return
        if len(sold) == len(profits):
            for others in (profits, profits[::-1]):
                amounts = list(map(_amount, others))
                if len(sold) == 1 or _have_one_rate(sold, amounts):
                    for raw, amount in zip(sold, amounts, strict=True):
                        self._of[raw.line] = amount
                    return
        self._unclear |= {raw.line for raw in sold}


def traded(raw: RawRow) -> tuple[Decimal, Decimal] | None:
    """Return (shares, price) from the comment of a trade, None if it does not say them."""
    match = _TRADED.fullmatch(single_spaced(raw["comment"]).upper())
    if match is None:
        return None
    return Decimal(match[1]), Decimal(match[2])


def _key(raw: RawRow) -> Key:
    return raw["symbol"], raw["time"]


def _amount(raw: RawRow) -> Decimal:
    try:
        return raw.number_or_zero("amount")
    except BadRow:
        return ZERO  # It is a problem of its row.


def _is_whole(raw: RawRow) -> bool:
    """Return whether the amount of a sale is shares × price, as in files without profits apart."""
    said, amount = traded(raw), _amount(raw)
    if said is None:
        return False
    rounding = rounding_of_product(*said) + half_unit(amount)
    return abs(EXACT.multiply(*said) - amount) <= rounding


def _have_one_rate(sold: Sequence[RawRow], profits: Sequence[Decimal]) -> bool:
    """Return whether all sales were converted at one rate, if each brought its profit too.

    Each sale gives a range of rates, as its figures are rounded; all ranges must have one in
    common.
    """
    lowest: list[Decimal] = []
    highest: list[Decimal] = []
    for raw, profit in zip(sold, profits, strict=True):
        said, amount = traded(raw), _amount(raw)
        gross = EXACT.multiply(*said) if said else ZERO
        if not said or not gross:
            return False
        rate = EXACT.divide(amount + profit, gross)
        off = rounding_of_product(*said) * rate + half_unit(amount) + half_unit(profit)
        off = EXACT.divide(off, gross) + SAME_RATE * rate
        lowest.append(rate - off)
        highest.append(rate + off)
    return max(lowest) <= min(highest)
