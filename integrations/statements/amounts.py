"""Check a broker's figures against each other, and derive those that the file leaves out."""

from collections import defaultdict
from collections.abc import Hashable, Iterable
from decimal import Decimal

from financeproj.core.money import EXACT, ONE, ZERO, round_for_storage
from integrations.statements.raw_rows import BadRow, RawRow, bad_row
from portfolios.calc.import_rows import gettext_noop as _

# A commission that is only the difference of two figures may be this much of the currency, or this
# part of the trade.
MAX_COMMISSION, MAX_PART = Decimal(100), Decimal("0.05")


def cash_effect(side: str, gross: Decimal, charges: Decimal = ZERO) -> Decimal:
    """Return what a trade adds to the cash: negative for a buy. `side` is buy or sell."""
    if side == "buy":
        return -gross - charges
    return gross - charges


def shares_effect(side: str, quantity: Decimal) -> Decimal:
    """Return what a trade adds to the shares held: negative for a sale."""
    if side == "buy":
        return quantity
    return -quantity


def transfer_kind(shares: Decimal) -> str:
    """Return the type of `shares` that were moved in, or out where they are below 0."""
    if shares > 0:
        return "transfer_in"
    return "transfer_out"


def gross_of(side: str, net: Decimal, charges: Decimal) -> Decimal:
    """Return quantity × price of a trade for which `net` was paid or received with the charges."""
    if side == "buy":
        return net - charges
    return net + charges


def amount_differs(
    raw: RawRow,
    column: str,
    *,
    quantity: Decimal,
    price: Decimal,
    expected: Decimal,
    rate: Decimal = ONE,
    charges: Decimal | None = None,
) -> BadRow:
    """Make the error of a row whose `column` is not the `expected` amount."""
    if charges is None:
        message = _("%(quantity)s × %(price)s = %(expected)s, but the amount is %(amount)s.")
    elif rate == ONE:
        message = _(
            "%(quantity)s × %(price)s with charges of %(charges)s gives %(expected)s, but the "
            "amount is %(amount)s."
        )
    else:
        message = _(
            "%(quantity)s × %(price)s × %(rate)s with charges of %(charges)s gives %(expected)s, "
            "but the amount is %(amount)s."
        )
    return bad_row(
        column,
        raw[column],
        "amount_differs",
        message,
        quantity=quantity,
        price=price,
        rate=rate,
        expected=expected,
        charges=charges,
        amount=raw[column],
    )


def require_amount(
    raw: RawRow,
    column: str,
    side: str,
    quantity: Decimal,
    price: Decimal,
    *,
    amount: Decimal,
    charges: Decimal = ZERO,
    rate: Decimal = ONE,
) -> None:
    """Check that quantity × price × rate with its charges is the `amount` that the broker booked.

    `side` is buy or one of the types that bring money, `rate` converts the price to the currency of
    `amount` and `charges`. The sums may differ by what the rounding of the figures explains
    (`rounding_of_product`, and half a unit of the amount's last digit). Raises
    BadRow(amount_differs).
    """
    gross = EXACT.multiply(EXACT.multiply(quantity, price), rate)
    expected = cash_effect(side, gross, charges)
    rounding = rounding_of_product(quantity, price, rate) + half_unit(amount)
    if abs(amount - expected) > rounding:
        raise amount_differs(
            raw,
            column,
            quantity=quantity,
            price=price,
            rate=rate,
            charges=charges,
            expected=expected,
        )


def require_profit(raw: RawRow, column: str, paid: Decimal, brought: Decimal) -> None:
    """Check that the profit in `column` is what a sale brought beyond what the purchase cost.

    Raises BadRow(amount_differs) beyond what the rounding of the three explains.
    """
    profit = raw.required_number(column)
    off = half_unit(paid) + half_unit(brought) + half_unit(profit)
    if abs(brought - paid - profit) > off:
        message = _("The profit is not what the sale brought beyond the cost.")
        raise bad_row(column, raw[column], "amount_differs", message)


