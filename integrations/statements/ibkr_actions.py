"""Interactive Brokers: what companies did to their shares, by the words of its rows.

A row names the instrument that the action is of at its beginning, and what it moves at its end:
`ATL(US0000000011) Spinoff 1 for 5 (SKG, SKOG, SE0000000012)`. Rows of one action have all but the
end alike.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

from financeproj.core.money import EXACT, ONE, ZERO
from integrations.statements.amounts import divide, divide_known
from integrations.statements.ibkr_assets import (
    WITHOUT_MONEY,
    is_of_option_alone,
    require_imported,
)
from integrations.statements.raw_rows import BadRow, RawRow, unpaired_reversal
from integrations.statements.sheet import Sheet, id_of_part
from integrations.statements.values import single_spaced

_NUMBER = r"\d{1,15}(?:\.\d{1,10})?"
_PER = r"(?:for|für|pour|contre|auf)"
_SPLIT = re.compile(
    rf"\b(?:Split|Fractionnement|Regroupement) ({_NUMBER}) {_PER} ({_NUMBER})\b", re.IGNORECASE
)
# Shares that come for those held: `Stock Dividend 1 for 20`.
_BONUS = re.compile(
    r"\b(?:Stock Dividend|Choice Dividend|Scrip Dividend|Bonus Issue|Payment in Kind|"
    r"Aktiendividende|"
    rf"Dividende en actions)\b[^(]{{0,40}}? ({_NUMBER}) {_PER} ({_NUMBER})\b",
    re.IGNORECASE,
)
_GONE = re.compile(
    r"\b(?:delisted|worthless|liquidation|bankruptcy|expired?|expiration|lapsed?|wertlos|radiée?|"
    r"sans valeur)\b",
    re.IGNORECASE,
)
# Shares or rights that come to those who hold the shares of another company, which they keep.
_SPUN_OFF = re.compile(
    r"\b(?:spin-?off|scission|abspaltung|stock dividend|contract spin|distribution)\b",
    re.IGNORECASE,
)
_RIGHTS = re.compile(
    r"\b(?:rights? issue|bezugsrechte?|droits? de souscription|dividend rights|choice dividend)\b",
    re.IGNORECASE,
)
_BETWEEN_CODES = re.compile(r"[;, ]")
_ISIN = re.compile(r"[A-Z]{2}[A-Z0-9]{9}\d", re.ASCII)
_CUSIP = re.compile(r"[A-Z0-9]{9}", re.ASCII)
LABEL = 100  # characters
SYMBOL = 40


class _Instrument(NamedTuple):
    symbol: str
    isin: str


class _Entry(NamedTuple):
    """One row: its words without what it moves, and whether it cancels another row."""

    line: int
    words: str
    origin: _Instrument
    moved: _Instrument
    quantity: Decimal
    proceeds: Decimal
    currency: str
    cancels: bool


# What a split is of, its day and its words.
_Split = tuple[str, str, str]


class Actions:
    """The corporate actions of a file. One that changes the shares is in two rows or more.

    Of a row that another cancels it is known what it was. A row that cancels one of an earlier file
    is read as that one, with the opposite signs.
    """

    def __init__(self, rows: Iterable[RawRow]) -> None:
        self._splits: set[_Split] = set()
        self._splits_aside: set[_Split] = set()
        self._entries: dict[int, _Entry] = {}
        self._of_action: dict[tuple[str, ...], list[_Entry]] = defaultdict(list)
        self._keys: dict[int, tuple[str, ...]] = {}
        everything = list(rows)
        for raw in everything:
            try:
                self._entries[raw.line] = _entry(raw)
            except BadRow:
                continue  # It is a problem of its row.
        # Which row cancels which one.
        self._cancelled = _cancelled(list(self._entries.values()))
        self._cancelling = set(self._cancelled.values())
        for raw in everything:
            entry = self._entries.get(raw.line)
            if entry is None or raw.line in self._cancelling:
                continue
            state = "stands"
            if raw.line in self._cancelled:
                state = "cancelled"
            elif entry.cancels:
                state = "cancels"
                entry = self._entries[raw.line] = _opposite(entry)
            key = (raw["ActionID"] or entry.words, raw["Report Date"], state)
            self._of_action[key].append(entry)
            self._keys[raw.line] = key

    def add(self, sheet: Sheet, raw: RawRow) -> None:
        """Add what the row says, as a row of its own or as a leg of a group. Raises BadRow."""
        for column in ("Quantity", "Proceeds"):
            raw.number(column)  # An unreadable number is a problem of its row.
        entry = self._entries[raw.line]
        category = "Asset Category" if raw["Asset Category"] else "AssetClass"
        if is_of_option_alone(raw, category, "Quantity", "Proceeds"):
            sheet.ignore(raw, WITHOUT_MONEY)
        elif raw.line in self._cancelling:
            sheet.ignore_reversed(raw, "cancelled", raw["TransactionID"])
        elif raw.line in self._cancelled:
            read = partial(self._add_entry, sheet, raw, self._splits_aside)
            sheet.ignore_reversed(raw, "cancelled", raw["TransactionID"], read=read)
        elif entry.cancels:
            self._add_reversal(sheet, raw, entry)
        else:
            if raw[category]:
                require_imported(raw, category)
            self._add_entry(sheet, raw, self._splits)

    def _add_reversal(self, sheet: Sheet, raw: RawRow, entry: _Entry) -> None:
        """Say what the row that `raw` cancels was. Raises BadRow."""
        rows = sheet.rows_of(partial(self._add_entry, sheet, raw, self._splits_aside))
        if not rows:
            sheet.ignore(raw, "cancelled")
            return
        was = rows[0]
        raise unpaired_reversal(
            "Quantity",
            -entry.quantity,
            type=was.type,
            date=was.date,
            quantity=was.quantity,
            price=was.price,
            settlement_amount=was.settlement_amount,
            settlement_currency=was.settlement_currency,
            isin=was.isin,
            symbol=was.symbol,
            external_id=was.external_id,
        )

    def _add_entry(self, sheet: Sheet, raw: RawRow, splits: set[_Split]) -> None:
        """Add what the row says, as a row of its own or as a leg of a group. Raises BadRow.

        `splits` are those that were added before.
        """
        entry = self._entries[raw.line]
        if not entry.moved.symbol and not entry.moved.isin:
            raise sheet.unknown_type("Description", raw["Description"])
        action = _Action(self._of_action[self._keys[raw.line]])
        if ratio := self._ratio(entry):
            self._add_split(sheet, raw, entry, ratio, splits)
        elif not entry.quantity:
            _add_without_shares(sheet, raw, entry)
        elif not action.arrives:
            _add_gone(sheet, raw, entry)
        elif not action.leaves and entry.proceeds < 0:
            _add_bought(sheet, raw, entry)
        elif action.leaves:
            _add_leg(sheet, raw, entry, action)
        elif _SPUN_OFF.search(entry.words) or _RIGHTS.search(entry.words):
            _add_spun_off(sheet, raw, entry, action)
        else:
            raise sheet.unknown_type("Description", raw["Description"])

    def _ratio(self, entry: _Entry) -> Decimal | None:
        """Return the ratio of a split or of a dividend in shares of the same company."""
        if match := _SPLIT.search(entry.words):
            new, old = Decimal(match[1]), Decimal(match[2])
            return divide_known(new, old)
        match = _BONUS.search(entry.words)
        if match is None or not _is_same(entry.moved, entry.origin) or not Decimal(match[2]):
            return None
        return divide(EXACT.add(ONE, EXACT.divide(Decimal(match[1]), Decimal(match[2]))), ONE)

    def _add_split(
        self, sheet: Sheet, raw: RawRow, entry: _Entry, ratio: Decimal, splits: set[_Split]
    ) -> None:
        """Add a split once.

        If the shares get another ISIN, one row removes the old shares and another adds the new.
        Money is what was paid for a fraction.
        """
        words = entry.words.casefold().partition(")")[2]
        key = (entry.origin.isin or entry.origin.symbol, raw["Report Date"], words)
        if entry.proceeds:
            _add_without_shares(sheet, raw, entry)
        if key in splits:
            if not entry.proceeds:
                sheet.ignore(raw, "part of a split")
            return
        splits.add(key)
        sheet.add(
            raw,
            type="split",
            quantity=ratio,
            **_identity(raw, entry.origin if entry.origin.isin else entry.moved),
        )


class _Action:
    """The rows of one action: those whose shares leave, those whose shares come, the money."""

    def __init__(self, entries: Sequence[_Entry]) -> None:
        self.leaves = [entry for entry in entries if entry.quantity < 0]
        self.arrives = [entry for entry in entries if entry.quantity > 0]
        paid = [entry for entry in entries if entry.proceeds]
        self.cash = sum((entry.proceeds for entry in paid), ZERO)
        self.currencies = {entry.currency for entry in paid}
        self.first_of: dict[_Instrument, _Entry] = {}
        self.shares: dict[_Instrument, Decimal] = defaultdict(Decimal)
        for entry in entries:
            self.first_of.setdefault(entry.moved, entry)
            self.shares[entry.moved] += entry.quantity

    @property
    def is_of_one_kind(self) -> bool:
        """Whether one instrument leaves at most, others come, and the money is in one currency."""
        leaves = {entry.moved for entry in self.leaves}
        arrives = {entry.moved for entry in self.arrives}
        return len(leaves) <= 1 and not leaves & arrives and len(self.currencies) <= 1


def _entry(raw: RawRow) -> _Entry:
    text = single_spaced(raw["Description"])
    words, end = _without_end(text)
    origin = _origin(words)
    return _Entry(
        line=raw.line,
        words=words,
        origin=origin,
        moved=_moved(raw, words, end, origin),
        quantity=raw.number_or_zero("Quantity"),
        proceeds=raw.number_or_zero("Proceeds"),
        currency=raw["Currency"],
        cancels="Ca" in _BETWEEN_CODES.split(raw["Code"]),
    )


def _opposite(entry: _Entry) -> _Entry:
    return entry._replace(quantity=-entry.quantity, proceeds=-entry.proceeds)


def _without_end(text: str) -> tuple[str, str]:
    """Divide the words from the last brackets, which may have brackets within."""
    if not text.endswith(")"):
        return text, ""
    depth = 0
    for place in range(len(text) - 1, -1, -1):
        depth += (text[place] == ")") - (text[place] == "(")
        if not depth:
            return text[:place].strip(), text[place + 1 : -1]
    words, _, end = text.rpartition(" (")
    return words, end.rstrip(")")


def _origin(words: str) -> _Instrument:
    """Return the instrument at the beginning: `ATL(US0000000011)`, or the ISIN alone."""
    symbol, _, rest = words.partition("(")
    isin = rest.partition(")")[0].strip()
    if not _ISIN.fullmatch(isin):
        isin = ""
    return _Instrument(symbol.strip()[:SYMBOL] if rest else "", isin)


def _moved(raw: RawRow, words: str, end: str, origin: _Instrument) -> _Instrument:
    """Return what a row moves: by its own columns, else by `(SKG, SKOG, SE0000000012)`.

    Of a CUSIP, which has no country, the ISIN is taken from the words if they have it.
    """
    parts = [part.strip() for part in end.split(", ")]
    said = origin
    if len(parts) > 1:
        said = _Instrument(parts[0], parts[-1])
    symbol = raw["Symbol"] or said.symbol
    code = raw["ISIN"] or raw["SecurityID"] or said.isin
    if _CUSIP.fullmatch(code):
        same = [isin for isin in _ISIN.findall(words) if isin[2:11] == code]
        code = same[0] if same else ""
    if not _ISIN.fullmatch(code):
        code = origin.isin if symbol == origin.symbol else ""
    return _Instrument(symbol[:SYMBOL], code)


def _cancelled(entries: Sequence[_Entry]) -> dict[int, int]:
    """Return the lines of rows that another row cancels, each with the line of that row.

    Rows that say the same but for the sign are such pairs too: the later one cancels the other.
    """
    waiting: dict[tuple[Any, ...], list[_Entry]] = defaultdict(list)
    found: dict[int, int] = {}
    for entry in entries:
        if not entry.quantity and not entry.proceeds:
            continue
        opposite = (entry.words, entry.moved, -entry.quantity, -entry.proceeds)
        if waiting[opposite]:
            other = waiting[opposite].pop()
            if other.cancels:
                found[entry.line] = other.line
            else:
                found[other.line] = entry.line
        else:
            waiting[entry.words, entry.moved, entry.quantity, entry.proceeds].append(entry)
    return found


def _add_without_shares(sheet: Sheet, raw: RawRow, entry: _Entry) -> None:
    """Add what was paid for a fraction of a share; a row without money moves nothing."""
    if entry.proceeds < 0:
        raise sheet.unknown_type("Description", raw["Description"])
    if not entry.proceeds:
        sheet.ignore(raw, "neither shares nor money")
        return
    sheet.add(
        raw,
        type="return_of_capital",
        quantity=ONE,
        currency=entry.currency or None,
        price=entry.proceeds,
        **_money(entry.proceeds, entry.currency),
        **_identity(raw, entry.moved, ":cash"),
    )


def _add_gone(sheet: Sheet, raw: RawRow, entry: _Entry) -> None:
    """Add shares that are gone for money, or that are worth nothing, as a sale."""
    shares = abs(entry.quantity)
    paid = price = ZERO
    if entry.proceeds > 0:
        paid, price = entry.proceeds, divide(entry.proceeds, shares)
    elif not _GONE.search(entry.words):
        raise sheet.unknown_type("Description", raw["Description"])
    sheet.add(
        raw,
        type="sell",
        quantity=shares,
        currency=entry.currency or None,
        price=price,
        **_money(paid, entry.currency),
        **_identity(raw, _known(entry)),
    )


def _add_bought(sheet: Sheet, raw: RawRow, entry: _Entry) -> None:
    """Add shares that were subscribed for without rights, as a purchase."""
    sheet.add(
        raw,
        type="buy",
        quantity=entry.quantity,
        currency=entry.currency or None,
        price=divide(-entry.proceeds, entry.quantity),
        **_money(entry.proceeds, entry.currency),
        **_identity(raw, entry.moved),
    )


def _add_leg(sheet: Sheet, raw: RawRow, entry: _Entry, action: _Action) -> None:
    """Add what goes, with all the money, or what comes. Rows of one instrument are one leg."""
    if not action.is_of_one_kind:
        raise sheet.unknown_type("Description", raw["Description"])
    if action.first_of[entry.moved] is not entry:
        sheet.ignore(raw, "part of a corporate action")
        return
    quantity = action.shares[entry.moved]
    is_out = quantity < 0
    kind = "exercise" if action.cash < 0 else "exchange"
    sheet.add(
        raw,
        type="exchange_out" if is_out else "exchange_in",
        quantity=abs(quantity),
        currency=entry.currency or None,
        **(_money(action.cash, *action.currencies) if is_out and action.cash else {}),
        **_group(raw, entry, kind),
        **_identity(raw, _known(entry)),
    )


def _add_spun_off(sheet: Sheet, raw: RawRow, entry: _Entry, action: _Action) -> None:
    """Add shares that come for those of another company: one leg takes a part of their cost.

    Rights come at no cost, and so does all if the row does not name the other company.
    """
    origin = entry.origin
    if not action.is_of_one_kind:
        raise sheet.unknown_type("Description", raw["Description"])
    if not origin.isin or _is_same(entry.moved, origin):
        identity = _identity(raw, entry.moved)
        sheet.add(
            raw,
            type="exchange_in",
            quantity=entry.quantity,
            currency=entry.currency or None,
            **identity,
        )
        return
    group = _group(raw, entry, "spin_off")
    is_first = action.arrives[0] is entry
    made = sheet.add(
        raw,
        type="exchange_in",
        quantity=entry.quantity,
        currency=entry.currency or None,
        cost_share=ZERO if _RIGHTS.search(entry.words) else None,
        **group,
        **_identity(raw, entry.moved),
    )
    if made is not None and is_first:
        money = _money(action.cash, *action.currencies) if action.cash else {}
        sheet.add(
            raw,
            type="exchange_out",
            quantity=ZERO,
            **money,
            **group,
            **_identity(raw, origin, ":from"),
        )


def _is_same(one: _Instrument, other: _Instrument) -> bool:
    if one.isin and other.isin:
        return one.isin == other.isin
    return one.symbol == other.symbol


def _known(entry: _Entry) -> _Instrument:
    """Return what a row moves; what goes under a number without a country is the first named."""
    if entry.moved.isin or entry.quantity > 0 or not entry.origin.isin:
        return entry.moved
    return entry.origin


def _group(raw: RawRow, entry: _Entry, kind: str) -> dict[str, str]:
    label = entry.words.partition(")")[2].strip() or entry.words
    return {
        "group": f"{raw['Report Date']} {raw['ActionID'] or entry.words}",
        "group_kind": kind,
        "group_label": label[:LABEL],
    }


def _money(amount: Decimal, currency: str) -> dict[str, Any]:
    return {
        "settlement_currency": currency or None,
        "settlement_amount": amount or None,
    }


def _identity(raw: RawRow, instrument: _Instrument, suffix: str = "") -> dict[str, Any]:
    row_id = raw["TransactionID"]
    return {
        # Booked in the evening before the day on which the new shares trade.
        "date": raw.day("Report Date"),
        "symbol": instrument.symbol or None,
        "isin": instrument.isin or None,
        "note": raw["Description"],
        "external_id": id_of_part(row_id, suffix),
    }
