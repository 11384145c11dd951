"""Trade Republic: trades, payments of instruments, tax and repayments."""

from decimal import Decimal

from financeproj.core.money import EXACT, ONE, ZERO, strip_zeros
from integrations.statements.amounts import (
    amount_differs,
    cash_effect,
    divide,
    half_unit,
    rounding_of_product,
)
from integrations.statements.raw_rows import RawRow, bad_row, unpaired_reversal
from integrations.statements.sheet import Sheet
from integrations.statements.traderepublic_file import (
    File,
    add_charged,
    add_part,
    identity_of,
    kind_of,
    settled_of,
)
from integrations.statements.traderepublic_words import (
    BONDS,
    PRIVATE_FUND,
    PRIVATE_MARKET,
    TRADES,
)
from portfolios.calc.import_rows import gettext_noop as _

HALF_CENT = Decimal("0.005")
# What may have accrued on a bond is less than this part of its nominal value.
MOST_ACCRUED = Decimal("0.15")


def add_trade(sheet: Sheet, raw: RawRow) -> None:
    side = TRADES[kind_of(raw)]
    if kind_of(raw) in PRIVATE_MARKET and not raw.number_or_zero("shares"):
        add_part(sheet, raw, "deposit", settled_of(raw, raw.required_number("amount")))
        return
    shares = raw.required_number("shares")
    amount = raw.number("amount")
    is_taken_back = shares < 0 if side == "buy" else (amount or ZERO) < 0
    if is_taken_back or (side == "buy" and (amount or ZERO) > 0):
        raise unpaired_reversal("amount", amount or shares)
    shares = abs(shares)
    if amount is None and raw["asset_class"].upper() == PRIVATE_FUND:
        _add_private(sheet, raw, side, shares)
        return
    price, before_charges, note = _price(raw, shares, amount)
    settled = None if amount is None else settled_of(raw, cash_effect(side, before_charges))
    add_charged(
        sheet,
        raw,
        type=side,
        quantity=shares,
        price=price,
        settled=settled,
        charged=raw,
        note=note,
    )


def _add_private(sheet: Sheet, raw: RawRow, side: str, shares: Decimal) -> None:
    """Add shares of a private market, whose money moved on another day in a row of its own."""
    kind = "transfer_in" if side == "buy" else "transfer_out"
    price = raw.number("price")
    sheet.add(
        raw,
        type=kind,
        quantity=shares,
        price=price,
        is_cost_unknown=kind == "transfer_in" and price is None,
        **identity_of(raw),
    )


def _price(raw: RawRow, shares: Decimal, amount: Decimal | None) -> tuple[Decimal, Decimal, str]:
    """Return (price, amount before charges, note) of a trade, checked against each other.

    Some files state the amount after the fee, or after fee and tax. What a bond's amount has
    beyond its price is interest that accrued: it is part of what was paid.
    """
    if amount is None:
        price = raw.required_number("price")
        return price, EXACT.multiply(shares, price), ""
    amount = abs(amount)
    if not raw["price"]:
        return divide(amount, shares), amount, ""
    price = raw.required_number("price")
    gross = EXACT.multiply(shares, price)
    # Money is rounded to the cent, although the file may write more decimals.
    rounding = rounding_of_product(shares, price) + max(half_unit(amount), HALF_CENT)
    fee, tax = raw.number_or_zero("fee"), raw.number_or_zero("tax")
    for included in (ZERO, fee, fee + tax):
        if abs(amount - included - gross) <= rounding:
            return price, amount - included, ""
    accrued = amount - gross
    if raw["asset_class"].upper() in BONDS and 0 < accrued <= gross * MOST_ACCRUED:
        note = f"Interest of {strip_zeros(accrued):f} {raw['currency']} had accrued."
        return divide(amount, shares), amount, note
    raise amount_differs(
        raw, "amount", quantity=shares, price=price, charges=-fee - tax, expected=gross
    )


def add_payment(sheet: Sheet, raw: RawRow, kind: str) -> None:
    amount = raw.required_number("amount")
    if amount < 0:
        raise unpaired_reversal("amount", amount)
    if not amount and raw.number_or_zero("tax"):
        add_tax(sheet, raw)
        return
    settled = settled_of(raw, amount)
    add_charged(sheet, raw, type=kind, quantity=ONE, price=amount, settled=settled, charged=raw)


def add_tax(sheet: Sheet, raw: RawRow) -> None:
    """Add tax alone: that of a fund, or money that was paid or paid back."""
    net = settled_of(raw, raw.number_or_zero("amount"))
    if raw["symbol"] and net < 0:
        sheet.add(
            raw,
            type="tax",
            quantity=ONE,
            price=-net,
            settlement_currency=raw["currency"] or None,
            settlement_amount=net,
            **identity_of(raw),
        )
    else:
        add_part(sheet, raw, "tax", net)


def add_repayment(sheet: Sheet, raw: RawRow, file: File) -> None:
    """Add the sale of what was repaid, once for the rows with its shares and its money."""
    key = (raw["symbol"], raw["date"])
    money, out = file.money[key], file.out[key]
    has_shares = raw.number_or_zero("shares") < 0
    if raw in out and len(out) == 1 and len(money) < 2:
        paid = money[0] if money else raw
    elif raw in money and not out and has_shares:
        paid = raw
    elif raw in money and len(out) == 1 and len(money) == 1:
        sheet.ignore(raw, "money of a repayment")
        return
    else:
        message = _(
            "A repayment needs one row with the shares that leave and one with the money. Enter it "
            "by hand and skip this row."
        )
        raise bad_row("type", raw["type"], "unpaired_action", message)
    shares = abs(raw.required_number("shares"))
    stated = abs(paid.number_or_zero("shares")) or shares
    amount = paid.number("amount")
    if stated != shares:
        raise bad_row("shares", raw["shares"], "unpaired_action", _("The two rows differ."))
    price = divide(amount, shares) if amount else raw.required_number("price")
    settled = settled_of(paid, amount) if amount else None
    add_charged(
        sheet, raw, type="sell", quantity=shares, price=price, settled=settled, charged=paid
    )
