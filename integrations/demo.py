"""Invented statements for the demo: two portfolios over ten years, in the generic CSV format."""

import csv
import io
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from random import Random

from integrations import simulated

COLUMNS = (
    "date",
    "type",
    "ticker",
    "company_name",
    "quantity",
    "price",
    "currency",
    "commission",
    "external_id",
)
# Portfolio → its currency and what it holds; SPLIT… tickers have a split while they are held.
PORTFOLIOS = {
    "Nordic savings": (
        "NOK",
        ("FJORD.DEMO", "NORDLYS.DEMO", "SPLITFJELL.DEMO", "BREEN.DEMO", "ATLAS.USD.DEMO"),
    ),
    "Wall Street": ("USD", ("ATLAS.USD.DEMO", "SPLITPEAK.USD.DEMO", "HARBOR.USD.DEMO")),
}
SOLD_OUT = "BREEN.DEMO"
PURCHASES = {"NOK": (4_000, 15_000), "USD": (400, 1_500)}  # from, to


def statement(portfolio: str, today: date) -> str:
    """Return the CSV of one demo portfolio: purchases, sales, dividends, splits until `today`."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    start = today - timedelta(days=3652)
    rows: list[tuple[str, ...]] = []
    for ticker in PORTFOLIOS[portfolio][1]:
        rows.extend(_trades(ticker, portfolio, start, today))
    for number, row in enumerate(sorted(rows), start=1):
        writer.writerow((*row, f"demo-{number}"))
    return out.getvalue()


def _trades(ticker: str, portfolio: str, start: date, today: date) -> Iterator[tuple[str, ...]]:
    """Yield rows of one instrument: a purchase every third month, now and then a sale."""
    info = simulated.instrument(ticker)
    closes = dict(simulated.closes(ticker, start, today))
    dividends = dict(simulated.dividends(ticker, start, today))
    split = simulated.split_day(ticker)
    dice = Random(f"demo {portfolio} {ticker}")  # nosec B311  # the same demo every time, no secret
    next_trade = start + timedelta(days=dice.randrange(5, 60))
    last = start + (today - start) * 2 / 3
    held = Decimal(0)

    def row(
        day: date, kind: str, quantity: Decimal, price: Decimal | str, fee: str
    ) -> tuple[str, ...]:
        return (
            day.isoformat(),
            kind,
            ticker,
            info.company_name,
            str(quantity),
            str(price),
            info.currency,
            fee,
        )

    for day, close in closes.items():
        if day == split and held:
            held *= simulated.SPLIT_RATIO
            yield row(day, "split", simulated.SPLIT_RATIO, "", "")
        if day in dividends and held:
            yield row(day, "dividend", held, dividends[day], "0")
        if ticker == SOLD_OUT and day >= last and held:
            yield row(day, "sell", held, close, "29")
            return
        if day >= next_trade:
            next_trade = day + timedelta(days=dice.randrange(60, 120))
            if held and dice.random() < 0.2:
                sold = max(Decimal(1), held // 5)
                held -= sold
                yield row(day, "sell", sold, close, "29")
            else:
                amount = dice.uniform(*PURCHASES[info.currency])
                bought = Decimal(max(1, int(amount / float(close))))
                held += bought
                yield row(day, "buy", bought, close, "29")
