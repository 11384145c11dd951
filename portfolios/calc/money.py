"""What a transaction moves in money. docs/definitions.md, "Money"."""

from decimal import Decimal, localcontext
from typing import Protocol

from financeproj.core.currencies import currencies
from financeproj.core.money import EXACT, ONE
from portfolios.calc.kinds import RULES
from portfolios.calc.ledger import Entry, cash_effect


class Settled(Entry, Protocol):
    """The fields of a transaction that say what went through the account."""

    @property
    def settlement_currency(self) -> str | None: ...
    @property
    def settlement_amount(self) -> Decimal | None: ...


def money_of(row: Settled, portfolio_currency: str) -> tuple[str, Decimal]:
    """Return the currency and the signed amount that went through the account.

    It is the broker's own amount, else the formula, rounded half-even to the decimal places of the
    currency. Without a broker's amount the settlement currency must be the portfolio's or the
    instrument's.
    """
    currency = row.settlement_currency or portfolio_currency
    if row.settlement_amount is not None:
        return currency, row.settlement_amount
    return currency, _settled(row, cash_effect(row), currency, portfolio_currency)


def moved_and_formula(row: Settled, portfolio_currency: str) -> tuple[str, Decimal, Decimal]:
    """Return the same, and the formula's amount in the portfolio's currency."""
    currency = row.settlement_currency or portfolio_currency
    effect = cash_effect(row)
    if row.settlement_amount is not None:
        return currency, row.settlement_amount, effect
    return currency, _settled(row, effect, currency, portfolio_currency), effect


def _settled(row: Settled, effect: Decimal, currency: str, portfolio_currency: str) -> Decimal:
    """Return the formula's `effect` as it goes through the account in `currency`."""
    if currency != portfolio_currency:
        with localcontext(EXACT):
            effect = effect / (row.exchange_rate or ONE)
    return to_minor_units(effect, currency)


def to_minor_units(amount: Decimal, currency: str) -> Decimal:
    """Round half-even to the decimal places of the currency."""
    places = currencies()[currency].decimal_places
    return EXACT.quantize(amount, Decimal(1).scaleb(-places)) if amount else amount


def amount_in_portfolio_currency(
    row: Settled, portfolio_currency: str, *, is_money_alone: bool
) -> Decimal | None:
    """Return the effect on the cash in the portfolio's currency, None without a rate.

    It is the broker's amount where that is in this currency, else the formula.
    """
    currency = row.settlement_currency or portfolio_currency
    if row.settlement_amount is not None and currency == portfolio_currency:
        return row.settlement_amount
    if not is_money_alone:
        return cash_effect(row)
    if row.exchange_rate is None or row.settlement_amount is None:
        return None
    return EXACT.multiply(row.settlement_amount, row.exchange_rate)


def moves_money(kind: str) -> bool:
    """Whether a row of this kind can move money: splits and transfers of shares do not."""
    rules = RULES[kind]
    return rules.money != 0 or rules.stands_alone or (rules.is_exchange and rules.shares < 0)
