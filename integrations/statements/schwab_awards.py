"""Charles Schwab: the transactions of an equity awards account.

A row of what happened is followed by rows of details, in other columns: the award whose shares
came, or the lots that were sold. The file with lapses alone says which shares went to the brokerage
account.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from financeproj.core.money import EXACT, ONE, ZERO
from integrations.statements.amounts import (
    amount_differs,
    divide,
    half_unit,
    rounding_of_product,
    split_ratio,
)
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.exchanges import Held
from integrations.statements.raw_rows import RawRow, unpaired_reversal
from integrations.statements.schwab_rows import DOLLAR, add_money, us_day
from integrations.statements.schwab_words import money_by_parts, payment_by_parts
from integrations.statements.sheet import Sheet
from integrations.statements.values import folded, plain_text

COLUMNS = (
    "Date", "Action", "Symbol", "Description", "Quantity", "FeesAndCommissions",
    "DisbursementElection", "Amount",
)  # fmt: skip
NUMBERS = (
    "Quantity", "FeesAndCommissions", "Amount", "Shares", "SalePrice", "VestFairMarketValue",
    "PurchasePrice", "FairMarketValuePrice", "NetSharesDeposited",
)  # fmt: skip
SOLD, SALES = "share sale", {"sale", "quick sale", "forced quick sell"}
MONEY = {
    "journal": "deposit", "forced disbursement": "deposit", "disbursement": "deposit",
    "cash disbursement": "deposit", "adjustment": "adjustment",
}  # fmt: skip
CHARGES = {"tax", "fee"}
# Where a row has what it needs when a person says what its word means.
FOR_WORDS = {"date": "Date", "amount": "Amount", "currency": "USD", "symbol": "Symbol"}


def read(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    table.require_rectangle(is_always_full=True)
    for record in table.records:
        record[:] = [DOLLAR.sub(r"\1", plain_text(cell)) for cell in record]
    is_of_lapses = _is_of_lapses(table)
    name = "schwab-lapses" if is_of_lapses else "schwab-awards"
    sheet = Sheet(name, table, options, read_day=us_day, decimal="point", numbers=NUMBERS)
    sheet.for_words = FOR_WORDS
    details = _take_details(sheet)
    sheet.sort_oldest_first("Date")
    held = Held(sheet.statement)
    for raw in sheet:
        with sheet.collect_problem(raw):
            _read_row(sheet, raw, details[raw.line], held, is_of_lapses=is_of_lapses)
    return sheet.statement


def _is_of_lapses(table: Table) -> bool:
    names = {name.strip() for name in table.header}
    return "FairMarketValuePrice" in names and "VestDate" not in names


def _take_details(sheet: Sheet) -> Mapping[int, list[RawRow]]:
    """Remove the rows of details, and return them by the line of the row that they explain."""
    found: dict[int, list[RawRow]] = defaultdict(list)
    rows: list[RawRow] = []
    for raw in sheet:
        if raw["Date"] or raw["Action"] or not rows:
            rows.append(raw)
        else:
            found[rows[-1].line].append(raw)
    sheet.rows = rows
    return found


def _read_row(
    sheet: Sheet, raw: RawRow, details: Sequence[RawRow], held: Held, *, is_of_lapses: bool
) -> None:
    kind, shares = folded(raw["Action"]), raw.number_or_zero("Quantity")
    if shares and (kind in SALES or folded(raw["Description"]) == SOLD):
        _add_sale(sheet, raw, shares, details)
    elif shares and kind == "deposit" and len(details) <= 1:
        _add_deposit(sheet, raw, shares, *details)
    elif kind == "lapse" and not is_of_lapses:
        sheet.ignore(raw, "lapse: the deposit counts")
    elif kind == "lapse" and len(details) == 1:
        _add_lapse(sheet, raw, details[0])
    elif shares and kind in ("transfer", "share transfer"):
        sheet.add(raw, type="transfer_out", quantity=abs(shares), **_identity(raw))
    elif shares and kind == "stock split":
        ratio = split_ratio(held[raw["Symbol"]], shares, "Quantity")
        sheet.add(raw, type="split", quantity=ratio, **_identity(raw))
    elif not shares and raw["Symbol"] and payment_by_parts(kind):
        _add_payment(sheet, raw, payment_by_parts(kind))
    elif not shares and (MONEY.get(kind) or money_by_parts(kind)):
        add_money(sheet, raw, MONEY.get(kind) or money_by_parts(kind))
    else:
        raise sheet.unknown_type("Action", raw["Action"])


def _add_deposit(sheet: Sheet, raw: RawRow, shares: Decimal, award: RawRow | None = None) -> None:
    """Add shares that vested at what they were worth, or that were bought at their price."""
    price = day = None
    if award is not None:
        price = award.number("VestFairMarketValue")
        day = us_day(award["VestDate"]) or us_day(award["PurchaseDate"])
        if price is None:
            price = award.number("PurchasePrice")
        shares = award.number("NetSharesDeposited") or shares
    sheet.add(
        raw,
        type="transfer_in",
        quantity=shares,
        price=price,
        is_cost_unknown=price is None,
        **_identity(raw, day),
    )


def _add_lapse(sheet: Sheet, raw: RawRow, award: RawRow) -> None:
    """Add the shares of an award that are left after tax, at what they were worth."""
    shares = award.required_number("NetSharesDeposited")
    if not shares:
        sheet.ignore(raw, "lapse: all shares were sold for tax")
        return
    price = award.required_number("FairMarketValuePrice")
    sheet.add(raw, type="transfer_in", quantity=shares, price=price, **_identity(raw))


def _add_sale(sheet: Sheet, raw: RawRow, shares: Decimal, lots: Sequence[RawRow]) -> None:
    """Add a sale of lots at one price or more. Raises BadRow if they do not give the amount."""
    amount, fee = raw.required_number("Amount"), raw.number_or_zero("FeesAndCommissions")
    price = divide(amount + fee, shares)
    if lots:
        sold, gross, rounding = ZERO, ZERO, half_unit(amount) + half_unit(fee)
        for lot in lots:
            of_lot, paid = lot.required_number("Shares"), lot.required_number("SalePrice")
            sold += of_lot
            gross += EXACT.multiply(of_lot, paid)
            rounding += rounding_of_product(of_lot, paid)
        # The file may round the number of all shares.
        is_all = sold > 0 and abs(sold - shares) <= half_unit(shares)
        if not is_all or abs(gross - fee - amount) > rounding:
            raise amount_differs(
                raw, "Amount", quantity=shares, price=price, expected=gross - fee, charges=fee
            )
        shares, price = sold, divide(gross, sold)
    sheet.add(
        raw,
        type="sell",
        quantity=shares,
        price=price,
        commission=fee,
        settlement_currency="USD",
        settlement_amount=amount,
        **_identity(raw),
    )


def _add_payment(sheet: Sheet, raw: RawRow, kind: str) -> None:
    """Add a dividend or what was withheld of it. What is paid back is money alone."""
    amount = raw.required_number("Amount")
    if kind in CHARGES and amount > 0:
        add_money(sheet, raw, kind)
        return
    if kind not in CHARGES and amount < 0:
        raise unpaired_reversal("Amount", amount)
    sheet.add(
        raw,
        type=kind,
        quantity=ONE,
        price=abs(amount),
        settlement_currency="USD",
        settlement_amount=amount or None,
        **_identity(raw),
    )


def _identity(raw: RawRow, day: date | None = None) -> dict[str, Any]:
    """Return what all transactions of a share have. With `day`, the row has the booking day."""
    booked = raw.day("Date")
    return {
        "date": day or booked,
        "booked_on": booked if day and day != booked else None,
        "symbol": raw["Symbol"] or None,
        "currency": "USD",
        "note": " ".join(filter(None, (raw["Action"], raw["Description"]))),
    }


def _recognises_awards(table: Table) -> bool:
    return _has_columns(table) and not _is_of_lapses(table)


def _recognises_lapses(table: Table) -> bool:
    return _has_columns(table) and _is_of_lapses(table)


def _has_columns(table: Table) -> bool:
    return set(COLUMNS) <= {name.strip() for name in table.header}


AWARDS = (*COLUMNS, "Type", "Shares", "SalePrice", "VestDate", "VestFairMarketValue", "AwardDate")
LAPSES = (*COLUMNS, "AwardDate", "FairMarketValuePrice", "NetSharesDeposited")
FORMATS = (
    Format(
        name="schwab-awards",
        label="Charles Schwab, equity awards",
        columns=AWARDS,
        example=(
            f"{','.join(AWARDS)}\r\n06/27/2024,Deposit,SCHW,RS,10,,,,,,,,,\r\n"
            ",,,,,,,,,,,06/25/2024,$70.00,03/01/2023\r\n"
        ),
        recognises=_recognises_awards,
        read=read,
    ),
    Format(
        name="schwab-lapses",
        label="Charles Schwab, lapses of equity awards",
        columns=LAPSES,
        example=(
            f"{','.join(LAPSES)}\r\n06/25/2024,Lapse,SCHW,Restricted Stock Lapse,15,,,,,,\r\n"
            ",,,,,,,,03/01/2023,$70.00,10\r\n"
        ),
        recognises=_recognises_lapses,
        read=read,
        repeats="schwab",
    ),
)
