"""DEGIRO's account statement: what the rows of a file have to do with each other.

What each row means, its order, the other leg of its exchange, and whether another row reverses it.
"""

import re
from collections import defaultdict
from decimal import Decimal
from typing import Any

from financeproj.core.money import EXACT, ONE
from integrations.statements.amounts import reversed_lines
from integrations.statements.degiro_orders import CENT, Order, change_or_zero
from integrations.statements.degiro_reserved import kept_reservations
from integrations.statements.degiro_words import (
    CHARGES,
    CHARGES_OF_ORDERS,
    CURRENCY_PAIR,
    OF_ORDER,
    PAYMENTS,
    TRADE,
    UP_TO_SHARES,
    Meaning,
    meaning_of,
)
from integrations.statements.raw_rows import BadRow, RawRow
from integrations.statements.sheet import Sheet
from integrations.statements.values import folded, number_in

# Exchanges are made in pairs, and the file gives the rate with one of them.
MAX_RATE_DIFFERENCE = Decimal("0.005")
# The price of a fund is of another moment than its conversion.
MAX_FUND_DIFFERENCE = Decimal("0.02")
# Of so many legs of exchanges that wait, one is looked for that fits.
MOST_WAITING = 20


class File:
    """What the rows of a file have to do with each other.

    `words` and `meanings` are by line: the folded description, and what it means. `empty` are the
    lines of rows that say something and move nothing. `partners` has
    the other leg of an exchange of currencies by the line of either. `reversed` are the lines of
    rows that another row reverses.
    """

    def __init__(self, sheet: Sheet) -> None:
        self.sheet = sheet
        self.words = {raw.line: folded(raw["description"]) for raw in sheet}
        self.trades: dict[int, re.Match[str]] = {}
        self.meanings: dict[int, Meaning | None] = {}
        known: dict[str, Meaning | None] = {}
        changes = {raw.line: change_or_zero(raw) for raw in sheet}
        for line, words in self.words.items():
            match = TRADE.match(words) or _without_verb(words, changes[line])
            said = match["prefix"] or "" if match else words
            if said not in known:
                known[said] = meaning_of(said)
            meaning = known[said]
            if match and CURRENCY_PAIR.match(match["name"]):
                meaning = Meaning.EXCHANGE
            elif match and meaning is Meaning.MONEY_MARKET:
                if _goes_to_fund(match, changes[line]):
                    meaning = Meaning.INTERNAL
            elif match:
                meaning = None
                self.trades[line] = match
            self.meanings[line] = meaning
        for line in kept_reservations(sheet, self.meanings):
            self.meanings[line] = Meaning.TRANSFER
        self._know_charges_of_orders()
        self.orders = self._orders()
        self.reversed = self._reversed()
        self.empty = self._empty()
        self.partners = self._partners()

    def _know_charges_of_orders(self) -> None:
        """Let what a row of a traded order takes be a charge of it, whatever its word."""
        traded = {raw["order"] for raw in self.sheet if raw.line in self.trades} - {""}
        for raw in self.sheet:
            meaning = self.meanings[raw.line]
            if raw["order"] not in traded or raw.line in self.trades:
                continue
            if meaning in CHARGES:
                self.meanings[raw.line] = CHARGES_OF_ORDERS[CHARGES[meaning]]
            elif not self.words[raw.line] or change_or_zero(raw) >= 0:
                continue
            elif meaning is None or meaning is Meaning.ACCRUED:
                self.meanings[raw.line] = Meaning.ORDER_FEE

    def _orders(self) -> dict[str, Order]:
        orders: dict[str, Order] = defaultdict(Order)
        for raw in self.sheet:
            if not raw["order"]:
                continue
            order = orders[raw["order"]]
            meaning = self.meanings[raw.line]
            if meaning in OF_ORDER:
                order.charges.append(raw)
            elif meaning is Meaning.EXCHANGE:
                order.exchanges.append(raw)
            elif raw.line in self.trades:
                order.trades.append(raw)
                order.first.setdefault(raw["date"], raw)
        for order in orders.values():
            if order.trades:
                order.add_up()
        return orders

    def _reversed(self) -> set[int]:
        """Find payments and charges of an instrument that another row reverses to the cent."""
        paid = []
        for raw in self.sheet:
            meaning = self.meanings[raw.line]
            if meaning in PAYMENTS or meaning in (Meaning.TAX, Meaning.FEE):
                key = (raw["isin"], meaning, raw["currency"])
                paid.append((key, change_or_zero(raw), raw.line))
        return reversed_lines(paid)

    def _empty(self) -> set[int]:
        """Find rows of words alone: without an amount, and the balance stays what it was."""
        found: set[int] = set()
        balances: dict[str, str] = {}
        for raw in self.sheet:
            currency = raw["balance_currency"]
            is_said = self.words[raw.line] and raw.line not in self.trades
            if is_said and not raw["change"] and balances.get(currency) == raw["balance"]:
                found.add(raw.line)
            balances[currency] = raw["balance"]
        return found

    def _partners(self) -> dict[int, RawRow]:
        """Pair the legs of exchanges: by order, else by time, else by day."""
        legs = []
        for raw in self.sheet:
            order = self.orders.get(raw["order"])
            is_absorbed = order is not None and raw.line in order.absorbed
            if self.meanings[raw.line] is Meaning.EXCHANGE and not is_absorbed:
                legs.append(raw)
        found: dict[int, RawRow] = {}
        for columns in (("order",), ("date", "time"), ("date",)):
            waiting: dict[tuple[str, ...], list[RawRow]] = defaultdict(list)
            for raw in legs:
                key = tuple(raw[column] for column in columns)
                if raw.line in found or not all(key):
                    continue
                partner = _partner(raw, waiting[key])
                if partner is None:
                    waiting[key].append(raw)
                else:
                    waiting[key].remove(partner)
                    found[raw.line], found[partner.line] = partner, raw
        return found

    def of_meaning(self, rows: list[RawRow], meaning: Meaning) -> list[RawRow]:
        return [raw for raw in rows if self.meanings[raw.line] is meaning]


