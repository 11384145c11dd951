"""The shares that stood before the rows of files: offered, and booked where an import accepts them.

Each is a `transfer_in` that belongs to its import, marked by the source `derived`.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID

from django.db.models import Q
from msgspec import Struct
from msgspec.structs import replace

from financeproj.core.db.rows import pks_of, update_rows
from financeproj.core.money import ONE, ZERO
from marketdata.models import StockMetadata
from marketdata.selectors import known_splits, prices_on_days, rates_on_days
from portfolios.calc.agreement import BookedRow, Stated
from portfolios.calc.duplicates import fingerprint, read_fingerprint, written_alike
from portfolios.calc.import_rows import Checkpoint as StatedCheckpoint
from portfolios.calc.kinds import TransactionType
from portfolios.calc.share_openings import Opened, Split, first_numbers, opened_shares
from portfolios.models import (
    Checkpoint,
    DismissedSplit,
    Holding,
    ImportBatch,
    Portfolio,
    Transaction,
    TransactionSource,
)
from portfolios.services.holding_changes import NewRow
from portfolios.services.import_money import Rates
from portfolios.services.ledger_rows import booked_row, keep_as_imported, next_sequence
from portfolios.services.split_booking import Dismissed, splits_to_book
from portfolios.valuation import booked_rows, names_several_accounts, stated_in

MAX_AGE_DAYS = 7  # of the close at which shares come in that have no price
TYPE = TransactionType.TRANSFER_IN
WORKED_OUT = (
    "import_batch_id",
    "date",
    "effective_date",
    "quantity",
    "price",
    "exchange_rate",
    "imported_as",
    "imported_on",
)


class FileSays(Struct, frozen=True):
    """What an import knows besides its rows: the checkpoints that can be used, the account, and
    whether it accepts the shares that stood before as openings.
    """

    import_id: UUID
    checkpoints: Sequence[StatedCheckpoint] = ()
    account: str = ""
    accepts_opening: bool = False

    @property
    def tickers(self) -> set[str]:
        """The instruments of which the file says a number of shares."""
        return {one.ticker for one in self.checkpoints if one.ticker}

    def stated(self) -> list[Stated]:
        """Return the checkpoints as those of the import."""
        return [Stated(one, self.import_id) for one in self.checkpoints]


class ShareOpening(Struct, frozen=True):
    """What stood of an instrument before its rows, and the row that books it.

    `quantity` 0 takes `standing`, the row that is stored, away. `import_id` is the import that
    accepts it, None where none does. `rate` turns the instrument's currency into the portfolio's,
    None where it is unknown: then it cannot be booked. `line` is that of the file's figure.
    `imported_as` is its fingerprint with the price that was worked out.
    """

    ticker: str
    stock: StockMetadata
    quantity: Decimal
    day: date
    line: int
    import_id: UUID | None
    price: Decimal = ZERO
    rate: Decimal | None = None
    imported_as: str = ""
    standing: Transaction | None = None

    @property
    def is_booked(self) -> bool:
        """Whether the ledger has it, or will have it once it is written."""
        return self.import_id is not None and self.rate is not None and self.quantity > 0


def openings_with_file(
    portfolio: Portfolio,
    says: FileSays,
    new_rows: Iterable[NewRow],
    instruments: Mapping[str, StockMetadata],
    rates: Rates,
) -> list[ShareOpening]:
    """Work out the openings of `portfolio` with the rows and checkpoints of a file.

    Only of the instruments of which the file says something. Nothing is stored. None where the
    imports name several accounts: what stands then stays.
    """
    of_file = says.tickers
    accepted = _accepted(portfolio)
    if says.accepts_opening:
        for ticker in of_file:
            accepted.setdefault(ticker, says.import_id)
    tickers = of_file | (accepted.keys() & instruments.keys())
    if not tickers or names_several_accounts(portfolio, says.account):
        return []
    stated = stated_in([portfolio.pk]).get(portfolio.pk, [])
    stated += says.stated()
    rows = _rows_of(portfolio, tickers, stated)
    rows += _booked_rows(new_rows, stated)
    stocks = {ticker: instruments[ticker] for ticker in tickers}
    opened = opened_shares(stated, rows, _splits_of(portfolio, stocks))
    return _worked_out(portfolio, stocks, opened, accepted, rates)


def keep_share_openings(portfolio: Portfolio, leaving: ImportBatch) -> list[Holding]:
    """Work out again and store the openings of the locked `portfolio`, without the import that is
    `leaving`. Its transactions are deleted already.

    Returns the holdings that must be replayed.
    """
    accepted = _accepted(portfolio, leaving)
    if not accepted or names_several_accounts(portfolio):
        return []
    stated = stated_in([portfolio.pk]).get(portfolio.pk, [])
    stated = [one for one in stated if one.import_id != leaving.pk]
    holdings: dict[str, Holding] = {}
    stocks: dict[str, StockMetadata] = {}
    held = Holding.objects.filter(portfolio=portfolio, stock__ticker__in=list(accepted))
    for holding in held.select_related("stock"):
        holdings[holding.stock.ticker] = holding
        stocks[holding.stock.ticker] = holding.stock
    rows = _rows_of(portfolio, stocks.keys(), stated)
    opened = opened_shares(stated, rows, _splits_of(portfolio, stocks))
    changed: list[Holding] = []
    for one in _worked_out(portfolio, stocks, opened, accepted, {}):
        if one.standing is None and not one.is_booked:
            continue
        holding = holdings[one.ticker]
        holding.portfolio = portfolio
        if one.standing is None:
            row = new_opening(one, portfolio, holding, next_sequence(portfolio))
            row.save(force_insert=True)
        elif one.is_booked:
            store_openings([one])
        else:
            one.standing.delete()
        changed.append(holding)
    return changed


def _accepted(portfolio: Portfolio, leaving: ImportBatch | None = None) -> dict[str, UUID]:
    """Return the tickers whose openings are accepted, with the oldest import that does. A query."""
    stated = Checkpoint.objects.filter(
        import_batch__portfolio=portfolio,
        import_batch__state=ImportBatch.State.DONE,
        import_batch__accepts_opening=True,
        stock__isnull=False,
    )
    if leaving is not None:
        stated = stated.exclude(import_batch=leaving)
    ordered = stated.order_by("import_batch__created_at", "import_batch_id")
    accepted: dict[str, UUID] = {}
    for ticker, pk in ordered.values_list("stock__ticker", "import_batch_id"):
        accepted.setdefault(ticker or "", pk)
    return accepted


def _rows_of(
    portfolio: Portfolio, tickers: Iterable[str], stated: Iterable[Stated]
) -> list[BookedRow]:
    """Read the rows of `tickers` that their first numbers of shares may count."""
    first = first_numbers(stated)
    days = [first[ticker].checkpoint.day for ticker in tickers if ticker in first]
    if not days:
        return []
    last = max(days)
    can_count = Q(date__lte=last) | Q(booked_on__lte=last) | Q(imported_on__lte=last)
    rows = Transaction.objects.filter(
        can_count, portfolio=portfolio, holding__stock__ticker__in=list(tickers)
    )
    return list(booked_rows(rows))


def _splits_of(portfolio: Portfolio, stocks: Mapping[str, StockMetadata]) -> dict[str, list[Split]]:
    """Return the splits of `stocks` that the ledger books by itself, by ticker. Three queries."""
    ids = pks_of(stocks.values())
    known = known_splits(ids, user_id=portfolio.user_id)
    dismissed: dict[UUID, list[Dismissed]] = defaultdict(list)
    rows = DismissedSplit.objects.filter(holding__portfolio=portfolio, holding__stock__in=ids)
    for stock_id, day, ratio in rows.values_list("holding__stock", "date", "ratio"):
        dismissed[stock_id].append((day, ratio))
    found: dict[str, list[Split]] = {}
    for ticker, stock in stocks.items():
        found[ticker] = splits_to_book(known[stock.pk], dismissed[stock.pk])
    return found


def _booked_rows(new_rows: Iterable[NewRow], stated: Iterable[Stated]) -> list[BookedRow]:
    """Return the new rows that the first numbers of shares may count."""
    first = first_numbers(stated)
    found: list[BookedRow] = []
    for one in new_rows:
        ticker, booked_on = one.holding.stock.ticker, one.file_row.booked_on
        if ticker in first and (booked_on or one.file_row.date) <= first[ticker].checkpoint.day:
            found.append(replace(booked_row(one.entry, ticker), booked_on=booked_on))
    return found


def _worked_out(
    portfolio: Portfolio,
    stocks: Mapping[str, StockMetadata],
    opened: Mapping[str, Opened],
    accepted: Mapping[str, UUID],
    rates: Rates,
) -> list[ShareOpening]:
    """Return the openings of `stocks` that are there, are to be made, or go."""
    standing = _standing(portfolio, stocks)
    wanted: list[tuple[StockMetadata, date]] = []
    for ticker, found_one in opened.items():
        if ticker in stocks:
            wanted.append((stocks[ticker], found_one.day))
    price_of, rate_of = _prices_and_rates(wanted, portfolio.currency, rates)
    found: list[ShareOpening] = []
    for ticker in sorted(stocks):
        stock, row = stocks[ticker], standing.get(ticker)
        one = opened.get(ticker)
        if one is None:
            if row is not None:
                found.append(ShareOpening(ticker, stock, ZERO, row.date, 0, None, standing=row))
            continue
        opening = ShareOpening(
            ticker=ticker,
            stock=stock,
            quantity=one.quantity,
            day=one.day,
            line=one.stated.checkpoint.row,
            import_id=accepted.get(ticker),
            price=price_of(stock, one.day),
            rate=rate_of(stock, one.day),
            standing=row,
        )
        found.append(_with_standing(opening))
    return found


def _with_standing(one: ShareOpening) -> ShareOpening:
    """Keep what the row that stands has: its import, a price that was edited, and while its day
    stays, every price. Add the fingerprint.
    """
    row = one.standing
    worked_out, price, rate, import_id = one.price, one.price, one.rate, one.import_id
    if row is not None:
        was = read_fingerprint(row.imported_as)
        is_edited = was is not None and not written_alike(row.price, was.price)
        if is_edited or row.date == one.day or rate is None:
            price, rate = row.price or ZERO, row.exchange_rate
        if was is not None and (row.date == one.day or one.rate is None):
            worked_out = Decimal(was.price)
        import_id = row.import_batch_id
    print_ = fingerprint(one.ticker, one.day, TYPE, one.quantity, worked_out, None)
    return ShareOpening(
        ticker=one.ticker,
        stock=one.stock,
        quantity=one.quantity,
        day=one.day,
        line=one.line,
        import_id=import_id,
        price=price,
        rate=rate,
        imported_as=print_,
        standing=row,
    )


def _standing(portfolio: Portfolio, tickers: Iterable[str]) -> dict[str, Transaction]:
    """Read the openings of `tickers` that the portfolio has."""
    rows = Transaction.objects.filter(
        portfolio=portfolio,
        type=TYPE,
        source=TransactionSource.DERIVED,
        holding__stock__ticker__in=list(tickers),
    )
    return {row.own_holding.stock.ticker: row for row in rows.select_related("holding__stock")}


def _prices_and_rates(
    wanted: Sequence[tuple[StockMetadata, date]], currency: str, rates: Rates
) -> tuple[
    Callable[[StockMetadata, date], Decimal], Callable[[StockMetadata, date], Decimal | None]
]:
    """Return the close of a day, 0 where none is known, and the rate into `currency`.

    Both are asked of the database alone, for all that are `wanted`.
    """
    keys = [(stock.pk, day) for stock, day in wanted]
    closes = prices_on_days(keys, max_age_days=MAX_AGE_DAYS)
    pairs: list[tuple[str, str, date]] = []
    for stock, day in wanted:
        key = stock.currency, currency, day
        if stock.currency != currency and rates.get(key) is None:
            pairs.append(key)
    stored = rates_on_days(pairs) if pairs else {}

    def price_of(stock: StockMetadata, day: date) -> Decimal:
        return closes.get((stock.pk, day), ZERO)

    def rate_of(stock: StockMetadata, day: date) -> Decimal | None:
        if stock.currency == currency:
            return ONE
        key = stock.currency, currency, day
        found = stored.get(key)
        if found is not None and not found.stale:
            return found.rate
        return rates.get(key)

    return price_of, rate_of


def new_opening(
    one: ShareOpening, portfolio: Portfolio, holding: Holding, sequence: int
) -> Transaction:
    """Make the row that books an opening (not saved)."""
    row = Transaction(
        portfolio=portfolio,
        holding=holding,
        type=TYPE,
        source=TransactionSource.DERIVED,
        sequence=sequence,
        **values_of(one),
    )
    keep_as_imported(row, portfolio)
    return row


def values_of(one: ShareOpening) -> dict[str, object]:
    """Return the columns of the row of an opening that are worked out."""
    values = (
        one.import_id,
        one.day,
        one.day,
        one.quantity,
        one.price,
        one.rate,
        one.imported_as,
        one.day,
    )
    return dict(zip(WORKED_OUT, values, strict=True))


def store_openings(openings: Iterable[ShareOpening]) -> None:
    """Store what was worked out again of rows that stand."""
    stored = [(one.standing, one) for one in openings if one.standing is not None]
    rows = [Transaction(pk=row.pk, **values_of(one)) for row, one in stored]
    update_rows(Transaction, rows, WORKED_OUT)
