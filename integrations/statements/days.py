"""Read days as brokers write them. Each function returns None for a text in another form."""

import re
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
_ISO_BEGINNING = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[T ,]|$)", re.ASCII)
_DASHED_BEGINNING = re.compile(r"(\d\d)-(\d\d)-(\d{4})(?: |$)", re.ASCII)
_COMPACT_BEGINNING = re.compile(r"(\d{4})(\d\d)(\d\d)(?:[;, ]|$)", re.ASCII)


def month_number(name: str) -> int | None:
    """Return the number of a month by its name or short form, in the languages of Europe."""
    return _NUMBER_OF_MONTH.get(name.casefold())


def iso_day(text: str) -> date | None:
    """2024-12-31, alone or before a time."""
    match = _ISO_BEGINNING.match(text)
    return _day(match[1], match[2], match[3]) if match else None


def dashed_day(text: str) -> date | None:
    """31-12-2024, alone or before a time."""
    match = _DASHED_BEGINNING.match(text)
    return _day(match[3], match[2], match[1]) if match else None


def compact_day(text: str) -> date | None:
    """20241231, alone or before a time; also 2024-12-31."""
    match = _COMPACT_BEGINNING.match(text)
    return _day(match[1], match[2], match[3]) if match else iso_day(text)


def named_day(text: str) -> date | None:
    """31-Dec-2024, in the languages of Europe."""
    match = _NAMED.fullmatch(text)
    if match is None:
        return None
    month = month_number(match[2])
    if month is None:
        return None
    return day_of(int(match[3]), month, int(match[1]))


def _day(year: str, month: str, day: str) -> date | None:
    return day_of(int(year), int(month), int(day))
