"""The list of formats, and the function that reads a file."""

import difflib
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module

from msgspec.structs import replace as replace_struct

from integrations.statements import generic
from integrations.statements.accounts import require_account
from integrations.statements.base import FileProblem, Format, Options, Statement, Table, column_key
from integrations.statements.detect import read_table
from integrations.statements.json_table import is_json, read_json
from integrations.statements.mapped import has_mapped_columns
from integrations.statements.workbook import is_workbook, read_workbook
from integrations.statements.xml_table import is_xml, read_xml

AUTO = "auto"
MAPPED = "mapped"
SIMILAR_NAMED = 5
SAMPLES = 200
SAMPLE_CHARACTERS = 200
NEAR = 0.6  # of its columns a file must have to be compared with a format
# Modules of this package. Each has a tuple `FORMATS`. Users see the formats in this order.
_MODULES = (
    "generic",
    "nordnet",
    "avanza",
    "degiro",
    "degiro_transactions",
    "ibkr_flex",
    "ibkr_flex_csv",
    "ibkr_activity",
    "ibkr_history",
    "ibkr_xml",
    "trading212",
    "saxo",
    "revolut",
    "revolut_coins",
    "revolut_savings",
    "revolut_pockets",
    "revolut_gains",
    "schwab",
    "schwab_awards",
    "scalable",
    "traderepublic",
    "pytr",
    "xtb",
    "xtb_positions",
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


def repeating(name: str) -> set[str]:
    """Return the formats that have transactions of the format `name`, or some of which it has."""
    found: set[str] = set()
    for one in _FORMATS:
        if one.repeats and name in (one.name, one.repeats):
            found |= {one.name, one.repeats} - {name}
    return found


def read_statement(data: bytes, options: Options, format_name: str = AUTO) -> Statement:
    """Read a file in the named format, or in the one that its header shows. Raises FileProblem."""
    found_tables = _tables(data, options)
    tables = [one.without_reasons().without_first(options.skip) for one in found_tables]
    try:
        found, table = _choose(tables, options, format_name)
        table.others = [one for one in tables if one.sheet != table.sheet]
        tables = [table]
        remembered = options.words.get(found.name, {})
        options = replace(options, types={**remembered, **options.types})
        whole = replace(table)  # with the refused rows, whose text is shown
        refused = table.take_refused_rows()
        if table.has_fractions:
            # The reader must not take the point of a number cell for a thousands separator.
            options = replace(options, decimal=options.decimal or "point")
        header_line, sheet = table.header_line, table.sheet
        statement = found.read(table, options)
        statement.header_line, statement.sheet = header_line, sheet
        if options.account and statement.account != options.account:
            require_account(options.account, filter(None, [statement.account]))
    except FileProblem as problem:
        problem.tables = tables
        raise
    statement.failed += len(refused)
    statement.problems += refused
    _add_samples(statement, whole)
    return statement


def _add_samples(statement: Statement, table: Table) -> None:
    """Give the first problem of each kind the text of its row, and reversals theirs."""
    first: dict[tuple[str, str | None, str | None], int] = {}
    for place, problem in enumerate(statement.problems):
        first.setdefault((problem.code, problem.column, problem.value), place)
    places = list(first.values())[:SAMPLES]
    unpaired = list(statement.unpaired)[:SAMPLES]
    wanted = {statement.problems[place].row for place in places}.union(unpaired)
    texts: dict[int, str] = {}
    for line, cells in zip(table.lines, table.records, strict=True):
        if line in wanted:
            texts[line] = " ".join(filter(None, map(str.strip, cells)))[:SAMPLE_CHARACTERS]
    for place in places:
        problem = statement.problems[place]
        statement.problems[place] = replace_struct(problem, sample=texts.get(problem.row, ""))
    for line in unpaired:
        problem = statement.unpaired[line]
        statement.unpaired[line] = replace_struct(problem, sample=texts.get(line, ""))


def _tables(data: bytes, options: Options) -> list[Table]:
    """Return the sheets of a workbook, or the one table of another file: XML, JSON or text."""
    if is_workbook(data):
        return read_workbook(data, decimal=options.decimal, sheet=options.sheet)
    if options.sheet is not None:
        raise FileProblem("unknown_sheet", "The file is not a workbook. Leave out `sheet`.")
    if is_xml(data):
        return [read_xml(data)]
    return [read_json(data) if is_json(data) else read_table(data)]


def _choose(tables: Sequence[Table], options: Options, name: str) -> tuple[Format, Table]:
    """Return the format, and from its header on the one table that has it."""
    if name == MAPPED:
        tables = [one for one in tables if has_mapped_columns(one, options)] or tables[:1]
    found: list[tuple[Format, Table]] = []
    problems: dict[str, FileProblem] = {}
    for table in tables:
        try:
            found.append(_format_of(table, name))
        except FileProblem as problem:
            problems[table.sheet] = problem
    if not found:
        raise problems[likeliest(tables).sheet]
    names_found = {one.name for one, _table in found}
    found = [each for each in found if each[0].repeats not in names_found]
    if len(found) > 1:
        sheets = [table.sheet for _format, table in found]
        raise FileProblem(
            "several_sheets",
            f"The sheets {' and '.join(sheets)} all have transactions. Name the one to read with "
            'mapping={"sheet": "its name"}.',
            sheets=sheets,
        )
    return found[0]


def likeliest(tables: Sequence[Table]) -> Table:
    """Return the widest of the tables, each from its likely header on."""
    return max([one.from_likely_header() for one in tables], key=lambda one: one.width)


def _format_of(table: Table, name: str) -> tuple[Format, Table]:
    """Return the format and the table from its header on."""
    if name != AUTO:
        return _named_format(table, name)
    for candidate in table.from_each_header():
        matching = [one for one in _FORMATS if one.recognises(candidate)]
        if len(matching) > 1:
            names = [one.name for one in matching]
            message = f"The file could be {' or '.join(names)}. Choose one with format."
            raise FileProblem("unknown_format", message, formats=names)
        if matching:
            return matching[0], candidate
    raise FileProblem("unknown_format", _nearest_format(table.from_likely_header()))


def _named_format(table: Table, name: str) -> tuple[Format, Table]:
    named = next(one for one in _FORMATS if one.name == name)
    for candidate in table.from_each_header():
        if named.recognises(candidate):
            return named, candidate
    if named.reports_missing_columns:
        return named, table
    raise FileProblem(
        "unknown_format",
        f"The header is not that of {named.label}. Choose another format, or export again.",
    )


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
    needed = generic.REQUIRED if nearest.name == "generic" else nearest.columns
    missing = [name for name in needed if column_key(name) not in header]
    if len(needed) - len(missing) < NEAR * len(needed):
        return _unlike_any(header)
    message = (
        "The header does not match any known format. The nearest is "
        f"{nearest.label}; the file lacks {', '.join(missing)}"
    )
    similar = _similar_columns(header, missing, known=_column_keys(nearest))
    if similar:
        message += f" (it has {'; '.join(similar[:SIMILAR_NAMED])})"
    return f"{message}."


def _unlike_any(header: dict[str, str]) -> str:
    """Say which columns of a file have a name of ours, and what to do."""
    ours = [name[:40] for key, name in header.items() if key in generic.COLUMNS]
    recognised = "No column has a name of ours."
    if ours:
        recognised = f"Recognised: {', '.join(ours)}."
    return (
        f"The header does not match any known format. {recognised} Say with mapping which column "
        "is which."
    )


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
