"""Read days as brokers write them. Each function returns None for a text in another form."""

import re
from collections.abc import Callable, Iterable
from datetime import date

from integrations.statements.values import day_of

_MONTHS = {
    # English, Dutch, German, Danish, Norwegian, Swedish, French, Spanish, Italian, Portuguese
    1: "jan ene gen janv",
    2: "feb fev fév febr févr",
    3: "mar maa mrt mär mars mrz maart",
    4: "apr abr avr avril april",
    5: "may mai mei maj mag maio mayo",
    6: "jun juni giu juin june",
    7: "jul juli lug juil july",
    8: "aug ago aoû août",
    9: "sep sept set",
    10: "oct okt ott out",
    11: "nov nov.",
    12: "dec des dez dic déc",
}
_NUMBER_OF_MONTH = {name: number for number, names in _MONTHS.items() for name in names.split()}
_NAMED = re.compile(r"(\d{1,2})[-. ]([^\W\d_]{3,12})\.?[-. ](\d{4})")
_YEAR, _MONTH, _DAY = r"(?P<year>\d{4})", r"(?P<month>\d\d)", r"(?P<day>\d\d)"
_ISO_BEGINNING = re.compile(rf"{_YEAR}-{_MONTH}-{_DAY}(?:[T ,;]|$)", re.ASCII)
_DASHED_BEGINNING = re.compile(rf"{_DAY}-{_MONTH}-{_YEAR}(?: |$)", re.ASCII)
_DOTTED_BEGINNING = re.compile(rf"{_DAY}\.{_MONTH}\.{_YEAR}(?: |$)", re.ASCII)
_COMPACT_BEGINNING = re.compile(rf"{_YEAR}{_MONTH}{_DAY}(?:[T;, ]|$)", re.ASCII)
_SLASHED_BEGINNING = re.compile(r"(\d\d)/(\d\d)/(\d{4}|\d\d)(?:[T;, ]|$)", re.ASCII)
_SHORT_BEGINNING = re.compile(r"(\d\d)-([A-Za-z]{3})-(\d{4}|\d\d)(?:[T;, ]|$)", re.ASCII)
MONTHS_OF_A_YEAR = 12
CENTURY = 2000


def month_number(name: str) -> int | None:
    """Return the number of a month by its name or short form, in the languages of Europe."""
    return _NUMBER_OF_MONTH.get(name.casefold())


def iso_day(text: str) -> date | None:
    """2024-12-31, alone or before a time."""
    return _day(_ISO_BEGINNING.match(text))


def dashed_day(text: str) -> date | None:
    """31-12-2024, alone or before a time."""
    return _day(_DASHED_BEGINNING.match(text))


def dotted_day(text: str) -> date | None:
    """31.12.2024 or 31-12-2024, alone or before a time."""
    return _day(_DOTTED_BEGINNING.match(text)) or dashed_day(text)


def compact_day(text: str) -> date | None:
    """20241231, alone or before a time; also 2024-12-31."""
    return _day(_COMPACT_BEGINNING.match(text)) or iso_day(text)


def any_day(texts: Iterable[str]) -> Callable[[str], date | None]:
    """Return a reader of days in any form that `texts` have, each alone or before a time.

    Besides those of `compact_day` it reads 31-Dec-24, and 12/31/2024 or 31/12/2024: the form of all
    is the one that is possible for each. If both are, none is read.
    """
    parts = list(filter(None, map(_SLASHED_BEGINNING.match, texts)))
    can_be_day_first = all(int(part[2]) <= MONTHS_OF_A_YEAR for part in parts)
    can_be_month_first = all(int(part[1]) <= MONTHS_OF_A_YEAR for part in parts)

    def read(text: str) -> date | None:
        if match := _SHORT_BEGINNING.match(text):
            month = month_number(match[2])
            return day_of(_full_year(match[3]), month, int(match[1])) if month else None
        match = _SLASHED_BEGINNING.match(text)
        if match is None:
            return compact_day(text)
        if can_be_day_first == can_be_month_first:
            return None
        first, second = int(match[1]), int(match[2])
        month, day = (second, first) if can_be_day_first else (first, second)
        return day_of(_full_year(match[3]), month, day)

    return read


def _full_year(text: str) -> int:
    return int(text) if len(text) > 2 else CENTURY + int(text)


def named_day(text: str) -> date | None:
    """31-Dec-2024, in the languages of Europe."""
    match = _NAMED.fullmatch(text)
    if match is None:
        return None
    month = month_number(match[2])
    if month is None:
        return None
    return day_of(int(match[3]), month, int(match[1]))


def _day(match: re.Match[str] | None) -> date | None:
    if match is None:
        return None
    return day_of(int(match["year"]), int(match["month"]), int(match["day"]))
