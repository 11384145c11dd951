"""Any table whose columns the request names: the generic format under other headings."""

from dataclasses import replace

from integrations.statements import generic
from integrations.statements.base import FileProblem, Format, Options, Statement, Table


def read(table: Table, options: Options) -> Statement:
    """Raises FileProblem(unknown_format) if the mapping and the header do not fit together."""
    names = [name.strip() for name in table.header]
    ours = {theirs.strip(): our for our, theirs in options.mapping.items()}
    if unknown := options.mapping.keys() - set(generic.COLUMNS):
        raise FileProblem(
            "unknown_format",
            f"The mapping names {', '.join(sorted(unknown))}, which is no column of ours.",
        )
    for column in ours:
        wanted = sorted(our for our, theirs in options.mapping.items() if theirs.strip() == column)
        if len(wanted) > 1:
            raise FileProblem(
                "unknown_format",
                f"The mapping names the column {column} for {' and '.join(wanted)}: it can be only one of them.",
            )
    if absent := ours.keys() - set(names):
        raise FileProblem(
            "unknown_format", f"The header has no column {', '.join(sorted(absent))}."
        )
    # A column that is not mapped is not read, whatever it is called.
    header = [ours.get(name, "") for name in names]
    return generic.read(replace(table, header=header), options, name="mapped")


FORMATS = (
    Format(
        name="mapped",
        label="Any table, with `mapping` naming its columns",
        columns=(),
        example="",
        recognises=lambda table: False,
        read=read,
        reports_missing_columns=True,
    ),
)
