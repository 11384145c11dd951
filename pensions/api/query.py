"""The query of a projection."""

from datetime import date

from django.utils import timezone
from rest_framework.request import Request

from financeproj.core.api.query import (
    boolean_parameter,
    integer_parameter,
    number_parameter,
    uuid_parameter,
)
from financeproj.core.errors import DomainError
from pensions.projections import LONGEST_MONTHS, LONGEST_YEARS, Assumptions, months_until_year
from pensions.selectors import account_of

MOST_SIMULATIONS = 100_000
LARGEST_RATE = 10
LARGEST_AMOUNT = 10**15 - 1
LARGEST_SEED = 2**63 - 1


def assumptions_of(request: Request) -> Assumptions:
    """Raises BadQuery (unreadable), DomainError (out of range, a year in the past), NotFound (the
    account).
    """
    today = timezone.localdate()
    account_id = uuid_parameter(request, "account_id")
    assumptions = Assumptions(
        months=_months(request, today),
        monthly_contribution=number_parameter(
            request, "monthly_contribution", minimum=0, maximum=LARGEST_AMOUNT
        ),
        account=account_of(request.user, account_id) if account_id else None,
        include_portfolios=boolean_parameter(request, "include_portfolios", False),
        volatility=number_parameter(request, "volatility", minimum=0, maximum=LARGEST_RATE),
        portfolio_return=number_parameter(
            request, "portfolio_return", above=-1, maximum=LARGEST_RATE
        ),
        portfolio_volatility=number_parameter(
            request, "portfolio_volatility", minimum=0, maximum=LARGEST_RATE
        ),
        simulations=integer_parameter(request, "simulations", minimum=0, maximum=MOST_SIMULATIONS)
        or 0,
        seed=integer_parameter(request, "seed", minimum=0, maximum=LARGEST_SEED),
        **{
            name: value
            for name in ("contribution_growth", "annual_return", "inflation")
            if (value := number_parameter(request, name, above=-1, maximum=LARGEST_RATE))
            is not None
        },
    )
    return assumptions


def _months(request: Request, today: date) -> int | None:
    years = integer_parameter(request, "years", minimum=1, maximum=LONGEST_YEARS)
    until_year = integer_parameter(request, "until_year", minimum=1, maximum=9999)
    if until_year is None:
        return None if years is None else 12 * years
    if years is not None:
        raise DomainError(
            "Give years or until_year, not both.", attr="until_year", code="ambiguous"
        )
    if until_year < today.year:
        raise DomainError(
            f"The year must be {today.year} or later.", attr="until_year", code="past_year"
        )
    months = months_until_year(until_year, today)
    if months > LONGEST_MONTHS:
        raise DomainError(
            "A projection reaches 100 years at most.", attr="until_year", code="out_of_range"
        )
    return months
