"""Trade Republic: what the rows of a file say about each other, and what all kinds share."""

import re
from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import product
from typing import Any

from integrations.statements.amounts import cash_effect
from integrations.statements.days import iso_day
from integrations.statements.exchanges import Held, Moved, find_exchanges
from integrations.statements.raw_rows import BadRow, RawRow
from integrations.statements.reversals import taken_back
from integrations.statements.sheet import Sheet, id_of_part
from integrations.statements.traderepublic_words import (
    ACTION,
    CANCELLED,
    CASH_FOR_SHARES,
    CRYPTO,
    MAX_NOTE,
    MIGRATION,
    PAYMENTS,
    REINVESTMENT,
    REPAYMENTS,
    TRADES,
    WORTHLESS,
)

MOST_DAYS_APART = 7
_COIN = re.compile(r"\AXF0*+([A-Z]++)0\d++", re.ASCII)
# (symbol, day)
Key = tuple[str, str]


@dataclass(slots=True)
class File:
    """What has to be known of the whole file before its rows are read.

    `money` and `out` are the rows of repayments with money and with shares. `exchanges` is the name
    of the exchange that a line is a leg of, `rebooked` the lines of shares that came and went
    again, and `halves` the rows of a split in two rows. `cash` is the row with the money of an
    exchange, by its name, and `reinvested` the debit that paid for reinvested shares, by the line
    of the shares. `reversed` are lines that another one takes back, `with_money` those that are
    read with another row, of which `cash_of_exchanges` some.
    """

    held: Held
    money: dict[Key, list[RawRow]] = field(default_factory=lambda: defaultdict(list))
    out: dict[Key, list[RawRow]] = field(default_factory=lambda: defaultdict(list))
    exchanges: dict[int, str] = field(default_factory=dict)
    rebooked: set[int] = field(default_factory=set)
    halves: dict[tuple[str, str, str], list[RawRow]] = field(
        default_factory=lambda: defaultdict(list)
    )
    cash: dict[str, RawRow] = field(default_factory=dict)
    reinvested: dict[int, RawRow] = field(default_factory=dict)
    reversed: set[int] = field(default_factory=set)
    with_money: set[int] = field(default_factory=set)
    cash_of_exchanges: set[int] = field(default_factory=set)


def is_action(raw: RawRow) -> bool:
    return raw["category"].upper() == ACTION


def kind_of(raw: RawRow) -> str:
    return raw["type"].upper()


def file_of(sheet: Sheet) -> File:
    file = File(Held(sheet.statement))
    file.reversed = _cancelled(sheet)
    moves: list[Moved] = []
    debits: dict[str, list[RawRow]] = defaultdict(list)
    reinvested: list[RawRow] = []
    paid_for: dict[Key, list[RawRow]] = defaultdict(list)
    for raw in sheet:
        try:
            shares, amount = raw.number_or_zero("shares"), raw.number_or_zero("amount")
        except BadRow:
            continue  # It is a problem of its row.
        if raw.line in file.reversed:
            continue
        kind, key = kind_of(raw), (raw["symbol"], raw["date"])
        if kind in REPAYMENTS:
            (file.money if amount else file.out)[key].append(raw)
        elif kind == MIGRATION:
            moves.append(Moved(kind, raw["symbol"], shares, raw.line))
        elif is_action(raw) and kind == REINVESTMENT:
            reinvested.append(raw)
        elif is_action(raw) and kind != WORTHLESS and shares:
            moves.append(Moved((kind, raw["date"]), raw["symbol"], shares, raw.line))
            file.halves[kind, *key].append(raw)
        elif kind in CASH_FOR_SHARES and raw["symbol"] and amount:
            paid_for[key].append(raw)
        elif kind in PAYMENTS and raw["symbol"] and amount < 0:
            debits[raw["symbol"]].append(raw)
    found = find_exchanges(moves)
    file.exchanges, file.rebooked = found.names, found.rebooked
    _find_cash(sheet, file, paid_for)
    _find_late_money(file, paid_for)
    for raw in reinvested:
        _find_debit(raw, file, debits[raw["symbol"]])
    file.reversed |= taken_back(_payments(sheet, file))
    return file


def _find_cash(sheet: Sheet, file: File, paid_for: dict[Key, list[RawRow]]) -> None:
    """Find the money of each exchange: one row of its day, of one of its instruments."""
    rows: dict[str, list[RawRow]] = defaultdict(list)
    for raw in sheet:
        name = file.exchanges.get(raw.line)
        if name:
            rows[name] += paid_for.get((raw["symbol"], raw["date"]), [])
    for name, paid in rows.items():
        if len(paid) == 1:
            file.cash[name] = paid[0]
            file.cash_of_exchanges.add(paid[0].line)
    file.with_money |= file.cash_of_exchanges


