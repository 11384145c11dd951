"""Read the dates and numbers of a file in the one style that the whole file has.

`read_dates` and `read_numbers` take the texts of their columns and return a dictionary from text to
value or RowProblem, so a text that occurs a thousand times is read once.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from integrations.statements.base import FileProblem, Options
from portfolios.calc.import_rows import RowProblem
from portfolios.calc.import_rows import gettext_noop as _

EARLIEST = date(1900, 1, 1)
SHORT = 100  # characters

_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
_DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", re.ASCII)
_SLASHED = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})", re.ASCII)
NOT_A_DATE = RowProblem(
    "invalid", _("Not a date. Use 2024-12-31, 31.12.2024, 31/12/2024 or 12/31/2024.")
)
# What a spreadsheet leaves of a date: 45293, 45293.5 or ########.
_MANGLED = re.compile(r"\d{5}(?:[.,]\d+)?|#+", re.ASCII)
MANGLED_DATE = RowProblem(
    "invalid", _("A spreadsheet changed this date. Import the file as it was downloaded.")
)

CHOOSE_ORDER = "Set date_format=dmy or mdy."


def read_dates(texts: Iterable[str], options: Options) -> dict[str, date | RowProblem]:
    """Read dates: ISO, dd.mm.yyyy, and slashed ones.

    Slashed dates are read in the one order that all of them allow. Raises
    FileProblem(ambiguous_dates) if both orders are possible, or if the dates contradict each other.
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
        elif _MANGLED.fullmatch(stripped):
            found[text] = MANGLED_DATE
        else:
            found[text] = NOT_A_DATE
    if slashed:
        order = options.date_format or _order_of(slashed)
        for text, (day_first, month_first) in slashed.items():
            day_read = month_first if order == "mdy" else day_first
            found[text] = checked_day(day_read, options)
    return found


def _order_of(slashed: Mapping[str, tuple[date | None, date | None]]) -> str:
    """Return "dmy" or "mdy". `slashed` has both readings of each text: day first, month first."""
    only_dmy = only_mdy = either = ""
    for text, (day_first, month_first) in slashed.items():
        if day_first and not month_first:
            only_dmy = only_dmy or text
        elif month_first and not day_first:
            only_mdy = only_mdy or text
        elif day_first != month_first:
            either = either or text
    if only_dmy and only_mdy:
        raise FileProblem(
            "ambiguous_dates",
            f"{only_dmy} has the day first, but {only_mdy} has the month first. {CHOOSE_ORDER}",
        )
    if either and not only_dmy and not only_mdy:
        raise FileProblem(
            "ambiguous_dates",
            f"{either} can be read with the day or the month first. {CHOOSE_ORDER}",
        )
    return "mdy" if only_mdy else "dmy"


def day_of(year: int, month: int, day: int) -> date | None:
    """Return the date, None if it does not exist."""
    try:
        return date(year, month, day)
    except ValueError:
        return None


def checked_day(day: date | None, options: Options) -> date | RowProblem:
    """Return the day, or why it may not stand in a statement."""
    if day is None:
        return NOT_A_DATE
    if day > options.today:
        message = _("The date %(date)s is in the future.")
        return RowProblem("future_date", message, {"date": str(day)})
    if day < EARLIEST:
        return RowProblem("out_of_range", _("Dates before 1900 are not kept."))
    return day


# No-break space, figure space, thin space, narrow no-break space, the minus sign, and the curly
# apostrophe that Swiss files have between thousands.
_PLAIN = str.maketrans(
    {
        "\xa0": " ",
        "\u2007": " ",
        "\u2009": " ",
        "\u202f": " ",
        "\u2212": "-",
        "\u2019": "'",
    }
)


def plain_text(text: str) -> str:
    """Replace spaces, minus signs and apostrophes of banks by those of a keyboard."""
    return text.translate(_PLAIN).strip()


def single_spaced(text: str) -> str:
    """Replace each run of blanks and line ends by one space, and strip the text.

    Use it before matching a pattern: runs of blanks can make patterns slow.
    """
    return " ".join(text.split())


# Letters that do not come apart into a plain one and an accent.
_LETTERS = str.maketrans({"ł": "l", "ø": "o", "æ": "ae", "đ": "d", "ı": "i"})


def folded(text: str) -> str:
    """Return a text in small letters without accents, with single spaces, for comparing words.

    Text that was UTF-8 but was read as Windows-1252 (WÃ¤hrung) is repaired first.
    """
    if len(text) > SHORT:
        return _folded(text)  # A thousand of these would stay in memory.
    return _folded_short(text)


def _folded(text: str) -> str:
    if "Ã" in text or "Å" in text or "Ä" in text:
        text = _repaired(text)
    plain = unicodedata.normalize("NFKD", plain_text(text).casefold())
    letters = [letter for letter in plain if not unicodedata.combining(letter)]
    return single_spaced("".join(letters).translate(_LETTERS))


_folded_short = lru_cache(maxsize=10_000)(_folded)


def _repaired(text: str) -> str:
    try:
        return text.encode("windows-1252").decode("utf-8")
    except UnicodeError:
        return text


