"""Charles Schwab: what several kinds of rows say in the same way."""

import re
from datetime import date
from typing import Any

from integrations.statements.raw_rows import RawRow
from integrations.statements.schwab_words import (
    CHARGES,
    INCOME,
    MOVES,
    OF_MONEY,
    payment_by_parts,
)
from integrations.statements.sheet import Sheet
from integrations.statements.values import day_of, single_spaced

# At the beginning of an amount, after its sign: $1,259.59 and -$10.00.
DOLLAR = re.compile(r"^(-?)\$")
_DAY = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?: as of (\d{1,2})/(\d{1,2})/(\d{4}))?", re.ASCII)
# Rows that came from TD Ameritrade name the instrument in their text alone, or by its CUSIP.
FROM_AMERITRADE = re.compile(r"TDA TRAN - (.{0,200}?)\(([A-Z][A-Z0-9./]{0,9})\)")
CUSIP = re.compile(r"[0-9A-Z]{9}")


def action_of(raw: RawRow) -> str:
    """Return the broker's word for what a row is, in small letters."""
    return single_spaced(raw["Action"].casefold())


def us_day(text: str) -> date | None:
    """Return the day since which a row is in effect, None if the text has another form.

    `07/15/2024 as of 07/12/2024` was booked on the first day, and is in effect since the second.
    """
    match = _DAY.fullmatch(text)
    if match is None:
        return None
    month, day, year = match.group(4, 5, 6) if match[4] else match.group(1, 2, 3)
    return day_of(int(year), int(month), int(day))


def booked_on(raw: RawRow) -> date | None:
    """Return the day on which a row with two days was booked."""
    booked, _as_of, effective = raw["Date"].partition(" as of ")
    return us_day(booked) if effective else None


def identity_of(raw: RawRow) -> dict[str, Any]:
    """Return the fields that all transactions of an instrument have."""
    is_plain_trade = raw["Action"].casefold() in ("buy", "sell")
    amount = raw.number("Amount")
    return {
        "date": raw.day("Date"),
        "booked_on": booked_on(raw),
        "symbol": raw["Symbol"] or None,
        "company_name": raw["Description"],
        "currency": "USD",
        "note": "" if is_plain_trade else raw["Action"],
        "settlement_currency": "USD" if amount else None,
        "settlement_amount": amount or None,
    }


def add_money(sheet: Sheet, raw: RawRow, kind: str) -> None:
    """Add a row of money alone, by the sign of its amount."""
    notes = (raw["Action"], raw["Symbol"], raw["Description"])
    sheet.add_money(
        raw,
        kind,
        raw.required_number("Amount"),
        "USD",
        date=raw.day("Date"),
        booked_on=booked_on(raw),
        note=" ".join(filter(None, notes)),
    )


def payment_of(raw: RawRow) -> str:
    """Return what an instrument paid or cost, as a type of transaction; empty for other rows."""
    action = action_of(raw)
    known = INCOME.get(action) or CHARGES.get(action, "")
    if known or raw["Quantity"] or not raw["Amount"] or action in OF_MONEY.keys() - MOVES:
        return known
    return payment_by_parts(_wording_of(raw))


def _wording_of(raw: RawRow) -> str:
    """Return the word of a row that moves only money, or its text where that says what it is."""
    match = FROM_AMERITRADE.match(raw["Description"])
    action = action_of(raw)
    return match[1].casefold() if match and action in MOVES else action
