"""Rows that were recorded under an id of before."""

import re
from collections import defaultdict

from integrations.statements.base import StatementRow
from portfolios.calc.duplicates import fingerprint
from portfolios.models import Portfolio, Transaction

_OCCURRENCE = re.compile(r":\d+$")  # of an id that several rows share


def keep_former_ids(portfolio: Portfolio, rows: list[StatementRow]) -> None:
    """Give rows that were recorded under their former id, and say the same, that id again: so they
    are duplicates.
    """
    former = {row.former_id for row in rows if row.former_id}
    if not former:
        return
    recorded: dict[tuple[str | None, ...], list[str]] = defaultdict(list)
    stored = Transaction.objects.filter(portfolio=portfolio, external_id__isnull=False)
    values = ("external_id", "imported_as", "date", "type", "quantity", "price")
    for external_id, print_, day, kind, quantity, price in stored.values_list(*values).iterator():
        name = _OCCURRENCE.sub("", external_id)
        if name in former:
            recorded[
                name, *_content(print_ or fingerprint("", day, kind, quantity, price, None))
            ].append(external_id)
    for row in rows:
        print_ = fingerprint(
            row.ticker, row.date, row.type, row.quantity, row.price, row.commission
        )
        if ids := recorded.get((row.former_id, *_content(print_))):
            row.external_id = ids.pop(0)


def _content(print_: str) -> tuple[str, ...]:
    """Day, type, quantity and price of a fingerprint; a fee was once all told with the first of
    several rows.
    """
    return tuple(print_.split("|")[1:5])
