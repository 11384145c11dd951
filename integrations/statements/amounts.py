"""Check a broker's figures against each other, and derive those that the file leaves out."""

from decimal import Decimal

from financeproj.core.money import EXACT, ZERO, round_for_storage
from integrations.statements.sheet import BadRow, RawRow, bad_row
from portfolios.calc.import_rows import gettext_noop as _

# A commission that is only the difference of two figures may be this much of the currency, or this
# part of the trade.
MAX_COMMISSION, MAX_PART = Decimal(100), Decimal("0.05")


def cash_effect(side: str, gross: Decimal, charges: Decimal = ZERO) -> Decimal:
    """Return what a trade adds to the cash: negative for a buy. `side` is buy or sell."""
    if side == "buy":
        return -gross - charges
    return gross - charges


def amount_mismatch(
    raw: RawRow,
    column: str,
    *,
    quantity: Decimal,
    price: Decimal,
    expected: Decimal,
    charges: Decimal | None = None,
) -> BadRow:
    """Make the error of a row whose `column` is not the `expected` amount."""
    if charges is None:
        message = _("%(quantity)s × %(price)s = %(expected)s, but the amount is %(amount)s.")
    else:
        message = _(
            "%(quantity)s × %(price)s with charges of %(charges)s gives %(expected)s, but the "
            "amount is %(amount)s."
        )
    return bad_row(
        column,
        raw[column],
        "amount_mismatch",
        message,
        quantity=quantity,
        price=price,
        expected=expected,
        charges=charges,
        amount=raw[column],
    )


def require_commission(
    raw: RawRow,
    column: str,
    commission: Decimal,
    quantity: Decimal,
    price: Decimal,
    *,
    rounding: Decimal = ZERO,
) -> None:
    """Check a commission that was derived: the amount in `column` less quantity × price.

    Raises BadRow(amount_mismatch) if it is negative by more than `rounding`, or more than both
    100 and 5 %: then one of the figures has another meaning.
    """
    gross = EXACT.multiply(quantity, price)
    highest = max(MAX_COMMISSION, EXACT.multiply(gross, MAX_PART))
    if -rounding <= commission <= highest:
        return
    raise bad_row(
        column,
        raw[column],
        "amount_mismatch",
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


def split_ratio(held: Decimal, added: Decimal) -> Decimal:
    """Return the ratio of a split for which the file gives only the `added` shares.

    `held` is the number of shares before it, according to the file. Raises BadRow unless the
    ratio is a plain number: otherwise the file does not begin with the first purchase.
    """
    if held > 0 and added > 0:
        ratio = EXACT.divide(held + added, held)
        step = Decimal(1) if ratio >= Decimal("1.9") else Decimal("0.1")
        plain = ratio.quantize(step)
        # The shares are rounded to some eight places.
        if plain > 1 and abs(ratio - plain) < Decimal("0.0005"):
            return plain
    raise bad_row(
        "Quantity",
        added,
        "unknown_split_ratio",
        _(
            "The file does not give the ratio of this split. Skip the row: splits that the market "
            "data source knows are booked automatically."
        ),
    )
