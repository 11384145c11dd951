"""Nordnet: shares that come or go without a purchase or a sale, and splits."""

from decimal import Decimal

from financeproj.core.money import EXACT, ZERO
from integrations.statements.amounts import divide, divide_known
from integrations.statements.nordnet_file import (
    EXCHANGED,
    File,
    Halves,
    currency_and_rate,
    identity_of,
    known_currency,
    settlement_of,
)
from integrations.statements.nordnet_trades import add_trade, trade_of
from integrations.statements.nordnet_words import Meaning
from integrations.statements.raw_rows import RawRow, bad_row
from integrations.statements.sheet import Sheet
from portfolios.calc.import_rows import gettext_noop as _

LABEL = 100  # characters


def add_shares(sheet: Sheet, raw: RawRow, meaning: Meaning, file: File) -> None:
    """Add shares that came or went without a purchase or a sale."""
    if meaning is Meaning.REDEEMED_SHARES and raw.number_or_zero("amount") > 0:
        add_trade(sheet, raw, file, "sell")
    elif meaning is Meaning.REDEEMED_SHARES:
        if raw.line not in file.redeemed:
            message = _(
                "The payment for these shares is not in the file. Enter the sale by hand and skip "
                "this row."
            )
            raise bad_row("type", raw["type"], "unpaired_redemption", message)
        sheet.ignore(raw, "shares of a redemption")
    elif meaning is Meaning.STOCK_DIVIDEND:
        _add_stock_dividend(sheet, raw, file)
    elif raw.line in file.exercises:
        _add_exercise(sheet, raw, file)
    elif meaning is Meaning.LAPSED:
        _add_plain(sheet, raw, file, "sell", ZERO)
    elif raw.line in file.exchanges:
        _add_leg(sheet, raw, file, EXCHANGED[meaning])
    elif meaning is Meaning.GRANTED:
        _add_leg(sheet, raw, file, "exchange_in")
    elif meaning in (Meaning.SHARES_OUT, Meaning.EXCHANGED_OUT):
        _add_plain(sheet, raw, file, "transfer_out", None)
    else:
        _add_plain(sheet, raw, file, "transfer_in", _cost_of_one(raw))


def _add_plain(sheet: Sheet, raw: RawRow, file: File, kind: str, price: Decimal | None) -> None:
    """Add shares without money; coming in without a price, their cost is unknown."""
    currency, rate = known_currency(raw, file), None
    if price:
        currency, rate = currency_and_rate(raw, file)
    sheet.add(
        raw,
        type=kind,
        date=raw.day("traded"),
        quantity=abs(raw.required_number("quantity")),
        price=price,
        exchange_rate=rate,
        is_cost_unknown=kind == "transfer_in" and price is None,
        **identity_of(raw, currency),
    )


def _add_leg(sheet: Sheet, raw: RawRow, file: File, kind: str) -> None:
    """Add shares that go or come for others, or that came without a cost."""
    currency = known_currency(raw, file)
    name = file.exchanges.get(raw.line, "")
    group: dict[str, str] = {}
    if name:
        group = {"group": name, "group_kind": "exchange", "group_label": raw["text"][:LABEL]}
    sheet.add(
        raw,
        type=kind,
        date=raw.day("traded"),
        quantity=abs(raw.required_number("quantity")),
        **group,
        **identity_of(raw, currency),
    )


def _add_exercise(sheet: Sheet, raw: RawRow, file: File) -> None:
    """Add rights that go, with the money that was paid, or the shares that came for them."""
    shares = file.exercises[raw.line]
    currency = known_currency(raw, file)
    is_out = shares.line != raw.line
    day = raw.day("traded")
    if not is_out:
        trade_of(raw, file, "buy")  # An amount that differs is a problem of the row.
    sheet.add(
        raw,
        type="exchange_out" if is_out else "exchange_in",
        date=day,
        quantity=abs(raw.required_number("quantity")),
        group=f"exercise {shares['id'] or shares.line}",
        group_kind="exercise",
        group_label=shares["text"][:LABEL],
        **(settlement_of(sheet, shares, day) if is_out else {}),
        **identity_of(raw, currency),
    )


def _cost_of_one(raw: RawRow) -> Decimal | None:
    """Return what one share cost according to the file; None if it does not say."""
    price = raw.number_or_zero("price")
    if price:
        return price
    cost, quantity = raw.number_or_zero("cost"), abs(raw.required_number("quantity"))
    return divide_known(cost, quantity)


def _add_stock_dividend(sheet: Sheet, raw: RawRow, file: File) -> None:
    """Add shares that came for those held: a split, by the number held after it. The first ones of
    an instrument come for those of another company, at no cost.
    """
    added, total = abs(raw.required_number("quantity")), raw.required_number("total_quantity")
    if total == added and total:
        _add_leg(sheet, raw, file, "exchange_in")
        return
    if total <= added or not added:
        message = _(
            "The file does not give the number of shares held after this. Enter the split by hand "
            "and skip this row."
        )
        raise bad_row("total_quantity", raw["total_quantity"], "unknown_split_ratio", message)
    ratio = divide(total, EXACT.subtract(total, added))
    sheet.add(raw, type="split", date=raw.day("traded"), quantity=ratio, **identity_of(raw, None))


def add_split(sheet: Sheet, raw: RawRow, meaning: Meaning, halves: Halves) -> None:
    if len(halves[Meaning.SPLIT_OUT]) != 1 or len(halves[Meaning.SPLIT_IN]) != 1:
        raise bad_row(
            "type",
            raw["type"],
            "unpaired_split",
            _("A split needs one row %(out)s and one row %(in)s of one ISIN and day."),
            **{"out": "SPLITT UTTAK VP", "in": "SPLITT INNLEGG VP"},
        )
    if meaning is Meaning.SPLIT_OUT:
        sheet.ignore(raw, "split: shares taken out")
        return
    before = halves[Meaning.SPLIT_OUT][0].required_number("quantity")
    after = raw.required_number("quantity")
    if not before:
        raise bad_row("quantity", raw["quantity"], "not_above", _("Enter a number above 0."))
    ratio = divide(abs(after), abs(before))
    sheet.add(raw, type="split", date=raw.day("traded"), quantity=ratio, **identity_of(raw, None))
