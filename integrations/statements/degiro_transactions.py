"""DEGIRO: the list of transactions. It has trades alone; the account statement has everything.

The columns are the same in every language and are read by position. Those of currencies have no
name. The list since 2025 names the account's currency in its columns (`Total EUR`), older ones have
a currency next to each amount, the oldest before it. A sale has shares below 0. Newest row first.
"""

import re
from collections import defaultdict
from decimal import Decimal

from financeproj.core.identifiers import in_major_unit
from financeproj.core.money import EXACT, ONE
from integrations.statements.amounts import (
    amount_differs,
    divide,
    half_unit,
    require_amount,
    rounding_of_product,
)
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.days import dashed_day
from integrations.statements.degiro_file import MAX_RATE_DIFFERENCE
from integrations.statements.degiro_lines import form_of, join_wrapped_rows
from integrations.statements.degiro_orders import CENT, Order
from integrations.statements.degiro_unordered import (
    Unordered,
    add_unordered,
    find_unordered,
    identity_of,
)
from integrations.statements.degiro_words import OPTION
from integrations.statements.raw_rows import RawRow, bad_row, unsupported_instrument
from integrations.statements.sheet import Sheet
from integrations.statements.values import folded
from portfolios.calc.import_rows import gettext_noop as _

NAME = "degiro-trades"
COLUMNS = (
    "Datum", "Tijd", "Product", "ISIN", "Beurs", "Uitvoeringsplaats", "Aantal", "Koers", "",
    "Lokale waarde", "", "Waarde EUR", "Wisselkoers", "AutoFX Kosten",
    "Transactiekosten en/of kosten van derden EUR", "Totaal EUR", "Order ID",
)  # fmt: skip
_BASE = ("date", "time", "product", "isin", "exchange")
# The forms of a header: n is a column with a name, _ one without. Some have no venue, no fee for
# exchanging the currency, or the account's currency in the names instead of columns of its own.
_AFTER = re.compile(r"n{5}(n?)nn_n_n(_?)n(n?)n(_?)n(_?)n")
_BEFORE = re.compile(r"n{5}(n?)n_n_n_nn_n_nn")
ISINS = (["isin"], ["code isin"])
NUMBERS = ("quantity", "price", "local", "value", "rate", "autofx", "costs", "total")


def _layout(table: Table) -> tuple[str, ...] | None:
    """Return our names of the columns, None if the header has another form."""
    header = [folded(name) for name in table.header]
    while header and not header[-1]:
        header.pop()
    if header[3:4] not in ISINS:
        return None
    form = form_of(header)
    parts: tuple[str, ...] = ()
    if match := _AFTER.fullmatch(form):
        venue, valued_in, autofx, charged_in, totalled_in = match.groups()
        parts = (
            *_BASE, venue and "venue", "quantity", "price", "currency",
            "local", "local currency", "value", valued_in and "account currency", "rate",
            autofx and "autofx", "costs", charged_in and "costs currency",
            "total", totalled_in and "total currency", "order",
        )  # fmt: skip
    elif match := _BEFORE.fullmatch(form):
        parts = (
            *_BASE, match[1] and "venue", "quantity", "currency", "price", "local currency",
            "local", "account currency", "value", "rate", "costs currency", "costs",
            "total currency", "total", "order",
        )  # fmt: skip
    return tuple(filter(None, parts)) or None


def recognises(table: Table) -> bool:
    return _layout(table) is not None


def read(table: Table, options: Options) -> Statement:
    layout = _layout(table) or ()
    columns = {name: place for place, name in enumerate(layout)}
    _move_last_cells(table, len(layout))
    join_wrapped_rows(table, (columns["product"],))
    table.drop_notes()
    table.require_rectangle(is_always_full=True)
    account_currency = _named_currency(table, columns, options)
    numbers = [name for name in NUMBERS if name in columns]
    sheet = Sheet(NAME, table, options, read_day=dashed_day, columns=columns, numbers=numbers)
    sheet.sort_oldest_first("date", "time")
    unordered = find_unordered(sheet)
    orders: dict[str, Order] = defaultdict(Order)
    for raw in sheet:
        with sheet.collect_problem(raw):
            _read_row(sheet, raw, account_currency, unordered, orders)
    return sheet.statement


def _move_last_cells(table: Table, width: int) -> None:
    """Drop the empty column at the end, or move the number of the order out of it into its own."""
    del table.header[width:]
    order = width - 1
    for record in table.records:
        if len(record) == width + 1 and not (record[order].strip() and record[width].strip()):
            record[order] += record.pop()


def _named_currency(table: Table, columns: dict[str, int], options: Options) -> str:
    """Return the account's currency, which the newest layout has at the end of a column's name."""
    if "account currency" in columns or "total currency" in columns:
        return ""
    for name in ("total", "value", "costs"):
        code = table.header[columns[name]].strip()[-3:]
        if options.is_currency(code):
            return code
    return options.require_currency()


