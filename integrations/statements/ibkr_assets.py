"""Interactive Brokers: what kinds of instruments there are, and what their prices mean."""

from decimal import Decimal

from integrations.statements.ibkr_words import category_of
from integrations.statements.raw_rows import RawRow, unsupported_instrument

SHARES, BONDS, NOTES, COINS = "Stocks", "Bonds", "Structured Products", "Cryptocurrency"
FOREX, CASH = "Forex", "Cash"
IMPORTED = {SHARES, BONDS, NOTES, COINS}
EXCHANGED = {FOREX, "CASH"}  # in statements, and in Flex queries
PER_CENT = Decimal("0.01")
WITHOUT_MONEY = "options without money"  # of rows that are ignored
TENTH = Decimal("0.1")


def require_imported(raw: RawRow, column: str) -> str:
    """Return the kind of instrument. Raises BadRow for options, futures and CFDs."""
    category = category_of(raw[column])
    if category not in IMPORTED:
        raise unsupported_instrument(column, raw[column])
    return category


def is_of_option_alone(raw: RawRow, column: str, *amounts: str) -> bool:
    """Return whether a row is of an instrument that is not imported and moved no money.

    Options that expire or are exercised do that; of an exercise the row of the shares counts.
    """
    category = category_of(raw[column])
    if not category or category in IMPORTED | EXCHANGED | {CASH}:
        return False
    return not any(map(raw.number_or_zero, amounts))


def is_per_cent(category: str, value: Decimal, money: Decimal | None) -> bool:
    """Return whether the price is in per cent of a nominal value.

    `value` is quantity × price. Structured products have prices of both kinds; those in per cent
    cost a hundredth of that.
    """
    if category == NOTES:
        return money is not None and abs(money) < abs(value) * TENTH
    return category == BONDS


def symbol_of(symbol: str, category: str, currency: str) -> str:
    """Return the symbol as sources have it: coins are quoted in a currency, as BTC-USD.

    The broker writes BTC.USD-PAXOS, or the coin alone.
    """
    if category != COINS or not symbol:
        return symbol
    return f"{symbol.partition('.')[0]}-{currency}"
