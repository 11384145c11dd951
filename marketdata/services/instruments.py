"""Find and make instruments, for trades and as a source describes them."""

from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from babel import Locale
from django.db.models import F
from django.utils.translation import gettext_noop

from financeproj.core.errors import Conflict, DomainError
from financeproj.core.identifiers import (
    is_isin,
    is_ticker,
)
from financeproj.users.models import User
from marketdata.models import StockMetadata
from marketdata.selectors import instruments_visible_to
from marketdata.selectors.look_ups import answers_to
from marketdata.services.asking import EARLIEST_DAY, time_limit
from marketdata.services.learning import ASKED_AT_ONCE, learn_instruments
from marketdata.sources import NoData, UnknownTicker, registry

# --- For trades and imports -----------------------------------------------------------------------


INVALID_TICKER = gettext_noop(
    "A ticker is made of letters, digits and . - = ^ _ & +, with at least one letter or digit, "
    "and has up to 40 characters."
)


@dataclass(slots=True)
class _Wanted:
    """What a user says of one ticker; `currency` and `company_name` may be unknown."""

    ticker: str
    currency: str | None = None
    company_name: str = ""

    def fits(self, currency: str) -> bool:
        return self.currency in (None, "", currency)

    def mismatch(self, currency: str) -> DomainError:
        """Return the error for an instrument that is in `currency`."""
        return DomainError(
            gettext_noop("%(ticker)s is in %(currency)s, not in %(given)s."),
            attr="currency",
            code="currency_mismatch",
            params={
                "ticker": self.ticker,
                "currency": currency,
                "given": self.currency or "",
            },
        )

    def checked(self, stock: StockMetadata) -> StockMetadata | DomainError:
        if self.fits(stock.currency):
            return stock
        return self.mismatch(stock.currency)


def instrument_for_trade(
    *, user: User, ticker: str, currency: str | None, company_name: str = ""
) -> StockMetadata:
    """Return the instrument that the user means by `ticker`, made if it is new.

    The source is asked only for a new one. Raises DomainError: `unknown_ticker` when the source
    does not know it and no currency is given, `currency_required` when the source cannot be asked
    and none is given, `currency_mismatch` when the given one is not the instrument's. Must not be
    called inside a transaction.
    """
    wanted = [(ticker, currency, company_name)]
    found = instruments_for_import(user=user, wanted=wanted, is_remembered=False)[ticker]
    if isinstance(found, DomainError):
        raise found
    return found


def instruments_for_import(
    *,
    user: User,
    wanted: Sequence[tuple[str, str | None, str]],
    dry_run: bool = False,
    is_remembered: bool = True,
    unasked: Container[str] = (),
    by_hand: Container[str] = (),
    seconds: float | None = None,
) -> dict[str, StockMetadata | DomainError]:
    """Return the instrument, or what is wrong, of each (ticker, currency, company name).

    Keyed by the ticker as given. The sources are asked within `seconds` in all, by default a
    request's time limit, and what they describe is stored, also in a dry run. Instruments that no
    source describes are only stored with their first trade, by `keep_instruments`. A dry run only
    makes as many of these as are asked about at once; the code of the others is `looking_up`. With
    `is_remembered` the sources are not asked again about what they lately did not know. Tickers in
    `unasked` are not asked about if their currency is given, and those `by_hand` never: the user
    prices them.
    """
    keys = {given: _key(given) for given, _, _ in wanted}
    merged, results = _merged(wanted, keys)
    for key, stock in _visible(user, merged).items():
        if key not in results and (stock.is_manual or key not in by_hand):
            results[key] = merged[key].checked(stock)
    for key in merged:
        if key not in results and key in by_hand:
            results[key] = _priced_by_hand(user, merged[key])
    unknown = [key for key in merged if key not in results]
    to_ask = [key for key in unknown if key not in unasked or not merged[key].currency]
    errors = learn_instruments(
        tickers=to_ask,
        start=EARLIEST_DAY,  # what is traded needs its splits
        seconds=time_limit() if seconds is None else seconds,
        is_remembered=is_remembered,
    )
    learned = _visible(user, unknown)
    undescribed = 0
    for key in unknown:
        one = merged[key]
        if key in learned:
            results[key] = one.checked(learned[key])
        elif isinstance(errors.get(key), UnknownTicker):
            results[key] = _priced_by_hand(user, one)
        elif dry_run and undescribed >= ASKED_AT_ONCE:
            results[key] = _looking_up(one)
        else:
            undescribed += 1
            is_idle = isinstance(errors.get(key), NoData)
            results[key] = _undescribed(user, one, is_idle=is_idle)
    return {given: results[key] for given, key in keys.items()}


def _visible(user: User, tickers: Collection[str]) -> dict[str, StockMetadata]:
    """Return the stored instruments that the user sees, by ticker."""
    if not tickers:
        return {}
    # The user's own instruments come last and win.
    visible = instruments_visible_to(user).order_by(F("owner").desc(nulls_first=True))
    return {stock.ticker: stock for stock in visible.filter(ticker__in=tickers)}


def _key(ticker: str) -> str:
    """Return the ticker in capitals; others than ASCII's are no ticker's, and ß must not be SS."""
    if ticker.isascii():
        return ticker.strip().upper()
    return ticker


