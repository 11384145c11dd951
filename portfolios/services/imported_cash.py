"""The day from which cash follows from the transactions, as far as imports set it by themselves."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from msgspec import Struct

from financeproj.core.money import EXACT
from portfolios.calc.agreement import BookedRow
from portfolios.calc.kinds import TransactionType
from portfolios.calc.money import money_of
from portfolios.models import (
    CashFromBy,
    Checkpoint,
    ImportBatch,
    Portfolio,
    PortfolioBalance,
    Transaction,
    TransactionSource,
)
from portfolios.services.ledger_rows import touch
from portfolios.services.openings import first_row_on
from portfolios.valuation import booked_rows, names_several_accounts

# Files that people make themselves often have trades alone.
OWN_FORMATS = ("generic", "mapped")


class ImportedCash(Struct, frozen=True):
    """What imports make of `cash_from`.

    `lowest` is the lowest balance in a currency at the end of a day, where the rows are the reason
    that there is no such day.
    """

    cash_from: date | None
    lowest: tuple[str, Decimal] | None = None


def keep_imported_cash(portfolio: Portfolio) -> ImportedCash:
    """Set or clear `cash_from` of the locked `portfolio` as its imports allow, and store it.

    Call it after each import and each undo, when the openings are kept.
    """
    if not _follows_imports(portfolio):
        return ImportedCash(portfolio.cash_from)
    rows = booked_rows(Transaction.objects.filter(portfolio=portfolio))
    found = _decide(portfolio, rows, first_row_on(portfolio))
    if found.cash_from != portfolio.cash_from:
        portfolio.cash_from = found.cash_from
        portfolio.cash_from_by = CashFromBy.IMPORT if found.cash_from else ""
        portfolio.save(update_fields=["cash_from", "cash_from_by", "updated_at"])
        touch(portfolio)
    return found


def imported_cash_after(
    portfolio: Portfolio,
    rows: Iterable[BookedRow],
    *,
    account: str,
    format_name: str,
    tells_balances: bool,
) -> ImportedCash:
    """Return what `keep_imported_cash` would make of `rows`, those after an import of `account`."""
    if not _follows_imports(portfolio, account):
        return ImportedCash(portfolio.cash_from)
    rows = list(rows)
    own = [row for row in rows if not row.is_derived]
    days = [row.date for row in own if row.type != TransactionType.OPENING]
    if tells_balances:
        return ImportedCash(min(days, default=None))
    is_of_broker = format_name not in OWN_FORMATS
    return _decide(portfolio, rows, min(days, default=None), is_of_broker=is_of_broker)


def _follows_imports(portfolio: Portfolio, account: str = "") -> bool:
    """Whether imports may set or clear the day.

    Rows and values by hand keep it from being set, but not from staying.
    """
    if portfolio.cash_from_by == CashFromBy.MANUAL or names_several_accounts(portfolio, account):
        return False
    if portfolio.cash_from is not None:
        return True
    by_hand = Transaction.objects.filter(portfolio=portfolio, source=TransactionSource.MANUAL)
    values = PortfolioBalance.objects.filter(portfolio=portfolio).exclude(amount=0)
    return not by_hand.exists() and not values.exists()


def _decide(
    portfolio: Portfolio,
    rows: Iterable[BookedRow],
    first: date | None,
    *,
    is_of_broker: bool = False,
) -> ImportedCash:
    if _tells_balances(portfolio):
        return ImportedCash(first)
    has_deposit = has_money = False
    moved: dict[date, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for row in rows:
        has_deposit = has_deposit or row.type == TransactionType.DEPOSIT
        has_money = has_money or not row.ticker
        currency, amount = money_of(row, portfolio.currency)
        if amount:
            moved[row.date][currency] = EXACT.add(moved[row.date][currency], amount)
    lowest = _lowest(moved)
    if has_deposit and lowest is not None and lowest[1] >= 0:
        return ImportedCash(first)
    if has_money or is_of_broker or _has_file_of_a_broker(portfolio):
        return ImportedCash(None, lowest)
    return ImportedCash(None)


def _lowest(moved: dict[date, dict[str, Decimal]]) -> tuple[str, Decimal] | None:
    """Return the lowest balance at the end of a day, None if nothing moved."""
    balances: dict[str, Decimal] = defaultdict(Decimal)
    lowest: tuple[str, Decimal] | None = None
    for day in sorted(moved):
        for currency, amount in moved[day].items():
            balances[currency] = balance = EXACT.add(balances[currency], amount)
            if lowest is None or balance < lowest[1]:
                lowest = currency, balance
    return lowest


def _tells_balances(portfolio: Portfolio) -> bool:
    stated = Checkpoint.objects.filter(
        import_batch__portfolio=portfolio,
        import_batch__state=ImportBatch.State.DONE,
        currency__isnull=False,
    )
    return stated.exists()


def _has_file_of_a_broker(portfolio: Portfolio) -> bool:
    files = ImportBatch.objects.filter(portfolio=portfolio, state=ImportBatch.State.DONE)
    return files.exclude(format__in=OWN_FORMATS).exists()
