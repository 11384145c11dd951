"""Random accounts with shares and money, and their translation into arrays."""

from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Decimal
from random import Random

import numpy as np

from portfolios.calc.cash import CashMarket, MoneyRows
from portfolios.calc.kinds import RULES
from portfolios.calc.layout import Market, unpriced_somewhere
from portfolios.tests.cash_oracle import Account, Row, formula
from portfolios.tests.histories import FIRST_DAY
from portfolios.tests.oracle import D0, History, Kind, Ledger, Trade

CENT = Decimal("0.01")
CURRENCIES = 4  # 0 is the portfolio's
MONEY = (
    *("deposit", "deposit", "withdrawal", "adjustment", "opening"),
    *("conversion", "conversion", "interest", "fee", "tax"),
)


def random_account(seed: int, days: int = 36) -> Account:
    """Return an account with trades, deposits, conversions and cents that the broker rounds.

    Every second one has days without a rate, every third begins to count its money later.
    """
    random = Random(seed)
    count = random.randint(1, 4)
    currency = sorted(random.randrange(CURRENCIES) for _ in range(count))
    own = dict.fromkeys(range(FIRST_DAY, FIRST_DAY + days), Decimal(1))
    rates = [own]
    for _ in range(CURRENCIES - 1):
        around = Decimal(random.randint(50, 1500)) * CENT
        rates.append(_walk(random, days, around, late=seed % 2 == 0 and random.random() < 0.4))
    closes = []
    for _ in range(count):
        around = Decimal(random.randint(100, 50_000)) * CENT
        closes.append(_walk(random, days, around, late=random.random() < 0.4))
    if seed % 2 == 0:
        for _ in range(2):
            begin = random.randrange(days)
            gap = range(FIRST_DAY + begin, FIRST_DAY + begin + random.randint(1, 9))
            row = rates[random.randrange(1, CURRENCIES)]
            row.update((day, None) for day in gap if day in row)
    history = History(currency, closes, rates, _trades(random, currency, closes, rates, days))
    since = FIRST_DAY + (random.randrange(days) if seed % 3 == 0 else 0)
    account = Account(history, since)
    _add_money(random, account, days)
    account.rows.sort(key=lambda row: row.day)
    return account


def random_rates(seed: int, days: int) -> dict[int, Decimal | None]:
    """Return a rate for each day, and from the day before on; some have a gap."""
    random = Random(seed)
    rates = _walk(random, days, Decimal(random.randint(50, 1500)) * CENT, late=False)
    rates[FIRST_DAY - 1] = Decimal(1)
    if seed % 2:
        begin = random.randrange(days)
        gap = range(FIRST_DAY + begin, FIRST_DAY + begin + random.randint(1, 9))
        rates.update((day, None) for day in gap if day in rates)
    return rates


def _walk(random: Random, days: int, around: Decimal, *, late: bool) -> dict[int, Decimal | None]:
    """Return values of every day, with two decimals; `late` ones begin somewhere in between."""
    begin = random.randrange(days) if late else 0
    found: dict[int, Decimal | None] = {}
    for offset in range(days):
        around = max(CENT, (around * Decimal(random.randint(960, 1042)) / 1000).quantize(CENT))
        found[FIRST_DAY + offset] = around if offset >= begin else None
    return found


def _trades(
    random: Random,
    currency: list[int],
    closes: list[dict[int, Decimal | None]],
    rates: list[dict[int, Decimal | None]],
    days: int,
) -> list[Trade]:
    trades, ledgers = [], [Ledger() for _ in currency]
    wanted = [Kind.BUY, Kind.BUY, Kind.SELL, Kind.SELL, *Kind]
    planned = []
    for _ in range(random.randint(0, 20)):
        at, offset = random.randrange(len(currency)), random.randrange(days)
        planned += [(at, offset, random.choice(wanted))]
    for at, offset, kind in sorted(planned):
        day, held = FIRST_DAY + offset, ledgers[at].quantity
        close = closes[at][day] or Decimal(random.randint(100, 20_000)) * CENT
        quantity = Decimal(random.randint(1, 5000)) / 10
        price = max(CENT, (close * Decimal(random.randint(980, 1020)) / 1000).quantize(CENT))
        fee = random.choice([D0, Decimal("1.5"), Decimal("29")])
        if kind in (Kind.SELL, Kind.TRANSFER_OUT):
            quantity = held * random.choice([Decimal("0.1"), Decimal("0.5"), Decimal(1)])
        elif kind is Kind.SPLIT:
            quantity = random.choice([Decimal(4), Decimal("0.1")])
        elif kind in (Kind.DIVIDEND, Kind.INTEREST, Kind.FEE, Kind.TAX):
            quantity, price = Decimal(1), Decimal(random.randint(1, 5000)) * CENT
        if not quantity or (kind is Kind.SPLIT and not held):
            continue
        rate = rates[currency[at]][day] or Decimal(random.randint(50, 1500)) * CENT
        if currency[at]:
            rate *= Decimal(random.randint(990, 1010)) / 1000
        trade = Trade(at, day, kind, quantity, price, fee, rate)
        if kind in (Kind.TRANSFER_IN, Kind.TRANSFER_OUT):
            trade.commission = D0
        ledgers[at].apply(trade)
        trades.append(trade)
    return trades


