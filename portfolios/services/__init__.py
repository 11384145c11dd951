"""Every write about portfolios. A service locks its portfolio first: one writer at a time."""

from portfolios.services.aliases import delete_alias, remember_aliases, save_alias
from portfolios.services.bulk import Entered, at_place, record_transactions
from portfolios.services.cash import set_cash_from
from portfolios.services.groups import (
    Leg,
    conversion_legs,
    delete_group,
    legs_of,
    record_group,
    transfer_legs,
    update_group,
    update_leg,
)
from portfolios.services.holdings import delete_holding, rename_holding
from portfolios.services.import_rows import import_rows
from portfolios.services.ledger_check import contradicted_holdings, repair_holding
from portfolios.services.ledger_rows import lock_portfolio
from portfolios.services.money import delete_money, record_money, update_money
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
from portfolios.services.splits import book_splits, delete_dismissed_split
from portfolios.services.transactions import (
    delete_transaction,
    record_transaction,
    update_transaction,
)
from portfolios.services.undoing import delete_import, undo_import

__all__ = [
    "Entered",
    "InsufficientQuantity",
    "Leg",
    "at_place",
    "book_splits",
    "contradicted_holdings",
    "conversion_legs",
    "create_portfolio",
    "delete_alias",
    "delete_balance",
    "delete_dismissed_split",
    "delete_group",
    "delete_holding",
    "delete_import",
    "delete_money",
    "delete_portfolio",
    "delete_transaction",
    "delete_users",
    "import_rows",
    "legs_of",
    "lock_portfolio",
    "order_portfolios",
    "record_group",
    "record_money",
    "record_transaction",
    "record_transactions",
    "remember_aliases",
    "rename_holding",
    "repair_holding",
    "replay_holding",
    "restore_portfolios",
    "save_alias",
    "set_balance",
    "set_cash_from",
    "settle_instruments",
    "transfer_legs",
    "undo_import",
    "update_group",
    "update_leg",
    "update_money",
    "update_portfolio",
    "update_transaction",
    "warnings_of",
]
