"""The formats that can be read, and the one way to read a file."""

import difflib
from importlib import import_module

from integrations.statements.base import FileProblem, Format, Options, Statement, Table, column_key
from integrations.statements.detect import read_table

AUTO = "auto"
# Modules of this package with a tuple `FORMATS`, in the order in which the formats are listed.
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
    """Read a file as the named format, or as the one that its header tells. Raises FileProblem."""
    table = read_table(data)
    try:
        return _format_of(table, format_name).read(table, options)
    except FileProblem as problem:
        problem.table = table
        raise


def _format_of(table: Table, name: str) -> Format:
    if name != AUTO:
        named = next(found for found in _FORMATS if found.name == name)
        if not named.reports_missing_columns and not named.recognises(table):
            raise FileProblem("unknown_format", f"The header is not that of {named.label}.")
        return named
    matching = [found for found in _FORMATS if found.recognises(table)]
    if not matching:
        raise FileProblem("unknown_format", _nearest(table))
    if len(matching) > 1:
        names = [found.name for found in matching]
        detail = f"The file could be {' and '.join(names)}: say which with format."
        raise FileProblem("unknown_format", detail, formats=names)
    return matching[0]


def _nearest(table: Table) -> str:
    """What the nearest known format has that the header lacks."""
    header = {column_key(name) for name in table.header}
    nearest = max(
        _FORMATS, key=lambda found: len(header & {column_key(name) for name in found.columns})
    )
    missing = [name for name in nearest.columns if column_key(name) not in header]
    known = {column_key(name) for name in nearest.columns}
    extra = [
        name.strip() for name in table.header if name.strip() and column_key(name) not in known
    ]
    hints = [
        f"{name.strip()[:40]} for {near[0]}"
        for name in extra
        if (near := difflib.get_close_matches(column_key(name), missing, n=1, cutoff=0.6))
    ]
    said = f"The header is of no known format. The nearest is {nearest.label}; it lacks {', '.join(missing)}"
    return f"{said} (it has {'; '.join(hints[:5])})." if hints else f"{said}."
