"""DEGIRO's account statement: purchases and sales, with the charges that are part of them."""

import re
from decimal import Decimal

from financeproj.core.identifiers import in_major_unit
from financeproj.core.money import EXACT, ONE, ZERO
from integrations.statements.amounts import divide, half_unit, require_amount, rounding_of_product
from integrations.statements.degiro_file import File, identity_of
from integrations.statements.degiro_orders import (
    Order,
    change_or_zero,
    charges_by_currency,
    price_of_currency,
)
from integrations.statements.degiro_words import ENGLISH, VERBS, Meaning
from integrations.statements.raw_rows import RawRow, bad_row
from integrations.statements.sheet import Sheet
from integrations.statements.values import number_in
from portfolios.calc.import_rows import gettext_noop as _

PER_CENT = Decimal("0.01")


def traded_figures(raw: RawRow, match: re.Match[str]) -> tuple[Decimal, Decimal, str]:
    """Return (quantity, price in the main unit, currency) from the words of a trade.

    5 888 HOLDINGS may be 5,888 shares or five of 888 Holdings. Then the amount decides.
    """
    currency = match["currency"].upper()
    readings = []
    for quantity in _readings(match, match["quantity"], has_name_after=True):
        prices = _readings(match, match["price"])
        readings += [(quantity, *in_major_unit(price, currency)) for price in prices]
    # Bonds are priced in per cent.
    readings += [(quantity, price * PER_CENT, code) for quantity, price, code in readings]
    if not readings:
        raise bad_row(
            "description",
            raw["description"],
            "invalid",
            _("Could not read the numbers of the trade. Enter it by hand and skip this row."),
        )
    change = change_or_zero(raw)
    if change:
        for quantity, price, code in readings:
            rounding = rounding_of_product(quantity, price) + half_unit(change)
            if abs(abs(change) - EXACT.multiply(quantity, price)) <= rounding:
                return quantity, price, code
    return readings[0]


def _readings(match: re.Match[str], text: str, *, has_name_after: bool = False) -> list[Decimal]:
    # Other words than English ones come with a decimal comma: 1.000 shares are a thousand in Dutch.
    styles = ("point", "comma") if match["verb"] in ENGLISH else ("comma", "point")
    texts = [text]
    if has_name_after and " " in text:
        texts.append(text.split(" ")[0])
    found: list[Decimal] = []
    for one in texts:
        numbers = [number_in(one, style) for style in styles]
        found += [number for number in numbers if number is not None][:1]
    return found


def add_trade(file: File, raw: RawRow, match: re.Match[str], order: Order) -> None:
    sheet = file.sheet
    side = VERBS[match["verb"]]
    quantity, price, currency = traded_figures(raw, match)
    change = raw.number("change")
    if change is not None:
        _require_currency(raw, currency)
        require_amount(raw, "change", side, quantity, price, amount=change)
    rate, rate_currency = price_of_currency(order.exchanged_on(raw["date"]), currency)
    settled, settled_in = order.settled.get(raw.line, (change, currency))
    charges = order.charges_of(raw)
    fees = charges_by_currency(file.of_meaning(charges, Meaning.ORDER_FEE))
    taxes = charges_by_currency(file.of_meaning(charges, Meaning.ORDER_TAX))
    is_exchanged = raw.line in order.settled
    if settled is not None:
        # What was exchanged has the charges in the trade's own currency already.
        settled -= _paid(fees, settled_in) + _paid(taxes, settled_in)
    part = _Charges(currency, settled_in, rate if is_exchanged else None)
    commission, tax = part.of_trade(fees), part.of_trade(taxes)
    identity = identity_of(raw)
    if raw["order"]:
        identity["external_id"] = order.external_id(raw, quantity, price)
        # Earlier versions used the id of the order, and `order:2` for the second fill of a file,
        # which is another fill in another file.
        identity["former_id"] = raw["order"]
    sheet.add(
        raw,
        type=side,
        quantity=quantity,
        price=price,
        commission=commission,
        tax=tax,
        currency=currency,
        exchange_rate=rate,
        rate_currency=rate_currency or None,
        settlement_amount=settled or None,
        settlement_currency=settled_in,
        **identity,
    )
    for kind, totals in (("fee", fees), ("tax", taxes)):
        for code, amount in totals.items():
            if part.is_apart(code, amount):
                _add_charge_of_trade(sheet, raw, kind, amount, code, currency)


def _paid(totals: dict[str, Decimal], currency: str) -> Decimal:
    return max(totals.get(currency, ZERO), ZERO)


class _Charges:
    """Which charges of a trade are part of it.

    Those in its own currency are, and those in the currency that it was exchanged to, at the
    `rate` of that exchange. Others are rows of their own.
    """

    def __init__(self, currency: str, settled_in: str, rate: Decimal | None) -> None:
        self.prices = {currency: ONE}
        if rate is not None:
            self.prices.setdefault(settled_in, rate)

    def of_trade(self, totals: dict[str, Decimal]) -> Decimal:
        found = ZERO
        for code, amount in totals.items():
            price = self.prices.get(code)
            if price is not None and amount > 0:
                found += amount if price == ONE else divide(amount, price)
        return found

    def is_apart(self, code: str, amount: Decimal) -> bool:
        return amount < 0 or (amount > 0 and code not in self.prices)


def _add_charge_of_trade(
    sheet: Sheet, raw: RawRow, kind: str, amount: Decimal, charged_in: str, currency: str
) -> None:
    """Add what the broker took for a trade in a third currency, or paid back."""
    if amount < 0:
        note = raw["description"]
        sheet.add_money(raw, kind, -amount, charged_in, date=raw.day("date"), note=note)
        return
    sheet.add(
        raw,
        type=kind,
        quantity=ONE,
        price=amount,
        price_in=charged_in,
        currency=currency,
        settlement_amount=-amount,
        settlement_currency=charged_in,
        **identity_of(raw),
    )


def _require_currency(raw: RawRow, currency: str) -> None:
    if raw["currency"] != currency:
        raise bad_row(
            "currency",
            raw["currency"],
            "mixed_currencies",
            _("The row is in %(currency)s, but this amount is in %(other)s."),
            currency=currency,
            other=raw["currency"],
        )