def rounding_of_product(quantity: Decimal, price: Decimal, rate: Decimal = ONE) -> Decimal:
    """Return by how much quantity × price × rate may be off because all three are rounded.

    Each may be off by half a unit of the last digit that the file writes. Whole shares are counted,
    not rounded, and a rate of 1 converts nothing.
    """
    quantity, price = abs(quantity), abs(price)
    of_quantity = half_unit(quantity) if quantity != quantity.to_integral_value() else ZERO
    of_rate = half_unit(rate) if rate != ONE else ZERO
    highest = (quantity + of_quantity) * (price + half_unit(price)) * (rate + of_rate)
    return highest - quantity * price * rate


def half_unit(number: Decimal) -> Decimal:
    """Return half a unit of the last digit with which a number is written: 0.005 for 1.50."""
    return Decimal(5).scaleb(-decimals_of(number) - 1)


def decimals_of(number: Decimal) -> int:
    """Return how many decimals a number is written with."""
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int):
        return 0
    return max(-exponent, 0)


def require_commission(
    raw: RawRow,
    column: str,
    commission: Decimal,
    quantity: Decimal,
    price: Decimal,
    *,
    rounding: Decimal = ZERO,
    most: Decimal = MAX_COMMISSION,
) -> None:
    """Check a commission that was derived: the amount in `column` less quantity × price.

    Raises BadRow(amount_differs) if it is negative by more than `rounding`, or more than both
    `most` and 5 %: then one of the figures has another meaning.
    """
    gross = EXACT.multiply(quantity, price)
    highest = max(most, EXACT.multiply(gross, MAX_PART))
    if -rounding <= commission <= highest:
        return
    raise bad_row(
        column,
        raw[column],
        "amount_differs",
        _(
            "%(quantity)s × %(price)s = %(gross)s, but the amount is %(amount)s. A difference of "
            "%(difference)s is not a plausible commission."
        ),
        quantity=quantity,
        price=price,
        gross=gross,
        amount=raw[column],
        difference=commission,
    )


def divide(value: Decimal, by: Decimal) -> Decimal:
    """Return a quotient as it is stored: 15 significant digits."""
    return round_for_storage(EXACT.divide(value, by))


def divide_known(value: Decimal | None, by: Decimal | None) -> Decimal | None:
    """Return a quotient as it is stored; None where a number is missing or 0."""
    if not value or not by:
        return None
    return divide(value, by)


def split_ratio(held: Decimal, added: Decimal, column: str) -> Decimal:
    """Return the ratio of a split for which the file gives only the `added` shares.

    `held` is the number of shares before it, according to the file; `added`, from `column`, is
    negative for a reverse split. Raises BadRow unless the ratio, or its inverse, is a plain number:
    otherwise the file does not begin with the first purchase.
    """
    after = EXACT.add(held, added)
    if held > 0 and after > 0 and added:
        higher, lower = max(held, after), min(held, after)
        ratio = EXACT.divide(higher, lower)
        step = Decimal(1) if ratio >= Decimal("1.9") else Decimal("0.1")
        plain = ratio.quantize(step)
        # The shares are rounded to some eight places.
        if plain > 1 and abs(ratio - plain) < Decimal("0.0005"):
            return plain if added > 0 else divide(ONE, plain)
    raise bad_row(
        column,
        added,
        "unknown_split_ratio",
        _(
            "The file does not give the ratio of this split. Skip the row: splits that the market "
            "data source knows are booked automatically."
        ),
    )


def reversed_lines(rows: Iterable[tuple[Hashable, Decimal, int]]) -> set[int]:
    """Find the rows that another row reverses to the cent. Returns the lines of both.

    `rows` are (what is paid, amount, line), oldest first. Rows are pairs if the first is the same
    and their amounts are opposite.
    """
    waiting: dict[tuple[Hashable, Decimal], list[int]] = defaultdict(list)
    found: set[int] = set()
    for paid, amount, line in rows:
        opposite = waiting[paid, -amount]
        if opposite:
            found |= {opposite.pop(), line}
        elif amount:
            waiting[paid, amount].append(line)
    return found
