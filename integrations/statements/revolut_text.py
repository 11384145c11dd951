"""Revolut: money as its statements write it, with its currency.

$1.00, -$1.00, ($1.00), EUR 1.00 or 1.00 SEK.
"""

import re
from collections import defaultdict

from integrations.statements.base import Table
from integrations.statements.raw_rows import RawRow, bad_row
from integrations.statements.values import plain_text, single_spaced
from portfolios.calc.import_rows import gettext_noop as _

SYMBOLS = {"$": "USD", "€": "EUR", "£": "GBP"}
# -$1,234.56, EUR 1 234.56, USD -0.04 or 1,234.56 EUR, with single spaces.
_MONEY = re.compile(
    r"\A(-?) ?(?:([$€£]) ?|([A-Z]{3}) )?(-?[\d.,]++(?: [\d.,]++)*+)(?: ([A-Z]{3}))?\Z"
)
_BRACKETED = re.compile(r"\A\(([^()]++)\)\Z")


def split_money(table: Table, *columns: str) -> dict[int, dict[str, str]]:
    """Leave bare numbers in `columns`. Returns the currencies written there, by line and column."""
    currencies: dict[int, dict[str, str]] = defaultdict(dict)
    positions = {name.strip(): position for position, name in enumerate(table.header)}
    for line, record in zip(table.lines, table.records, strict=True):
        for column in columns:
            position = positions[column]
            text = single_spaced(plain_text(record[position]))
            if bracketed := _BRACKETED.match(text):
                text = f"-{bracketed[1]}"
            if match := _MONEY.match(text):
                sign, symbol, code_before, number, code_after = match.groups(default="")
                record[position] = sign + number
                currencies[line][column] = SYMBOLS.get(symbol) or code_before or code_after
    return currencies


def require_currency(raw: RawRow, currencies: dict[str, str], currency: str) -> None:
    """Raise BadRow if an amount of the row is written in another currency."""
    for column, written in currencies.items():
        if written and written != currency:
            raise bad_row(
                column,
                raw[column],
                "mixed_currencies",
                _("The row is in %(currency)s, but this amount is in %(other)s."),
                currency=currency,
                other=written,
            )
