"""Dates and numbers of a file, read in the one style that the whole file has.

Both take the distinct texts of their columns and answer a dictionary from text to value or RowProblem,
so that a text that occurs a thousand times is read once.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from integrations.statements.base import FileProblem, Options
from portfolios.calc.import_rows import RowProblem
from portfolios.calc.import_rows import gettext_noop as _

EARLIEST = date(1900, 1, 1)

_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
_DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", re.ASCII)
_SLASHED = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})", re.ASCII)
NOT_A_DATE = RowProblem(
    "invalid", _("Not a date. Use 2024-12-31, 31.12.2024, 31/12/2024 or 12/31/2024.")
)
# 45293, 45293.5 and ######## are what a spreadsheet leaves of a day.
_MANGLED = re.compile(r"\d{5}(?:[.,]\d+)?|#+", re.ASCII)
MANGLED_DATE = RowProblem(
    "invalid", _("A spreadsheet changed this date. Import the file as it was downloaded.")
)


def read_dates(texts: Iterable[str], options: Options) -> dict[str, date | RowProblem]:
    """Dates of a file: ISO, dd.mm.yyyy, and slashed in the one order that all slashed dates of the
    file allow.

    Raises FileProblem(ambiguous_dates) when the slashed ones read both ways or contradict each
    other.
    """
    found: dict[str, date | RowProblem] = {}
    slashed: dict[str, tuple[date | None, date | None]] = {}
    for text in set(texts):
        stripped = text.strip()
        if match := _ISO.fullmatch(stripped):
            year, month, day = map(int, match.groups())
            found[text] = checked_day(day_of(year, month, day), options)
        elif match := _DOTTED.fullmatch(stripped):
            day, month, year = map(int, match.groups())
            found[text] = checked_day(day_of(year, month, day), options)
        elif match := _SLASHED.fullmatch(stripped):
            first, second, year = map(int, match.groups())
            slashed[text] = (day_of(year, second, first), day_of(year, first, second))
        else:
            found[text] = MANGLED_DATE if _MANGLED.fullmatch(stripped) else NOT_A_DATE
    if slashed:
        month_first = (options.date_format or _order_of(slashed)) == "mdy"
        for text, readings in slashed.items():
            found[text] = checked_day(readings[month_first], options)
    return found


def _order_of(slashed: Mapping[str, tuple[date | None, date | None]]) -> str:
    only_dmy = [text for text, (dmy, mdy) in slashed.items() if dmy and not mdy]
    only_mdy = [text for text, (dmy, mdy) in slashed.items() if mdy and not dmy]
    either = [text for text, (dmy, mdy) in slashed.items() if dmy and mdy and dmy != mdy]
    if only_dmy and only_mdy:
        raise FileProblem(
            "ambiguous_dates",
            f"{only_dmy[0]} has the day first and {only_mdy[0]} the month: say which with date_format=dmy or mdy.",
        )
    if either and not only_dmy and not only_mdy:
        raise FileProblem(
            "ambiguous_dates",
            f"{either[0]} can be read with the day or the month first: say which with date_format=dmy or mdy.",
        )
    return "mdy" if only_mdy else "dmy"


def day_of(year: int, month: int, day: int) -> date | None:
    """The date, None if there is no such day."""
    try:
        return date(year, month, day)
    except ValueError:
        return None


def checked_day(day: date | None, options: Options) -> date | RowProblem:
    """The day if it may stand in a statement."""
    if day is None:
        return NOT_A_DATE
    if day > options.today:
        message = _("The date %(date)s is in the future.")
        return RowProblem("future_date", message, {"date": str(day)})
    if day < EARLIEST:
        return RowProblem("out_of_range", _("Dates before 1900 are not kept."))
    return day


# No-break space, figure space, thin space, narrow no-break space and the minus sign, as
# spreadsheets and banks write.
_PLAIN = str.maketrans({"\xa0": " ", "\u2007": " ", "\u2009": " ", "\u202f": " ", "\u2212": "-"})


def plain_text(text: str) -> str:
    """`text` with the spaces and the minus sign of a keyboard."""
    return text.translate(_PLAIN).strip()


def single_spaced(text: str) -> str:
    """`text` with one space for every run of blanks and line ends, none at its ends.

    For what is matched against a pattern: blanks that can be divide in many ways are what makes
    patterns slow.
    """
    return " ".join(text.split())


def _number_pattern(decimal: str, thousands: str) -> re.Pattern[str]:
    grouped = rf"[1-9]\d{{0,2}}(?:{thousands}\d{{3}})+|[1-9]\d{{0,2}}(?: \d{{3}})+"
    return re.compile(
        rf"[+-]?(?:(?:{grouped}|\d+)(?:{decimal}\d*)?|{decimal}\d+)(?:[eE][+-]?\d{{1,3}})?",
        re.ASCII,
    )


_POINT = _number_pattern(r"\.", ",")
_COMMA = _number_pattern(",", r"\.")
_TO_POINT = str.maketrans({",": None, " ": None})
_TO_COMMA = str.maketrans({".": None, " ": None, ",": "."})
_STYLES: dict[str, tuple[re.Pattern[str], dict[int, Any]]] = {
    "point": (_POINT, _TO_POINT),
    "comma": (_COMMA, _TO_COMMA),
}
NOT_A_NUMBER = RowProblem("invalid", _("Not a number."))


def number_in(text: str, style: str) -> Decimal | None:
    """The number that `text` is with a decimal point or comma; None if it is none."""
    pattern, table = _STYLES[style]
    number = plain_text(text)
    return Decimal(number.translate(table)) if pattern.fullmatch(number) else None


def read_numbers(
    texts: Iterable[str], *, delimiter: str, options: Options, mixed: bool = False
) -> dict[str, Decimal | RowProblem]:
    """Numbers of a file, all with a decimal point or all with a decimal comma. Empty texts are left
    out.

    With `mixed`, for brokers who write both in one file, the style of the file only settles texts
    such as 1,234; the others can be read one way and are. Raises FileProblem(ambiguous_numbers)
    when a text such as 1,234 could be either and nothing in the file tells, or when the texts
    contradict each other.
    """
    plain = {text: number for text in set(texts) if (number := plain_text(text))}
    style = options.decimal or _style_of(plain.values(), delimiter, mixed=mixed)
    other = "comma" if style == "point" else "point"
    found: dict[str, Decimal | RowProblem] = {}
    for text, number in plain.items():
        value = number_in(number, style)
        if value is None and mixed:
            value = number_in(number, other)
        if value is None:
            found[text] = NOT_A_NUMBER
            continue
        # Fifteen characters without an exponent are always few enough digits.
        fault = (
            options.number_problem(value)
            if len(number) > 15 or "e" in number or "E" in number
            else None
        )
        found[text] = fault or (value if value else Decimal(0))  # -0 is 0
    return found


def _style_of(numbers: Iterable[str], delimiter: str, *, mixed: bool) -> str:
    """`point` or `comma`: what the decimal separator of the file is."""
    proof: dict[str, str] = {}  # style → a number that only it can read
    open_comma = open_point = ""
    thousands_and_point = False
    for number in numbers:
        if "," not in number and "." not in number:
            continue
        as_point, as_comma = _POINT.fullmatch(number), _COMMA.fullmatch(number)
        if as_point and as_comma:
            if "," in number:
                open_comma = number
            else:
                open_point = number
        elif as_point:
            proof["point"] = number
            thousands_and_point |= "," in number
        elif as_comma:
            proof["comma"] = number
    if open_comma and delimiter != "," and not thousands_and_point:
        proof.setdefault("comma", open_comma)
    if len(proof) == 2 and mixed and not open_comma and not open_point:
        return "point"
    if len(proof) == 2:
        raise FileProblem(
            "ambiguous_numbers",
            f"{proof['point']} has a decimal point and {proof['comma']} a decimal comma"
            + (f", {open_comma or open_point} could be either" if mixed else "")
            + ": say which with decimal=point or comma.",
        )
    if proof:
        return next(iter(proof))
    if unclear := open_comma or (open_point if delimiter != "," else ""):
        raise FileProblem(
            "ambiguous_numbers",
            f"Nothing in the file tells whether {unclear} has a thousands separator or a decimal one: say which with "
            "decimal=point or comma.",
        )
    return "point"
