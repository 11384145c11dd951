"""Revolut: the statement of a savings account. Money goes in and out, and interest is paid daily.

Its amounts have their currency with them. The interest is what was left after tax.
"""

import re
from collections.abc import Mapping

from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.raw_rows import RawRow, bad_row
from integrations.statements.revolut_coins import crypto_day
from integrations.statements.revolut_text import split_money
from integrations.statements.sheet import Sheet
from integrations.statements.values import folded
from portfolios.calc.import_rows import gettext_noop as _

NAME = "revolut-pocket"
COLUMNS = ("Date", "Description", "AER", "Money in", "Money out", "Balance")
# Our columns by their names in small letters. Some files have no column for money that goes out.
_NAMES = {
    "date": ("date", "transaction/value date", "transaction date", "value date"),
    "description": ("description",),
    "in": ("money in",),
    "out": ("money out",),
    "balance": ("balance",),
    "rate": ("gross interest", "aer", "nir"),
}
_NEEDED = {"date", "description", "in", "rate"}
AMOUNTS = ("in", "out", "balance")
_QUOTED = re.compile(r"'[^']*'")  # the name that the customer gave the account
WORDS = (
    (re.compile(r"\binterest\b"), "interest"),
    (re.compile(r"\b(?:deposit|withdrawal|top-up|transfer|from|to)\b"), "deposit"),
    (re.compile(r"\btax\b"), "tax"),
    (re.compile(r"\bfee\b"), "fee"),
)


def _positions(table: Table) -> dict[str, int]:
    found: dict[str, int] = {}
    for place, name in enumerate(map(folded, table.header)):
        for ours, names in _NAMES.items():
            if name in names:
                found.setdefault(ours, place)
    return found


def recognises(table: Table) -> bool:
    return _positions(table).keys() >= _NEEDED


def read(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    table.require_rectangle()
    columns = _positions(table)
    amounts = [name for name in AMOUNTS if name in columns]
    currencies = split_money(table, *(table.header[columns[name]].strip() for name in amounts))
    codes = {line: _currency(written) for line, written in currencies.items()}
    sheet = Sheet(NAME, table, options, read_day=crypto_day, columns=columns, numbers=amounts)
    sheet.sort_oldest_first("date")
    for raw in sheet:
        with sheet.collect_problem(raw):
            _read_row(sheet, raw, codes.get(raw.line, ""))
    return sheet.statement


def _currency(written: Mapping[str, str]) -> str:
    """Return the currency of a row, nothing if its amounts are in several."""
    codes = set(written.values()) - {""}
    return min(codes) if len(codes) == 1 else ""


def _read_row(sheet: Sheet, raw: RawRow, currency: str) -> None:
    amount = raw.number_or_zero("in") - abs(raw.number_or_zero("out"))
    words = _QUOTED.sub("", folded(raw["description"]))
    kind = next((kind for word, kind in WORDS if word.search(words)), "")
    if not kind:
        raise sheet.unknown_type("description", raw["description"])
    if amount and not currency:
        message = _("This field is required.")
        raise bad_row("in", raw["in"], "currency_required", message)
    sheet.add_money(
        raw, kind, amount, currency, date=raw.day("date"), note=raw["description"][:500]
    )


EXAMPLE = "\"Mar 1, 2024\",Deposit to 'Rainy days',2.25%,€200.00,,€200.00"
FORMATS = (
    Format(
        name=NAME,
        label="Revolut, savings account",
        columns=COLUMNS,
        example=f"{','.join(COLUMNS)}\r\n{EXAMPLE}\r\n",
        recognises=recognises,
        read=read,
    ),
)
