"""Interactive Brokers: what its files have in common."""

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from financeproj.core.money import ONE
from integrations.statements.checks import unknown_currency
from integrations.statements.raw_rows import BadRow, RawRow, bad_row, unpaired_reversal
from integrations.statements.sheet import Sheet, id_of_part
from integrations.statements.values import single_spaced
from portfolios.calc.import_rows import gettext_noop as _

# AAPL(US0378331005) or BRK B (US0846707026) at the beginning of a description.
_INSTRUMENT = re.compile(r"\A([A-Z0-9.]++(?: [A-Z0-9.]++)*+) ?\(([A-Z]{2}[A-Z0-9]{9}\d)\)")
# The same with a number of the broker's own in brackets.
_NUMBERED = re.compile(r"\A[A-Z0-9.]++(?: [A-Z0-9.]++)*+ ?\(\w{1,20}\)", re.ASCII)
_TAX_ON_INTEREST = re.compile(r"\Awithholding @ .* on credit int\b", re.IGNORECASE)
_REVERSAL = re.compile(r" ?-? ?reversal ?", re.IGNORECASE)
# At the end stands what kind of dividend it is, or that it is a reversal of any kind.
_KIND_OF_DIVIDEND = re.compile(r"\([^()\d]{0,60}\)\Z")
_OF_ANY_KIND = "(reversal)"
_RETURN_OF_CAPITAL = re.compile(
    r"\((?:return of capital|kapitalrückzahlung|remboursement de capital)\)", re.IGNORECASE
)
_PAIR = re.compile(r"([A-Z]{3})\.([A-Z]{3})")
TAX, TAX_ON_INTEREST = "withholding tax", "withholding tax on interest"


def named_instrument(raw: RawRow) -> tuple[str, str] | None:
    """Return (symbol, ISIN) if the description begins with both."""
    match = _INSTRUMENT.match(single_spaced(raw["Description"]))
    return (match[1], match[2]) if match else None


def isins_of(rows: Iterable[RawRow]) -> dict[str, str]:
    """Return the ISIN of each symbol, from the descriptions that have both."""
    return dict(filter(None, map(named_instrument, rows)))


def isin_of(raw: RawRow) -> str:
    """Return the ISIN of a row of a Flex query, empty if it has none."""
    if raw["ISIN"] or raw["SecurityIDType"].upper() != "ISIN":
        return raw["ISIN"]
    return raw["SecurityID"]


def names_instrument(raw: RawRow) -> bool:
    """Return whether the description begins with a symbol and a number in brackets."""
    return _NUMBERED.match(single_spaced(raw["Description"])) is not None


def is_tax_on_interest(raw: RawRow) -> bool:
    return _TAX_ON_INTEREST.match(raw["Description"]) is not None


def reversed_payment(
    column: str, amount: Decimal, currency: str, *, date: date, isin: str, symbol: str
) -> BadRow:
    """Make the error of a row that takes a payment or a charge of an instrument back."""
    return unpaired_reversal(
        column,
        amount,
        date=date,
        price=abs(amount),
        settlement_amount=-amount or None,
        settlement_currency=currency or None,
        isin=isin or None,
        symbol=symbol or None,
    )


def reversed_lines(sheet: Sheet, kind_column: str) -> set[int]:
    """Find payments that another row of the same kind and words reverses.

    Returns both lines of each.
    """
    waiting: dict[tuple[str, str, Decimal], list[int]] = defaultdict(list)
    of_any_kind: list[tuple[str, str, Decimal, int]] = []
    found: set[int] = set()
    for raw in sheet:
        try:
            value = raw.number_or_zero("Amount")
        except BadRow:
            continue
        kind = raw[kind_column]
        text = single_spaced(raw["Description"])
        if text.casefold().endswith(_OF_ANY_KIND):
            of_any_kind.append((kind, _without_kind(text), value, raw.line))
            continue
        words = _REVERSAL.sub(" ", text).strip()
        opposite = waiting[kind, words, -value]
        if opposite:
            found |= {opposite.pop(), raw.line}
        else:
            waiting[kind, words, value].append(raw.line)
    left: dict[tuple[str, str, Decimal], list[int]] = defaultdict(list)
    for (kind, words, value), lines in waiting.items():
        left[kind, _without_kind(words), value] += lines
    for kind, words, value, line in of_any_kind:
        opposite = left[kind, words, -value]
        if opposite:
            found |= {opposite.pop(), line}
    return found


def _without_kind(words: str) -> str:
    return _KIND_OF_DIVIDEND.sub("", words).strip()


