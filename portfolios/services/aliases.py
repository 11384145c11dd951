"""The names under which a user's statements list instruments."""

from collections.abc import Mapping

from django.db import transaction

from financeproj.core.db.names import name_key
from financeproj.core.errors import DomainError
from financeproj.core.identifiers import is_isin, is_ticker
from financeproj.history.services import record
from financeproj.users.models import User
from portfolios.models import MAX_ALIAS_LENGTH, InstrumentAlias
from portfolios.services.history import alias_object


def remember_aliases(*, user: User, tickers: Mapping[str, str]) -> None:
    """Remember which ticker each key stands for: an ISIN, or a name as `name_key` writes it."""
    aliases = [
        InstrumentAlias(user=user, key=key, ticker=ticker)
        for key, ticker in tickers.items()
        if len(key) <= MAX_ALIAS_LENGTH
    ]
    InstrumentAlias.objects.bulk_create(
        aliases,
        update_conflicts=True,
        unique_fields=["user", "key"],
        update_fields=["ticker", "updated_at"],
    )


def save_alias(row: InstrumentAlias) -> None:
    """Store an alias that a person entered or changed.

    Raises DomainError for an invalid ticker, ValidationError for an invalid key.
    """
    isin = row.key.strip().upper()
    row.key = isin if is_isin(isin) else name_key(row.key)
    row.ticker = row.ticker.strip().upper()
    if not is_ticker(row.ticker):
        raise DomainError(f'"{row.ticker}" is not a valid ticker.', attr="ticker", code="invalid")
    row.full_clean()
    with transaction.atomic():
        stored = InstrumentAlias.objects.filter(pk=row.pk).first()
        before = {"key": stored.key, "ticker": stored.ticker} if stored else None
        row.save()
        record(
            "changed" if before else "created",
            alias_object(row),
            before=before,
            after={"key": row.key, "ticker": row.ticker},
        )


@transaction.atomic
def delete_alias(row: InstrumentAlias) -> None:
    """Forget an alias."""
    forgotten = alias_object(row)
    row.delete()
    record("deleted", forgotten, before={"key": row.key, "ticker": row.ticker})
