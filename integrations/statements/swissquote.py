"""Swissquote: the transactions export in English, German, French and Italian.

Semicolons or tabs, decimal point, 1'000.00, newest row first. It has one balance for each currency.
The number of the order does not identify a row: the fills of one order share it, and dividends have
none. The layout of 2023 adds what a row moved in the currency of the account.
"""

import re
from collections.abc import Hashable, Iterable
from decimal import Decimal
from functools import partial
from typing import Any

from financeproj.core.identifiers import in_major_unit
from financeproj.core.money import ONE
from integrations.statements.amounts import require_amount
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.days import dotted_day
from integrations.statements.figures import leave_balances, moved_by_balance
from integrations.statements.raw_rows import BadRow, RawRow, bad_row, unpaired_reversal
from integrations.statements.reversals import taken_back
from integrations.statements.sheet import Sheet
from integrations.statements.swissquote_actions import Actions, add_action, find_actions
from integrations.statements.swissquote_trades import (
    add_trade,
    identity_of,
    in_main_unit,
    price_of,
    settled_of,
    traded_in,
)
from integrations.statements.swissquote_words import (
    ACTIONS,
    FEES,
    INCOME,
    OPTION,
    OPTIONS,
    TAXES,
    TRADES,
    money_of,
    without_reversal,
)
from integrations.statements.values import folded, plain_text
from portfolios.calc.import_rows import gettext_noop as _

COLUMNS = (
    "Date", "Order #", "Transaction", "Symbol", "Name", "ISIN", "Quantity", "Unit price", "Costs",
    "Accrued Interest", "Net Amount", "Balance", "Currency",
)  # fmt: skip
_CURRENCY = r"(?:currency|wahrung|devise|monnaie|valuta|moneta|divisa)"
_NET = r"(?:net amount|nettobetrag|montant net|importo netto)"
# Our column → the names that the languages give it, as `folded` leaves them.
_NAMES = {
    "date": re.compile(r"date|datum|data"),
    "order": re.compile(r"(?:order|auftrag|ordre|ordine) ?#"),
    "transaction": re.compile(r"transaction|transaktion|transazion|operazion"),
    "symbol": re.compile(r"symbole?$|simbolo"),
    "name": re.compile(r"(?:name|nom|nome|titolo)$"),
    "isin": re.compile(r"isin$"),
    "quantity": re.compile(r"quantity|anzahl|quantit[ea]"),
    "price": re.compile(
        r"unit price|stuckpreis|prix (?:unitaire|par unite)|prezzo (?:unitario|per)"
    ),
    "costs": re.compile(r"costs|kosten|couts|frais|costi|spese"),
    "accrued": re.compile(r"(?:accrued interest|aufgelaufene|marchzins|interets|interessi)"),
    "account_net": re.compile(rf"\A{_NET} (?:in|dans|nell).*{_CURRENCY}"),
    "net_currency": re.compile(rf"\A(?:{_CURRENCY}.*{_NET}|{_NET}.*{_CURRENCY})"),
    "net": re.compile(rf"{_NET}$"),
    "balance": re.compile(r"(?:balance|saldo|solde)$"),
    "currency": re.compile(rf"{_CURRENCY}$"),
}
_REQUIRED = {"date", "order", "transaction", "isin", "quantity", "price", "costs", "net"}
NUMBERS = ("quantity", "price", "costs", "accrued", "net", "account_net", "balance")

# Where a row has what it needs when a person says what its word means.
FOR_WORDS = {
    "date": "date",
    "amount": "net",
    "currency": "currency",
    "quantity": "quantity",
    "isin": "isin",
    "symbol": "symbol",
    "company_name": "name",
}


def _positions(table: Table) -> dict[str, int]:
    """Return the position of each of our columns, in whichever language the header is."""
    found: dict[str, int] = {}
    for position, name in enumerate(map(folded, table.header)):
        for ours, names in _NAMES.items():
            if names.match(name):
                found.setdefault(ours, position)
                break
    return found


def recognises(table: Table) -> bool:
    return _positions(table).keys() >= _REQUIRED


