"""Swissquote: shares that come or go by what a company does, and those that are moved.

The quantity has a sign: below 0 for shares that go. Most rows have no amount.
"""

from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from financeproj.core.identifiers import in_major_unit
from financeproj.core.money import ONE, ZERO
from integrations.statements.amounts import transfer_kind
from integrations.statements.exchanges import (
    EXCHANGE,
    Moved,
    add_leg,
    add_split,
    find_exchanges,
    unpaired_action,
)
from integrations.statements.raw_rows import BadRow, RawRow, bad_row
from integrations.statements.sheet import Sheet
from integrations.statements.swissquote_trades import (
    add_trade,
    identity_of,
    in_main_unit,
    settled_of,
    traded_in,
)
from integrations.statements.swissquote_words import ACTIONS, EXERCISES, LAPSED, MOVED, SPLITS
from integrations.statements.values import folded
from portfolios.calc.import_rows import gettext_noop as _

DAY = 10  # characters of a moment
EXERCISE = "exercise"
UNPAIRED_SPLIT = _("A split needs one row that closes the old shares and one that opens new ones.")


@dataclass(slots=True)
class Actions:
    """What the rows of actions say about each other.

    `names` is the name of the exchange that a line is a leg of, `cash` the row with its money, by
    that name. `rebooked` are shares that came and went again, and `halves` the rows of one
    instrument, word and day.
    """

    names: dict[int, str] = field(default_factory=dict)
    cash: dict[str, RawRow] = field(default_factory=dict)
    rebooked: set[int] = field(default_factory=set)
    halves: dict[Hashable, list[RawRow]] = field(default_factory=lambda: defaultdict(list))


def _key(raw: RawRow) -> tuple[str, str]:
    return folded(raw["transaction"]), raw["date"][:DAY]


def _instrument(raw: RawRow) -> str:
    return raw["isin"] or raw["symbol"]


def find_actions(sheet: Sheet) -> Actions:
    moves: list[Moved] = []
    paid: dict[str, list[RawRow]] = defaultdict(list)
    found = Actions()
    for raw in sheet:
        if folded(raw["transaction"]) not in ACTIONS or not _instrument(raw):
            continue
        try:
            shares = raw.number_or_zero("quantity")
        except BadRow:
            continue  # It is a problem of its row.
        if shares:
            moves.append(Moved(_key(raw), _instrument(raw), shares, raw.line))
            found.halves[_key(raw), _instrument(raw)].append(raw)
    exchanges = find_exchanges(moves)
    found.rebooked = exchanges.rebooked
    for raw in sheet:
        name = exchanges.names.get(raw.line)
        if name and raw["net"].strip("-0., "):
            paid[name].append(raw)
    for line, name in exchanges.names.items():
        # Which money is whose is not clear where several rows have some.
        if len(paid[name]) < 2:
            found.names[line] = name
            if paid[name]:
                found.cash[name] = paid[name][0]
    return found


def add_action(sheet: Sheet, raw: RawRow, kind: str, actions: Actions) -> None:
    shares = raw.required_number("quantity")
    halves = actions.halves[_key(raw), _instrument(raw)]
    if raw.line in actions.names:
        _add_leg(sheet, raw, kind, actions, shares)
    elif raw.line in actions.rebooked:
        sheet.ignore(raw, raw["transaction"].lower())
    elif raw.number_or_zero("net"):
        # Shares that are bought or taken for money.
        add_trade(sheet, raw, "sell" if raw.number_or_zero("net") > 0 else "buy")
    elif len(halves) == 2:
        _add_halves(sheet, raw, halves, shares)
    elif kind in SPLITS:
        raise bad_row("transaction", raw["transaction"], "unpaired_split", UNPAIRED_SPLIT)
    elif kind in MOVED:
        _add_plain(sheet, raw, transfer_kind(shares), None)
    elif kind in LAPSED:
        _add_plain(sheet, raw, "sell", ZERO)
    elif shares > 0:
        add_leg(sheet, raw, shares, note=raw["transaction"], **_identity(raw))
    else:
        raise unpaired_action(raw, "quantity")


def _identity(raw: RawRow) -> dict[str, Any]:
    return {**identity_of(raw, in_major_unit(ONE, traded_in(raw))[1])}


def _add_leg(sheet: Sheet, raw: RawRow, kind: str, actions: Actions, shares: Decimal) -> None:
    name = actions.names[raw.line]
    paid = actions.cash.get(name)
    cash = None
    settled: dict[str, Any] = {}
    is_exercise = False
    if paid is not None:
        net = in_main_unit(paid, paid.required_number("net"))
        booked = settled_of(paid, net, _identity(paid)["currency"])
        is_exercise = kind in EXERCISES and net < 0
        if shares < 0:
            cash = booked["settlement_amount"]
            settled = {"settlement_currency": booked["settlement_currency"]}
    add_leg(
        sheet,
        raw,
        shares,
        group=name,
        label=raw["transaction"],
        kind=EXERCISE if is_exercise else EXCHANGE,
        cash=cash,
        **settled,
        **_identity(raw),
    )


def _add_halves(sheet: Sheet, raw: RawRow, halves: list[RawRow], shares: Decimal) -> None:
    first, second = (half.required_number("quantity") for half in halves)
    if (first < 0) == (second < 0):
        raise unpaired_action(raw, "quantity")
    add_split(sheet, raw, shares, (first, second), **_identity(raw))


def _add_plain(sheet: Sheet, raw: RawRow, kind: str, price: Decimal | None) -> None:
    """Add shares without money; coming in, their cost is unknown."""
    sheet.add(
        raw,
        type=kind,
        quantity=abs(raw.required_number("quantity")),
        price=price,
        is_cost_unknown=kind == "transfer_in",
        note=raw["transaction"],
        **_identity(raw),
    )
