"""Nordnet: the transactions export of the Norwegian, Swedish, Danish and Finnish site.

UTF-16, tabs, decimal comma, newest row first. Five of its columns share one name: the currencies of
the figures before them. Amounts and fees are in the account's currency, prices in the instrument's.
"""

import re
from collections import defaultdict
from decimal import Decimal
from functools import partial

from financeproj.core.money import ZERO
from integrations.statements.base import Format, Options, Statement, StatementRow, Table
from integrations.statements.days import iso_day
from integrations.statements.figures import leave_balances, leave_shares, moved_by_balance
from integrations.statements.nordnet_file import (
    CURRENCY_TRADES,
    SPLITS,
    File,
    file_of,
    reversed_rows,
)
from integrations.statements.nordnet_money import (
    OF_MONEY,
    add_exchange,
    add_lump,
    add_money,
    add_tax,
)
from integrations.statements.nordnet_shares import add_shares, add_split
from integrations.statements.nordnet_trades import add_payment, add_reinvested, add_trade
from integrations.statements.nordnet_words import (
    Meaning,
    is_reversal,
    meaning_of,
    meaning_of_money,
    positions_of,
)
from integrations.statements.raw_rows import RawRow, unpaired_reversal
from integrations.statements.sheet import Sheet

NORWEGIAN = (
    "Id", "Bokføringsdag", "Handelsdag", "Oppgjørsdag", "Portefølje", "Transaksjonstype",
    "Verdipapir", "ISIN", "Antall", "Kurs", "Rente", "Totale Avgifter", "Valuta", "Beløp", "Valuta",
    "Kjøpsverdi", "Valuta", "Resultat", "Valuta", "Totalt antall", "Saldo", "Vekslingskurs",
    "Transaksjonstekst", "Makuleringsdato", "Sluttseddelnummer", "Verifikationsnummer", "Kurtasje",
    "Valuta", "Valutakurs", "Innledende rente",
)  # fmt: skip
NUMBERS = (
    "quantity",
    "price",
    "fees",
    "amount",
    "cost",
    "total_quantity",
    "balance",
    "rate",
    "commission",
    "accrued",
)
# A reinvested dividend is one row of the file: the purchase keeps its id, the dividend adds this.
DIVIDEND_SUFFIX = ":dividend"
CHECKED = ("amount", "total_quantity", "balance")
NAMES_INSTRUMENT = (Meaning.FEE, Meaning.COMPENSATION)  # and need not
PAYMENTS = {Meaning.DIVIDEND: "dividend", Meaning.RETURN_OF_CAPITAL: "return_of_capital"}
# Income of an instrument of which the amount alone counts.
LUMPS = (Meaning.LENDING, Meaning.COUPON)
TRADES = {
    Meaning.BUY: "buy",
    Meaning.SUBSCRIBED: "buy",
    Meaning.SUBSCRIBED_MONEY: "buy",
    Meaning.SELL: "sell",
    Meaning.REDEEMED_MONEY: "sell",
}
_PAYS_DIVIDEND = re.compile(r"UTBYTTE|UTDELNING|UDBYTTE|OSINKO|DIVIDEND", re.IGNORECASE)
# Where a row has what it needs when a person says what its word means.
FOR_WORDS = {
    "date": "booked",
    "amount": "amount",
    "currency": "account_currency",
    "quantity": "quantity",
    "isin": "isin",
    "company_name": "name",
    "external_id": "id",
}


def recognises(table: Table) -> bool:
    return positions_of(table.header) is not None


def read(table: Table, options: Options) -> Statement:
    table.require_rectangle(is_always_full=True)
    positions = positions_of(table.header)
    assert positions is not None  # nosec B101  # for mypy: `recognises` has found them
    sheet = Sheet(
        "nordnet",
        table,
        options,
        read_day=iso_day,
        decimal="comma",
        columns=positions,
        numbers=NUMBERS,
    )
    sheet.for_words = FOR_WORDS
    sheet.moved_by_balance = moved_by_balance(
        sheet,
        balance="balance",
        currency="account_currency",
        amounts=["amount"],
        left_out=lambda raw: bool(raw["cancelled"]),
    )
    sheet.set_account("account")
    sheet.rows.sort(key=_booking_order)
    everything, reversed_ = sheet.rows, reversed_rows(sheet)
    sheet.rows = [raw for raw in everything if raw.line not in reversed_]
    file = file_of(sheet)
    sheet.rows = everything
    for raw in sheet:
        with sheet.collect_problem(raw):
            if raw.line in reversed_:
                read = partial(_read_row, sheet, raw, file)
                sheet.ignore_reversed(raw, "reversed", raw["id"], read=read)
            else:
                _read_row(sheet, raw, file)
    _leave_figures(sheet, file, reversed_)
    return sheet.statement