def _read_row(
    sheet: Sheet, raw: RawRow, named: str, unordered: Unordered, orders: dict[str, Order]
) -> None:
    if OPTION.search(raw["product"]):
        raise unsupported_instrument("product", raw["product"])
    if not raw["isin"]:
        raise bad_row("isin", "", "required", _("This field is required."))
    account_currency = raw["account currency"] or raw["total currency"] or named
    if raw.line in unordered.lines:
        add_unordered(sheet, raw, account_currency, unordered)
    else:
        _add_trade(sheet, raw, account_currency, orders[raw["order"]])


def _add_trade(sheet: Sheet, raw: RawRow, account_currency: str, order: Order) -> None:
    """Add a purchase or a sale, by the sign of its quantity.

    The charges are in the account's currency, so the rate converts them to that of the price.
    Raises BadRow if the amounts of the row contradict each other.
    """
    shares = raw.required_number("quantity")
    side, quantity = ("buy" if shares > 0 else "sell"), abs(shares)
    if not quantity:
        raise bad_row("quantity", raw["quantity"], "not_above", _("Enter a number above 0."))
    price, currency, local = _price_of(raw, quantity)
    require_amount(raw, "local", side, quantity, price, amount=local)
    value = raw.required_number("value")
    rate = _rate_of(raw, local, value, is_same=currency == account_currency)
    charges = _charges_of(raw, value)
    external_id = order.external_id(raw, quantity, price) if raw["order"] else None
    sheet.add_net(
        raw,
        type=side,
        quantity=quantity,
        price=price,
        commission=divide(charges, rate),
        currency=currency,
        exchange_rate=rate,
        rate_currency=account_currency,
        settlement_amount=value - charges or None,
        settlement_currency=account_currency,
        external_id=external_id,
        **identity_of(raw),
    )


def _price_of(raw: RawRow, quantity: Decimal) -> tuple[Decimal, str, Decimal]:
    """Return (price, currency, amount) in the currency's main unit. Bonds are in per cent."""
    if raw["local currency"] != raw["currency"]:
        raise bad_row(
            "local currency",
            raw["local currency"],
            "mixed_currencies",
            _("The row is in %(currency)s, but this amount is in %(other)s."),
            currency=raw["currency"],
            other=raw["local currency"],
        )
    price, currency = in_major_unit(raw.required_number("price"), raw["currency"])
    local, currency = in_major_unit(raw.required_number("local"), raw["currency"])
    percent = price.scaleb(-2)
    rounding = rounding_of_product(quantity, percent) + half_unit(local)
    if abs(abs(local) - EXACT.multiply(quantity, percent)) <= rounding:
        price = percent
    return price, currency, local


def _rate_of(raw: RawRow, local: Decimal, value: Decimal, *, is_same: bool) -> Decimal:
    """Return the price of one unit of the trade's currency in that of the account.

    It is what the two amounts say; the rate that the file states must be near it.
    """
    if not local or not value:
        return ONE
    rate = divide(value, local)
    in_minor, _code = in_major_unit(ONE, raw["currency"])
    stated = raw.number_or_zero("rate") * in_minor
    allowed = MAX_RATE_DIFFERENCE + CENT / min(abs(value), abs(local))
    expected = [rate]
    if is_same:
        expected = [ONE]
    elif stated:
        expected = [stated, EXACT.divide(ONE, stated)]
    if not any(abs(EXACT.divide(rate, one) - 1) <= allowed for one in expected):
        raise amount_differs(raw, "value", quantity=ONE, price=local, expected=local * expected[-1])
    return rate


def _charges_of(raw: RawRow, value: Decimal) -> Decimal:
    """Return what was charged. The total may leave out the fee for exchanging the currency."""
    costs, autofx = raw.number_or_zero("costs"), raw.number_or_zero("autofx")
    total = raw.required_number("total")
    rounding = half_unit(value) + half_unit(total) + half_unit(costs) + half_unit(autofx)
    # Costs are below 0; some files write them without the minus.
    for charges in (-costs, costs):
        for before_exchange in (value, value + autofx):
            if abs(before_exchange - charges - total) <= rounding:
                return charges - autofx
    raise amount_differs(
        raw, "total", quantity=ONE, price=value, charges=-costs, expected=value + costs
    )


EXAMPLE = (
    '01-03-2024,09:30,ASML HOLDING,NL0010273215,EAM,XAMS,2,"880,5000",EUR,"-1761,00",EUR,'
    '"-1761,00",,"0,00","-2,00","-1763,00",11111111-2222-3333-4444-555555555555'
)
FORMATS = (
    Format(
        name=NAME,
        label="DEGIRO, transactions",
        columns=tuple(filter(None, COLUMNS)),
        example=f"{','.join(COLUMNS)}\r\n{EXAMPLE}\r\n",
        recognises=recognises,
        read=read,
        repeats="degiro",
    ),
)
