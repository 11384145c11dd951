"""DEGIRO's account statement: the balance after each row, and whether the rows lead to it."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from itertools import groupby

from integrations.statements.base import Divergence
from integrations.statements.degiro_file import File
from integrations.statements.degiro_orders import CENT, change_or_zero
from integrations.statements.degiro_words import WITHIN_DEGIRO, Meaning
from integrations.statements.raw_rows import BadRow, RawRow
from integrations.statements.sheet import Sheet


def sort_within_minutes(sheet: Sheet) -> None:
    """Turn round the rows of a minute whose balances follow from each other the other way."""
    rows: list[RawRow] = []
    for _minute, group in groupby(sheet.rows, key=lambda raw: (raw["date"], raw["time"])):
        forwards = list(group)
        backwards = forwards[::-1]
        turn_round = _breaks(backwards) < _breaks(forwards)
        rows += backwards if turn_round else forwards
    sheet.rows[:] = rows


def _breaks(rows: list[RawRow]) -> int:
    """Count the balances that are not the one before plus the change."""
    latest: dict[str, Decimal] = {}
    count = 0
    for raw in rows:
        currency = raw["balance_currency"]
        try:
            change, balance = raw.number("change"), raw.number("balance")
        except BadRow:
            continue
        if balance is None:
            continue
        if change is not None and currency in latest and latest[currency] + change != balance:
            count += 1
        latest[currency] = balance
    return count


def reconcile(sheet: Sheet) -> None:
    """Compare the balance of each currency at the end of each day with the broker's.

    It must be the balance before plus the changes. The first difference becomes `divergence`.
    """
    statement = sheet.statement
    if statement.failed:
        return  # The comparison would find nothing but the rows that are missing.
    balances = list(_balances(sheet))
    statement.reconciles = bool(balances)
    last_lines: dict[tuple[str, str], int] = {}
    for raw, _stated in balances:
        last_lines[raw["date"], raw["balance_currency"]] = raw.line
    running: dict[str, Decimal] = {}
    for raw, stated in balances:
        currency = raw["balance_currency"]
        change = raw.number("change")
        if change is None or raw["currency"] != currency:
            # Money moved to or from the bank. Only the words give the amount.
            running[currency] = stated
            continue
        running[currency] = running.get(currency, stated - change) + change
        if last_lines[raw["date"], currency] != raw.line:
            continue
        if abs(stated - running[currency]) > CENT:
            statement.divergence = Divergence(
                raw.line,
                f"balance {stated} {currency}",
                f"balance {running[currency].quantize(CENT)} {currency}",
            )
            return
        running[currency] = stated


def _balances(sheet: Sheet) -> Iterator[tuple[RawRow, Decimal]]:
    for raw in sheet:
        if not raw["balance_currency"]:
            continue
        try:
            balance = raw.number("balance")
        except BadRow:
            continue  # It is the error of its own row.
        if balance is not None:
            yield raw, balance


def reserved_amounts(file: File) -> dict[int, Decimal]:
    """Return how much of the balance after each row is not a transaction, by line.

    A payment is reserved for some days before it is booked, what is swept to or from the cash
    account is still the customer's, and a dividend may be taken back days later.
    """
    reserved: dict[str, Decimal] = defaultdict(Decimal)
    balances: dict[str, Decimal] = {}
    found: dict[int, Decimal] = {}
    for raw, balance in _balances(file.sheet):
        currency = raw["balance_currency"]
        meaning = file.meanings[raw.line]
        if meaning is Meaning.INTERNAL and not raw["change"]:
            # Only the words give the amount, and the balance.
            reserved[currency] += balance - balances.get(currency, balance)
        elif meaning in WITHIN_DEGIRO or raw.line in file.reversed:
            reserved[currency] += change_or_zero(raw)
        balances[currency] = balance
        found[raw.line] = reserved[currency]
    return found
