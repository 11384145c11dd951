"""Saxo: what companies did to their shares.

The sheet of transactions says only which money moved. Another sheet of the workbook has the shares:
a row for each instrument that went or came, with the number of the action.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from financeproj.core.money import ZERO
from integrations.statements.amounts import divide
from integrations.statements.base import Table
from integrations.statements.exchanges import add_leg
from integrations.statements.raw_rows import RawRow
from integrations.statements.sheet import Sheet
from integrations.statements.values import folded, number_in

# After the event of a row that takes another back.
REVERSES = re.compile(r" - (?:reversal|terugboeking|tilbageforsel|annulation|storno|stornierung)\Z")
_COLUMNS = {
    "action": re.compile(r"corporate action[- ]id"),
    "event": re.compile(r"event|acties|begivenhed|evenement|ereignis"),
    "shares": re.compile(r"traded quantity"),
    "isin": re.compile(r"(?:instrument )?isin|(?:code )?isin de l'instrument"),
    "name": re.compile(r"instrument"),
    "symbol": re.compile(r"instrument ?symbol|instrumentsymbool|symbole"),
}


class Shares(NamedTuple):
    """What an action took of one instrument, and what it gave.

    Neither is below 0, unless an earlier file has what is taken back.
    """

    gone: Decimal
    came: Decimal
    name: str
    symbol: str


Actions = Mapping[str, Mapping[str, Shares]]


def read_actions(tables: Iterable[Table]) -> Actions:
    """Return the shares of each action by its number and their ISIN; none without that sheet."""
    found: dict[str, dict[str, Shares]] = defaultdict(dict)
    for table in tables:
        columns = _positions(table.header)
        if columns.keys() != _COLUMNS.keys():
            continue
        for record in table.records:
            cells = {name: _cell(record, place) for name, place in columns.items()}
            shares = number_in(cells["shares"], "point") or ZERO
            if cells["action"] and cells["isin"] and shares:
                _add_shares(found[cells["action"]], cells, shares)
    return found


def _positions(header: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for place, name in enumerate(map(folded, header)):
        for ours, pattern in _COLUMNS.items():
            if pattern.fullmatch(name):
                found.setdefault(ours, place)
    return found


def _cell(record: Sequence[str], place: int) -> str:
    return record[place].strip() if place < len(record) else ""


def _add_shares(action: dict[str, Shares], cells: Mapping[str, str], shares: Decimal) -> None:
    """Count shares that went or came. Those of a reversal count on the side that they take back."""
    before = action.get(cells["isin"], Shares(ZERO, ZERO, cells["name"], cells["symbol"]))
    is_reversal = REVERSES.search(folded(cells["event"])) is not None
    if (shares < 0) != is_reversal:
        after = before._replace(gone=before.gone - shares)
    else:
        after = before._replace(came=before.came + shares)
    if after.gone or after.came:
        action[cells["isin"]] = after
    else:
        action.pop(cells["isin"], None)  # It was taken back.


def is_clear(action: Mapping[str, Shares], cash: Decimal) -> bool:
    """Return whether an action is a split, an exchange, a sale for `cash`, or shares at no cost."""
    if any(one.gone < 0 or one.came < 0 for one in action.values()):
        return False
    gone = {isin for isin, one in action.items() if one.gone}
    came = {isin for isin, one in action.items() if one.came}
    if gone & came:
        return gone == came and len(gone) == 1 and not cash
    if gone:
        return len(gone) == 1 and cash >= 0
    return not cash


def add_action(
    sheet: Sheet, raw: RawRow, action: Mapping[str, Shares], cash: Decimal, currency: str
) -> None:
    """Add what an action that is clear did to the shares."""
    gone = {isin: one for isin, one in action.items() if one.gone}
    came = {isin: one for isin, one in action.items() if one.came}
    money: dict[str, Any] = {}
    if cash:
        money = {"settlement_amount": cash, "settlement_currency": currency}
    fields: dict[str, Any] = {"date": raw.day("date"), "note": raw["event"]}
    if gone.keys() & came.keys():
        for isin, one in gone.items():
            _add_split(sheet, raw, isin, one, fields)
        return
    for isin, one in gone.items():
        identity = {**fields, **_identity(isin, one)}
        if came:
            label, group = raw["event"], f"action {raw['action']}"
            add_leg(sheet, raw, -one.gone, group=group, label=label, **identity, **money)
        else:
            price = divide(cash, one.gone)
            sheet.add(
                raw, type="sell", quantity=one.gone, price=price, currency=currency or None,
                **identity, **money,
            )  # fmt: skip
    for isin, one in came.items():
        identity = {**fields, **_identity(isin, one)}
        group = f"action {raw['action']}" if gone else ""
        add_leg(sheet, raw, one.came, group=group, label=raw["event"], **identity)


def _add_split(
    sheet: Sheet, raw: RawRow, isin: str, shares: Shares, fields: Mapping[str, Any]
) -> None:
    if shares.gone == shares.came:
        sheet.ignore(raw, "the same shares")
        return
    ratio = divide(shares.came, shares.gone)
    sheet.add(raw, type="split", quantity=ratio, **fields, **_identity(isin, shares))


def _identity(isin: str, one: Shares) -> dict[str, str | None]:
    return {"isin": isin, "symbol": one.symbol or None, "company_name": one.name}