def cancelled_lines(trades: Iterable[tuple[Hashable, bool, int]]) -> tuple[set[int], set[int]]:
    """Find trades that another row cancels.

    `trades` are (what must be alike, whether it cancels, line) in the order of the file. Each
    cancels the nearest trade before it, or else one after it. Returns the lines of both, and those
    that cancel a trade that is not in the file.
    """
    traded: dict[Hashable, list[int]] = defaultdict(list)
    found: set[int] = set()
    open_ones: list[tuple[Hashable, int]] = []
    for alike, cancels, line in trades:
        if not cancels:
            traded[alike].append(line)
        elif traded[alike]:
            found |= {traded[alike].pop(), line}
        else:
            open_ones.append((alike, line))
    alone: set[int] = set()
    for alike, line in open_ones:
        if traded[alike]:
            found |= {traded[alike].pop(0), line}
        else:
            alone.add(line)
    return found, alone


def add_payment(
    sheet: Sheet,
    raw: RawRow,
    kind: str,
    *,
    currency: str,
    day_column: str,
    isin: str = "",
    symbol: str = "",
    external_id: str = "",
) -> None:
    """Add what an instrument paid, or the tax on it. Amounts are totals, taxes negative.

    `kind` is a type of transaction, or TAX. Tax that is paid back is money alone.
    """
    is_tax = kind == TAX
    description = raw["Description"]
    amount = raw.required_number("Amount")
    if is_tax and amount > 0:
        add_money(sheet, raw, "tax", currency, day_column, external_id)
        return
    named = named_instrument(raw)
    if named:
        symbol = named[0]
        isin = isin or named[1]
    elif not symbol:
        symbol = description.split("(")[0].strip()
    if not is_tax and amount < 0:
        raise reversed_payment(
            "Amount", amount, currency, date=raw.day(day_column), isin=isin, symbol=symbol
        )
    if kind == "dividend" and _RETURN_OF_CAPITAL.search(description):
        kind = "return_of_capital"
    sheet.add(
        raw,
        type="tax" if is_tax else kind,
        date=raw.day(day_column),
        quantity=ONE,
        price=abs(amount),
        currency=currency,
        settlement_currency=currency or None,
        settlement_amount=amount or None,
        isin=isin or None,
        symbol=symbol or None,
        note=description,
        external_id=external_id or None,
    )


def add_money(
    sheet: Sheet,
    raw: RawRow,
    kind: str,
    currency: str,
    day_column: str,
    external_id: str = "",
    amount: Decimal | None = None,
) -> None:
    """Add money alone, by the sign of its amount."""
    sheet.add_money(
        raw,
        kind,
        raw.required_number("Amount") if amount is None else amount,
        currency,
        date=raw.day(day_column),
        note=raw["Description"],
        external_id=external_id or None,
    )


def pair_of(sheet: Sheet, text: str) -> tuple[str, str] | None:
    """Return the two currencies of EUR.USD, None if the text names no such pair."""
    match = _PAIR.fullmatch(text.strip())
    if match is None or not any(map(sheet.options.is_currency, match.groups())):
        return None
    return match[1], match[2]


def add_exchange(
    sheet: Sheet,
    raw: RawRow,
    *,
    pair: tuple[str, str] | None,
    bought: Decimal,
    paid: Decimal,
    fee: Decimal,
    fee_currency: str,
    **fields: Any,
) -> None:
    """Add both legs of an exchange of currencies, and its commission.

    `bought` is signed in the first currency of the pair, `paid` in the second, `fee` as it moves
    the balance. The row's id is that of its first leg.
    """
    if pair is None:
        message = _(
            "This exchange of currencies names one of its two currencies. Add the column Symbol to "
            'the query, or name the other with mapping={"currency": …}.'
        )
        raise bad_row("Symbol", raw["Symbol"], "unpaired_conversion", message)
    for code in (*pair, fee_currency):
        if not sheet.options.is_currency(code):
            raise BadRow(unknown_currency(code).at(0, "Symbol", code))
    row_id = fields.pop("external_id", None)
    group = {"group": row_id or f"line {raw.line}", "group_kind": "conversion"}
    first = sheet.add_money(
        raw, "conversion", bought, pair[0], external_id=row_id, **group, **fields
    )
    if first is None:
        return
    other_id = id_of_part(row_id, ":into")
    sheet.add_money(raw, "conversion", paid, pair[1], external_id=other_id, **group, **fields)
    if fee:
        fee_id = id_of_part(row_id, ":fee")
        sheet.add_money(raw, "fee", fee, fee_currency, external_id=fee_id, **fields)
