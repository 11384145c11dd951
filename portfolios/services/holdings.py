"""Create, describe and delete holdings. Their figures come from the replay."""

from django.db import transaction

from financeproj.core.errors import Conflict, DomainError
from financeproj.history.services import record
from marketdata.models import StockMetadata
from portfolios.models import Holding, Portfolio, Transaction, TransactionGroup
from portfolios.services.history import holding_object
from portfolios.services.ledger_rows import lock_portfolio, touch
from portfolios.services.links import replay_left, unlink_others
from portfolios.services.openings import keep_openings
from portfolios.services.splits import catch_up


def holding_for(*, portfolio: Portfolio, stock: StockMetadata, company_name: str = "") -> Holding:
    """Return the portfolio's holding of `stock`, created if needed; under the portfolio's lock."""
    holding, is_new = Holding.objects.select_related("stock").get_or_create(
        portfolio=portfolio, stock=stock, defaults={"company_name": company_name}
    )
    holding.portfolio = portfolio
    if is_new:
        catch_up([holding])
    return holding


@transaction.atomic
def update_holding(
    *, holding: Holding, company_name: str | None = None, rename_dismissed: bool | None = None
) -> Holding:
    """Change the name that the instrument has in this portfolio, or answer its new ticker.

    What is None stays. Raises DomainError where a new ticker is dismissed and there is none.
    """
    lock_portfolio(holding.portfolio)
    holding = Holding.objects.select_related("stock", "portfolio").get(pk=holding.pk)
    before = _fields_of(holding)
    if company_name is not None:
        holding.company_name = company_name
    if rename_dismissed is True:
        holding.dismissed_rename = _new_ticker_of(holding.stock)
    elif rename_dismissed is False:
        holding.dismissed_rename = ""
    holding.full_clean(validate_unique=False, validate_constraints=False)
    holding.save(update_fields=["company_name", "dismissed_rename", "updated_at"])
    record("changed", holding_object(holding), before=before, after=_fields_of(holding))
    return holding


def _new_ticker_of(stock: StockMetadata) -> str:
    """Return the ticker to which `stock` was renamed. Raises DomainError without one."""
    if not stock.renamed_to:
        raise DomainError(
            f"The source lists {stock.ticker} under no other ticker.",
            attr="rename_dismissed",
            code="not_renamed",
        )
    return stock.renamed_to


def _fields_of(holding: Holding) -> dict[str, object]:
    return {
        "company_name": holding.company_name,
        "rename_dismissed": holding.is_rename_dismissed,
    }


@transaction.atomic
def delete_holding(*, holding: Holding) -> None:
    """Delete a holding with its transactions.

    Shares that were transferred from or to it become plain transfers on the other side. Raises
    Conflict (`part_of_group`) where they were exchanged for others, or others for them.
    """
    portfolio = lock_portfolio(holding.portfolio)
    deleted = holding_object(holding)
    transactions = holding.transactions.count()
    legs = holding.transactions.filter(group__isnull=False)
    if legs.exclude(group__kind=TransactionGroup.Kind.TRANSFER).exists():
        raise Conflict(
            f"{holding.stock.ticker} was exchanged for other shares, or others for it. Delete that "
            "exchange or spin-off first.",
            code="part_of_group",
        )
    groups = TransactionGroup.objects.filter(pk__in=legs.values("group"))
    left = unlink_others(groups, Transaction.objects.filter(holding=holding))
    holding.delete()
    replay_left(left)
    touch(portfolio)
    keep_openings(portfolio)
    record("deleted", deleted, counts={"transactions": transactions})