def _number_pattern(decimal: str, thousands: str) -> re.Pattern[str]:
    groups = "|".join(rf"(?:{mark}\d{{3}})+" for mark in (thousands, " ", "'"))
    grouped = rf"[1-9]\d{{0,2}}(?:{groups})"
    return re.compile(
        rf"[+-]?(?:(?:{grouped}|\d+)(?:{decimal}\d*)?|{decimal}\d+)(?:[eE][+-]?\d{{1,3}})?",
        re.ASCII,
    )


_POINT = _number_pattern(r"\.", ",")
_COMMA = _number_pattern(",", r"\.")
_TO_POINT = str.maketrans({",": None, " ": None, "'": None})
_TO_COMMA = str.maketrans({".": None, " ": None, "'": None, ",": "."})
_STYLES: dict[str, tuple[re.Pattern[str], dict[int, Any]]] = {
    "point": (_POINT, _TO_POINT),
    "comma": (_COMMA, _TO_COMMA),
}
CHOOSE_SEPARATOR = "Set decimal=point or comma."
NOT_A_NUMBER = RowProblem("invalid", _("Not a number."))


def number_in(text: str, style: str) -> Decimal | None:
    """Return the number in `text`, None if it is not one in that style.

    `style` is the decimal separator: point or comma.
    """
    pattern, table = _STYLES[style]
    number = plain_text(text)
    if not pattern.fullmatch(number):
        return None
    return Decimal(number.translate(table))


def number_style(texts: Iterable[str], *, delimiter: str, options: Options) -> str:
    """Return the decimal separator of numbers that all have the same: "point" or "comma".

    Raises FileProblem(ambiguous_numbers).
    """
    plain = [plain_text(text) for text in set(texts)]
    return options.decimal or _style_of(plain, delimiter, mixed=False)


def read_numbers(
    texts: Iterable[str], *, delimiter: str, options: Options, mixed: bool = False
) -> dict[str, Decimal | RowProblem]:
    """Read numbers that all have a decimal point or all a decimal comma. Empty texts are left out.

    `mixed` is for brokers that use both in one file: then the style of the file only decides texts
    such as 1,234. Raises FileProblem(ambiguous_numbers) if nothing in the file decides them, or if
    the texts contradict each other.
    """
    plain = {text: plain_text(text) for text in set(texts)}
    style = options.decimal or _style_of(plain.values(), delimiter, mixed=mixed)
    other = "comma" if style == "point" else "point"
    found: dict[str, Decimal | RowProblem] = {}
    for text, number in plain.items():
        if not number:
            continue
        value = number_in(number, style)
        if value is None and mixed:
            value = number_in(number, other)
        if value is None:
            found[text] = NOT_A_NUMBER
            continue
        problem = None
        # Fifteen characters without an exponent never have too many digits.
        if len(number) > 15 or "e" in number or "E" in number:
            problem = options.number_problem(value)
        if problem is not None:
            found[text] = problem
        else:
            found[text] = value or Decimal(0)  # -0 becomes 0.
    return found


class _StyleEvidence:
    """What the numbers of a file show about its decimal separator.

    `only` has a number for each style that only this style can read. `open_comma` and `open_point`
    are numbers that both can read, such as 1,234 and 1.234.
    """

    def __init__(self, numbers: Iterable[str]) -> None:
        self.only: dict[str, str] = {}
        self.open_comma = self.open_point = ""
        self.has_thousands_and_point = False
        for number in numbers:
            if "," in number or "." in number:
                self._add(number)

    def _add(self, number: str) -> None:
        as_point = _POINT.fullmatch(number)
        as_comma = _COMMA.fullmatch(number)
        if as_point and as_comma:
            if "," in number:
                self.open_comma = number
            else:
                self.open_point = number
        elif as_point:
            self.only["point"] = number
            self.has_thousands_and_point |= "," in number
        elif as_comma:
            self.only["comma"] = number

    def require_agreement(self, *, mixed: bool) -> None:
        unclear = self.open_comma or self.open_point
        if len(self.only) < 2 or (mixed and not unclear):
            return
        with_point, with_comma = self.only["point"], self.only["comma"]
        message = f"{with_point} has a decimal point, but {with_comma} has a decimal comma"
        if mixed:
            message += f", and {unclear} could have either"
        raise FileProblem("ambiguous_numbers", f"{message}. {CHOOSE_SEPARATOR}")


def _style_of(numbers: Iterable[str], delimiter: str, *, mixed: bool) -> str:
    """Return the decimal separator of the file: "point" or "comma"."""
    evidence = _StyleEvidence(numbers)
    can_be_comma = delimiter != "," and not evidence.has_thousands_and_point
    if evidence.open_comma and can_be_comma:
        evidence.only.setdefault("comma", evidence.open_comma)
    evidence.require_agreement(mixed=mixed)
    if len(evidence.only) == 2:
        return "point"
    for style in evidence.only:
        return style
    unclear = evidence.open_comma
    if not unclear and delimiter != ",":
        unclear = evidence.open_point
    if unclear:
        raise FileProblem(
            "ambiguous_numbers",
            f"{unclear} may have a thousands separator or a decimal one, and no other number in "
            f"the file shows which. {CHOOSE_SEPARATOR}",
        )
    return "point"
