"""Trade Republic by pytr: shares that come or go by what a company does.

A swap has both instruments in one row. A spin-off names what came for which shares. It is an
exchange where a sale takes those out before it.
"""

import re
from collections import defaultdict
from decimal import Decimal
from typing import Any

from financeproj.core.identifiers import looks_like_isin
from financeproj.core.money import ZERO
from integrations.statements.amounts import divide
from integrations.statements.exchanges import EXCHANGE, SPIN_OFF, add_leg, unpaired_action
from integrations.statements.raw_rows import RawRow
from integrations.statements.sheet import Sheet

EURO = "EUR"
CENT = Decimal("0.01")
EXERCISE = "exercise"
_COIN = re.compile(r"\AXF0*+([A-Z]++)0\d++", re.ASCII)


def find_pairs(sheet: Sheet, kinds: dict[int, str]) -> dict[int, str]:
    """Return the name of its exchange for each line of a sale and the spin-off that follows it."""
    found: dict[tuple[str, str, str], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for raw in sheet:
        kind = kinds[raw.line]
        gone = raw["isin"] if kind == "sell" else raw["isin2"]
        if kind in ("sell", "spinoff") and raw["shares2"] and gone:
            found[raw["date"], gone, raw["shares2"]][kind].append(raw.line)
    names: dict[int, str] = {}
    for lines in found.values():
        if len(lines["sell"]) == len(lines["spinoff"]) == 1:
            names |= dict.fromkeys(lines["sell"] + lines["spinoff"], f"exchange {lines['sell'][0]}")
    return names


def add_pair(sheet: Sheet, raw: RawRow, kind: str, name: str) -> None:
    """Add the sale that takes shares out, or the spin-off that brings others, as a leg."""
    value = raw.number_or_zero("value")
    shares = raw.required_number("shares")
    identity = identity_of(raw, raw["isin"], raw["note"])
    if kind == "sell":
        _add_out(sheet, raw, shares, value, name, identity)
    else:
        add_leg(sheet, raw, shares, group=name, label=raw["type"], kind=_kind(value), **identity)


def add_swap(sheet: Sheet, raw: RawRow) -> None:
    """Add an exchange, or a split where both instruments are the same."""
    shares, others = raw.required_number("shares"), raw.required_number("shares2")
    value = raw.number_or_zero("value")
    old = identity_of(raw, raw["isin"], raw["note"])
    if min(shares, others) <= 0 or not raw["isin2"]:
        raise unpaired_action(raw, "shares")
    if raw["isin2"] == raw["isin"]:
        if value:
            raise unpaired_action(raw, "shares")
        sheet.add(raw, type="split", quantity=divide(others, shares), **old)
        return
    new = identity_of(raw, raw["isin2"], "")
    name = f"swap {raw.line}"
    _add_out(sheet, raw, shares, value, name, old)
    add_leg(sheet, raw, others, group=name, label=raw["type"], kind=_kind(value), **new)


def add_spin_off(sheet: Sheet, raw: RawRow) -> None:
    """Add shares that come for others that stay; the file does not say which cost is theirs.

    pytr writes the ISIN of those others twice where it does not know what came: then the note
    names that.
    """
    shares = raw.required_number("shares")
    if shares <= 0 or raw.number_or_zero("value"):
        raise unpaired_action(raw, "shares")
    parent = raw["isin2"]
    isin = "" if raw["isin"] == parent else raw["isin"]
    came = identity_of(raw, isin, raw["note"])
    if not parent:
        add_leg(sheet, raw, shares, note=raw["type"], **came)
        return
    group = {"group": f"spin-off {raw.line}", "group_label": raw["type"]}
    made = sheet.add(raw, type="exchange_in", quantity=shares, group_kind=SPIN_OFF, **group, **came)
    if made is not None:
        sheet.add(
            raw,
            type="exchange_out",
            quantity=ZERO,
            group_kind=SPIN_OFF,
            **group,
            **identity_of(raw, parent, ""),
        )


def _kind(value: Decimal) -> str:
    return EXERCISE if value < 0 else EXCHANGE


def _add_out(
    sheet: Sheet, raw: RawRow, shares: Decimal, value: Decimal, name: str, identity: dict[str, Any]
) -> None:
    add_leg(
        sheet,
        raw,
        -shares,
        group=name,
        label=raw["type"],
        kind=_kind(value),
        cash=value.quantize(CENT) if value else ZERO,
        settlement_currency=EURO if value else None,
        **identity,
    )


def identity_of(raw: RawRow, isin: str, company: str) -> dict[str, Any]:
    """Return what names an instrument; pytr writes the name where it does not know the ISIN."""
    identity: dict[str, Any] = {
        "date": raw.day("date"),
        "company_name": company,
        "currency": EURO,
    }
    coin = _COIN.fullmatch(isin)
    if coin:
        return {**identity, "symbol": f"{coin[1]}-{EURO}"}
    if looks_like_isin(isin):
        return {**identity, "isin": isin}
    return {**identity, "symbol": isin or company, "company_name": company or isin}
