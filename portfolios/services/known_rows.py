"""Which rows of a file the portfolio has already."""

from collections import Counter
from collections.abc import Iterator
from datetime import date
from operator import attrgetter
from uuid import UUID

from django.db.models import Q, QuerySet

from financeproj.core.money import ZERO
from portfolios.calc.duplicates import (
    Matches,
    fingerprint,
    fingerprint_of,
    match,
    money_fingerprint,
)
from portfolios.calc.import_rows import REVERSED, ImportRow
from portfolios.models import Portfolio, Transaction, TransactionSource
from portfolios.services.taking_back import Reversals, stored_entries

READ_AT_ONCE = 2000
# The fingerprint of a row and its external id.
Key = tuple[str, str | None]
# The same of a stored row, after its id.
StoredKey = tuple[UUID, str, str | None]


def match_known(
    portfolio: Portfolio, rows: list[ImportRow], keys: list[Key], reversals: Reversals
) -> Matches[UUID]:
    """Find the rows that the portfolio has already.

    What an earlier import took back is none of `rows` where the file has it as reversed.
    """
    if not rows:
        return Matches()
    first = min(rows, key=attrgetter("date"))
    last = max(rows, key=attrgetter("date"))
    reversed_prints: Counter[str] = Counter()
    for row in reversals.rows:
        if row.takes_back == REVERSED:
            reversed_prints[fingerprint_of(row)] += 1
    return match(keys, _stored_keys(portfolio, first.date, last.date, reversed_prints))


def _stored_keys(
    portfolio: Portfolio, first: date, last: date, reversed_prints: Counter[str]
) -> Iterator[StoredKey]:
    """Yield key, fingerprint and external id of what the portfolio has, or had until a reversal: as
    imported, else as it is now.

    Those of other days than `first` to `last` are left out where neither can match.
    """
    rows = Transaction.objects.filter(portfolio=portfolio).exclude(
        source=TransactionSource.MARKET_DATA
    )
    imported = rows.exclude(imported_as="").values_list("pk", "imported_as", "external_id")
    yield from imported.iterator(READ_AT_ONCE)
    for pk, entry in stored_entries(portfolio):
        print_, external_id = entry.columns["imported_as"] or "", entry.columns["external_id"]
        if reversed_prints[print_]:
            reversed_prints[print_] -= 1
        elif print_ or external_id:
            yield UUID(pk), print_, external_id
    could_match = Q(date__range=(first, last)) | Q(external_id__isnull=False)
    by_hand = rows.filter(could_match, imported_as="")
    yield from _keys_of_shares(by_hand.filter(holding__isnull=False))
    yield from _keys_of_money(by_hand.filter(holding__isnull=True))


def _keys_of_shares(rows: QuerySet[Transaction]) -> Iterator[StoredKey]:
    columns = rows.values_list(
        "pk",
        "external_id",
        "holding__stock__ticker",
        "date",
        "type",
        "quantity",
        "price",
        "commission",
        "tax",
    )
    for row in columns.iterator(READ_AT_ONCE):
        pk, external_id, ticker, day, kind, quantity, price, commission, tax = row
        print_ = fingerprint(ticker or "", day, kind, quantity, price, commission + tax)
        yield pk, print_, external_id


def _keys_of_money(rows: QuerySet[Transaction]) -> Iterator[StoredKey]:
    columns = rows.values_list(
        "pk", "external_id", "date", "type", "settlement_currency", "settlement_amount"
    )
    for pk, external_id, day, kind, currency, amount in columns.iterator(READ_AT_ONCE):
        yield pk, money_fingerprint(day, kind, currency or "", amount or ZERO), external_id
