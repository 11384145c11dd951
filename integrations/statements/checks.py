"""What can be checked of a row without the database. The same for every format."""

import re
from decimal import Decimal
from functools import lru_cache
from typing import Any

from financeproj.core.identifiers import (
    MAX_TICKER_LENGTH,
    TICKER_CHARACTERS,
    has_ticker_characters,
)
from integrations.statements.base import Fault, StatementRow
from portfolios.calc.kinds import RULES

# A symbol is remembered in lower case, which makes up to three letters of one.
MAX_LENGTHS = (
    ("company_name", 200),
    ("note", 500),
    ("external_id", 200),
    ("isin", 12),
    ("symbol", 60),
)
# What a spreadsheet makes of a long number: many ids become one, and rows would pass for known
# ones.
_ROUNDED = re.compile(r"\d[.,]\d+E\+\d{2,}", re.ASCII)

REQUIRED = Fault("required", "This field is required.")
NEGATIVE = Fault("too_small", "Enter a number of 0 or more.")
_FIELDS = ("date", "type", "ticker", "quantity", "price", "commission", "exchange_rate", "currency")


def faults_of(row: StatementRow) -> list[tuple[str, Fault]]:
    """(column, what is wrong) for every fault of a row, none if it is fine.

    A field may hold a Fault in place of its value: what could not even be read is listed with the
    rest.
    """
    faults: list[tuple[str, Fault]] = []
    values: dict[str, Any] = {}
    for name in _FIELDS:
        value = getattr(row, name)
        if value.__class__ is Fault:
            faults.append((name, value))
        else:
            values[name] = value
    kind = values.get("type")
    needed = (
        ("date", "type", "quantity")
        if row.isin or row.symbol
        else ("date", "type", "ticker", "quantity")
    )
    faults += [(name, REQUIRED) for name in needed if values.get(name, 0) in (None, "")]
    rules = RULES.get(kind) if kind else None
    if kind and rules is None:
        faults.append(
            ("type", Fault("unknown_type", f"A type is one of {', '.join(sorted(RULES))}."))
        )
    if values.get("ticker") and (fault := ticker_fault(values["ticker"])):
        faults.append(("ticker", fault))
    if "price" in values and values["price"] is None and (rules is None or rules.is_priced):
        faults.append(("price", REQUIRED))
    faults += [
        (name, fault)
        for name in ("quantity", "exchange_rate")
        if (fault := _not_above_zero(values.get(name)))
    ]
    faults += [(name, NEGATIVE) for name in ("price", "commission") if (values.get(name) or 0) < 0]
    if rules is not None and rules.is_ratio and values.get("quantity") == 1:
        faults.append(
            ("quantity", Fault("invalid", "A split makes more or fewer shares of one, not 1."))
        )
    for name, length in MAX_LENGTHS:
        if (text := getattr(row, name)) and (fault := _text_fault(text, length)):
            faults.append((name, fault))
    if row.external_id and _ROUNDED.fullmatch(row.external_id):
        detail = "A spreadsheet rounded this number. Import the file as it was downloaded."
        faults.append(("external_id", Fault("invalid", detail)))
    return faults


def _not_above_zero(value: Decimal | None) -> Fault | None:
    if value is None or value > 0:
        return None
    return Fault("too_small" if value else "not_above", "Enter a number above 0.")


def _text_fault(text: str, length: int) -> Fault | None:
    if len(text) > length:
        return Fault("max_length", f"At most {length} characters are kept.")
    if "\x00" in text:
        return Fault("null_characters_not_allowed", "Null characters are not allowed.")
    return None


@lru_cache(maxsize=10_000)
def ticker_fault(ticker: str) -> Fault | None:
    if len(ticker) > MAX_TICKER_LENGTH:
        return Fault("max_length", f"At most {MAX_TICKER_LENGTH} characters are kept.")
    if not has_ticker_characters(ticker):
        return Fault("invalid", f"A ticker is made of {TICKER_CHARACTERS}")
    return None
