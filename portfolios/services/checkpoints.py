"""Compare what a broker says is held with what an import would leave."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID

from financeproj.core.money import ZERO, strip_zeros
from marketdata.models import StockMetadata
from portfolios.calc.import_rows import Checkpoint
from portfolios.calc.ledger import quantities
from portfolios.services.import_plan import ImportPlan, Instruments
from portfolios.services.ledger_rows import LedgerRow, stored_rows


def first_divergence(
    plan: ImportPlan, checkpoints: Sequence[Checkpoint], instruments: Instruments
) -> dict[str, int | str] | None:
    """Return the first of `checkpoints` that is not what would be held after the import."""
    held: dict[str, list[tuple[date, Decimal]]] = {}
    for point in sorted(checkpoints, key=lambda point: (point.day, point.row)):
        stock = instruments.get(point.ticker)
        if not isinstance(stock, StockMetadata):
            continue
        if point.ticker not in held:
            held[point.ticker] = quantities(_rows_after(plan, stock.pk))
        ours = _held_on(held[point.ticker], point.day)
        if ours != point.quantity:
            return {"row": point.row, "expected": _shares(point.quantity), "got": _shares(ours)}
    return None


def _rows_after(plan: ImportPlan, stock_id: UUID) -> list[LedgerRow]:
    """Return the rows of an instrument's holding after the import."""
    if stock_id in plan.rows_after:
        return plan.rows_after[stock_id]
    holding = plan.holdings.get(stock_id)
    return stored_rows([holding])[holding.pk] if holding else []


def _held_on(held: list[tuple[date, Decimal]], day: date) -> Decimal:
    """Return the quantity at the end of `day`; `held` is by day, oldest first."""
    quantity = ZERO
    for changed_on, after in held:
        if changed_on > day:
            break
        quantity = after
    return quantity


def _shares(quantity: Decimal) -> str:
    return f"{strip_zeros(quantity):f} shares"
