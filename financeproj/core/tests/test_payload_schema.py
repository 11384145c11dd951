"""Test that a Struct gives the schema that matches its JSON."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

import pytest
from django.db.models import TextChoices
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.plumbing import ComponentRegistry
from jsonschema import Draft202012Validator
from msgspec import UNSET, Meta, Struct, UnsetType, json

from financeproj.core.api.renderers import to_json
from financeproj.core.api.schema import ApiSchema
from financeproj.core.json_types import DateText


class Colour(TextChoices):
    RED = "red", "Red"
    BLUE = "blue", "Blue"


class LegPayload(Struct):
    ticker: str


class ThingPayload(Struct):
    """What an answer can hold."""

    id: UUID
    exact: Decimal | None
    measured: float
    count: int
    is_new: bool
    on: date
    on_text: DateText
    at: datetime | None
    colour: Colour
    side: Literal["buy", "sell"]
    legs: list[LegPayload]
    first_leg: LegPayload | None
    reasons: dict[str, str]
    noted: Annotated[str, Meta(description="What was said.")]
    level: float | UnsetType | None = UNSET
    note: str = ""


@pytest.fixture
def schemas():
    """The components that a Struct becomes, by name."""
    auto_schema = ApiSchema()
    auto_schema.registry = ComponentRegistry()
    auto_schema.resolve_serializer(ThingPayload, "response")
    return auto_schema.registry.build({})["schemas"]


def thing(**given):
    fields = {
        "id": UUID("0f0a6a1c-6f0c-4f0e-9f57-2f6f8f0f3c11"),
        "exact": Decimal("0.1"),
        "measured": 2.5,
        "count": 3,
        "is_new": True,
        "on": date(2024, 5, 31),
        "on_text": "2024-05-31",
        "at": datetime(2024, 5, 31, 12, tzinfo=UTC),
        "colour": Colour.RED,
        "side": "buy",
        "legs": [LegPayload("EQNR.OL")],
        "first_leg": LegPayload("EQNR.OL"),
        "reasons": {"twr": "short_period"},
        "noted": "yes",
    }
    return ThingPayload(**fields | given)


def test_every_type_of_a_field_is_described(schemas):
    described = schemas["Thing"]
    colour = described["properties"].pop("colour")
    assert (colour["type"], colour["enum"]) == ("string", ["red", "blue"])
    assert described == {
        "type": "object",
        "description": "What an answer can hold.",
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "exact": {"type": ["number", "null"]},
            "measured": {"type": "number", "format": "double"},
            "count": {"type": "integer"},
            "is_new": {"type": "boolean"},
            "on": {"type": "string", "format": "date"},
            "on_text": {"type": "string", "format": "date"},
            "at": {"type": ["string", "null"], "format": "date-time"},
            "side": {"type": "string", "enum": ["buy", "sell"]},
            "legs": {"type": "array", "items": {"$ref": "#/components/schemas/Leg"}},
            "first_leg": {"oneOf": [{"$ref": "#/components/schemas/Leg"}, {"type": "null"}]},
            "reasons": {"type": "object", "additionalProperties": {"type": "string"}},
            "noted": {"type": "string", "description": "What was said."},
            "level": {"type": ["number", "null"], "format": "double"},
            "note": {"type": "string"},
        },
        "required": sorted({*ThingPayload.__struct_fields__} - {"level"}),
    }
    assert schemas["Leg"] == {
        "type": "object",
        "properties": {"ticker": {"type": "string"}},
        "required": ["ticker"],
    }


@pytest.mark.parametrize(
    "given", [{}, {"level": 1.5}, {"level": None, "exact": None, "at": None, "first_leg": None}]
)
def test_the_json_of_a_struct_matches_its_schema(schemas, given):
    validator = Draft202012Validator(
        {"$ref": "#/components/schemas/Thing", "components": {"schemas": schemas}},
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )
    shown = json.decode(to_json(thing(**given)))
    assert [error.message for error in validator.iter_errors(shown)] == []
    assert ("level" in shown) == ("level" in given)


def test_a_type_that_has_no_description_is_reported_when_the_schema_is_made():
    class OddPayload(Struct):
        size: complex

    auto_schema = ApiSchema()
    auto_schema.registry = ComponentRegistry()
    with GENERATOR_STATS.silence(), pytest.raises(Exception, match="complex"):
        auto_schema.resolve_serializer(OddPayload, "response")
