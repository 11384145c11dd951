"""Test that all regular expressions take linear time."""

import ast
import importlib
import pkgutil
import re
import time
from collections.abc import Iterator
from pathlib import Path
from re import _constants as codes
from re import _parser as parser

import pytest

from financeproj.environment import ROOT

APPS = ("financeproj", "marketdata", "portfolios", "pensions", "integrations")
# Starts the web process, and has no pattern.
NOT_IMPORTED = {"financeproj.wsgi"}

# Texts of these lengths show the worst patterns, which never end on longer ones. Linear patterns
# take a twentieth of this time, also on a slow machine. Quadratic ones are found by their growth.
LENGTHS = (20, 24, 128, 512, 1_024)
MOST_SECONDS = 0.02
# A linear pattern takes eight times as long for the long text as for the short one, a quadratic one
# 64 times, however fast the machine is.
SHORT, LONG = 1_024, 8_192
MOST_GROWTH = 16
# What takes less on the long text is too short to be compared. The fastest quadratic ones take 3 ms.
LEAST_SECONDS = 0.001

UNITS = (
    " ", "\t", "\n", "\xa0", "a", "A", "é", "1", "0", "(", ")", "[", "]", "{", "-", "+", ".", ",", "'", '"', "@", ":",
    "/", "#", "$", "=", "_", "%", "a ", "A ", "1 ", "1,", "1.", "1-", ". ", " -", "- ", "( ", ") ", "()", "A1", "A.",
    "000", ",000", ".000", " 000", " at ", " a1,(",
)  # fmt: skip
ENDINGS = ("", "\x00", "\n\x00", "x", " ")
REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT)


# --- All patterns of the project ------------------------------------------------------------------


def sources() -> Iterator[Path]:
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            if not {"tests", "migrations"} & set(path.parts):
                yield path


def patterns_in(value: object, depth: int = 2) -> Iterator[re.Pattern]:
    if isinstance(value, re.Pattern):
        yield value
    elif depth and isinstance(value, dict):
        for one in value.values():
            yield from patterns_in(one, depth - 1)
    elif depth and isinstance(value, list | tuple | set | frozenset):
        for one in value:
            yield from patterns_in(one, depth - 1)


def patterns() -> dict[str, re.Pattern]:
    """Return every pattern in modules and classes of the project, by its place."""
    found: dict[str, re.Pattern] = {}
    for app in APPS:
        package = importlib.import_module(app)
        names = [app, *(one.name for one in pkgutil.walk_packages(package.__path__, f"{app}."))]
        for name in names:
            if {"tests", "migrations"} & set(name.split(".")) or name in NOT_IMPORTED:
                continue
            module = importlib.import_module(name)
            holders = [module]
            holders += [one for one in vars(module).values() if isinstance(one, type)]
            for holder in holders:
                if getattr(holder, "__module__", name) != name:
                    continue
                for attribute, value in list(vars(holder).items()):
                    for pattern in patterns_in(value):
                        place = f"{name}.{getattr(holder, '__qualname__', '')}.{attribute}"
                        found.setdefault(f"{place}:{pattern.pattern}", pattern)
    return found


PATTERNS = patterns()


def test_every_pattern_is_compiled_where_the_walk_sees_it():
    """No `re.match(...)` with a text: what is compiled on the way is in no module."""
    elsewhere = []
    compiled = set()
    for path in sources():
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if not (isinstance(node.func.value, ast.Name) and node.func.value.id == "re"):
                continue
            if node.func.attr == "compile":
                compiled.add(path)
            elif node.func.attr != "escape":
                elsewhere.append(f"{path.relative_to(ROOT)}:{node.lineno}: re.{node.func.attr}")
    assert elsewhere == []
    names = {str(path.relative_to(ROOT).with_suffix("")).replace("/", ".") for path in compiled}
    walked = {place.rpartition(":")[0] for place in PATTERNS}
    for name in names:
        assert any(place.startswith(name) for place in walked), name


# --- Hostile texts --------------------------------------------------------------------------------


def example(tree: object) -> str:
    """Return a short text that matches the parts of a parsed pattern."""
    text = ""
    for code, argument in tree:
        if code is codes.LITERAL:
            text += chr(argument)
        elif code is codes.NOT_LITERAL:
            text += "x" if argument != ord("x") else "y"
        elif code is codes.ANY:
            text += "x"
        elif code is codes.IN:
            text += member(argument)
        elif code in REPEATS:
            least, _, inner = argument
            text += example(inner) * least
        elif code is codes.SUBPATTERN:
            text += example(argument[-1])
        elif code is codes.ATOMIC_GROUP:
            text += example(argument)
        elif code is codes.BRANCH:
            text += example(argument[1][0])
    return text


def member(choices: list) -> str:
    """Return a character of a set such as [A-Z ]."""
    is_negated = choices[0][0] is codes.NEGATE
    named = choices[1:] if is_negated else choices
    for number in (*range(32, 256), *range(32)):
        is_named = any(holds(choice, chr(number)) for choice in named)
        if is_named != is_negated:
            return chr(number)
    raise AssertionError(f"No character is known for {choices}.")


