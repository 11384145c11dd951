"""Recognise rows that were recorded under an id that their format no longer gives them."""

import re
from collections import defaultdict
from collections.abc import Sequence

from msgspec.structs import replace

from integrations.statements.base import StatementRow
from portfolios.calc.duplicates import fingerprint
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
        print_ = fingerprint(row.ticker, row.date, row.type, row.quantity, row.price, row.charge)
        ids = recorded.get((row.former_id, *_content(print_)))
        if ids:
            kept.append(replace(row, external_id=ids.pop(0)))
        else:
            kept.append(row)
    return kept


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
