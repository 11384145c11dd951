"""Delete a transaction, whatever it is part of."""

from portfolios.models import Transaction
from portfolios.services.groups import delete_group
from portfolios.services.money import delete_money
from portfolios.services.share_groups import delete_share_leg
from portfolios.services.transactions import delete_transaction


def delete_row(*, row: Transaction) -> None:
    """Delete a row of shares or of money; a leg goes with its group.

    Raises Conflict if a later sale needs its shares (`insufficient_quantity`), if it follows from
    other rows (`derived_row`), or if it is a leg that cannot go (`part_of_group`).
    """
    if row.group is not None and row.holding_id is not None:
        delete_share_leg(row=row)
    elif row.group is not None:
        delete_group(group=row.group)
    elif row.is_money_alone:
        delete_money(row=row)
    else:
        delete_transaction(row=row)
