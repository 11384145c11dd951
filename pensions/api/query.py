"""The query of a projection."""

from dataclasses import replace
from datetime import date
from typing import Any

from django.utils import timezone
from rest_framework.request import Request

from financeproj.core.api.query import (
    boolean_parameter,
    integer_parameter,
    number_parameter,
    uuid_parameter,
)
from financeproj.core.errors import DomainError
from financeproj.users.api.authentication import user_of
from pensions.projections import (
    MAX_MONTHS,
    MAX_YEARS,
    Assumptions,
    default_months,
    months_until_year,
)
from pensions.selectors import account_of

MAX_SIMULATIONS = 10_000
MAX_SIMULATIONS_OF_STAFF = 100_000
MAX_RATE = 10
MAX_AMOUNT = 10**15 - 1
MAX_SEED = 2**63 - 1


def parse_assumptions(request: Request) -> Assumptions:
    """Parse the query of a projection.

    Raises BadQuery (cannot be parsed), DomainError (out of range, a past year) and NotFound (the
    account).
    """
    account_id = uuid_parameter(request, "account_id")
    user = user_of(request)
    is_trusted = user.is_staff and user.has_perm("pensions.view_pensionaccount")
    most = MAX_SIMULATIONS_OF_STAFF if is_trusted else MAX_SIMULATIONS
    simulations = integer_parameter(request, "simulations", minimum=0, maximum=most)
    assumptions = Assumptions(
        months=_months(request),
        monthly_contribution=number_parameter(
            request, "monthly_contribution", minimum=0, maximum=MAX_AMOUNT
        ),
        include_portfolios=boolean_parameter(request, "include_portfolios", False),
        volatility=number_parameter(request, "volatility", minimum=0, maximum=MAX_RATE),
        portfolio_return=number_parameter(request, "portfolio_return", above=-1, maximum=MAX_RATE),
        portfolio_volatility=number_parameter(
            request, "portfolio_volatility", minimum=0, maximum=MAX_RATE
        ),
        simulations=simulations or 0,
        seed=integer_parameter(request, "seed", minimum=0, maximum=MAX_SEED),
        **_rates_with_defaults(request),
    )
    if account_id is None:
        return assumptions
    return replace(assumptions, account=account_of(user, account_id))


def _rates_with_defaults(request: Request) -> dict[str, Any]:
    """Parse the rates whose defaults are those of Assumptions; absent ones are left out."""
    rates = {}
    for name in ("contribution_growth", "annual_return", "inflation"):
        rate = number_parameter(request, name, above=-1, maximum=MAX_RATE)
        if rate is not None:
            rates[name] = rate
    return rates


def _months(request: Request) -> int:
    today = timezone.localdate()
    years = integer_parameter(request, "years", minimum=1, maximum=MAX_YEARS)
    until_year = integer_parameter(request, "until_year", minimum=1, maximum=9999)
    if until_year is not None:
        if years is not None:
            raise DomainError(
                "Give either years or until_year, not both.", attr="until_year", code="ambiguous"
            )
        return _months_until(until_year, today)
    if years is not None:
        return 12 * years
    return default_months(user_of(request), today)


def _months_until(year: int, today: date) -> int:
    if year < today.year:
        raise DomainError(
            f"The year must be {today.year} or later.", attr="until_year", code="past_year"
        )
    months = months_until_year(year, today)
    if months > MAX_MONTHS:
        raise DomainError(
            "A projection can cover at most 100 years.", attr="until_year", code="out_of_range"
        )
    return months
