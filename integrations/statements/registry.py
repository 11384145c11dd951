"""The list of formats, and the function that reads a file."""

import difflib
from importlib import import_module

from integrations.statements.base import FileProblem, Format, Options, Statement, Table, column_key
from integrations.statements.detect import read_table

AUTO = "auto"
SIMILAR_NAMED = 5
# Modules of this package. Each has a tuple `FORMATS`. Users see the formats in this order.
_MODULES = (
    "generic",
    "nordnet",
    "avanza",
    "degiro",
    "ibkr_flex",
    "ibkr_activity",
    "trading212",
    "saxo",
    "revolut",
    "schwab",
    "scalable",
    "traderepublic",
    "swissquote",
    "mapped",
)


def _load_formats() -> tuple[Format, ...]:
    found: list[Format] = []
    for name in _MODULES:
        module = import_module(f"integrations.statements.{name}")
        found.extend(module.FORMATS)
    return tuple(found)


_FORMATS = _load_formats()


def formats() -> tuple[Format, ...]:
    return _FORMATS


def read_statement(data: bytes, options: Options, format_name: str = AUTO) -> Statement:
    """Read a file in the named format, or in the one that its header shows. Raises FileProblem."""
    table = read_table(data)
    try:
        return _format_of(table, format_name).read(table, options)
    except FileProblem as problem:
        problem.table = table
        raise


def _format_of(table: Table, name: str) -> Format:
    if name != AUTO:
        return _named_format(table, name)
    matching = [one for one in _FORMATS if one.recognises(table)]
    if not matching:
        raise FileProblem("unknown_format", _nearest_format(table))
    if len(matching) > 1:
        names = [one.name for one in matching]
        message = f"The file could be {' or '.join(names)}. Choose one with format."
        raise FileProblem("unknown_format", message, formats=names)
    return matching[0]


def _named_format(table: Table, name: str) -> Format:
    named = next(one for one in _FORMATS if one.name == name)
    if not named.reports_missing_columns and not named.recognises(table):
        raise FileProblem(
            "unknown_format",
            f"The header is not that of {named.label}. Choose another format, or export again.",
        )
    return named


def _nearest_format(table: Table) -> str:
    """Describe how the header differs from that of the nearest known format."""
    header = {column_key(name): name.strip() for name in table.header}
    nearest = _FORMATS[0]
    most_shared = 0
    for one in _FORMATS:
        shared = len(header.keys() & _column_keys(one))
        if shared > most_shared:
            nearest = one
            most_shared = shared
    missing = [name for name in nearest.columns if column_key(name) not in header]
    message = (
        "The header does not match any known format. The nearest is "
        f"{nearest.label}; the file lacks {', '.join(missing)}"
    )
    similar = _similar_columns(header, missing, known=_column_keys(nearest))
    if similar:
        message += f" (it has {'; '.join(similar[:SIMILAR_NAMED])})"
    return f"{message}."


def _column_keys(one: Format) -> set[str]:
    return set(map(column_key, one.columns))


def _similar_columns(header: dict[str, str], missing: list[str], *, known: set[str]) -> list[str]:
    """Return `Kurz for Kurs` for each column of the file that resembles a missing one."""
    found: list[str] = []
    for key, name in header.items():
        if not key or key in known:
            continue
        near = difflib.get_close_matches(key, missing, n=1, cutoff=0.6)
        if near:
            found.append(f"{name[:40]} for {near[0]}")
    return found
