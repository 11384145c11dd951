"""Every write about portfolios. A service locks its portfolio first: one writer at a time."""

from portfolios.services.actions import (
    Action,
    Cash,
    NewTarget,
    ShareLegs,
    action_legs,
    transfer_of_shares,
)
from portfolios.services.aliases import delete_alias, remember_aliases, save_alias
from portfolios.services.bulk import Entered, at_place, record_transactions
from portfolios.services.cash import set_cash_from
from portfolios.services.deleting import delete_row
from portfolios.services.groups import (
    Leg,
    conversion_legs,
    delete_group,
    describe_group,
    legs_of,
    link_of_money,
    record_group,
    transfer_legs,
    update_group,
    update_leg,
)
from portfolios.services.holdings import delete_holding, update_holding
from portfolios.services.import_rows import import_rows
from portfolios.services.ledger_check import (
    contradicted_chains,
    contradicted_holdings,
    repair_holding,
)
from portfolios.services.ledger_rows import lock_portfolio
from portfolios.services.links import make_plain
from portfolios.services.mappings import delete_mapping, save_mapping
from portfolios.services.money import delete_money, record_money, update_money
from portfolios.services.own_prices import (
    can_price,
    enter_price_by_hand,
    instrument_to_enter,
    unpriced_instrument,
)
from portfolios.services.plausibility import warnings_of
from portfolios.services.portfolios import (
    create_portfolio,
    delete_balance,
    delete_portfolio,
    delete_users,
    order_portfolios,
    set_balance,
    update_portfolio,
)
from portfolios.services.replay import InsufficientQuantity, replay_holding
from portfolios.services.restore import restore_portfolios
from portfolios.services.settling import settle_instruments
from portfolios.services.share_groups import (
    delete_share_leg,
    group_to_change,
    link_of,
    record_share_group,
    update_share_group,
    update_share_leg,
)
from portfolios.services.splits import book_splits, delete_dismissed_split
from portfolios.services.transactions import (
    delete_transaction,
    record_transaction,
    update_transaction,
)
from portfolios.services.undoing import delete_import, undo_import

__all__ = [
    "Action",
    "Cash",
    "Entered",
    "InsufficientQuantity",
    "Leg",
    "NewTarget",
    "ShareLegs",
    "action_legs",
    "at_place",
    "book_splits",
    "contradicted_chains",
    "contradicted_holdings",
    "conversion_legs",
    "create_portfolio",
    "delete_alias",
    "delete_balance",
    "delete_dismissed_split",
    "delete_group",
    "delete_holding",
    "delete_import",
    "delete_mapping",
    "delete_money",
    "delete_portfolio",
    "delete_row",
    "delete_share_leg",
    "delete_transaction",
    "delete_users",
    "describe_group",
    "group_to_change",
    "import_rows",
    "legs_of",
    "link_of",
    "link_of_money",
    "lock_portfolio",
    "make_plain",
    "order_portfolios",
    "record_group",
    "record_money",
    "record_share_group",
    "record_transaction",
    "record_transactions",
    "remember_aliases",
    "repair_holding",
    "replay_holding",
    "restore_portfolios",
    "save_alias",
    "save_mapping",
    "set_balance",
    "set_cash_from",
    "settle_instruments",
    "transfer_legs",
    "transfer_of_shares",
    "undo_import",
    "update_group",
    "update_holding",
    "update_leg",
    "update_money",
    "update_portfolio",
    "update_share_group",
    "update_share_leg",
    "update_transaction",
    "warnings_of",
]
