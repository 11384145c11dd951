"""What a request's `mapping` says about a file, in its two shapes."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from financeproj.core.currencies import is_currency
from financeproj.users.models import User
from integrations.statements.base import IGNORE, Statement, Table
from integrations.statements.checks import KNOWN_TYPES
from integrations.statements.mapped import COLUMNS
from integrations.statements.values import folded
from portfolios import selectors
from portfolios.models import ImportMapping
from portfolios.services import delete_mapping, save_mapping

MAX_SKIPPED = 1000  # lines
MAX_WORDS = 500

Suffix = Annotated[str, Meta(max_length=10, pattern=r"^\.[A-Za-z0-9]+$")]


class FileMapping(Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True):
    """`columns` is our column → theirs, and `types` their word → our type, or "ignore".

    `currency` is that of amounts for which the file gives none, `ticker_suffix` is added to tickers
    without one, `sheet` names a sheet of a workbook, and `skip` lines come before the header.
    """

    columns: dict[str, str] = {}
    types: Annotated[dict[str, str], Meta(max_length=MAX_WORDS)] = {}
    date_format: Literal["dmy", "mdy"] | None = None
    decimal: Literal["point", "comma"] | None = None
    currency: str | None = None
    ticker_suffix: Suffix | None = None
    sheet: str | None = None
    skip: Annotated[int, Meta(ge=0, le=MAX_SKIPPED)] = 0


_KEYS = frozenset(FileMapping.__struct_fields__)


class BadMapping(Exception):
    """The mapping cannot be used; `code` and the message say why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def read_mapping(given: Mapping[str, Any]) -> FileMapping:
    """Return the mapping of a request. Raises BadMapping.

    The former shape has our columns themselves as its keys; `sheet` may be among them.
    """
    if _is_former_shape(given):
        columns = dict(given)
        sheet = columns.pop("sheet", None)
        return FileMapping(columns=columns, sheet=sheet)
    unknown = sorted(given.keys() - _KEYS)
    if unknown:
        message = f"The mapping has the unknown key {unknown[0][:60]}. Use {', '.join(_KEY_NAMES)}."
        raise BadMapping("unknown_field", message)
    try:
        mapping = msgspec.convert(given, FileMapping)
    except msgspec.ValidationError as error:
        raise BadMapping("invalid", f"The mapping cannot be used: {error}.") from error
    _require_known(mapping)
    return mapping


_KEY_NAMES = FileMapping.__struct_fields__


def _is_former_shape(given: Mapping[str, Any]) -> bool:
    are_texts = all(isinstance(value, str) for value in given.values())
    return are_texts and not given.keys() <= _KEYS


def _require_known(mapping: FileMapping) -> None:
    for column in mapping.columns:
        if column not in COLUMNS:
            message = f"The mapping has the unknown column {column[:60]}. Use {', '.join(COLUMNS)}."
            raise BadMapping("unknown_field", message)
    for word, kind in mapping.types.items():
        if not word.strip() or (kind != IGNORE and kind not in KNOWN_TYPES):
            message = (
                f"{word[:60]} cannot mean {kind[:60]}. Use {IGNORE} or one of "
                f"{', '.join(KNOWN_TYPES)}."
            )
            raise BadMapping("invalid", message)
    if mapping.currency is not None and not is_currency(mapping.currency):
        message = f"{mapping.currency[:20]} is not a currency in circulation (ISO 4217)."
        raise BadMapping("unknown_currency", message)


def words_of(types: Mapping[str, str]) -> dict[str, str]:
    """Return the meaning of each word, in the form in which words are compared."""
    return {folded(word): kind for word, kind in types.items()}


class KnownMappings:
    """The mappings that a user saved, and the words of formats that were given a meaning."""

    def __init__(self, user: User) -> None:
        self._rows = list(selectors.import_mappings_of(user))

    def words(self) -> dict[str, dict[str, str]]:
        """Return what words mean, by format."""
        found: dict[str, dict[str, str]] = {}
        for row in self._rows:
            if row.name == row.format:
                found[row.format] = words_of(row.mapping.get("types", {}))
        return found

    def of_header(self, tables: Iterable[Table]) -> ImportMapping | None:
        """Return the mapping that was saved for the header of a table, None if none was."""
        headers: list[list[str]] = []
        for table in tables:
            headers += [list(map(str.strip, one.header)) for one in table.from_each_header()]
        for row in self._rows:
            if row.header and row.header in headers:
                return row
        return None


def with_more(saved: FileMapping, given: FileMapping) -> FileMapping:
    """Return a saved mapping with what a request adds: its words join the saved ones."""
    merged = {**msgspec.to_builtins(saved), **msgspec.to_builtins(given)}
    merged["types"] = _with_words(saved.types, given.types)
    return read_mapping(merged)


def _with_words(known: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    types = dict(known)
    for word, kind in more.items():
        _remove_word(types, word)
        types[word.strip()] = kind
    return types


def remember_mapping(*, user: User, read: Statement, mapping: FileMapping, name: str) -> None:
    """Keep a mapping under `name`, or the meanings of words: with the saved mapping that read the
    file, else for its format.
    """
    if name:
        save_mapping(
            user=user,
            name=name,
            format_name=read.format,
            mapping=msgspec.to_builtins(mapping),
            header=read.header,
        )
    elif mapping.types and not mapping.columns:
        keeper = read.mapping_name or read.format
        known = selectors.import_mappings_of(user).filter(name=keeper).first()
        if known is None and read.mapping_name:
            return  # The mapping was forgotten while the file was read.
        content = dict(known.mapping) if known else {}
        content["types"] = _with_words(content.get("types", {}), mapping.types)
        save_mapping(
            user=user,
            name=keeper,
            format_name=read.format,
            mapping=content,
            header=known.header if known else (),
        )


def forget_word(row: ImportMapping, word: str) -> bool:
    """Forget what a word means, and a mapping without any left; return whether it was known."""
    mapping = dict(row.mapping)
    types = dict(mapping.get("types", {}))
    if not _remove_word(types, word):
        return False
    mapping["types"] = types
    if not types:
        del mapping["types"]
    if not mapping:
        delete_mapping(row)
    else:
        save_mapping(
            user=row.user,
            name=row.name,
            format_name=row.format,
            mapping=mapping,
            header=row.header,
        )
    return True


def _remove_word(types: dict[str, str], word: str) -> bool:
    """Remove a word, however it is written; return whether it was there."""
    same = [known for known in types if folded(known) == folded(word)]
    for known in same:
        del types[known]
    return bool(same)
