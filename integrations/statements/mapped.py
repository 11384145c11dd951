"""Any table, with a mapping from our columns to its own: the generic format with other headings."""

from collections import defaultdict
from dataclasses import replace

from integrations.statements import generic
from integrations.statements.base import FileProblem, Format, Options, Statement, Table


def read(table: Table, options: Options) -> Statement:
    """Read a table by `options.mapping`. Raises FileProblem(unknown_format) if it does not fit."""
    names = [name.strip() for name in table.header]
    ours = _our_columns(options)
    absent = ours.keys() - set(names)
    if absent:
        raise FileProblem(
            "unknown_format", f"The header has no column {', '.join(sorted(absent))}."
        )
    # A column that is not mapped is not read, whatever its name.
    header = [ours.get(name, "") for name in names]
    return generic.read(replace(table, header=header), options, name="mapped")


def _our_columns(options: Options) -> dict[str, str]:
    """Return our column for each of theirs. Raises FileProblem if one of theirs is used twice."""
    unknown = options.mapping.keys() - set(generic.COLUMNS)
    if unknown:
        raise FileProblem(
            "unknown_format",
            f"The mapping has the unknown column {', '.join(sorted(unknown))}. "
            f"Use {', '.join(generic.COLUMNS)}.",
        )
    ours: dict[str, list[str]] = defaultdict(list)
    for our, theirs in options.mapping.items():
        ours[theirs.strip()].append(our)
    for theirs, names in ours.items():
        if len(names) > 1:
            raise FileProblem(
                "unknown_format",
                f"The mapping uses the column {theirs} for {' and '.join(sorted(names))}. "
                "Use it for only one of them.",
            )
    return {theirs: names[0] for theirs, names in ours.items()}


def never_recognises(table: Table) -> bool:
    """Return False: only a request with a mapping can choose this format."""
    return False


FORMATS = (
    Format(
        name="mapped",
        label="Any table, with `mapping` naming its columns",
        columns=(),
        example="",
        recognises=never_recognises,
        read=read,
        reports_missing_columns=True,
    ),
)
