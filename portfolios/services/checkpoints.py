"""Store what a file says stood on a day, and compare it with what an import makes."""

from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from msgspec.structs import replace

from marketdata import services as marketdata
from marketdata.models import StockMetadata
from portfolios.calc.agreement import Agreement, BookedRow, Stated, compare
from portfolios.calc.import_rows import Checkpoint as StatedCheckpoint
from portfolios.models import Checkpoint, Holding, ImportBatch, Portfolio, Transaction
from portfolios.services.import_plan import ImportPlan, Instruments
from portfolios.services.imported_openings import with_openings
from portfolios.services.ledger_rows import LedgerRow
from portfolios.valuation import (
    booked_rows,
    names_several_accounts,
    read_agreements,
    stated_in,
)

BATCH = 2000


def usable_checkpoints(
    checkpoints: Iterable[StatedCheckpoint], instruments: Instruments
) -> list[StatedCheckpoint]:
    """Keep balances, and the numbers of shares of instruments that are known."""
    found = {ticker for ticker, one in instruments.items() if isinstance(one, StockMetadata)}
    return [one for one in checkpoints if not one.ticker or one.ticker in found]


def tells_something_new(portfolio: Portfolio, checkpoints: Iterable[StatedCheckpoint]) -> bool:
    """Return whether one of `checkpoints` is told alike by no import that stands."""
    checkpoints = list(checkpoints)
    if not checkpoints:
        return False
    known = {_figure(one.checkpoint) for one in stated_in([portfolio.pk]).get(portfolio.pk, ())}
    return any(_figure(one) not in known for one in checkpoints)


def _figure(one: StatedCheckpoint) -> tuple[object, ...]:
    return one.currency, one.ticker, one.day, one.amount


def store_checkpoints(
    import_batch: ImportBatch, checkpoints: Sequence[StatedCheckpoint], instruments: Instruments
) -> None:
    """Store the `checkpoints` of a saved import, with its transactions stored already."""
    tickers = {one.ticker for one in checkpoints if one.ticker}
    held = Holding.objects.filter(
        portfolio=import_batch.portfolio_id, stock__ticker__in=tickers
    ).values_list("stock__ticker", "stock_id")
    stocks: dict[str, UUID] = dict(held)
    unheld = [instruments[ticker] for ticker in sorted(tickers - stocks.keys())]
    kept = [stock for stock in unheld if isinstance(stock, StockMetadata)]
    marketdata.keep_instruments(stocks=kept)
    stocks.update({stock.ticker: stock.pk for stock in kept})
    rows: list[Checkpoint] = []
    for one in checkpoints:
        row = Checkpoint(
            import_batch=import_batch,
            currency=one.currency or None,
            stock_id=stocks.get(one.ticker),
            day=one.day,
            amount=one.amount,
            decimals=one.decimals,
            row=one.row,
            rows_of_day=one.rows_of_day,
        )
        rows.append(row)
    Checkpoint.objects.bulk_create(rows, batch_size=BATCH)


def agreement_after(import_batch: ImportBatch) -> Agreement:
    """Return how far the portfolio agrees now that the import is stored."""
    portfolio = import_batch.portfolio
    return read_agreements([portfolio])[portfolio.pk]


def agreement_with_plan(
    import_batch: ImportBatch, plan: ImportPlan, checkpoints: Iterable[StatedCheckpoint]
) -> Agreement:
    """Return how far the portfolio would agree if the plan were carried out."""
    portfolio = import_batch.portfolio
    if names_several_accounts(portfolio, import_batch.account):
        return Agreement({}, is_comparable=False)
    stated = stated_in([portfolio.pk]).get(portfolio.pk, [])
    stated += [Stated(one, import_batch.pk) for one in checkpoints]
    rows = with_openings(portfolio, stated, _rows_after(portfolio, plan))
    return compare(stated, rows, portfolio.currency)


def _rows_after(portfolio: Portfolio, plan: ImportPlan) -> Iterator[BookedRow]:
    gone = {row.pk for row in plan.gone}
    counts_on = {row.pk: row.effective_date for row in plan.changed}
    for _, row in booked_rows(Transaction.objects.filter(portfolio=portfolio)):
        if row.pk not in gone:
            yield replace(row, effective_date=counts_on.get(row.pk, row.effective_date))
    for one in plan.added:
        yield replace(
            _booked(one.entry, one.holding.stock.ticker),
            settlement_currency=one.file_row.settlement_currency,
            settlement_amount=one.file_row.settlement_amount,
            booked_on=one.file_row.booked_on,
        )
    tickers = {holding.pk: holding.stock.ticker for holding in plan.changed_holdings}
    for split in plan.splits:
        yield _booked(split, tickers[split.holding_id])


def _booked(entry: LedgerRow, ticker: str) -> BookedRow:
    return BookedRow(
        pk=entry.pk,
        ticker=ticker,
        type=entry.type,
        date=entry.date,
        effective_date=entry.effective_date,
        sequence=entry.sequence,
        quantity=entry.quantity,
        price=entry.price,
        commission=entry.commission,
        tax=entry.tax,
        exchange_rate=entry.exchange_rate,
        settlement_currency=None,
        settlement_amount=None,
        booked_on=None,
        carried=entry.carried,
        source=entry.source,
        import_id=None,
    )