def read(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    table.drop_notes()
    table.require_rectangle(is_always_full=True)
    columns = _positions(table)
    _empty_dashes(table, [columns[name] for name in NUMBERS if name in columns])
    sheet = Sheet(
        "swissquote",
        table,
        options,
        read_day=dotted_day,
        decimal="point",
        columns=columns,
        numbers=NUMBERS,
    )
    sheet.for_words = FOR_WORDS
    sheet.moved_by_balance = moved_by_balance(
        sheet, balance="balance", currency="currency", amounts=["account_net", "net"]
    )
    sheet.sort_oldest_first("date")
    actions = find_actions(sheet)
    reversed_rows = taken_back(_payments(sheet))
    for raw in sheet:
        with sheet.collect_problem(raw):
            if raw.line in reversed_rows:
                read = partial(_read_row, sheet, raw, actions)
                sheet.ignore_reversed(raw, "reversed", read=read)
            else:
                _read_row(sheet, raw, actions)
    leave_balances(sheet, sheet.rows, booked="date", balance="balance", currency="currency")
    return sheet.statement


def _empty_dashes(table: Table, positions: Iterable[int]) -> None:
    """Empty the cells of numbers that have only a dash, and take the % from the price of a bond."""
    for record in table.records:
        for position in positions:
            if plain_text(record[position]) == "-":
                record[position] = ""


def _payments(sheet: Sheet) -> list[tuple[Hashable, Decimal, int]]:
    """Return the payments of instruments; those that are reversed are below 0."""
    found: list[tuple[Hashable, Decimal, int]] = []
    for raw in sheet:
        kind = without_reversal(folded(raw["transaction"]))
        if kind not in INCOME:
            continue
        try:
            alike = (kind, raw["isin"] or raw["symbol"], traded_in(raw))
            found.append((alike, raw.number_or_zero("net"), raw.line))
        except BadRow:
            continue  # It is a problem of its row.
    return found


def _read_row(sheet: Sheet, raw: RawRow, actions: Actions) -> None:
    kind = without_reversal(folded(raw["transaction"]))
    instrument = raw["isin"] or raw["symbol"]
    if kind in TRADES and instrument:
        add_trade(sheet, raw, TRADES[kind])
    elif kind in INCOME and instrument:
        _add_income(sheet, raw, INCOME[kind])
    elif kind in TAXES and instrument:
        _add_charge(sheet, raw, "tax")
    elif kind in FEES and instrument:
        _add_charge(sheet, raw, "fee")
    elif kind in ACTIONS and instrument and not OPTION.search(raw["symbol"]):
        add_action(sheet, raw, kind, actions)
    elif kind in OPTIONS or OPTION.search(raw["symbol"]):
        message = _("Options, futures and CFDs are not imported, only shares and funds.")
        raise bad_row("transaction", raw["transaction"], "unsupported_instrument", message)
    elif money_of(kind) and not instrument:
        _add_money(sheet, raw, money_of(kind))
    else:
        raise sheet.unknown_type("transaction", raw["transaction"])


def _add_income(sheet: Sheet, raw: RawRow, kind: str) -> None:
    """Add a payment. Its costs are what a state kept of it."""
    quantity = abs(raw.required_number("quantity"))
    price, currency = price_of(sheet, raw)
    tax = in_main_unit(raw, raw.number_or_zero("costs"))
    net = in_main_unit(raw, raw.required_number("net"))
    if net < 0:
        raise unpaired_reversal("net", net)
    require_amount(raw, "net", kind, quantity, price, amount=net, charges=tax)
    sheet.add(
        raw,
        type=kind,
        quantity=quantity,
        price=price,
        tax=tax,
        note="" if kind == "dividend" else raw["transaction"],
        **identity_of(raw, currency),
        **settled_of(raw, net, currency),
    )


def _add_charge(sheet: Sheet, raw: RawRow, kind: str) -> None:
    """Add a tax or fee of an instrument. One that is paid back is money alone."""
    net = in_main_unit(raw, raw.required_number("net"))
    if net > 0:
        _add_money(sheet, raw, kind)
        return
    currency = in_major_unit(ONE, traded_in(raw))[1]
    sheet.add(
        raw,
        type=kind,
        quantity=ONE,
        price=-net,
        note=raw["transaction"],
        **identity_of(raw, currency),
        **settled_of(raw, net, currency),
    )


def _add_money(sheet: Sheet, raw: RawRow, kind: str) -> None:
    """Add what moved the balance alone.

    The costs of interest are what a state kept of it, those of a payment are a fee.
    """
    amount = raw.number("account_net")
    if amount is None:
        amount = raw.required_number("net")
    costs = raw.number_or_zero("costs")
    notes = (raw["transaction"], raw["name"])
    fields: dict[str, Any] = {"date": raw.day("date"), "note": " ".join(filter(None, notes))}
    currency = raw["currency"]
    if kind == "interest" and amount > 0 and costs:
        fields["tax"] = costs
    if kind == "conversion":
        fields["group"] = f"{raw['order']} {raw['date']}"
        fields["group_kind"] = kind
    if kind == "deposit" and costs and traded_in(raw) == currency:
        if sheet.add_money(raw, kind, amount + costs, currency, **fields):
            sheet.add_money(raw, "fee", -costs, currency, **fields)
        return
    sheet.add_money(raw, kind, amount, currency, **fields)


EXAMPLE = (
    "01-03-2024 15:30:02;113947121;Buy;ASML;ASML HOLDING;NL0010273215;2.0;880.5;5.96;0.00;"
    "-1766.96;8.40;EUR"
)
FORMATS = (
    Format(
        name="swissquote",
        label="Swissquote",
        columns=COLUMNS,
        example=f"{';'.join(COLUMNS)}\r\n{EXAMPLE}\r\n",
        recognises=recognises,
        read=read,
    ),
)
