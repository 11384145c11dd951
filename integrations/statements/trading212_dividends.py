"""Trading 212: dividends and returns of capital, with the tax withheld."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from financeproj.core.identifiers import in_major_unit
from financeproj.core.money import EXACT, ONE, ZERO, round_for_storage
from integrations.statements.amounts import amount_differs, divide, half_unit, rounding_of_product
from integrations.statements.raw_rows import RawRow, unpaired_reversal
from integrations.statements.sheet import Sheet, id_of_part
from integrations.statements.trading212_columns import Amount, Columns
from integrations.statements.trading212_rows import (
    add_row,
    charges_of,
    mixed_currencies,
    price_of,
    stated_rate,
    withheld_tax,
)

_RETURN_OF_CAPITAL = "return of capital"
WITHHELD = ":withheld"  # of the id of the tax in another currency
# Money of which one unit is never worth three of another: an amount that says so is in pence.
CLOSE_CURRENCIES = {"CAD", "CHF", "EUR", "GBP", "USD"}
MOST_APART = Decimal(3)


def add_dividend(sheet: Sheet, raw: RawRow, columns: Columns, kind: str) -> None:
    """Add a payment. The file tells what was left of it after tax, and the tax withheld.

    Without a price per share, or without shares, it is what the total says. What the account's
    own country took is told apart; it is in the account's currency.
    """
    total, account_currency = columns.total.read(raw)
    if total is not None and total < 0:
        raise unpaired_reversal(columns.total.column, total)
    shares = abs(raw.number_or_zero("No. of shares")) or ONE
    withheld, withheld_in = withheld_tax(raw, columns)
    fee, tax = _of_account(raw, columns.fees, columns), _of_account(raw, columns.taxes, columns)
    former_price = None
    if raw["No. of shares"] and raw["Price / share"]:
        price, currency = price_of(raw)
        paid = EXACT.multiply(shares, price)
        own = withheld if withheld_in in ("", currency) else ZERO
        former_price = price if own else None
        rate, is_before_tax = _fit(raw, columns, own, fee + tax)
        if is_before_tax:
            paid -= own
    else:
        currency, rate = account_currency, ONE
        paid = raw.required_number(columns.total.column) + fee + tax
        own = withheld if withheld_in in ("", currency) else ZERO
    into_account = ONE
    if currency != account_currency and total is not None and paid:
        into_account = EXACT.divide(total + fee + tax, paid)
    _require_gross(raw, columns, fee + tax, own * into_account)
    fields: dict[str, Any] = {
        "type": "return_of_capital" if _RETURN_OF_CAPITAL in kind else "dividend",
        "currency": currency,
    }
    added = add_row(
        sheet,
        raw,
        columns,
        quantity=shares,
        price=divide(paid + own, shares),
        commission=divide(fee, into_account),
        tax=own + divide(tax, into_account),
        exchange_rate=rate,
        settlement_currency=account_currency or None,
        settlement_amount=total or None,
        former_price=former_price,
        **fields,
    )
    if added and withheld != own:
        # As much was paid and kept, in a currency that the day's rate converts.
        add_row(
            sheet,
            raw,
            columns,
            quantity=ONE,
            price=withheld,
            tax=withheld,
            external_id=id_of_part(raw["ID"], WITHHELD),
            **{**fields, "currency": withheld_in},
        )


def _of_account(raw: RawRow, amounts: Sequence[Amount], columns: Columns) -> Decimal:
    """Return the sum of the charges, which have to be in the account's currency."""
    account_currency = columns.total.read(raw)[1]
    sums = charges_of(raw, amounts, account_currency)
    if sums.keys() - {account_currency}:
        raise mixed_currencies(sorted({*sums, account_currency}))
    return sums.get(account_currency, ZERO)


def _require_gross(raw: RawRow, columns: Columns, charges: Decimal, withheld: Decimal) -> None:
    """Check the gross total, which is before the charges, and before the tax withheld or not.

    All are in the account's currency. Raises BadRow(amount_differs).
    """
    gross = columns.gross.read(raw)[0] if columns.gross else None
    net = columns.total.read(raw)[0]
    if gross is None or net is None:
        return
    rounding = half_unit(gross) + half_unit(net) + half_unit(charges)
    before = gross - charges
    if min(abs(before - net), abs(before - withheld - net)) > rounding:
        raise amount_differs(
            raw, columns.total.column, quantity=ONE, price=gross, charges=charges, expected=before
        )


def _fit(
    raw: RawRow, columns: Columns, tax: Decimal, charges: Decimal
) -> tuple[Decimal | None, bool]:
    """Return (price of the row's currency in that of the account, whether the row's price is that
    before tax), as the total and the `charges` taken from it show them.

    The rate is None if the file does not state it. Raises BadRow if the total fits nothing.
    """
    shares = abs(raw.required_number("No. of shares"))
    price, currency = price_of(raw)
    total, account_currency = columns.total.read(raw)
    rates = _rates(raw, currency, account_currency)
    net = EXACT.multiply(shares, price)
    if total is None:
        return (rates[0] if len(rates) == 1 else None), False
    if not rates:
        _require_close(raw, columns, net)
        return None, False
    paid = total + charges
    for before_tax in (net, net - tax):
        for rate in sorted(rates, key=lambda rate: abs(before_tax * rate - paid)):
            rounding = rounding_of_product(shares, price) * rate + half_unit(total)
            if before_tax != net:
                rounding += half_unit(tax) * rate
            if charges:
                rounding += half_unit(charges)
            if abs(paid - before_tax * rate) <= rounding:
                return round_for_storage(rate), before_tax != net
    expected = round_for_storage(EXACT.multiply(net, rates[0])) - charges
    raise amount_differs(raw, columns.total.column, quantity=shares, price=price, expected=expected)


def _rates(raw: RawRow, currency: str, account_currency: str) -> list[Decimal]:
    """Return the possible prices of one unit of `currency` in that of the account.

    Files until 2025 state how much of the row's currency one unit of the account's buys, later ones
    the opposite.
    """
    bought = stated_rate(raw, currency, account_currency)
    if bought is None:
        return []
    if currency == account_currency:
        return [ONE]
    in_minor, _code = in_major_unit(ONE, raw["Currency (Price / share)"])
    return [EXACT.divide(ONE, bought), EXACT.divide(raw.required_number("Exchange rate"), in_minor)]


def _require_close(raw: RawRow, columns: Columns, net: Decimal) -> None:
    """Raise BadRow for a total in pence that should be in pounds, where the file has no rate."""
    total, account_currency = columns.total.read(raw)
    price, currency = price_of(raw)
    if total is None or not {currency, account_currency} <= CLOSE_CURRENCIES:
        return
    rounded = half_unit(total)
    if total - rounded > net * MOST_APART or (total + rounded) * MOST_APART < net:
        shares = abs(raw.required_number("No. of shares"))
        raise amount_differs(raw, columns.total.column, quantity=shares, price=price, expected=net)
