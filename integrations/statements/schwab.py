"""Charles Schwab: the transactions export of a brokerage account.

US dates, dollars, newest row first. Older files have a title line above the header.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import partial
from operator import itemgetter
from typing import Any

from financeproj.core.money import EXACT, ONE, ZERO
from integrations.statements.amounts import (
    cash_effect,
    divide,
    half_unit,
    require_amount,
    reversed_lines,
    rounding_of_product,
    split_ratio,
    transfer_kind,
)
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.exchanges import Held
from integrations.statements.raw_rows import BadRow, RawRow, bad_row, unpaired_reversal
from integrations.statements.schwab_words import (
    ADJUSTED,
    CANCELS,
    CASH_IN_LIEU,
    CHARGES,
    EXCHANGES,
    INCOME,
    MOVES,
    OF_MONEY,
    OPTIONS,
    REVERSE_SPLIT,
    SPIN_OFFS,
    TRADES,
    money_by_parts,
    payment_by_parts,
)
from integrations.statements.sheet import Sheet, has_columns
from integrations.statements.values import day_of, plain_text, single_spaced
from portfolios.calc.import_rows import gettext_noop as _

COLUMNS = ("Date", "Action", "Symbol", "Description", "Quantity", "Price", "Fees & Comm", "Amount")
TOTAL = "Transactions Total"
DOLLAR = re.compile(r"^(-?)\$")
_DAY = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?: as of (\d{1,2})/(\d{1,2})/(\d{4}))?", re.ASCII)
# Rows that came from TD Ameritrade name the instrument in their text alone, or by its CUSIP.
_FROM_AMERITRADE = re.compile(r"TDA TRAN - (.{0,200}?)\(([A-Z][A-Z0-9./]{0,9})\)")
_CUSIP = re.compile(r"[0-9A-Z]{9}")
_OPTION = re.compile(r"\A\S++ \d\d/\d\d/\d{4} [\d.]++ [CP]")
# A bond has its coupon in its name: 4.25% or 2 1/4%.
_COUPON = re.compile(r"\d ?%")
MAX_ACCRUED = Decimal("0.06")  # of the nominal value
MAX_PRICE = Decimal(3)  # of one unit of it
CENT = Decimal("0.01")
WITHOUT_MONEY = "options without money"
MOST_DAYS_APART = 7
UNSUPPORTED = _(
    "Options, short sales and the like are not supported. Enter what they brought by hand, and "
    "skip this row."
)
# Where a row has what it needs when a person says what its word means.
FOR_WORDS = {
    "date": "Date",
    "amount": "Amount",
    "currency": "USD",
    "quantity": "Quantity",
    "symbol": "Symbol",
    "company_name": "Description",
}


def us_day(text: str) -> date | None:
    """07/15/2024 as of 07/12/2024: booked on the first day, in effect since the second."""
    match = _DAY.fullmatch(text)
    if match is None:
        return None
    month, day, year = match.group(4, 5, 6) if match[4] else match.group(1, 2, 3)
    return day_of(int(year), int(month), int(day))


@dataclass(slots=True)
class _File:
    """What the rows of a file say together: the shares held so far, and which rows are pairs.

    `moved` are lines of shares that left and came back. `redeemed` gives the row with the money for
    each line of shares that were redeemed; the lines `with_money` are those rows.
    """

    held: Held
    reversed: set[int] = field(default_factory=set)
    cancelled: set[int] = field(default_factory=set)
    moved: set[int] = field(default_factory=set)
    reverse_splits: dict[str, list[RawRow]] = field(default_factory=lambda: defaultdict(list))
    exchanges: dict[tuple[str, str], list[RawRow]] = field(
        default_factory=lambda: defaultdict(list)
    )
    redeemed: dict[int, RawRow] = field(default_factory=dict)
    with_money: set[int] = field(default_factory=set)


def read(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    if not _is_total(table.records):
        table.drop_notes()
    table.require_rectangle(is_always_full=True)
    for record in table.records:
        # $1,259.59 and -$10.00
        record[:] = [DOLLAR.sub(r"\1", plain_text(cell)) for cell in record]
    _name_instruments(table)
    numbers = ("Quantity", "Price", "Fees & Comm", "Amount")
    sheet = Sheet("schwab", table, options, read_day=us_day, decimal="point", numbers=numbers)
    sheet.for_words = FOR_WORDS
    sheet.sort_oldest_first("Date")
    file = _File(
        held=Held(sheet.statement),
        reversed=reversed_lines(_payments(sheet)),
        cancelled=_cancelled(sheet),
        moved=_moved_and_back(sheet),
    )
    for raw in sheet:
        kind = single_spaced(raw["Action"].casefold())
        if kind == REVERSE_SPLIT:
            file.reverse_splits[raw["Date"]].append(raw)
        elif kind.removesuffix(ADJUSTED) in EXCHANGES:
            file.exchanges[kind.removesuffix(ADJUSTED), raw["Date"]].append(raw)
    _find_redeemed(sheet, file)
    for raw in sheet:
        with sheet.collect_problem(raw):
            _read_row(sheet, raw, file)
    return sheet.statement


def _is_total(records: list[list[str]]) -> bool:
    return bool(records) and records[-1][0].strip() == TOTAL


def _name_instruments(table: Table) -> None:
    """Give the rows from TD Ameritrade the symbol that stands in their text."""
    names = [name.strip() for name in table.header]
    symbol, text = names.index("Symbol"), names.index("Description")
    for record in table.records:
        match = _FROM_AMERITRADE.match(record[text])
        is_named = record[symbol] and not _CUSIP.fullmatch(record[symbol])
        if match and not is_named and not _CUSIP.fullmatch(match[2]):
            record[symbol] = match[2]


def _moved_and_back(sheet: Sheet) -> set[int]:
    """Return the lines of shares that left and came back within a week, as from TD Ameritrade."""
    moves: list[tuple[date, Decimal, RawRow]] = []
    for raw in sheet:
        if single_spaced(raw["Action"].casefold()) in MOVES and raw["Symbol"]:
            with suppress(BadRow):  # It is a problem of its row.
                moves.append((raw.day("Date"), raw.number_or_zero("Quantity"), raw))
    found: set[int] = set()
    gone: dict[tuple[str, Decimal], list[tuple[date, int]]] = defaultdict(list)
    for day, shares, raw in sorted(moves, key=itemgetter(0, 1)):
        if shares < 0:
            gone[raw["Symbol"], -shares].append((day, raw.line))
        waiting = gone[raw["Symbol"], shares]
        if waiting and (day - waiting[-1][0]).days <= MOST_DAYS_APART:
            found |= {waiting.pop()[1], raw.line}
    return found


def _payment_of(raw: RawRow) -> str:
    """Return what an instrument paid or cost, empty for other rows."""
    kind = single_spaced(raw["Action"].casefold())
    known = INCOME.get(kind) or CHARGES.get(kind, "")
    if known or raw["Quantity"] or not raw["Amount"] or kind in OF_MONEY.keys() - MOVES:
        return known
    return payment_by_parts(_words_of(raw))


def _words_of(raw: RawRow) -> str:
    """Return the word of a row that moves only money, or its text where that says what it is."""
    match = _FROM_AMERITRADE.match(raw["Description"])
    kind = single_spaced(raw["Action"].casefold())
    return match[1].casefold() if match and kind in MOVES else kind


def _payments(sheet: Iterable[RawRow]) -> Iterator[tuple[tuple[str, str], Decimal, int]]:
    """Return the payments that may be reversed. A correction may name another kind of dividend."""
    for raw in sheet:
        payment = _payment_of(raw)
        if raw["Symbol"] and payment:
            try:
                yield (raw["Symbol"], payment), raw.number_or_zero("Amount"), raw.line
            except BadRow:
                continue


def _cancelled(sheet: Sheet) -> set[int]:
    """Return the lines of trades that another row cancels, and of those rows."""
    waiting: dict[tuple[str, ...], list[int]] = defaultdict(list)
    found: set[int] = set()
    # A cancellation may stand before its trade on one day.
    for raw in sorted(sheet, key=_cancels):
        kind = single_spaced(raw["Action"].casefold())
        alike = (
            kind.removeprefix(CANCELS), raw["Symbol"], raw["Quantity"].lstrip("-"), raw["Price"]
        )  # fmt: skip
        if not _cancels(raw) and kind in TRADES:
            waiting[alike].append(raw.line)
        elif waiting[alike]:
            found |= {waiting[alike].pop(), raw.line}
    return found


def _find_redeemed(sheet: Sheet, file: _File) -> None:
    """Find the row with the money of each redemption that has none itself: one of its day."""
    paid: dict[tuple[str, str, str], list[RawRow]] = defaultdict(list)
    for raw in sheet:
        kind = single_spaced(raw["Action"].casefold())
        if kind.endswith(ADJUSTED) and kind.removesuffix(ADJUSTED) in TRADES and raw["Amount"]:
            paid[kind.removesuffix(ADJUSTED), raw["Symbol"], raw["Date"]].append(raw)
    for raw in sheet:
        kind = single_spaced(raw["Action"].casefold())
        money = paid.get((kind, raw["Symbol"], raw["Date"]), [])
        if money and kind in TRADES and not raw["Amount"]:
            file.redeemed[raw.line] = money.pop()
            file.with_money.add(file.redeemed[raw.line].line)


def _cancels(raw: RawRow) -> bool:
    return single_spaced(raw["Action"].casefold()).startswith(CANCELS)


def _refuse_cancellation(raw: RawRow, side: str) -> None:
    """Raise the error of a row that cancels a trade of an earlier file."""
    quantity = raw.required_number("Quantity")
    raise unpaired_reversal(
        "Quantity",
        quantity,
        type=side,
        date=raw.day("Date"),
        quantity=abs(quantity),
        price=raw.required_number("Price"),
        symbol=raw["Symbol"] or None,
    )


def _read_row(sheet: Sheet, raw: RawRow, file: _File) -> None:
    kind = single_spaced(raw["Action"].casefold())
    symbol = raw["Symbol"]
    if raw["Date"] == TOTAL:
        sheet.ignore(raw, "total of the file")
    elif _OPTION.fullmatch(symbol) and not raw.number_or_zero("Amount"):
        sheet.ignore(raw, WITHOUT_MONEY)
    elif kind in OPTIONS or _OPTION.fullmatch(symbol):
        raise bad_row("Action", raw["Action"], "unsupported_instrument", UNSUPPORTED)
    elif raw.line in file.reversed:
        read = partial(_add_payment, sheet, raw, _payment_of(raw))
        sheet.ignore_reversed(raw, kind, read=read)
    elif raw.line in file.moved:
        sheet.ignore(raw, "moved within Schwab")
    elif raw.line in file.cancelled:
        if kind in TRADES:
            trade = partial(_add_trade, sheet, raw, TRADES[kind])
            sheet.ignore_reversed(raw, kind, read=trade)
        else:
            sheet.ignore(raw, kind)
    elif kind.startswith(CANCELS) and kind.removeprefix(CANCELS) in TRADES:
        _refuse_cancellation(raw, TRADES[kind.removeprefix(CANCELS)])
    elif raw.line in file.with_money:
        sheet.ignore(raw, "money of a redemption")
    elif raw.line in file.redeemed:
        _add_redemption(sheet, raw, file.redeemed[raw.line])
    elif kind in TRADES:
        _add_trade(sheet, raw, TRADES[kind])
    elif symbol and _payment_of(raw):
        _add_payment(sheet, raw, _payment_of(raw))
    elif kind in MOVES and symbol and raw["Quantity"]:
        _add_move(sheet, raw)
    elif kind in OF_MONEY and not raw["Quantity"]:
        _add_money(sheet, raw, OF_MONEY[kind])
    elif not symbol and not raw["Quantity"] and money_by_parts(kind):
        _add_money(sheet, raw, money_by_parts(kind))
    elif symbol:
        _add_action(sheet, raw, kind, file)
    else:
        raise sheet.unknown_type("Action", raw["Action"])


def _add_payment(sheet: Sheet, raw: RawRow, kind: str) -> None:
    amount = raw.required_number("Amount")
    if kind in ("fee", "tax"):
        amount = -amount
    if amount < 0 and kind in ("fee", "tax"):
        _add_money(sheet, raw, kind)  # Paid back.
        return
    if amount < 0:
        raise unpaired_reversal("Amount", raw.required_number("Amount"))
    former = "dividend" if single_spaced(raw["Action"].casefold()) == CASH_IN_LIEU else ""
    sheet.add(raw, type=kind, quantity=ONE, price=amount, former_type=former, **_identity(raw))


def _add_money(sheet: Sheet, raw: RawRow, kind: str) -> None:
    notes = (raw["Action"], raw["Symbol"], raw["Description"])
    sheet.add_money(
        raw,
        kind,
        raw.required_number("Amount"),
        "USD",
        date=raw.day("Date"),
        booked_on=_booked_on(raw),
        note=" ".join(filter(None, notes)),
    )


def _add_move(sheet: Sheet, raw: RawRow) -> None:
    """Add shares that came from or went to another account or a plan, or were paid for."""
    quantity = raw.required_number("Quantity")
    amount = raw.number_or_zero("Amount")
    if amount:
        _add_trade(sheet, raw, "sell" if amount > 0 else "buy")
        return
    price = None
    if quantity > 0:
        price = raw.number("Price")
    sheet.add(
        raw,
        type=transfer_kind(quantity),
        quantity=abs(quantity),
        price=price,
        is_cost_unknown=quantity > 0 and price is None,
        **_identity(raw),
    )


def _add_action(sheet: Sheet, raw: RawRow, kind: str, file: _File) -> None:
    symbol = raw["Symbol"]
    if kind == "stock div dist":
        quantity = raw.required_number("Quantity")
        sheet.add(raw, type="buy", quantity=quantity, price=ZERO, **_identity(raw))
    elif kind == "stock split":
        ratio = split_ratio(file.held[symbol], raw.required_number("Quantity"), "Quantity")
        sheet.add(raw, type="split", quantity=ratio, **_identity(raw))
    elif kind == REVERSE_SPLIT:
        _add_reverse_split(sheet, raw, file)
    elif kind.removesuffix(ADJUSTED) in EXCHANGES:
        _add_leg(sheet, raw, file)
    elif kind in SPIN_OFFS and raw.number_or_zero("Quantity") > 0:
        # The file does not name the company that it comes from.
        quantity = raw.required_number("Quantity")
        sheet.add(raw, type="exchange_in", quantity=quantity, **_identity(raw))
    else:
        raise _unknown_action(raw)


def _add_leg(sheet: Sheet, raw: RawRow, file: _File) -> None:
    """Add a row of an exchange of shares into others, also with money, or for money alone.

    The rows of one kind and day are one exchange. Its money goes with the shares that go out.
    """
    kind = single_spaced(raw["Action"].casefold()).removesuffix(ADJUSTED)
    rows = file.exchanges[kind, raw["Date"]]
    leaves = [row for row in rows if row.number_or_zero("Quantity") < 0]
    arrives = [row for row in rows if row.number_or_zero("Quantity") > 0]
    cash = sum((row.number_or_zero("Amount") for row in rows), ZERO)
    if len(leaves) != 1 or not (arrives or cash > 0):
        raise _unknown_action(raw)
    quantity = raw.number_or_zero("Quantity")
    money = {
        "settlement_currency": "USD" if cash else None,
        "settlement_amount": cash or None,
    }
    nothing = {"settlement_currency": None, "settlement_amount": None}
    if not quantity:
        sheet.ignore(raw, "money of an exchange")
    elif not arrives:
        price = divide(cash, abs(quantity))
        fields = _identity(raw) | money
        sheet.add(raw, type="sell", quantity=abs(quantity), price=price, **fields)
    else:
        sheet.add(
            raw,
            type="exchange_in" if quantity > 0 else "exchange_out",
            quantity=abs(quantity),
            group=f"{raw['Action']} {raw['Date']}",
            group_kind="exchange",
            group_label=raw["Action"],
            **(_identity(raw) | (nothing if quantity > 0 else money)),
        )


def _add_reverse_split(sheet: Sheet, raw: RawRow, file: _File) -> None:
    """Add a reverse split: the new shares are one row, the old ones another with their CUSIP."""
    rows = file.reverse_splits[raw["Date"]]
    if len(rows) != 2 or not any(_CUSIP.fullmatch(row["Symbol"]) for row in rows):
        rows = [row for row in rows if _is_same_company(row, raw)]
    quantities = [row.required_number("Quantity") for row in rows]
    if len(rows) != 2 or min(quantities) >= 0 or max(quantities) <= 0:
        raise _unknown_action(raw)
    new, old = max(quantities), -min(quantities)
    if new == old:
        sheet.ignore(raw, kind="the same shares under another name")
    elif raw.required_number("Quantity") < 0:
        sheet.ignore(raw, kind="split: shares taken out")
    else:
        sheet.add(raw, type="split", quantity=divide(new, old), **_identity(raw))


def _is_same_company(one: RawRow, other: RawRow) -> bool:
    """Return whether one description begins like the other: the old shares add XXXREVERSE SPLIT."""
    names = one["Description"], other["Description"]
    return names[0].startswith(names[1]) or names[1].startswith(names[0])


def _unknown_action(raw: RawRow) -> BadRow:
    return bad_row(
        "Action",
        raw["Action"],
        "unknown_type",
        _("%(action)s of %(symbol)s cannot be imported. Enter it by hand."),
        action=raw["Action"],
        symbol=raw["Symbol"],
    )


def _add_redemption(sheet: Sheet, raw: RawRow, paid: RawRow) -> None:
    """Add the sale of what was redeemed, once for the rows with its shares and its money."""
    quantity, amount = abs(raw.required_number("Quantity")), paid.required_number("Amount")
    fee = paid.number_or_zero("Fees & Comm")
    if not quantity:
        raise bad_row("Quantity", raw["Quantity"], "not_above", _("Enter a number above 0."))
    fields = {**_identity(raw), "settlement_currency": "USD", "settlement_amount": amount}
    price = divide(amount + fee, quantity)
    sheet.add(raw, type="sell", quantity=quantity, price=price, commission=fee, **fields)


def _add_trade(sheet: Sheet, raw: RawRow, side: str) -> None:
    quantity = abs(raw.required_number("Quantity"))
    fee = raw.number_or_zero("Fees & Comm")
    amount = raw.number("Amount")
    price = raw.number("Price")
    if price is None and amount and quantity and side == "sell":
        price = divide(amount + fee, quantity)  # of a redemption
    elif price is None:
        price = raw.required_number("Price")
    fields = _identity(raw)
    if amount is not None and _CUSIP.fullmatch(raw["Symbol"]):
        price = _price_of_bond(side, quantity, price, fee, amount)
        accrued = _accrued(raw, side, quantity, price, amount=amount, fee=fee)
        if accrued:
            price = divide(EXACT.multiply(quantity, price) + accrued, quantity)
            fields["note"] = f"Accrued interest {accrued.quantize(CENT)} USD."
    if amount is not None:
        require_amount(raw, "Amount", side, quantity, price, amount=amount, charges=fee)
    sheet.add(raw, type=side, quantity=quantity, price=price, commission=fee, **fields)


def _accrued(
    raw: RawRow, side: str, quantity: Decimal, price: Decimal, *, amount: Decimal, fee: Decimal
) -> Decimal:
    """Return the interest that had accrued on a bond, which only the amount shows; else 0.

    It is less than a coupon of half a year. Bills have none.
    """
    accrued = abs(amount) - abs(cash_effect(side, EXACT.multiply(quantity, price), fee))
    is_sign_right = (amount < 0) == (side == "buy")
    is_bond = _COUPON.search(raw["Description"]) is not None and price < MAX_PRICE
    is_plausible = CENT <= accrued <= EXACT.multiply(quantity, MAX_ACCRUED)
    return accrued if is_bond and is_sign_right and is_plausible else ZERO


def _price_of_bond(
    side: str, quantity: Decimal, price: Decimal, fee: Decimal, amount: Decimal
) -> Decimal:
    """Return the price per unit of nominal value if the amount shows that it is in percent."""
    as_written = cash_effect(side, EXACT.multiply(quantity, price), fee)
    if abs(amount - as_written) <= rounding_of_product(quantity, price) + half_unit(amount):
        return price  # of shares that are named by their CUSIP
    of_one = price.scaleb(-2)
    expected = cash_effect(side, EXACT.multiply(quantity, of_one), fee)
    rounding = rounding_of_product(quantity, of_one) + half_unit(amount)
    highest = max(rounding, EXACT.multiply(quantity, MAX_ACCRUED))
    return of_one if abs(amount - expected) <= highest else price


def _identity(raw: RawRow) -> dict[str, Any]:
    is_plain_trade = raw["Action"].casefold() in ("buy", "sell")
    amount = raw.number("Amount")
    return {
        "date": raw.day("Date"),
        "booked_on": _booked_on(raw),
        "symbol": raw["Symbol"] or None,
        "company_name": raw["Description"],
        "currency": "USD",
        "note": "" if is_plain_trade else raw["Action"],
        "settlement_currency": "USD" if amount else None,
        "settlement_amount": amount or None,
    }


def _booked_on(raw: RawRow) -> date | None:
    """Return the day on which a row with two days was booked."""
    booked, _as_of, effective = raw["Date"].partition(" as of ")
    return us_day(booked) if effective else None


EXAMPLE = '"03/01/2024","Buy","SCHB","SCHWAB US BROAD MARKET ETF","10","$60.00","","-$600.00"'
FORMATS = (
    Format(
        name="schwab",
        label="Charles Schwab",
        columns=COLUMNS,
        example=f"{','.join(COLUMNS)}\r\n{EXAMPLE}\r\n",
        recognises=has_columns(*COLUMNS),
        read=read,
    ),
)
