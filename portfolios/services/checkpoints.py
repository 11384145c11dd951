"""Store what a file says stood on a day, and compare it with what an import makes."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from uuid import UUID

from msgspec.structs import replace

from financeproj.core.db.rows import pks_of
from financeproj.core.money import ONE, ZERO, strip_zeros
from marketdata import services as marketdata
from marketdata.models import StockMetadata
from portfolios.calc.agreement import Agreement, BookedRow, Stated, compare, openings
from portfolios.calc.import_rows import Checkpoint as StatedCheckpoint
from portfolios.calc.kinds import TransactionType
from portfolios.calc.taken_back import booked_rows_of
from portfolios.models import (
    Checkpoint,
    Holding,
    ImportBatch,
    Portfolio,
    Transaction,
    TransactionSource,
)
from portfolios.services.holding_changes import NewRow
from portfolios.services.import_money import NewMoney
from portfolios.services.import_plan import ImportPlan, lines_of
from portfolios.services.imported_openings import opened_by_hand, with_openings
from portfolios.services.ledger_rows import booked_row
from portfolios.services.openings import ONE_DAY
from portfolios.services.share_openings import FileSays
from portfolios.services.taking_back import entry_of
from portfolios.services.usable_rows import Instruments
from portfolios.valuation import (
    booked_rows,
    names_several_accounts,
    read_agreements,
    reversed_rows,
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
    """Return whether one of `checkpoints` is stated alike in no import that stands."""
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
    kept: list[StockMetadata] = []
    for ticker in sorted(tickers - stocks.keys()):
        stock = instruments[ticker]
        if isinstance(stock, StockMetadata):
            kept.append(stock)
    marketdata.keep_instruments(stocks=kept)
    for stock in kept:
        stocks[stock.ticker] = stock.pk
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
    rows = with_openings(portfolio, stated, _compared_rows(portfolio, plan))
    return compare(stated, rows, portfolio.currency)


def offered(
    portfolio: Portfolio, says: FileSays, plan: ImportPlan, *, failed: int, is_written: bool
) -> list[dict[str, str]]:
    """Return what stood before the file and is not booked: entries of `ImportBatch.opening`.

    Money is booked by every import that is written, shares where they were accepted. The money is
    unknown as long as rows fail for other reasons than shares that they lack.
    """
    entries: list[dict[str, str]] = []
    if not is_written and failed == len(lines_of(plan.left_out)):
        entries += _offered_money(portfolio, says, plan)
    tickers = says.tickers
    for one in plan.openings:
        is_new = one.standing is None and one.ticker in tickers
        if is_new and not (is_written and one.is_booked):
            entry = {"ticker": one.ticker, "quantity": f"{strip_zeros(one.quantity):f}"}
            entries.append({**entry, "date": str(one.day)})
    return entries


def _offered_money(portfolio: Portfolio, says: FileSays, plan: ImportPlan) -> list[dict[str, str]]:
    """Return the openings that the import would make in currencies that have none."""
    currencies = {one.currency for one in says.checkpoints if one.currency}
    if not currencies or names_several_accounts(portfolio, says.account):
        return []
    stated = stated_in([portfolio.pk]).get(portfolio.pk, [])
    stated += says.stated()
    rows = [*_compared_rows(portfolio, plan), *_booked_rows(plan.left_out)]
    made = openings(stated, rows, portfolio.currency)
    opened = opened_by_hand(portfolio)
    days: list[date] = []
    for row in rows:
        if row.type == TransactionType.OPENING:
            opened.add(row.settlement_currency or "")
        elif not row.is_derived:
            days.append(row.date)
    if not days:
        return []
    day = min(days) - ONE_DAY
    entries: list[dict[str, str]] = []
    for currency in sorted(made.keys() & currencies - opened):
        entry = {"currency": currency, "amount": f"{strip_zeros(made[currency]):f}"}
        entries.append({**entry, "date": str(day)})
    return entries


def _compared_rows(portfolio: Portfolio, plan: ImportPlan) -> list[BookedRow]:
    """Return the rows as they would be, and what the broker's balances have of reversed ones."""
    rows = [*rows_after(portfolio, plan)]
    rows += reversed_rows(portfolio)
    for one in plan.taken:
        rows += booked_rows_of(entry_of(one))
    return rows


def rows_after(portfolio: Portfolio, plan: ImportPlan) -> Iterator[BookedRow]:
    """Yield the rows of the portfolio as they would be if the plan were carried out."""
    gone = {*pks_of(plan.gone), *pks_of(one.row for one in plan.taken)}
    counts_on = {row.pk: row.effective_date for row in plan.changed}
    completed = {one.pk: one.values for one in plan.completions}
    reopened = {one.standing.pk: one for one in plan.reopened if one.standing}
    for row in booked_rows(Transaction.objects.filter(portfolio=portfolio)):
        if row.pk not in gone:
            row = replace(row, effective_date=counts_on.get(row.pk, row.effective_date))
            opening = reopened.get(row.pk)
            if opening is not None:
                row = replace(
                    row, date=opening.day, effective_date=opening.day, quantity=opening.quantity
                )
            yield replace(row, **completed.get(row.pk, {}))
    yield from _booked_rows(plan.added)
    for money in plan.money:
        yield _booked_money(money)
    tickers = {holding.pk: holding.stock.ticker for holding in plan.changed_holdings}
    for split in plan.splits:
        yield booked_row(split, tickers[split.holding_id])


def _booked_rows(new_rows: Iterable[NewRow]) -> Iterator[BookedRow]:
    for one in new_rows:
        yield replace(
            booked_row(one.entry, one.holding.stock.ticker),
            settlement_currency=one.file_row.settlement_currency,
            settlement_amount=one.file_row.settlement_amount,
            booked_on=one.file_row.booked_on,
        )


def _booked_money(one: NewMoney) -> BookedRow:
    row = one.file_row
    return BookedRow(
        pk=one.pk,
        ticker=None,
        type=row.type,
        date=row.date,
        effective_date=row.date,
        sequence=one.sequence,
        quantity=ONE,
        price=row.price,
        commission=ZERO,
        tax=row.tax or ZERO,
        exchange_rate=one.rate,
        settlement_currency=row.settlement_currency,
        settlement_amount=row.settlement_amount,
        booked_on=row.booked_on,
        carried=None,
        source=TransactionSource.IMPORT,
        import_id=None,
    )
