"""What a broker's file says by itself: balances, numbers of shares, and amounts to check.

The rows come in the order in which the broker booked them, without those that were cancelled.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from typing import NamedTuple

from financeproj.core.money import EXACT, ZERO
from integrations.statements.amounts import decimals_of
from integrations.statements.base import StatementRow
from integrations.statements.raw_rows import BadRow, RawRow
from integrations.statements.sheet import Sheet
from integrations.statements.values import checked_day
from portfolios.calc.import_rows import Checkpoint
from portfolios.calc.kinds import RULES

CENT = Decimal("0.01")


class _Figure(NamedTuple):
    """What one row says stood after it; `thing` is a currency or what the broker calls a share."""

    thing: str
    day: date
    amount: Decimal
    row: int


def leave_balances(
    sheet: Sheet,
    rows: Iterable[RawRow],
    *,
    booked: str,
    balance: str,
    currency: str,
    reserved: Mapping[int, Decimal] | None = None,
) -> None:
    """Leave a day's last balance of each currency as checkpoints.

    `booked` and `balance` are columns; `currency` is one, or the code itself. `reserved` is how
    much of the balance after a row, by line, is not a transaction. Without a currency some of whose
    rows are not read: what they moved is missing in the ledger.
    """
    figures: list[_Figure] = []
    incomplete = _currencies_not_read(sheet)
    for raw in rows:
        code = sheet.currency_of(raw, currency)
        if code in incomplete or not sheet.options.is_currency(code):
            continue
        for figure in _figures(sheet, raw, code, booked, balance):
            amount = figure.amount - (reserved or {}).get(raw.line, ZERO)
            figures.append(figure._replace(amount=amount))
    sheet.statement.checkpoints += _last_of_each_day(figures, sheet, booked, is_money=True)


def moved_by_balance(
    sheet: Sheet,
    *,
    balance: str,
    currency: str,
    amounts: Sequence[str],
    left_out: Callable[[RawRow], bool] = lambda raw: False,
) -> Callable[[RawRow], Decimal | None]:
    """Return a function that says what a row moved, if the balances before and after it agree.

    `currency` is a column, or the code itself. Of the columns `amounts`, the first that is filled
    counts. Rows that are `left_out` moved nothing. Before the first row of a currency stood 0, or
    it is not known what stood.
    """

    @cache
    def balances_before() -> dict[int, Decimal]:
        before: dict[int, Decimal] = {}
        latest: dict[str, Decimal] = {}
        for raw in sheet:
            if left_out(raw):
                continue
            code = sheet.currency_of(raw, currency)
            before[raw.line] = latest.get(code, ZERO)
            after = _number(raw, balance)
            if after is not None:
                latest[code] = after
        return before

    def moved(raw: RawRow) -> Decimal | None:
        filled = [name for name in amounts if raw[name]]
        amount = _number(raw, filled[0]) if filled else None
        after = _number(raw, balance)
        before = balances_before().get(raw.line)
        if amount is None or after is None or before is None:
            return None
        return amount if EXACT.add(before, amount) == after else None

    return moved


def _number(raw: RawRow, column: str) -> Decimal | None:
    try:
        return raw.number(column)
    except BadRow:
        return None


def leave_shares(
    sheet: Sheet,
    rows: Iterable[RawRow],
    made: Mapping[int, Sequence[StatementRow]],
    *,
    booked: str,
    total: str,
) -> None:
    """Leave a day's last number of shares of each instrument as checkpoints.

    `made` are the transactions by line. Only rows that move shares count: others often have 0 in
    the column `total`, whatever is held.
    """
    figures: list[_Figure] = []
    for raw in rows:
        for row in made.get(raw.line, ()):
            rules = RULES[row.type]
            if rules.moves_shares or rules.is_ratio:
                instrument = row.isin or row.symbol or row.ticker
                said = _figures(sheet, raw, instrument, booked, total)
                figures += [figure._replace(row=row.row) for figure in said]
    sheet.statement.checkpoints += _last_of_each_day(figures, sheet, booked, is_money=False)


def _currencies_not_read(sheet: Sheet) -> set[str]:
    ignored = sheet.statement.ignored_sums
    return {currency for (_, currency), (_, amount) in ignored.items() if amount}


def _figures(sheet: Sheet, raw: RawRow, thing: str, booked: str, column: str) -> list[_Figure]:
    """Return what a row says, nothing if it cannot be read: its problem is reported elsewhere."""
    day, amount = _day(sheet, raw, booked), _number(raw, column)
    if day is None or amount is None or sheet.options.number_problem(amount):
        return []
    return [_Figure(thing, day, amount, raw.line)]


def _day(sheet: Sheet, raw: RawRow, column: str) -> date | None:
    read = sheet.read_day(raw[column])
    found = None if read is None else checked_day(read, sheet.options)
    return found if isinstance(found, date) else None


def _last_of_each_day(
    figures: Sequence[_Figure], sheet: Sheet, booked: str, *, is_money: bool
) -> list[Checkpoint]:
    rows_of_day = Counter(_day(sheet, raw, booked) for raw in sheet)
    decimals = max((decimals_of(figure.amount) for figure in figures), default=0)
    last: dict[tuple[str, date], Checkpoint] = {}
    for figure in figures:
        last[figure.thing, figure.day] = Checkpoint(
            day=figure.day,
            amount=figure.amount,
            decimals=decimals,
            row=figure.row,
            rows_of_day=rows_of_day[figure.day],
            currency=figure.thing if is_money else "",
        )
    return list(last.values())


def rounding_of(row: StatementRow, rate: Decimal, *, most: int = 2) -> Decimal:
    """Return how much quantity × price × rate may be off, as the file rounds all three.

    A price is taken to have at least `most` decimals.
    """
    price = row.price or ZERO
    of_price = EXACT.multiply(row.quantity, _half_unit(price, most)) * rate
    of_quantity = ZERO
    if decimals_of(row.quantity):
        of_quantity = EXACT.multiply(price, _half_unit(row.quantity, 0)) * rate
    of_rate = ZERO
    if rate != 1:
        of_rate = EXACT.multiply(row.quantity * price, _half_unit(rate, 0))
    return CENT + of_price + of_quantity + of_rate


def _half_unit(number: Decimal, least: int) -> Decimal:
    return Decimal(5).scaleb(-max(decimals_of(number), least) - 1)
