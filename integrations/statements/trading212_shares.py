"""Trading 212: shares that move without money, splits and what other companies give for shares."""

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from financeproj.core.money import ONE
from integrations.statements.amounts import divide, divide_known, split_ratio
from integrations.statements.exchanges import Held, Moved, add_leg, find_exchanges
from integrations.statements.raw_rows import BadRow, RawRow, bad_row
from integrations.statements.sheet import Sheet
from integrations.statements.trading212_columns import Columns
from integrations.statements.trading212_rows import (
    add_row,
    identity_of,
    price_of,
    shares_of,
    stated_rate,
)
from portfolios.calc.import_rows import gettext_noop as _

ROUNDED = Fraction(1, 10**6)  # of a share
SPLIT_CLOSE, SPLIT_OPEN = "stock split close", "stock split open"
# Which way each half of a split moves shares.
SPLIT_HALVES = {SPLIT_CLOSE: -ONE, SPLIT_OPEN: ONE}
STOCK_SPLIT = "stock split"  # until 2022, with the shares that were added
# Shares for nothing. Trading 212 books takeovers, rights and shares of new companies so.
DISTRIBUTIONS = {"stock distribution", "custom stock distribution", "spin off", "spin-off"}
TAKEOVER, NEW_ISIN = "Takeover", "Stock split"


@dataclass(frozen=True, slots=True)
class File:
    """What the rows of the file say about each other.

    `halves` are the rows of an ISIN and day by their action, `exchanges` the name of the exchange
    that a line is a leg of, and `held` the shares after the rows so far.
    """

    halves: dict[tuple[str, str], dict[str, list[RawRow]]]
    exchanges: dict[int, str]
    held: Held


def file_of(sheet: Sheet) -> File:
    halves: dict[tuple[str, str], dict[str, list[RawRow]]] = defaultdict(lambda: defaultdict(list))
    moves: list[Moved] = []
    for raw in sheet:
        halves[_key(raw)][raw["Action"].casefold()].append(raw)
        shares = _for_nothing(raw)
        if shares:
            moves.append(Moved(raw["Time"][:10], raw["ISIN"], shares, raw.line))
    moves += _splits_with_new_isin(sheet, halves)
    return File(halves, find_exchanges(moves).names, Held(sheet.statement))


def _splits_with_new_isin(
    sheet: Sheet, halves: dict[tuple[str, str], dict[str, list[RawRow]]]
) -> list[Moved]:
    """Return the halves of splits whose other half has another ISIN, but the same ticker."""
    moves: list[Moved] = []
    for raw in sheet:
        kind = raw["Action"].casefold()
        if kind not in SPLIT_HALVES or len(halves[_key(raw)].keys() & SPLIT_HALVES.keys()) > 1:
            continue
        try:
            shares = SPLIT_HALVES[kind] * abs(raw.number_or_zero("No. of shares"))
        except BadRow:
            continue  # It is a problem of its row.
        event = (STOCK_SPLIT, raw["Ticker"], raw["Time"][:10])
        moves.append(Moved(event, raw["ISIN"], shares, raw.line))
    return moves


def _key(raw: RawRow) -> tuple[str, str]:
    return raw["ISIN"], raw["Time"][:10]


def _for_nothing(raw: RawRow) -> Decimal | None:
    """Return the shares of a row without a price: a takeover in shares is a sale for 0, and a
    distribution of other shares.
    """
    kind = raw["Action"].casefold()
    is_sale = kind.endswith(" sell")
    if not raw["ISIN"] or not (is_sale or kind in DISTRIBUTIONS):
        return None
    try:
        price, shares = raw.number("Price / share"), raw.number_or_zero("No. of shares")
    except BadRow:
        return None  # It is a problem of its row.
    if price:
        return None
    return -abs(shares) if is_sale else abs(shares)


def add_taken_over(sheet: Sheet, raw: RawRow, columns: Columns, file: File) -> None:
    """Add the shares that were given for others."""
    _add_leg(sheet, raw, columns, file, -shares_of(raw))


def add_distribution(sheet: Sheet, raw: RawRow, columns: Columns, file: File) -> None:
    """Add shares that came for nothing: for others, as more of those held, or at no cost."""
    is_new = raw["ISIN"] not in file.held and not raw.number_or_zero("Price / share")
    if raw.line in file.exchanges or is_new:
        _add_leg(sheet, raw, columns, file, shares_of(raw))
    else:
        add_move(sheet, raw, columns, "buy")


def _add_leg(
    sheet: Sheet,
    raw: RawRow,
    columns: Columns,
    file: File,
    shares: Decimal,
    label: str = TAKEOVER,
) -> None:
    add_leg(
        sheet,
        raw,
        shares,
        group=file.exchanges.get(raw.line, ""),
        label=label,
        currency=price_of(raw)[1],
        note=raw["Notes"] or raw["Action"],
        **identity_of(raw, columns),
    )


def add_move(sheet: Sheet, raw: RawRow, columns: Columns, kind: str) -> None:
    price, currency = price_of(raw)
    bought = stated_rate(raw, currency, columns.total.read(raw)[1])
    add_row(
        sheet,
        raw,
        columns,
        type=kind,
        quantity=shares_of(raw),
        price=price,
        currency=currency,
        exchange_rate=divide_known(ONE, bought),
    )


def add_split(
    sheet: Sheet,
    raw: RawRow,
    columns: Columns,
    kind: str,
    file: File,
) -> None:
    if raw.line in file.exchanges:
        shares = SPLIT_HALVES[kind] * shares_of(raw)
        _add_leg(sheet, raw, columns, file, shares, label=NEW_ISIN)
        return
    same_day = file.halves[_key(raw)]
    if len(same_day[SPLIT_CLOSE]) != 1 or len(same_day[SPLIT_OPEN]) != 1:
        raise bad_row(
            "Action",
            raw["Action"],
            "unpaired_split",
            _("A split needs one row that closes the old shares and one that opens new ones."),
        )
    if kind == SPLIT_CLOSE:
        sheet.ignore(raw, kind)
        return
    old = same_day[SPLIT_CLOSE][0].required_number("No. of shares")
    new = raw.required_number("No. of shares")
    if not old:
        raise bad_row("No. of shares", "0", "not_above", _("Enter a number above 0."))
    ratio = _plain_ratio(abs(new), abs(old))
    sheet.add(raw, type="split", quantity=ratio, currency=None, **identity_of(raw, columns))


def add_added_shares(sheet: Sheet, raw: RawRow, columns: Columns, file: File) -> None:
    """Add a split of which the file gives the shares that it added."""
    ratio = split_ratio(
        file.held[raw["ISIN"]], raw.required_number("No. of shares"), "No. of shares"
    )
    sheet.add(raw, type="split", quantity=ratio, currency=None, **identity_of(raw, columns))


def _plain_ratio(new: Decimal, old: Decimal) -> Decimal:
    """Return the simplest ratio, such as 1:3, that gives the shares of the file.

    Both numbers of shares are rounded, to seven places or more. If no simple ratio fits, the ratio
    is that of the two numbers.
    """
    ratio = Fraction(new) / Fraction(old)
    for limit in (10, 100, 1_000, 10_000):
        near = ratio.limit_denominator(limit)
        if near and abs(near - ratio) <= ROUNDED / Fraction(old):
            return divide(Decimal(near.numerator), Decimal(near.denominator))
    return divide(new, old)
