"""Recognise rows that were recorded under an id or price that their format no longer gives them."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from django.db.models import Q, QuerySet
from msgspec.structs import replace

from integrations.statements.base import StatementRow
from portfolios.calc.duplicates import fingerprint, fingerprint_of
from portfolios.calc.kinds import TransactionType
from portfolios.models import Portfolio, Transaction

_OCCURRENCE = re.compile(r":\d+$")  # of an id that several rows share


def keep_former_ids(rows: Sequence[StatementRow], portfolio: Portfolio) -> list[StatementRow]:
    """Give rows that were recorded under their former id, with the same content, that id again, so
    that they are recognised as duplicates.
    """
    former = {row.former_id for row in rows if row.former_id}
    if not former:
        return list(rows)
    recorded = _recorded_ids(portfolio, former)
    kept: list[StatementRow] = []
    for row in rows:
        ids = recorded.get((row.former_id, *_content(fingerprint_of(row))))
        if ids:
            kept.append(replace(row, external_id=ids.pop(0)))
        else:
            kept.append(row)
    return kept


def recognise_former_prices(
    rows: Sequence[StatementRow], portfolio: Portfolio
) -> list[StatementRow]:
    """Let rows without an id that were recorded at their former price or type be known as what they
    were then, so that they are recognised as duplicates, and completed.
    """
    former = [_former_print(row) for row in rows]
    if not any(former):
        return list(rows)
    stored = Transaction.objects.filter(portfolio=portfolio, external_id__isnull=True)
    recorded = Counter(stored.values_list("imported_as", flat=True).iterator())
    if any(row.former_charge for row in rows):
        recorded.update(_prints_by_hand(stored))
    recognised: list[StatementRow] = []
    for row, print_ in zip(rows, former, strict=True):
        if print_ and recorded[print_] > 0:
            recorded[print_] -= 1
            row = replace(row, known_as=print_)
        recognised.append(row)
    return recognised


def _former_print(row: StatementRow) -> str:
    if row.external_id or (row.former_price is None and not row.former_type):
        return ""
    kind = row.former_type or row.type
    price, charge = row.former_price, row.former_charge
    if price is None:
        price, charge = row.price, row.charge
    return fingerprint(row.ticker, row.date, kind, row.quantity, price, charge)


def _prints_by_hand(stored: QuerySet[Transaction]) -> Iterator[str]:
    """Yield the fingerprints of shares moved in that were entered by hand, with a charge."""
    rows = stored.filter(type=TransactionType.TRANSFER_IN, imported_as="")
    charged = rows.filter(Q(commission__gt=0) | Q(tax__gt=0))
    for row in charged.select_related("holding__stock"):
        charge = row.commission + row.tax
        ticker = row.own_holding.stock.ticker
        yield fingerprint(ticker, row.date, row.type, row.quantity, row.price, charge)


def _recorded_ids(
    portfolio: Portfolio, former: set[str]
) -> dict[tuple[str | None, ...], list[str]]:
    """Return the ids of the transactions that have one of the `former` ids, alone or numbered, by
    that id and their content.
    """
    recorded: dict[tuple[str | None, ...], list[str]] = defaultdict(list)
    stored = Transaction.objects.filter(portfolio=portfolio, external_id__isnull=False)
    rows = stored.values_list("external_id", "imported_as", "date", "type", "quantity", "price")
    for stored_id, imported_as, day, kind, quantity, price in rows.iterator():
        external_id = stored_id or ""
        name = _OCCURRENCE.sub("", external_id)
        if name in former:
            print_ = imported_as or fingerprint("", day, kind, quantity, price, None)
            recorded[name, *_content(print_)].append(external_id)
    return recorded


def _content(print_: str) -> tuple[str, ...]:
    """Return day, type, quantity and price of a fingerprint. The commission is left out: former
    versions put the whole fee of an order on the first of its rows.
    """
    return tuple(print_.split("|")[1:5])
