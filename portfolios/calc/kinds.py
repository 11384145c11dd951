"""The kinds of transactions and the rules of each. Everything else about kinds is derived here.

To add a kind, add one line to `TransactionType`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from financeproj.core.money import ZERO, in_new_shares


@dataclass(frozen=True, slots=True)
class Rules:
    """How one kind of transaction counts.

    `code` stands for the kind in stored arrays: never change one or use it again. `rank` is the
    place among the transactions of one day (but see `rank_of`); within a rank the order of entry
    decides. `shares` and `money` are signs: +1 where shares or money come in, -1 where they leave,
    0 where neither happens. `returns_cost`: the money comes out of what the shares cost.
    `is_exchange`: it belongs to a group that turns one instrument into others, and its money is the
    group's. `is_ratio`: the quantity is new shares for each old one. `is_priced`: the transaction
    needs a price and an exchange rate. `is_paid_in_any_currency`: brokers may book the payment in
    another currency than the one in which the instrument trades. `has_holding`: it can be a row of
    a holding. `stands_alone`: it can be a row of money alone; `cash` is then the sign that its
    amount must have, 0 where it can have either.
    """

    code: int
    rank: int
    shares: int = 0
    money: int = 0
    is_ratio: bool = False
    is_priced: bool = True
    returns_cost: bool = False
    is_exchange: bool = False
    is_paid_in_any_currency: bool = False
    has_holding: bool = True
    stands_alone: bool = False
    cash: int = 0

    @property
    def is_purchase(self) -> bool:
        return self.shares > 0 and self.money < 0

    @property
    def is_sale(self) -> bool:
        return self.shares < 0 and self.money > 0

    @property
    def is_transfer(self) -> bool:
        return self.shares != 0 and self.money == 0 and not self.is_exchange

    @property
    def brings_cost(self) -> bool:
        """Whether the cost was brought along: price and rate are those that were paid, charges
        included.
        """
        return self.is_transfer and self.shares > 0

    @property
    def is_income(self) -> bool:
        return self.shares == 0 and self.money > 0 and not self.returns_cost

    @property
    def can_realise(self) -> bool:
        """Whether it can realise a gain: it brings money for what the shares cost."""
        return self.is_sale or self.returns_cost or (self.is_exchange and self.shares < 0)

    @property
    def is_charge(self) -> bool:
        return self.shares == 0 and self.money < 0

    @property
    def moves_shares(self) -> bool:
        """Whether shares come in or leave; a ratio only changes how they are counted."""
        return self.shares != 0

    @property
    def leaves_dust(self) -> bool:
        """Whether shares can have more digits than are stored because of it."""
        return self.is_ratio or self.is_exchange

    @property
    def can_reduce_shares(self) -> bool:
        """Whether a later sale can lack shares because of it: a split can be a reverse one."""
        return self.shares < 0 or self.is_ratio

    @property
    def commission_sign(self) -> int:
        """+1 where a commission adds to what is paid, -1 where it reduces what is received."""
        if self.money:
            return -self.money
        return max(self.shares, 0)


class TransactionType(StrEnum):
    """The table of kinds, in the order in which people choose from them."""

    BUY = "buy", Rules(code=2, rank=3, shares=+1, money=-1)
    SELL = "sell", Rules(code=7, rank=5, shares=-1, money=+1)
    DIVIDEND = "dividend", Rules(code=3, rank=4, money=+1, is_paid_in_any_currency=True)
    INTEREST = (
        "interest",
        Rules(code=4, rank=4, money=+1, is_paid_in_any_currency=True, stands_alone=True),
    )
    FEE = (
        "fee",
        Rules(code=5, rank=4, money=-1, is_paid_in_any_currency=True, stands_alone=True),
    )
    TAX = (
        "tax",
        Rules(code=6, rank=4, money=-1, is_paid_in_any_currency=True, stands_alone=True),
    )
    RETURN_OF_CAPITAL = (
        "return_of_capital",
        Rules(code=14, rank=4, money=+1, returns_cost=True, is_paid_in_any_currency=True),
    )
    SPLIT = "split", Rules(code=0, rank=0, is_ratio=True, is_priced=False)
    TRANSFER_IN = "transfer_in", Rules(code=1, rank=2, shares=+1)
    TRANSFER_OUT = "transfer_out", Rules(code=8, rank=7, shares=-1, is_priced=False)
    EXCHANGE_IN = (
        "exchange_in",
        Rules(code=15, rank=1, shares=+1, is_priced=False, is_exchange=True),
    )
    EXCHANGE_OUT = (
        "exchange_out",
        Rules(code=16, rank=6, shares=-1, is_priced=False, is_exchange=True),
    )
    DEPOSIT = "deposit", Rules(code=9, rank=4, has_holding=False, stands_alone=True, cash=+1)
    WITHDRAWAL = "withdrawal", Rules(code=10, rank=4, has_holding=False, stands_alone=True, cash=-1)
    CONVERSION = "conversion", Rules(code=11, rank=4, has_holding=False, stands_alone=True)
    OPENING = "opening", Rules(code=12, rank=0, has_holding=False, stands_alone=True)
    ADJUSTMENT = "adjustment", Rules(code=13, rank=4, has_holding=False, stands_alone=True)

    rules: Rules

    def __new__(cls, value: str, rules: Rules | None = None) -> "TransactionType":
        # Only the lines above come here. A look-up such as TransactionType("buy") gives no rules.
        if rules is None:
            raise TypeError(f"{value} needs rules.")
        member = str.__new__(cls, value)
        member._value_ = value
        member.rules = rules
        return member

    @property
    def label(self) -> str:
        return self.name.replace("_", " ").title()


RULES: dict[str, Rules] = {kind.value: kind.rules for kind in TransactionType}


def types_where(holds: Callable[[Rules], bool]) -> tuple[str, ...]:
    """Return the kinds whose rules meet a condition, in the order of the table."""
    return tuple(kind.value for kind in TransactionType if holds(kind.rules))


def codes_where(holds: Callable[[Rules], bool]) -> tuple[int, ...]:
    """Return the codes of the kinds whose rules meet a condition."""
    return tuple(kind.rules.code for kind in TransactionType if holds(kind.rules))


def rank_of(kind: str, quantity: Decimal) -> int:
    """Return the place of a transaction among those of its day.

    Only an exchange_out can have no shares: that of a spin-off, which counts with the exchange_in.
    """
    return RULES[kind].rank if quantity else RULES["exchange_in"].rank


UNPRICED_TYPES = types_where(lambda rules: not rules.is_priced)
TYPES_OF_HOLDINGS = types_where(lambda rules: rules.has_holding)
MONEY_TYPES = types_where(lambda rules: rules.stands_alone)
# Those that a person enters one by one; the others are legs of groups.
ENTERED_TYPES = types_where(lambda rules: rules.has_holding and not rules.is_exchange)
REALISING_TYPES = types_where(lambda rules: rules.can_realise)
TYPES_WITHOUT_HOLDING = types_where(lambda rules: not rules.has_holding)


# After a split or an exchange, shares can have more digits than a number that is shown, entered or
# stored.
DUST = Decimal("1e-13")


def takes_all(held: Decimal, quantity: Decimal, *, was_split: bool) -> bool:
    """Return whether taking out `quantity` closes a holding of `held` shares.

    After a split or an exchange, a quantity that differs by no more than `DUST` of what is held
    does. Call it in the context `money.EXACT`.
    """
    if quantity == held:
        return True
    return was_split and abs(held - quantity) <= DUST * held


def shares_after(held: Decimal, kind: str, quantity: Decimal, *, was_split: bool) -> Decimal:
    """Return the shares held after a transaction of `quantity`, when `held` were held before.

    `was_split` says whether the holding had a split or an exchange before. Call it in the context
    `money.EXACT`.
    """
    rules = RULES[kind]
    was_split = was_split or rules.is_exchange
    if rules.is_ratio:
        return in_new_shares(held, quantity)
    if rules.shares > 0:
        return held + quantity
    if rules.shares < 0:
        if takes_all(held, quantity, was_split=was_split):
            return ZERO
        return held - quantity
    return held
