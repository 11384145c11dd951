"""Create, rename and delete holdings. Their figures come from the replay."""

from django.db import transaction

from financeproj.history.services import record
from marketdata.models import StockMetadata
from portfolios.models import Holding, Portfolio
from portfolios.services.history import holding_object
from portfolios.services.ledger_rows import lock_portfolio, touch
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
def rename_holding(*, holding: Holding, company_name: str) -> Holding:
    """Change the name that the instrument has in this portfolio."""
    lock_portfolio(holding.portfolio)
    holding = Holding.objects.select_related("stock", "portfolio").get(pk=holding.pk)
    before = {"company_name": holding.company_name}
    holding.company_name = company_name
    holding.full_clean(validate_unique=False, validate_constraints=False)
    holding.save(update_fields=["company_name", "updated_at"])
    record(
        "changed",
        holding_object(holding),
        before=before,
        after={"company_name": holding.company_name},
    )
    return holding


@transaction.atomic
def delete_holding(*, holding: Holding) -> None:
    """Delete a holding with its transactions."""
    portfolio = lock_portfolio(holding.portfolio)
    deleted = holding_object(holding)
    transactions = holding.transactions.count()
    holding.delete()
    touch(portfolio)
    keep_openings(portfolio)
    record("deleted", deleted, counts={"transactions": transactions})
