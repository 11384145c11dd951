"""How a failure of YNAB is told to whoever asked."""

from financeproj.core.errors import (
    Conflict,
    DomainError,
    UpstreamBadAnswer,
    UpstreamError,
    UpstreamTimeout,
)
from marketdata.sources import BadAnswer, KeyRefused, RateLimited, SourceError, SourceTimeout


class NotConfigured(UpstreamError):
    code = "ynab_not_configured"

    def __init__(self) -> None:
        super().__init__("This server has no YNAB API key: set YNAB_API_KEY.")


class BudgetNotSet(Conflict):
    code = "ynab_budget_not_set"

    def __init__(self) -> None:
        super().__init__("Choose a YNAB budget in the settings first.")


class BudgetUnknown(Conflict):
    code = "ynab_budget_unknown"

    def __init__(self) -> None:
        super().__init__("YNAB no longer knows the budget of the settings: choose another.")


class NotLinked(Conflict):
    code = "ynab_account_not_linked"

    def __init__(self) -> None:
        super().__init__("This pension account is not linked to a YNAB account.")


class AccountUnknown(Conflict):
    code = "unknown_ynab_account"

    def __init__(self) -> None:
        super().__init__("The linked account is no longer in YNAB.")


class Unauthorized(UpstreamBadAnswer):
    code = "ynab_unauthorized"


class UnreadableAnswer(UpstreamBadAnswer):
    code = "ynab_bad_answer"


class TimedOut(UpstreamTimeout):
    code = "ynab_timeout"


def error_for(error: SourceError) -> DomainError:
    """The error of ours that tells of `error`: 502 nonsense or a refused key, 504 too late, else
    503.
    """
    if isinstance(error, KeyRefused):
        return Unauthorized(str(error))
    if isinstance(error, BadAnswer):
        return UnreadableAnswer(str(error))
    if isinstance(error, SourceTimeout):
        return TimedOut(str(error))
    code = "ynab_rate_limited" if isinstance(error, RateLimited) else "ynab_unavailable"
    retry_after = error.retry_after_seconds or (60 if isinstance(error, RateLimited) else 30)
    return UpstreamError(str(error), code=code, retry_after=retry_after)
