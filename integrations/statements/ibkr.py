"""Interactive Brokers: what the Flex queries and the activity statement have in common."""

import re
from collections import defaultdict
from decimal import Decimal

from financeproj.core.money import ONE
from integrations.statements.sheet import BadRow, RawRow, Sheet, unpaired_reversal
from integrations.statements.values import single_spaced

# AAPL(US0378331005) or BRK B (US0846707026) at the beginning of a description.
_INSTRUMENT = re.compile(r"\A([A-Z0-9.]++(?: [A-Z0-9.]++)*+) ?\(([A-Z]{2}[A-Z0-9]{9}\d)\)")
_TAX_ON_INTEREST = re.compile(r"\Awithholding @ .* on credit int\b", re.IGNORECASE)
_REVERSAL = re.compile(r" ?-? ?reversal ?", re.IGNORECASE)
TAX, TAX_ON_INTEREST = "withholding tax", "withholding tax on interest"


def named_instrument(raw: RawRow) -> tuple[str, str] | None:
    """Return (symbol, ISIN) if the description begins with both."""
    match = _INSTRUMENT.match(single_spaced(raw["Description"]))
    return (match[1], match[2]) if match else None


def is_tax_on_interest(raw: RawRow) -> bool:
    return _TAX_ON_INTEREST.match(raw["Description"]) is not None


def reversed_lines(sheet: Sheet, kind_column: str) -> set[int]:
    """Find payments that another row of the same kind and words reverses.

    Returns both lines of each.
    """
    waiting: dict[tuple[str, str, Decimal], list[int]] = defaultdict(list)
    found: set[int] = set()
    for raw in sheet:
        try:
            value = raw.number_or_zero("Amount")
        except BadRow:
            continue
        kind = raw[kind_column]
        words = _REVERSAL.sub(" ", single_spaced(raw["Description"])).strip()
        opposite = waiting[kind, words, -value]
        if opposite:
            found |= {opposite.pop(), raw.line}
        else:
            waiting[kind, words, value].append(raw.line)
    return found


def add_payment(
    sheet: Sheet,
    raw: RawRow,
    kind: str,
    *,
    currency: str,
    day_column: str,
    isin: str = "",
    external_id: str = "",
) -> None:
    """Add a dividend or the tax on one. Amounts are totals, taxes negative."""
    is_tax = kind == TAX
    description = raw["Description"]
    amount = raw.required_number("Amount")
    price = -amount if is_tax else amount
    if price < 0:
        raise unpaired_reversal("Amount", amount)
    named = named_instrument(raw)
    if named:
        symbol = named[0]
        isin = isin or named[1]
    else:
        symbol = description.split("(")[0].strip()
    sheet.add(
        raw,
        type="tax" if is_tax else "dividend",
        date=raw.day(day_column),
        quantity=ONE,
        price=price,
        currency=currency,
        isin=isin or None,
        symbol=symbol or None,
        note=description,
        external_id=external_id or None,
    )