def _without_verb(words: str, change: Decimal) -> re.Match[str] | None:
    """Read a trade by its form and its amount: shares came if it took money, and went if it brought
    some.
    """
    before = UP_TO_SHARES.match(words)
    if before is None or not change:
        return None
    verb = "kauf" if change < 0 else "verkauf"
    return TRADE.match(f"{before['prefix']}{verb} {words[before.end() :]}")


def _goes_to_fund(match: re.Match[str], change: Decimal) -> bool:
    """Return whether a row moves cash in or out of the money market fund: what it says was bought
    there is what it took. A small change is what the fund gained or lost.
    """
    for style in ("comma", "point"):
        quantity, price = (number_in(match[name], style) for name in ("quantity", "price"))
        if quantity and price:
            value = EXACT.multiply(quantity, price)
            if abs(abs(change) - value) <= value * MAX_FUND_DIFFERENCE:
                return True
    return False


def _partner(raw: RawRow, waiting: list[RawRow]) -> RawRow | None:
    """Return the other leg of an exchange: the first whose amounts fit the rate that is given."""
    amount = change_or_zero(raw)
    for other in waiting[:MOST_WAITING]:
        paid = change_or_zero(other)
        is_opposite = amount * paid < 0 and raw["currency"] != other["currency"]
        if is_opposite and _fits_rate(amount, paid, raw, other):
            return other
    return None


def _fits_rate(amount: Decimal, paid: Decimal, raw: RawRow, other: RawRow) -> bool:
    for leg in (raw, other):
        try:
            rate = leg.number("fx")
        except BadRow:
            rate = None
        if rate:
            found = abs(EXACT.divide(amount, paid))
            allowed = MAX_RATE_DIFFERENCE + CENT / min(abs(amount), abs(paid))
            return any(
                abs(ratio / rate - 1) <= allowed for ratio in (found, EXACT.divide(ONE, found))
            )
    return True


def identity_of(raw: RawRow) -> dict[str, Any]:
    return {
        "date": raw.day("date"),
        "isin": raw["isin"],
        "company_name": raw["product"],
        "note": raw["description"],
    }