def _find_late_money(file: File, paid_for: dict[Key, list[RawRow]]) -> None:
    """Find the money of liquidated shares that came under another word, or some days later.

    It is the only payment of the instrument within a week.
    """
    received: dict[str, list[RawRow]] = defaultdict(list)
    for key, rows in [*file.money.items(), *paid_for.items()]:
        if key not in file.out or key not in file.money:
            received[key[0]] += [raw for raw in rows if raw.line not in file.with_money]
    for (symbol, day), out in file.out.items():
        if file.money.get((symbol, day)) or len(out) > 1:
            continue
        near = [raw for raw in received.get(symbol, []) if _is_near(raw, day)]
        if len(near) == 1 and near[0].required_number("amount") > 0:
            file.money[symbol, day] = near
            file.with_money.add(near[0].line)


def _cancelled(sheet: Sheet) -> set[int]:
    """Return the lines of rows that cancel another by their word, and of the rows they cancel."""
    waiting: dict[tuple[str, str, Decimal, Decimal], list[int]] = defaultdict(list)
    found: set[int] = set()
    for raw in sheet:
        try:
            shares, amount = raw.number_or_zero("shares"), raw.number_or_zero("amount")
        except BadRow:
            continue  # It is a problem of its row.
        kind, symbol = kind_of(raw), raw["symbol"]
        if not kind.endswith(CANCELLED):
            waiting[kind, symbol, shares, amount].append(raw.line)
            continue
        # It may repeat the figures or turn their signs: its word says that it cancels.
        for sign_of_shares, sign_of_amount in product((-1, 1), repeat=2):
            original = (shares * sign_of_shares, amount * sign_of_amount)
            lines = waiting[(kind.removesuffix(CANCELLED), symbol, *original)]
            if lines:
                found |= {lines.pop(), raw.line}
                break
    return found


def _find_debit(raw: RawRow, file: File, debits: list[RawRow]) -> None:
    """Find the payment that was taken back within a week to pay for reinvested shares."""
    for debit in debits:
        if debit.line in file.with_money:
            continue
        if _is_near(debit, raw["date"]):
            file.reinvested[raw.line] = debit
            file.with_money.add(debit.line)
            return


def _is_near(raw: RawRow, day: str) -> bool:
    return _days_apart(iso_day(day), iso_day(raw["date"])) <= MOST_DAYS_APART


def _days_apart(day: date | None, other: date | None) -> int:
    if day is None or other is None:
        return MOST_DAYS_APART + 1
    return abs((day - other).days)


def _payments(sheet: Sheet, file: File) -> list[tuple[Hashable, Decimal, int]]:
    """Return payments and trades, those that are reversed having the opposite sign."""
    found: list[tuple[Hashable, Decimal, int]] = []
    for raw in sheet:
        kind = kind_of(raw)
        try:
            shares, amount = raw.number_or_zero("shares"), raw.number_or_zero("amount")
        except BadRow:
            continue  # It is a problem of its row.
        if is_action(raw) or raw.line in file.with_money:
            continue
        if kind in TRADES and amount:
            side = TRADES[kind]
            brought = cash_effect(side, amount)
            found.append(((side, raw["symbol"], abs(shares)), brought, raw.line))
        elif kind in PAYMENTS and raw["symbol"]:
            found.append(((raw["symbol"], raw["currency"]), amount, raw.line))
    return found


def settled_of(raw: RawRow, before_charges: Decimal) -> Decimal:
    """Return what a row added to the cash; fee and tax are negative in the file."""
    return before_charges + raw.number_or_zero("fee") + raw.number_or_zero("tax")


def add_charged(
    sheet: Sheet, raw: RawRow, *, settled: Decimal | None, charged: RawRow, **fields: Any
) -> None:
    """Add a transaction with the fee and tax of `charged`."""
    sheet.add_net(
        raw,
        commission=-charged.number_or_zero("fee"),
        tax=-charged.number_or_zero("tax"),
        settlement_currency=charged["currency"] or None,
        settlement_amount=settled or None,
        **{**identity_of(raw), "currency": charged["currency"] or None, **fields},
    )


def add_part(
    sheet: Sheet, raw: RawRow, kind: str, amount: Decimal, suffix: str = "", **fields: Any
) -> None:
    """Add a row of money, or the part of one whose id has the `suffix`."""
    row_id = raw["transaction_id"]
    texts = (raw["name"], raw["description"])
    sheet.add_money(
        raw,
        kind,
        amount,
        raw["currency"],
        date=raw.day("date"),
        note=" ".join(filter(None, texts))[:MAX_NOTE],
        external_id=id_of_part(row_id, suffix),
        **fields,
    )


def identity_of(raw: RawRow, note: str = "") -> dict[str, Any]:
    symbol, currency = raw["symbol"], raw["currency"]
    identity: dict[str, Any] = {
        "date": raw.day("date"),
        "company_name": raw["name"],
        "currency": currency or None,
        "external_id": raw["transaction_id"] or None,
        "note": note,
    }
    coin = _COIN.fullmatch(symbol)
    if coin or raw["asset_class"].upper() == CRYPTO:
        return {**identity, "symbol": f"{coin[1] if coin else symbol}-{currency}"}
    return {**identity, "isin": symbol}
