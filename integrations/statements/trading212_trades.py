"""Trading 212: purchases and sales, with their charges, and the check of their total."""

from collections.abc import Mapping
from decimal import Decimal

from financeproj.core.money import EXACT, ONE, ZERO, round_for_storage
from integrations.statements.amounts import (
    amount_differs,
    cash_effect,
    divide,
    divide_known,
    half_unit,
    rounding_of_product,
)
from integrations.statements.raw_rows import RawRow
from integrations.statements.sheet import Sheet, id_of_part
from integrations.statements.trading212_columns import Columns
from integrations.statements.trading212_rows import (
    add_row,
    charges_of,
    mixed_currencies,
    price_of,
    shares_of,
    stated_rate,
)


def add_trade(sheet: Sheet, raw: RawRow, columns: Columns, side: str) -> None:
    shares = shares_of(raw)
    price, currency = price_of(raw)
    total, account_currency = columns.total.read(raw)
    gross = EXACT.multiply(shares, price)
    fees = charges_of(raw, columns.fees, account_currency)
    taxes = charges_of(raw, columns.taxes, account_currency)
    bought = stated_rate(raw, currency, account_currency)
    if bought is None and total is not None:
        bought = _rate_in_total(side, abs(total), gross, (fees, taxes), currency, account_currency)
    rates = {currency: ONE}
    if bought:
        rates[account_currency] = bought
    elif account_currency in {*fees, *taxes} - {currency}:
        raise mixed_currencies(sorted({*fees, *taxes, currency}))
    fee, tax = _converted(fees, rates), _converted(taxes, rates)
    settlement = None
    if total is not None:
        settlement = cash_effect(side, abs(total))
        if bought:
            _require_total(raw, columns, side, fee + tax, bought)
    added = add_row(
        sheet,
        raw,
        columns,
        type=side,
        quantity=shares,
        price=price,
        currency=currency,
        commission=fee,
        tax=tax,
        exchange_rate=divide_known(ONE, bought),
        settlement_currency=account_currency or None,
        settlement_amount=settlement or None,
    )
    if added:
        _add_foreign(sheet, raw, columns, "fee", _without(fees, rates))
        _add_foreign(sheet, raw, columns, "tax", _without(taxes, rates))


def _without(sums: Mapping[str, Decimal], rates: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Return the amounts in currencies that have no rate."""
    return {code: sums[code] for code in sums.keys() - rates.keys()}


def _converted(sums: Mapping[str, Decimal], rates: Mapping[str, Decimal]) -> Decimal:
    """Return the sum of the amounts whose rate is known, in the price's currency."""
    total = ZERO
    for code, amount in sums.items():
        if code in rates:
            total += EXACT.multiply(amount, rates[code])
    return round_for_storage(total)


def _add_foreign(
    sheet: Sheet, raw: RawRow, columns: Columns, kind: str, sums: Mapping[str, Decimal]
) -> None:
    """Add what was taken in a currency that is neither the price's nor the account's."""
    for code, amount in sums.items():
        add_row(
            sheet,
            raw,
            columns,
            type=kind,
            quantity=ONE,
            price=amount,
            currency=code,
            settlement_currency=code,
            settlement_amount=-amount,
            external_id=id_of_part(raw["ID"], f":{kind}:{code}"),
        )


def _rate_in_total(
    side: str,
    total: Decimal,
    gross: Decimal,
    charges: tuple[Mapping[str, Decimal], Mapping[str, Decimal]],
    currency: str,
    account_currency: str,
) -> Decimal | None:
    """Return how much of `currency` one unit of the account's currency bought, by the total.

    None if the total does not tell it.
    """
    own = sum((sums.get(currency, ZERO) for sums in charges), ZERO)
    of_account = sum((sums.get(account_currency, ZERO) for sums in charges), ZERO)
    if side == "buy":
        priced, paid = gross + own, total - of_account
    else:
        priced, paid = gross - own, total + of_account
    return divide(priced, paid) if priced > 0 and paid > 0 else None


def _require_total(
    raw: RawRow, columns: Columns, side: str, charges: Decimal, bought: Decimal
) -> None:
    """Check that the total is shares × price ÷ rate with the charges, all as the file rounds them.

    `charges` are in the price's currency, of which the account's currency bought `bought`.
    """
    total, _code = columns.total.read(raw)
    if total is None:
        return
    shares, price = shares_of(raw), price_of(raw)[0]
    rate = divide(ONE, bought)
    expected = cash_effect(side, EXACT.multiply(shares, price), charges) / bought
    amount = total
    if side == "buy":
        amount = -abs(total)
    of_rate = ZERO
    if bought != ONE:
        of_rate = half_unit(bought)
    highest = EXACT.divide(
        EXACT.multiply(shares, price) + rounding_of_product(shares, price), bought - of_rate
    )
    rounding = highest - EXACT.multiply(shares, price) / bought + half_unit(total)
    if abs(amount - expected) > rounding:
        raise amount_differs(
            raw,
            columns.total.column,
            quantity=shares,
            price=price,
            rate=rate,
            charges=charges,
            expected=round_for_storage(expected),
        )