def _booking_order(raw: RawRow) -> tuple[str, int, str]:
    """Sort by day, then by id: Nordnet numbers the rows as it books them."""
    row_id = raw["id"]
    is_number = row_id.isascii() and row_id.isdigit()
    # By length, then as text: Python refuses to convert more than 4,300 digits.
    digits = row_id.lstrip("0") if is_number else ""
    return raw["booked"], len(digits), digits


def _read_row(sheet: Sheet, raw: RawRow, file: File) -> None:
    if raw["cancelled"]:
        sheet.ignore_reversed(raw, "cancelled", raw["id"], f"{raw['id']}{DIVIDEND_SUFFIX}")
        return
    for column in CHECKED:
        raw.number(column)  # An unreadable number is a problem of its row.
    meaning = _meaning(raw)
    if is_reversal(raw["type"]) and meaning not in (*PAYMENTS, Meaning.TAX):
        raise unpaired_reversal("type", raw.number_or_zero("amount"))
    if meaning is Meaning.SUBSCRIBED and not raw.number_or_zero("amount"):
        if raw["isin"] in file.paid_apart:
            sheet.ignore(raw, "shares of a subscription")
            return
        meaning = Meaning.GRANTED
    if meaning in OF_MONEY and (meaning in NAMES_INSTRUMENT or not raw["isin"]):
        add_money(sheet, raw, meaning, file)
    elif meaning in CURRENCY_TRADES:
        add_exchange(sheet, raw, meaning, file)
    elif meaning in TRADES and raw.line not in file.exercises:
        add_trade(sheet, raw, file, TRADES[meaning])
    elif meaning in PAYMENTS:
        amount = raw.number_or_zero("amount")
        if amount < 0:
            raise unpaired_reversal("amount", amount)
        add_payment(sheet, raw, file, PAYMENTS[meaning])
    elif meaning in LUMPS:
        add_lump(sheet, raw, file, "interest")
    elif meaning is Meaning.TAX:
        add_tax(sheet, raw, file)
    elif meaning is Meaning.REINVESTED:
        # The payment and what was bought with it, in one row and without any cash.
        if add_reinvested(sheet, raw, file, "dividend", DIVIDEND_SUFFIX):
            add_reinvested(sheet, raw, file, "buy")
    elif meaning in SPLITS:
        add_split(sheet, raw, meaning, file.halves[raw["isin"], raw["traded"]])
    elif meaning is not None and meaning not in OF_MONEY and raw["isin"]:
        add_shares(sheet, raw, meaning, file)
    else:
        raise sheet.unknown_type("type", raw["type"])


def _meaning(raw: RawRow) -> Meaning | None:
    """Return what a row is. Some words of money alone are known by their parts."""
    meaning = meaning_of(raw["type"])
    if meaning is Meaning.PAYMENT and raw["isin"] and _PAYS_DIVIDEND.search(raw["text"]):
        return Meaning.DIVIDEND
    if meaning is None and not raw["isin"] and not raw["name"]:
        return meaning_of_money(raw["type"])
    return meaning


def _reserved(sheet: Sheet, reversed_: set[int]) -> dict[int, Decimal]:
    """Return how much of the balance after each row will be taken back, by line."""
    found: dict[int, Decimal] = {}
    reserved = ZERO
    for raw in sheet if reversed_ else ():
        if raw.line in reversed_:
            reserved += raw.number_or_zero("amount")
        found[raw.line] = reserved
    return found


def _leave_figures(sheet: Sheet, file: File, reversed_: set[int]) -> None:
    """Leave the broker's balances and numbers of shares."""
    statement = sheet.statement
    made: dict[int, list[StatementRow]] = defaultdict(list)
    for row in statement.rows:
        made[row.row].append(row)
    # The shares leave in one row, and the sale stands in the row of the money.
    sales = {money.line: made.pop(money.line, []) for money in file.redeemed.values()}
    of_line = {raw.line: raw for raw in sheet}
    for line, money in file.redeemed.items():
        if of_line[line]["booked"] == money["booked"]:
            made[line] = sales.pop(money.line, [])
    raws = [raw for raw in sheet if not raw["cancelled"]]
    statement.reconciles = bool(raws) and not statement.failed
    leave_balances(
        sheet,
        raws,
        booked="booked",
        balance="balance",
        currency="account_currency",
        reserved=_reserved(sheet, reversed_),
    )
    leave_shares(sheet, raws, made, booked="booked", total="total_quantity")


EXAMPLE = (
    "100001\t2024-03-01\t2024-03-01\t2024-03-05\t87654321\tKJØPT\tOrkla\tNO0003733800\t10\t80,50\t"
    "0\t29\tNOK\t-834\tNOK\t834\tNOK\t0\tNOK\t10\t4 166,00\t\t\t\t200001\t200001\t29\tNOK\t\t"
)
FORMATS = (
    Format(
        name="nordnet",
        label="Nordnet (Norway, Sweden, Denmark, Finland)",
        columns=NORWEGIAN,
        example="\t".join(NORWEGIAN) + f"\r\n{EXAMPLE}\r\n",
        recognises=recognises,
        read=read,
    ),
)
