"""What a user's statements call an instrument."""

from collections.abc import Mapping

from financeproj.core.db.names import name_key
from financeproj.core.errors import DomainError
from financeproj.core.identifiers import is_isin, is_ticker
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


def save_alias(row: InstrumentAlias) -> None:
    """Store one as a person entered it, new or changed. Raises DomainError for what is no ticker,
    ValidationError.
    """
    isin = row.key.strip().upper()
    row.key = isin if is_isin(isin) else name_key(row.key)
    row.ticker = row.ticker.strip().upper()
    if not is_ticker(row.ticker):
        raise DomainError(f"{row.ticker} is no ticker.", attr="ticker", code="invalid")
    row.full_clean()
    row.save()
