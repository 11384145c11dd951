"""Store a generated history in the database, as far as requests read it."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from benchmarks.generate import CURRENCIES, Generated
from benchmarks.kinds import Kind
from financeproj.users.models import User
from marketdata import series
from marketdata.models import (
    CurrencyPair,
    HistoricalExchangeRate,
    HistoricalStockPrice,
    StockMetadata,
    StockQuote,
    StockVector,
)
from portfolios.calc.ledger import replay
from portfolios.models import Holding, Portfolio, Transaction
from portfolios.services.replay import store_position

_EPOCH = date(1970, 1, 1).toordinal()
SOURCE = "bench"
RECENT_DAYS = 30


def store(data: Generated, user: User) -> Portfolio:
    """Create a portfolio of `user` with the instruments, closes, rates and transactions of
    `data`.
    """
    stocks = _store_instruments(data)
    _store_rates(data)
    portfolio = Portfolio.objects.create(
        user=user, name=f"Size {data.size}", currency=CURRENCIES[0], version=1
    )
    _store_transactions(data, stocks, portfolio)
    return portfolio


def add_money(data: Generated, portfolio: Portfolio) -> None:
    """Deposit a large amount on the first day and something each month, and count money from then
    on.
    """
    first = _days(data)[0]
    months = [day for day in _days(data) if day.day < 3 and day.weekday() == 0]
    for number, day in enumerate([first, *months], start=1):
        amount = Decimal(20_000) if number > 1 else Decimal(10_000_000)
        Transaction.objects.create(
            portfolio=portfolio,
            type="deposit",
            date=day,
            effective_date=day,
            sequence=1_000_000 + number,
            quantity=1,
            price=amount,
            settlement_amount=amount,
            settlement_currency=portfolio.currency,
        )
    portfolio.cash_from, portfolio.cash_from_by = first, "manual"
    portfolio.version += 1
    portfolio.save()


def _days(data: Generated) -> list[date]:
    return [date.fromordinal(int(day) + _EPOCH) for day in data.days]


def _store_instruments(data: Generated) -> list[StockMetadata]:
    now = timezone.now()
    stocks = [
        StockMetadata(
            ticker=f"{data.size}{index:03}",
            company_name=f"Company {index}",
            currency=CURRENCIES[currency],
            source=SOURCE,
            version=1,
            history_fetched_at=now,
        )
        for index, currency in enumerate(data.currency.tolist())
    ]
    StockMetadata.objects.bulk_create(stocks)
    days = _days(data)
    closes: list[tuple[Any, ...]] = []
    for stock, row in zip(stocks, data.close.tolist(), strict=True):
        closes.append((stock.pk, days[0], row[0]))
        for day, close in zip(days[-RECENT_DAYS:], row[-RECENT_DAYS:], strict=True):
            closes.append((stock.pk, day, close))
    _insert(HistoricalStockPrice, ("stock_id", "date", "close"), closes)
    StockQuote.objects.bulk_create(
        StockQuote(
            stock=stock,
            price=Decimal(str(close)),
            as_of=now,
            day=days[-1],
            fetched_at=now,
            source=SOURCE,
        )
        for stock, close in zip(stocks, data.close[:, -1].tolist(), strict=True)
    )
    # Requests read the vectors, which are built when prices are written, the first row and the
    # latest ones. Only these are stored.
    calendar = data.market().close
    StockVector.objects.bulk_create(
        StockVector(stock=stock, version=1, first_day=days[0], data=row.tobytes())
        for stock, row in zip(stocks, calendar, strict=True)
    )
    return stocks


def _store_rates(data: Generated) -> None:
    days, now = _days(data), timezone.now()
    for code, row in list(zip(CURRENCIES, data.rates.tolist(), strict=True))[1:]:
        pair = CurrencyPair.objects.create(
            base=code, target=CURRENCIES[0], version=1, fetched_at=now
        )
        _insert(
            HistoricalExchangeRate,
            ("pair_id", "date", "rate"),
            [(pair.pk, day, rate) for day, rate in zip(days, row, strict=True)],
        )
    today = timezone.localdate()
    series.rates(
        [(code, CURRENCIES[0]) for code in CURRENCIES[1:]], today, today
    )  # builds and stores the vectors


def _insert(model: Any, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    """Insert many rows without the ORM."""
    table, names = model._meta.db_table, ", ".join((*columns, "source"))
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row((*row, SOURCE))
            return
        marks = ", ".join(["?"] * (len(columns) + 1))
        plain = [_plain(*row) for row in rows]
        cursor.connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", plain)
        cursor.connection.commit()


def _plain(owner: Any, day: date, value: Any) -> tuple[Any, ...]:
    """Return a row as SQLite's driver takes it."""
    if isinstance(owner, UUID):
        owner = owner.hex
    return owner, day.isoformat(), value, SOURCE


def _store_transactions(data: Generated, stocks: list[StockMetadata], portfolio: Portfolio) -> None:
    holdings = [Holding(portfolio=portfolio, stock=stock) for stock in stocks]
    trades = data.trades
    columns = (
        trades.instrument,
        trades.day,
        trades.kind,
        trades.quantity,
        trades.price,
        trades.commission,
        trades.rate,
    )
    rows: list[list[Transaction]] = [[] for _ in holdings]
    for sequence, (at, day, kind, quantity, price, fee, rate) in enumerate(
        zip(*(column.tolist() for column in columns), strict=True), start=1
    ):
        on = date.fromordinal(day + _EPOCH)
        rows[at].append(
            Transaction(
                holding=holdings[at],
                portfolio=portfolio,
                type=Kind(kind).name.lower(),
                date=on,
                effective_date=on,
                sequence=sequence,
                quantity=Decimal(int(quantity)),
                price=Decimal(str(price)),
                commission=Decimal(str(fee)),
                exchange_rate=Decimal(str(rate)),
            )
        )
    used = [index for index, listed in enumerate(rows) if listed]
    for index in used:
        position, _ = replay(rows[index])
        store_position(holdings[index], position, rows[index])
    Holding.objects.bulk_create([holdings[index] for index in used])
    Transaction.objects.bulk_create([row for index in used for row in rows[index]], batch_size=2000)
