"""Price, describe and delete instruments by hand."""

from typing import TypedDict, Unpack

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import ProtectedError

from financeproj.core.db.rows import fields_of
from financeproj.core.errors import Conflict, DomainError, NotFound
from financeproj.core.identifiers import (
    is_ticker,
)
from financeproj.history.services import record
from financeproj.users.models import User
from marketdata.history import instrument_fields, instrument_object
from marketdata.models import StockMetadata
from marketdata.selectors import instrument_for

RIGHT_TO_PRICE = "marketdata.change_historicalstockprice"


def instrument_to_price(*, user: User, ticker: str) -> StockMetadata:
    """Return the instrument to be priced by hand that `ticker` (in any case) means to `user`.

    It is one that no source prices, or that its source has not described yet. Staff with the right
    to change closes get another user's if they have none of their own. Raises NotFound, and
    Conflict: `not_manual`, or `ambiguous_ticker` where several users have one.
    """
    ticker = ticker.strip().upper()
    found = None
    if is_ticker(ticker):
        found = instrument_for(user=user, ticker=ticker)
        is_theirs = found is not None and found.owner_id is not None
        if not is_theirs and user.is_staff and user.has_perm(RIGHT_TO_PRICE):
            found = _instrument_of_another_user(ticker) or found
    if found is None:
        raise NotFound(f"Instrument {ticker} not found.", code="unknown_ticker")
    if found.owner_id is None:
        raise Conflict(
            f"{found.ticker} is priced by {found.source}.", attr="ticker", code="not_manual"
        )
    return found


def _instrument_of_another_user(ticker: str) -> StockMetadata | None:
    found = list(StockMetadata.objects.filter(ticker=ticker, owner__isnull=False)[:2])
    if len(found) > 1:
        raise Conflict(
            f"Several users price a {ticker} by hand. Enter the price in the admin.",
            attr="ticker",
            code="ambiguous_ticker",
        )
    return next(iter(found), None)


RIGHT_TO_DESCRIBE = "marketdata.change_stockmetadata"


def instrument_to_describe(*, user: User, ticker: str) -> StockMetadata:
    """Return the stored instrument that `ticker` (in any case) means to `user`, to be changed.

    Staff with the right to change instruments get any, the user's own and the shared one first.
    Raises NotFound, PermissionDenied for an instrument that all users share, and Conflict
    (`ambiguous_ticker`) where several other users have one.
    """
    ticker = ticker.strip().upper()
    changes_any = user.is_staff and user.has_perm(RIGHT_TO_DESCRIBE)
    found = None
    if is_ticker(ticker):
        found = instrument_for(user=user, ticker=ticker)
        if found is None and changes_any:
            found = _instrument_of_another_user(ticker)
    if found is None:
        raise NotFound(f"Instrument {ticker} not found.", code="unknown_ticker")
    if found.owner_id is None and not changes_any:
        raise PermissionDenied
    return found


# What a copy takes from the shared instrument.
COPIED = (
    "ticker",
    "company_name",
    "currency",
    "asset_type",
    "exchange",
    "exchange_timezone",
    "sector",
    "country",
    "isin",
)


def copy_for_user(*, stock: StockMetadata, user: User) -> StockMetadata:
    """Create the user's own instrument, priced by hand, described as the shared one."""
    described = fields_of(stock, COPIED)
    own = StockMetadata(source=StockMetadata.MANUAL, owner=user, **described)
    save_instrument(own)
    return own


def can_describe(*, user: User, ticker: str) -> bool:
    """Return whether the user may change what is said of the instrument of `ticker`."""
    try:
        instrument_to_describe(user=user, ticker=ticker)
    except (DomainError, PermissionDenied):
        return False
    return True


class Description(TypedDict, total=False):
    """What a person may change of an instrument."""

    company_name: str
    sector: str
    country: str
    asset_type: str


@transaction.atomic
def describe_instrument(*, stock: StockMetadata, **changes: Unpack[Description]) -> StockMetadata:
    """Change what is said of an instrument. Raises ValidationError."""
    stock = StockMetadata.objects.select_for_update(no_key=True).get(pk=stock.pk)
    before = instrument_fields(stock)
    for name, value in changes.items():
        setattr(stock, name, value)
    if instrument_fields(stock) != before:
        save_instrument(stock)
    return stock


def delete_instrument(*, stock: StockMetadata) -> None:
    """Delete an instrument. Raises Conflict while a portfolio holds or held it."""
    try:
        with transaction.atomic():
            deleted = instrument_object(stock)
            stock.delete()
            record("deleted", deleted, before=instrument_fields(stock))
    except ProtectedError as error:
        raise Conflict(
            f"{stock.ticker} is in a portfolio.", attr="ticker", code="in_use"
        ) from error


@transaction.atomic
def save_instrument(row: StockMetadata) -> None:
    """Store an instrument as a person described it.

    Raises ValidationError, and DomainError (`currency_fixed`) for another currency once it was
    traded.
    """
    row.full_clean()
    before = StockMetadata.objects.select_for_update().filter(pk=row.pk).first()
    row.version = 0
    if before is not None:
        if before.currency != row.currency and _was_traded(row):
            raise DomainError(
                f"The currency of {row.ticker} is fixed, because it was traded.",
                attr="currency",
                code="currency_fixed",
            )
        row.version = before.version + 1
    row.save()
    record(
        "created" if before is None else "changed",
        instrument_object(row),
        before=instrument_fields(before) if before else None,
        after=instrument_fields(row),
    )


def _was_traded(stock: StockMetadata) -> bool:
    return stock.holdings.filter(transactions__isnull=False).exists()
