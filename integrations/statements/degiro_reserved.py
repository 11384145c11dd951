"""DEGIRO's account statement: payments that are reserved for some days before they are booked.

A reservation is taken back when the payment is booked. One that stays is the payment itself.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from integrations.statements.degiro_orders import change_or_zero
from integrations.statements.degiro_words import PAID_OUT, Meaning
from integrations.statements.raw_rows import RawRow
from integrations.statements.sheet import Sheet

# For so many days at the end of a file a reservation may still be taken back in the next file.
MOST_DAYS = 14


def kept_reservations(sheet: Sheet, meanings: Mapping[int, Meaning | None]) -> set[int]:
    """Return the lines of reservations that are neither taken back nor followed by the payment.

    Those of the last days of the file are not among them: the next file may take them back.
    `meanings` are by line.
    """
    waiting: dict[tuple[str, Decimal], list[RawRow]] = defaultdict(list)
    latest = date.min
    for raw in sheet:
        latest = max(latest, sheet.read_day(raw["date"]) or date.min)
        amount, currency = change_or_zero(raw), raw["currency"]
        meaning = meanings[raw.line]
        if meaning is Meaning.TRANSFER and waiting[currency, amount]:
            waiting[currency, amount].pop(0)
        elif meaning is Meaning.RESERVATION and waiting[currency, -amount]:
            waiting[currency, -amount].pop(0)
        elif meaning is Meaning.RESERVATION and amount and (amount < 0) == _is_paid_out(raw):
            waiting[currency, amount].append(raw)
    kept: set[int] = set()
    for rows in waiting.values():
        for raw in rows:
            day = sheet.read_day(raw["date"])
            if day is not None and (latest - day).days > MOST_DAYS:
                kept.add(raw.line)
    return kept


def _is_paid_out(raw: RawRow) -> bool:
    return PAID_OUT.search(raw["description"].casefold()) is not None
