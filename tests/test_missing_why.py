"""Test that every answer that names what is missing says why."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from financeproj.core.api.schema import EXAMPLES
from financeproj.core.missing import CODES

ROOT = Path(__file__).parents[1]


def objects_in(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every JSON object in `value`, itself included."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from objects_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from objects_in(inner)


def names_what_is_missing(one: dict[str, Any]) -> bool:
    return isinstance(one.get("missing"), list)


def test_every_schema_with_missing_has_the_reasons():
    schemas = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text())["components"]["schemas"]
    naming = {
        name: schema["properties"]
        for name, schema in schemas.items()
        if "missing" in schema.get("properties", {})
    }
    assert len(naming) >= 6
    assert [name for name, fields in naming.items() if "missing_why" not in fields] == []


def test_every_recorded_answer_gives_each_name_a_known_reason():
    answers = json.loads(EXAMPLES.read_text())
    naming = [one for one in objects_in(answers) if names_what_is_missing(one)]
    assert len(naming) >= 6
    for one in naming:
        assert sorted(one["missing_why"]) == sorted(one["missing"])
        assert set(one["missing_why"].values()) <= set(CODES)
