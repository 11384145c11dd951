"""Errors about YNAB."""

from financeproj.core.errors import (
    Conflict,
    DomainError,
    UpstreamBadAnswer,
    UpstreamError,
    UpstreamTimeout,
)
from marketdata.sources import (
    BadAnswer,
    KeyRefused,
    RateLimited,
    Refusal,
    SourceError,
    SourceTimeout,
)


class NotConfigured(UpstreamError):
    code = "ynab_not_configured"

    def __init__(self) -> None:
        super().__init__("This server has no YNAB API key. Set YNAB_API_KEY.")


class BudgetNotSet(Conflict):
    code = "ynab_budget_not_set"

    def __init__(self) -> None:
        super().__init__("Choose a YNAB budget in the settings first.")


class BudgetUnknown(Conflict):
    code = "ynab_budget_unknown"

    def __init__(self) -> None:
        super().__init__("YNAB no longer has the chosen budget. Choose another in the settings.")


class UnknownBudget(DomainError):
    """YNAB does not know the budget, it is an alias, or it is not one that the user may read."""

    code = "unknown_budget"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, attr="budget_id")


class NotLinked(Conflict):
    code = "ynab_account_not_linked"

    def __init__(self) -> None:
        super().__init__("This pension account is not linked to a YNAB account.")


class AccountUnknown(Conflict):
    code = "unknown_ynab_account"

    def __init__(self) -> None:
        super().__init__("The linked account is not in YNAB any more.")


class AccountClosed(Conflict):
    """Closing takes the balance to 0, whether the money is gone or only no longer followed."""

    code = "ynab_account_closed"

    def __init__(self) -> None:
        super().__init__(
            "The linked account is closed in YNAB, so its balance is not used. The last value "
            "stands. Enter a value by hand, or link another account."
        )


class Unauthorized(UpstreamBadAnswer):
    code = "ynab_unauthorized"


class UnreadableAnswer(UpstreamBadAnswer):
    code = "ynab_bad_answer"


class TimedOut(UpstreamTimeout):
    code = "ynab_timeout"


def error_for(error: SourceError) -> DomainError:
    """Return the domain error for `error` of YNAB.

    502 for an unreadable answer or a refused key, 504 for a late one, else 503.
    """
    if isinstance(error, KeyRefused):
        return Unauthorized(str(error))
    if isinstance(error, BadAnswer | Refusal):
        return UnreadableAnswer(str(error))
    if isinstance(error, SourceTimeout):
        return TimedOut(str(error))
    code, retry_after = "ynab_unavailable", 30.0
    if isinstance(error, RateLimited):
        code, retry_after = "ynab_rate_limited", 60.0
    return UpstreamError(
        str(error), code=code, retry_after=error.retry_after_seconds or retry_after
    )
