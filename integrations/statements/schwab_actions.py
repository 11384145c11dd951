"""Charles Schwab: what companies did to their shares."""

from financeproj.core.money import ZERO
from integrations.statements.amounts import divide, split_ratio
from integrations.statements.exchanges import add_split
from integrations.statements.raw_rows import BadRow, RawRow, bad_row
from integrations.statements.schwab_file import File
from integrations.statements.schwab_rows import CUSIP, action_of, identity_of
from integrations.statements.schwab_words import ADJUSTED, EXCHANGES, REVERSE_SPLIT, SPIN_OFFS
from integrations.statements.sheet import Sheet
from portfolios.calc.import_rows import gettext_noop as _


def add_action(sheet: Sheet, raw: RawRow, action: str, file: File) -> None:
    symbol = raw["Symbol"]
    if action == "stock div dist":
        quantity = raw.required_number("Quantity")
        sheet.add(raw, type="buy", quantity=quantity, price=ZERO, **identity_of(raw))
    elif action == "stock split":
        ratio = split_ratio(file.held[symbol], raw.required_number("Quantity"), "Quantity")
        sheet.add(raw, type="split", quantity=ratio, **identity_of(raw))
    elif action == REVERSE_SPLIT:
        _add_reverse_split(sheet, raw, file)
    elif action.removesuffix(ADJUSTED) in EXCHANGES:
        _add_leg(sheet, raw, file)
    elif action in SPIN_OFFS and raw.number_or_zero("Quantity") > 0:
        # The file does not name the company that it comes from.
        quantity = raw.required_number("Quantity")
        sheet.add(raw, type="exchange_in", quantity=quantity, **identity_of(raw))
    else:
        raise _unknown_action(raw)


def _add_leg(sheet: Sheet, raw: RawRow, file: File) -> None:
    """Add a row of an exchange of shares into others, also with money, or for money alone.

    The rows of one action and day are one exchange. Its money goes with the shares that go out.
    """
    action = action_of(raw).removesuffix(ADJUSTED)
    rows = file.exchanges[action, raw["Date"]]
    leaves = [row for row in rows if row.number_or_zero("Quantity") < 0]
    arrives = [row for row in rows if row.number_or_zero("Quantity") > 0]
    cash = sum((row.number_or_zero("Amount") for row in rows), ZERO)
    if len(leaves) != 1 or not (arrives or cash > 0):
        raise _unknown_action(raw)
    quantity = raw.number_or_zero("Quantity")
    money = {
        "settlement_currency": "USD" if cash else None,
        "settlement_amount": cash or None,
    }
    nothing = {"settlement_currency": None, "settlement_amount": None}
    if not quantity:
        sheet.ignore(raw, "money of an exchange")
    elif not arrives:
        price = divide(cash, abs(quantity))
        fields = identity_of(raw) | money
        sheet.add(raw, type="sell", quantity=abs(quantity), price=price, **fields)
    else:
        sheet.add(
            raw,
            type="exchange_in" if quantity > 0 else "exchange_out",
            quantity=abs(quantity),
            group=f"{raw['Action']} {raw['Date']}",
            group_kind="exchange",
            group_label=raw["Action"],
            **(identity_of(raw) | (nothing if quantity > 0 else money)),
        )


def _add_reverse_split(sheet: Sheet, raw: RawRow, file: File) -> None:
    """Add a reverse split: the new shares are one row, the old ones another with their CUSIP."""
    rows = file.reverse_splits[raw["Date"]]
    if len(rows) != 2 or not any(CUSIP.fullmatch(row["Symbol"]) for row in rows):
        rows = [row for row in rows if _is_same_company(row, raw)]
    quantities = [row.required_number("Quantity") for row in rows]
    if len(rows) != 2 or min(quantities) >= 0 or max(quantities) <= 0:
        raise _unknown_action(raw)
    if max(quantities) == -min(quantities):
        sheet.ignore(raw, kind="the same shares under another name")
    else:
        add_split(sheet, raw, raw.required_number("Quantity"), quantities, **identity_of(raw))


def _is_same_company(one: RawRow, other: RawRow) -> bool:
    """Return whether one description begins like the other: the old shares add XXXREVERSE SPLIT."""
    names = one["Description"], other["Description"]
    return names[0].startswith(names[1]) or names[1].startswith(names[0])


def _unknown_action(raw: RawRow) -> BadRow:
    return bad_row(
        "Action",
        raw["Action"],
        "unknown_type",
        _("%(action)s of %(symbol)s cannot be imported. Enter it by hand."),
        action=raw["Action"],
        symbol=raw["Symbol"],
    )