def _merged(
    wanted: Sequence[tuple[str, str | None, str]], keys: dict[str, str]
) -> tuple[dict[str, _Wanted], dict[str, StockMetadata | DomainError]]:
    """Return what is wanted by key, and the errors of keys that make no sense or contradict."""
    merged: dict[str, _Wanted] = {}
    errors: dict[str, StockMetadata | DomainError] = {}
    for given, currency, company_name in wanted:
        key = keys[given]
        one = merged.setdefault(key, _Wanted(key))
        if not is_ticker(key):
            errors[key] = DomainError(INVALID_TICKER, attr="ticker", code="invalid")
        elif currency and not one.fits(currency):
            errors[key] = _Wanted(key, currency).mismatch(one.currency or "")
        one.currency = one.currency or currency
        one.company_name = one.company_name or company_name
    return merged, errors


def _priced_by_hand(user: User, wanted: _Wanted) -> StockMetadata | DomainError:
    if not wanted.currency:
        return DomainError(
            gettext_noop(
                "The market data source does not know %(ticker)s. Give a currency to price it by "
                "hand."
            ),
            attr="ticker",
            code="unknown_ticker",
            params={"ticker": wanted.ticker},
        )
    return StockMetadata(
        ticker=wanted.ticker,
        currency=wanted.currency,
        company_name=wanted.company_name,
        source=StockMetadata.MANUAL,
        owner=user,
    )


def _undescribed(user: User, wanted: _Wanted, *, is_idle: bool) -> StockMetadata | DomainError:
    if not wanted.currency:
        message = gettext_noop(
            "The market data source cannot be asked about %(ticker)s now. Give its currency."
        )
        if is_idle:
            message = gettext_noop(
                "The market data source has no prices of %(ticker)s. Give its currency."
            )
        return DomainError(
            message,
            attr="currency",
            code="currency_required",
            params={"ticker": wanted.ticker},
        )
    source = registry().source_for(wanted.ticker).name
    # Until the source describes it, nothing that this user says is a fact for others.
    return StockMetadata(
        ticker=wanted.ticker,
        currency=wanted.currency,
        company_name=wanted.company_name,
        source=source,
        owner=user,
    )


def _looking_up(wanted: _Wanted) -> DomainError:
    return DomainError(
        gettext_noop("%(ticker)s has not been looked up yet. Try again in a minute."),
        attr="ticker",
        code="looking_up",
        params={"ticker": wanted.ticker},
    )


def unanswered(found: Mapping[str, StockMetadata | DomainError]) -> dict[str, str]:
    """Return (ticker, currency) of what `instruments_for_import` found and no source answered yet.

    The currency is empty where the instrument cannot be used before a source answers. Instruments
    that are stored by now are left out.
    """
    currencies: dict[str, str] = {}
    for ticker, one in found.items():
        if isinstance(one, DomainError):
            if one.code in ("looking_up", "currency_required"):
                currencies[ticker] = ""
        elif one._state.adding and not one.is_manual:
            currencies[ticker] = one.currency
    for ticker in answers_to(currencies):
        del currencies[ticker]
    return currencies


def keep_instruments(*, stocks: Sequence[StockMetadata]) -> None:
    """Store instruments that only the user describes, in the transaction of their first trade.

    Nothing stays of a refused trade. Three queries. What another request of the user stored at this
    moment is taken instead. Raises Conflict if that is in another currency.
    """
    new = [stock for stock in stocks if stock._state.adding]
    if not new:
        return
    for stock in new:
        stock.clean_fields(exclude=["owner"])
    StockMetadata.objects.bulk_create(new, ignore_conflicts=True, batch_size=500)
    rows = StockMetadata.objects.filter(ticker__in=[stock.ticker for stock in new])
    stored = {(row.ticker, row.owner_id): row for row in rows}
    for stock in new:
        theirs = stored[stock.ticker, stock.owner_id]
        if theirs.pk == stock.pk:
            continue
        if theirs.currency != stock.currency:
            stock._state.adding = True
            raise Conflict(
                f"{stock.ticker} is being added by another request. Try again.", attr="ticker"
            )
        stock.pk = theirs.pk
        stock.refresh_from_db()


# --- ISINs ----------------------------------------------------------------------------------------


def note_isin(*, stock_id: UUID, isin: str) -> None:
    """Keep the ISIN that a user's statement gives in the user's own instrument, if it has none.

    In a shared one only a source writes (`learn_isin`).
    """
    if StockMetadata.objects.filter(pk=stock_id, owner__isnull=False).exists():
        keep_isin(stock_id=stock_id, isin=isin)


def keep_isin(*, stock_id: UUID, isin: str) -> None:
    """Keep an ISIN, and its country, where the instrument has none.

    An ISIN with a wrong check digit is ignored.
    """
    isin = isin.strip().upper()
    if not is_isin(isin):
        return
    stock = StockMetadata.objects.filter(pk=stock_id)
    stock.filter(isin="").update(isin=isin, version=F("version") + 1)
    country = Locale("en").territories.get(isin[:2])
    if country:
        without = stock.filter(isin=isin, country="")
        without.update(country=country, version=F("version") + 1)
