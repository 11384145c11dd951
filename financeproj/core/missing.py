"""Why figures lack something: a code for each ticker or pair of currencies."""

from collections.abc import Iterable, Mapping

# The codes, the gravest first: what has one of the first two is in no priced sum, the rest is in
# the sums at what is believed. docs/definitions.md, "A holding today", explains them.
NO_PRICE = "no_price"
NO_RATE = "no_rate"
HISTORY_PENDING = "history_pending"
SPLIT_HELD_BACK = "split_held_back"
PRICE_HELD_BACK = "price_held_back"
RATE_HELD_BACK = "rate_held_back"
SPLIT_UNBOOKED = "split_unbooked"
CURRENCY_DIFFERS = "currency_differs"
STALE_RATE = "stale_rate"
CODES = (
    NO_PRICE,
    NO_RATE,
    HISTORY_PENDING,
    SPLIT_HELD_BACK,
    PRICE_HELD_BACK,
    RATE_HELD_BACK,
    SPLIT_UNBOOKED,
    CURRENCY_DIFFERS,
    STALE_RATE,
)
_RANK = {code: rank for rank, code in enumerate(CODES)}


def gravest(*reasons: Mapping[str, str]) -> dict[str, str]:
    """Return what any of `reasons` names, sorted, each with the gravest code that one gives it."""
    found: dict[str, str] = {}
    for why in reasons:
        for name, code in why.items():
            if name not in found or _RANK[code] < _RANK[found[name]]:
                found[name] = code
    return dict(sorted(found.items()))


def with_rate_held_back(names: Iterable[str]) -> dict[str, str]:
    """Return the reason why tickers or pairs of currencies are at a rate that is in doubt."""
    return dict.fromkeys(sorted(names), RATE_HELD_BACK)


def without_rate(pairs: Iterable[str]) -> dict[str, str]:
    """Return the reason why `pairs` of currencies, such as "USD/NOK", are missing."""
    return dict.fromkeys(sorted(pairs), NO_RATE)
