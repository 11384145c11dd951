"""Nordnet: rows whose amount alone counts: money, taxes, interest and exchanges of currencies."""

import re

from financeproj.core.money import ONE
from integrations.statements.amounts import divide
from integrations.statements.nordnet_file import (
    File,
    booking_day,
    currency_and_rate,
    identity_of,
    known_currency,
    settlement_of,
)
from integrations.statements.nordnet_words import Meaning
from integrations.statements.raw_rows import RawRow, bad_row, unpaired_reversal
from integrations.statements.sheet import Sheet, id_of_part
from portfolios.calc.import_rows import gettext_noop as _

# The other leg of an exchange of currencies, which the file tells in one row.
CONVERSION_SUFFIX = ":into"
OF_MONEY = {
    Meaning.PAYMENT: "deposit",
    Meaning.INTEREST: "interest",
    Meaning.FEE: "fee",
    Meaning.COMPENSATION: "adjustment",
}
_PAIR = re.compile(r"([A-Z]{3})/([A-Z]{3})")


def add_money(sheet: Sheet, raw: RawRow, meaning: Meaning, file: File) -> None:
    """Add what moved money alone: also a fund's fee that was paid back, with the fund in the note.

    Compensation for an instrument is interest of it.
    """
    if meaning is Meaning.COMPENSATION and raw["isin"]:
        add_lump(sheet, raw, file, "interest")
        return
    _add_booked(sheet, raw, OF_MONEY[meaning])


def _add_booked(sheet: Sheet, raw: RawRow, kind: str) -> None:
    """Add a row of money alone, on the day on which it was booked."""
    sheet.add_money(
        raw,
        kind,
        raw.number_or_zero("amount"),
        raw["account_currency"],
        date=raw.day("booked"),
        note=_note_of(raw),
        external_id=raw["id"] or None,
    )


def _note_of(raw: RawRow) -> str:
    return " ".join(filter(None, [raw["name"], raw["text"]]))


def add_exchange(sheet: Sheet, raw: RawRow, meaning: Meaning, file: File) -> None:
    """Add an exchange of currencies: one leg where the other is a row of its own, else both. Then
    the file names the pair, such as USD/NOK.
    """
    if raw.line in file.conversions:
        _add_one_leg(sheet, raw, file.conversions[raw.line])
        return
    pair = _PAIR.fullmatch(raw["name"].upper())
    if pair is None or raw["account_currency"] not in pair.groups():
        raise bad_row(
            "name",
            raw["name"],
            "unpaired_conversion",
            _(
                "This exchange of currencies does not name its two currencies. Enter it by hand "
                "and skip this row."
            ),
        )
    first, second = pair.groups()
    other = second if first == raw["account_currency"] else first
    quantity = abs(raw.required_number("quantity"))
    arrives = quantity if meaning is Meaning.BUY_CURRENCY else -quantity
    row_id = raw["id"]
    legs = {
        "date": raw.day("traded"),
        "booked_on": booking_day(sheet, raw),
        "note": " ".join(filter(None, [raw["name"], raw["text"]])),
        "group": row_id or f"line {raw.line}",
        "group_kind": "conversion",
    }
    amount, currency = raw.required_number("amount"), raw["account_currency"]
    if sheet.add_money(raw, "conversion", amount, currency, external_id=row_id or None, **legs):
        other_id = id_of_part(row_id, CONVERSION_SUFFIX)
        sheet.add_money(raw, "conversion", arrives, other, external_id=other_id, **legs)


def _add_one_leg(sheet: Sheet, raw: RawRow, name: str) -> None:
    sheet.add_money(
        raw,
        "conversion",
        raw.required_number("amount"),
        raw["account_currency"],
        date=raw.day("traded"),
        booked_on=booking_day(sheet, raw),
        note=_note_of(raw),
        external_id=raw["id"] or None,
        group=name,
        group_kind="conversion",
    )


def add_tax(sheet: Sheet, raw: RawRow, file: File) -> None:
    amount = raw.required_number("amount")
    if amount <= 0 and raw["isin"]:
        add_lump(sheet, raw, file, "tax")
        return
    # Tax on the account, or tax that is paid back: a row of a holding cannot be less than 0.
    _add_booked(sheet, raw, "tax")


def add_lump(sheet: Sheet, raw: RawRow, file: File, kind: str) -> None:
    """Add a payment for an instrument that the file gives in the account's currency alone."""
    currency, rate = currency_and_rate(raw, file)
    if known_currency(raw, file) is None and rate == ONE:
        currency, rate = None, None  # The instrument's; it need not be the account's.
    rate = rate or file.rates.get((raw["isin"], raw["booked"]))
    amount = raw.required_number("amount")
    if kind == "interest" and amount < 0:
        raise unpaired_reversal("amount", amount)
    price = abs(amount)
    if rate is not None and rate != ONE:
        price = divide(price, rate)
    day = raw.day("booked")
    sheet.add(
        raw,
        type=kind,
        date=day,
        quantity=ONE,
        price=price,
        price_in=None if rate else raw["account_currency"],
        exchange_rate=rate,
        **settlement_of(sheet, raw, day),
        **identity_of(raw, currency),
    )