def _add_money(random: Random, account: Account, days: int) -> None:
    history, rows = account.history, account.rows
    if random.random() < 0.5:
        amount = Decimal(random.randint(-50_000, 900_000)) * CENT
        rows.append(Row(random.randrange(CURRENCIES), FIRST_DAY - 1, "opening", amount))
    for trade in history.trades:
        if formula(trade):
            rows.append(_settled(random, account, trade))
    for _ in range(random.randint(1, 14)):
        day, currency = FIRST_DAY + random.randrange(days), random.randrange(CURRENCIES)
        amount = Decimal(random.randint(1, 3_000_000)) * CENT
        kind = random.choice(MONEY)
        if kind == "conversion":
            other = (currency + random.randint(1, CURRENCIES - 1)) % CURRENCIES
            arrived = Decimal(random.randint(1, 3_000_000)) * CENT
            rows.append(Row(currency, day, kind, -amount, other=other))
            rows.append(Row(other, day, kind, arrived, other=currency))
            continue
        if kind == "withdrawal" or (kind not in ("deposit", "opening") and random.random() < 0.6):
            amount = -amount
        if kind in ("interest", "fee", "tax"):
            amount = (amount / 100).quantize(CENT) or CENT
        rows.append(Row(currency, day, kind, amount))


def _settled(random: Random, account: Account, trade: Trade) -> Row:
    """Return the money of a trade: in the portfolio's currency, the instrument's or a third one."""
    own = account.history.currency[trade.instrument]
    currency = random.choice([0, 0, own, random.randrange(CURRENCIES)])
    amount = formula(trade)
    if currency:
        rate = account.history.rates[currency][trade.day] or Decimal(7)
        amount /= trade.rate if currency == own else rate
    amount = amount.quantize(CENT, ROUND_HALF_EVEN) + random.choice([D0, D0, CENT, -CENT])
    return Row(currency, trade.day, "trade", amount, trade)


def in_another_currency(account: Account, rates: dict[int, Decimal | None]) -> Account:
    """Return the account with every amount of its own currency times the rate of the day."""
    history = account.history
    into = {day: rate or D0 for day, rate in rates.items()}
    converted = []
    for own in history.rates:
        row: dict[int, Decimal | None] = {}
        for day, rate in own.items():
            known = rate is not None and rates[day] is not None
            row[day] = rate * into[day] if known else None
        converted.append(row)
    trades = {}
    for trade in history.trades:
        trades[id(trade)] = replace(trade, rate=trade.rate * into[trade.day])
    rows = []
    for one in account.rows:
        trade = None if one.trade is None else trades[id(one.trade)]
        rows.append(replace(one, trade=trade))
    other = History(history.currency, history.closes, converted, list(trades.values()))
    return Account(other, account.cash_from, rows)


def money_arrays(account: Account) -> MoneyRows:
    """Convert the rows of an account to arrays, by currency and day."""
    ordered = sorted(account.rows, key=lambda row: (row.currency, row.day))
    balances, standing, currency = [], D0, -1
    for row in ordered:
        if row.currency != currency:
            standing, currency = D0, row.currency
        standing += row.amount
        balances.append(float(standing))
    kinds, formulas, instruments, partners = [], [], [], []
    for row in ordered:
        kind = row.type if row.trade is None else row.trade.kind.name.lower()
        kinds.append(RULES[kind].code)
        formulas.append(0.0 if row.trade is None else float(formula(row.trade)))
        instruments.append(-1 if row.trade is None else row.trade.instrument)
        partners.append(-1 if row.other is None else row.other)
    return MoneyRows(
        currency=np.array([row.currency for row in ordered], dtype=np.int32),
        day=np.array([row.day for row in ordered], dtype=np.int32),
        kind=np.array(kinds, dtype=np.int8),
        amount=np.array([float(row.amount) for row in ordered], dtype=np.float64),
        formula=np.array(formulas, dtype=np.float64),
        instrument=np.array(instruments, dtype=np.int32),
        partner=np.array(partners, dtype=np.int32),
        balance=np.array(balances, dtype=np.float64),
    )


def cash_market(account: Account, market: Market) -> CashMarket:
    days = market.close.shape[1]
    return CashMarket(
        first_day=market.first_day,
        rates=market.rates,
        own=np.ones(days),
        since=account.cash_from - market.first_day,
        priced=unpriced_somewhere(market),
    )
