"""What a user's statements call an instrument."""

from collections.abc import Mapping

from financeproj.users.models import User
from portfolios.models import InstrumentAlias


def remember_aliases(*, user: User, tickers: Mapping[str, str]) -> None:
    """From now on each key (an ISIN, or a name as `name_key` has it) stands for its ticker."""
    InstrumentAlias.objects.bulk_create(
        [InstrumentAlias(user=user, key=key, ticker=ticker) for key, ticker in tickers.items()],
        update_conflicts=True,
        unique_fields=["user", "key"],
        update_fields=["ticker", "updated_at"],
    )
