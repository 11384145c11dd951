"""Nordnet: trades, and payments of so much a share."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from financeproj.core.money import EXACT, ONE, ZERO
from integrations.statements.amounts import (
    cash_effect,
    divide,
    gross_of,
    half_unit,
    require_amount,
    rounding_of_product,
)
from integrations.statements.base import StatementRow
from integrations.statements.nordnet_file import (
    File,
    Payment,
    currency_and_rate,
    identity_of,
    payment_of,
    settlement_of,
)
from integrations.statements.nordnet_words import Meaning, meaning_of
from integrations.statements.raw_rows import RawRow, bad_row
from integrations.statements.sheet import Sheet
from portfolios.calc.import_rows import gettext_noop as _

# Bonds are priced in per cent of their nominal value, and shares of London in pence.
HUNDREDTH = Decimal("0.01")
# Rows that may leave out the price: the amount tells it.
PRICED_BY_AMOUNT = (Meaning.REDEEMED_SHARES, Meaning.REDEEMED_MONEY, Meaning.SUBSCRIBED_MONEY)


class Trade(NamedTuple):
    """What one share cost, with the interest that came with it, in which currency, and the price of
    one unit of that in the account's currency. `accrued` is the interest of all.
    """

    price: Decimal
    currency: str | None
    rate: Decimal | None
    accrued: Decimal = ZERO


def fees_of(raw: RawRow) -> tuple[Decimal, str]:
    """Return all fees of a trade, which include the commission, and their currency."""
    total = raw.number("fees")
    if total is not None:
        return total, raw["fees_currency"] or raw["account_currency"]
    return raw.number_or_zero("commission"), raw["commission_currency"] or raw["account_currency"]


def add_trade(sheet: Sheet, raw: RawRow, file: File, side: str) -> None:
    """Add a purchase or a sale with its fees. Interest that accrued is part of the price."""
    fee, fee_currency = fees_of(raw)
    trade = trade_of(raw, file, side)
    day = raw.day("traded")
    identity = identity_of(raw, trade.currency)
    if trade.accrued:
        accrued = f"Accrued interest {trade.accrued} {trade.currency}."
        identity["note"] = " ".join(filter(None, [identity["note"], accrued]))
    sheet.add(
        raw,
        type=side,
        date=day,
        quantity=abs(raw.required_number("quantity")),
        price=trade.price,
        commission=_in_currency(fee, fee_currency, trade),
        exchange_rate=trade.rate,
        **settlement_of(sheet, raw, day),
        **identity,
    )


def _in_currency(fee: Decimal, fee_currency: str, trade: Trade) -> Decimal:
    """Return a fee in the currency of the trade. Raises BadRow if its rate is not known."""
    if not fee or fee_currency == trade.currency:
        return fee
    if trade.rate is None:
        raise bad_row(
            "rate",
            None,
            "exchange_rate_required",
            _(
                "The fee is in another currency than the price, and the file gives no exchange "
                "rate. Enter the trade by hand and skip this row."
            ),
        )
    return divide(fee, trade.rate)


def trade_of(raw: RawRow, file: File, side: str) -> Trade:
    """Return what a share cost: the reading of the price that gives the amount.

    Raises BadRow if none does.
    """
    currency, rate = currency_and_rate(raw, file)
    quantity, amount = abs(raw.required_number("quantity")), raw.number("amount")
    fee, fee_currency = fees_of(raw)
    is_fee_in_amount = not fee or fee_currency == raw["account_currency"]
    if not amount or not quantity or not is_fee_in_amount:
        return Trade(raw.required_number("price"), currency, rate)
    gross = gross_of(side, abs(amount), fee)
    price = raw.number("price")
    if price is None and meaning_of(raw["type"]) in PRICED_BY_AMOUNT:
        return Trade(divide(gross, quantity), raw["account_currency"], ONE)
    price = raw.required_number("price")
    rates = [rate]
    if not raw["result_currency"]:
        rates.insert(0, ONE)  # Then it may be that of the amount.
    fitting: list[tuple[Decimal, Trade]] = []
    for one in filter(None, rates):
        traded_in = raw["account_currency"] if one == ONE else currency
        for reading in _readings(raw, quantity, price):
            off = _difference(amount, side, quantity, reading, one, fee)
            if off is not None:
                trade = Trade(reading.price, traded_in, one, reading.accrued)
                fitting.append((off, trade))
    if fitting:
        return min(fitting, key=lambda found: found[0])[1]
    if rate is None and currency and gross > 0 and price:
        # The file writes no rate: it is the one at which the amount was converted.
        return Trade(price, currency, divide(gross, EXACT.multiply(quantity, price)))
    require_amount(
        raw, "amount", side, quantity, price, amount=amount, charges=fee, rate=rate or ONE
    )
    return Trade(price, currency, rate)


class _Reading(NamedTuple):
    """What the cell of the price may say of one share, how far it may be off, and the interest."""

    price: Decimal
    rounding: Decimal
    accrued: Decimal


def _readings(raw: RawRow, quantity: Decimal, price: Decimal) -> Iterator[_Reading]:
    accrued = abs(raw.number_or_zero("accrued"))
    for unit in (ONE, HUNDREDTH):
        rounding = rounding_of_product(quantity, price) * unit
        yield _Reading(EXACT.multiply(price, unit), rounding, ZERO)
        if accrued:
            whole = EXACT.multiply(EXACT.multiply(quantity, price), unit) + accrued
            yield _Reading(divide(whole, quantity), rounding + half_unit(accrued), accrued)


def _difference(
    amount: Decimal, side: str, quantity: Decimal, reading: _Reading, rate: Decimal, fee: Decimal
) -> Decimal | None:
    """Return how far the amount is from that of a reading; None if rounding does not explain it."""
    gross = EXACT.multiply(EXACT.multiply(quantity, reading.price), rate)
    of_rate = half_unit(rate) if rate != ONE else ZERO
    rounding = reading.rounding * (rate + of_rate) + quantity * reading.price * of_rate
    off = abs(amount - cash_effect(side, gross, fee))
    return off if off <= rounding + half_unit(amount) else None


def add_payment(sheet: Sheet, raw: RawRow, file: File, kind: str) -> None:
    """Add a dividend or returned capital, at the day on which it was booked.

    What was paid in the currency in which the shares trade is the amount, whatever was declared.
    """
    payment = payment_of(raw, file)
    amount = raw.number("amount")
    if amount and payment.rate is not None:
        require_amount(
            raw,
            "amount",
            kind,
            payment.quantity,
            payment.price,
            amount=amount,
            rate=payment.rate,
        )
    traded_in = file.traded.get(raw["isin"])
    if amount and payment.currency != traded_in == raw["account_currency"]:
        price = divide(amount, payment.quantity)
        payment = Payment(payment.quantity, price, traded_in, ONE)
    day = raw.day("booked")
    sheet.add(
        raw,
        type=kind,
        date=day,
        quantity=payment.quantity,
        price=payment.price,
        exchange_rate=payment.rate,
        **settlement_of(sheet, raw, day),
        **identity_of(raw, payment.currency),
    )


def add_reinvested(
    sheet: Sheet, raw: RawRow, file: File, kind: str, suffix: str = ""
) -> StatementRow | None:
    """Add one half of a dividend that bought shares: it moved no money."""
    currency, rate = currency_and_rate(raw, file)
    day: date = raw.day("traded")
    return sheet.add(
        raw,
        type=kind,
        date=day,
        quantity=abs(raw.required_number("quantity")),
        price=raw.required_number("price"),
        exchange_rate=rate or file.rates.get((raw["isin"], raw["booked"])),
        **identity_of(raw, currency, suffix),
    )