CATEGORIES = {
    codes.CATEGORY_DIGIT: str.isdigit,
    codes.CATEGORY_SPACE: str.isspace,
    codes.CATEGORY_WORD: lambda text: text.isalnum() or text == "_",
}
NOT_IN_CATEGORIES = {
    codes.CATEGORY_NOT_DIGIT: codes.CATEGORY_DIGIT,
    codes.CATEGORY_NOT_SPACE: codes.CATEGORY_SPACE,
    codes.CATEGORY_NOT_WORD: codes.CATEGORY_WORD,
}


def holds(choice: tuple, character: str) -> bool:
    code, argument = choice
    if code is codes.LITERAL:
        return ord(character) == argument
    if code is codes.RANGE:
        return argument[0] <= ord(character) <= argument[1]
    if argument in NOT_IN_CATEGORIES:
        return not CATEGORIES[NOT_IN_CATEGORIES[argument]](character)
    return CATEGORIES[argument](character)


def pumped(tree: object, before: str = "") -> Iterator[tuple[str, str]]:
    """Return (prefix, repeatable part) for every part that may repeat without limit."""
    for code, argument in tree:
        if code in REPEATS:
            _, most, inner = argument
            if most is codes.MAXREPEAT:
                yield before, example(inner) or "x"
            yield from pumped(inner, before)
        elif code is codes.SUBPATTERN:
            yield from pumped(argument[-1], before)
        elif code is codes.ATOMIC_GROUP:
            yield from pumped(argument, before)
        elif code is codes.BRANCH:
            for branch in argument[1]:
                yield from pumped(branch, before)
        before += example([(code, argument)])


def hostile(pattern: re.Pattern) -> Iterator[tuple[str, str]]:
    """Return pairs of (prefix, repeated part)."""
    yield from (("", unit) for unit in UNITS)
    text = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin1")
    tree = parser.parse(text, pattern.flags & ~re.DEBUG)
    whole = example(tree)
    for beginning, unit in pumped(tree):
        for more in (unit, *UNITS[:10]):
            yield beginning, more
        yield "", beginning + unit
        yield whole[:1] + beginning, unit
    yield "", whole + " "
    if len(whole) > 1:
        yield "", whole
        yield "", whole[:-1]


def seconds(pattern: re.Pattern, text: str) -> float:
    """Return the CPU time of the slowest use of the pattern."""
    given = text if isinstance(pattern.pattern, str) else text.encode("latin1", "replace")
    slowest = 0.0
    for use in (pattern.match, pattern.fullmatch, pattern.search):
        start = time.process_time()
        use(given)
        slowest = max(slowest, time.process_time() - start)
    start = time.process_time()
    sum(1 for _ in pattern.finditer(given))
    return max(slowest, time.process_time() - start)


def is_linear(pattern: re.Pattern) -> str:
    """Return an empty text, or the text that takes too long."""
    pairs = list(hostile(pattern))
    for length in LENGTHS:
        for beginning, unit in pairs:
            for ending in ENDINGS:
                text = beginning + unit * (length // len(unit)) + ending
                if all(seconds(pattern, text) > MOST_SECONDS for _ in range(3)):
                    return f"{beginning!r} + {unit!r} * {length // len(unit)} + {ending!r}"
    for beginning, unit in pairs:
        if all(grows(pattern, beginning, unit) for _ in range(3)):
            return f"{beginning!r} + {unit!r} * n + {ENDINGS[1]!r}"
    return ""


def grows(pattern: re.Pattern, beginning: str, unit: str) -> bool:
    """Return whether the time grows faster than the text."""
    short, long = (
        beginning + unit * (length // len(unit)) + ENDINGS[1] for length in (SHORT, LONG)
    )
    of_long = seconds(pattern, long)
    return of_long > LEAST_SECONDS and of_long > MOST_GROWTH * seconds(pattern, short)


@pytest.mark.untraced
@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS.keys())
def test_a_pattern_takes_linear_time(pattern):
    assert is_linear(pattern) == ""


@pytest.mark.untraced
@pytest.mark.parametrize(
    "slow",
    [
        r"^\s*([A-Z0-9. ]+?)\s*\(([A-Z]{2}[A-Z0-9]{9}\d)\)",
        r"(-?)\s*(?:([$€£])|([A-Z]{3})\s)?\s*(-?[\d.,\s\xa0]+?)\s*(?:\s([A-Z]{3}))?",
        r"\s*(?:\(.*\)|[-\d.,]+.*)$",
        r"(a+)+b",
        r"(?:koop|buy) (\d{1,3}(?:[ .,]\d{3})*)\b[^@]*?@",
    ],
)
def test_the_walk_finds_patterns_that_are_not_linear(slow):
    assert is_linear(re.compile(slow)) != ""
