"""The OpenAPI schema of an answer: read from the `msgspec.Struct` that the answer is made of.

The shape of an answer is written once, as a Struct whose name ends in Payload:

    class PricePayload(msgspec.Struct):
        '''The latest price of an instrument.'''

        ticker: str
        price: Decimal
        change: Decimal | None
        as_of: datetime
        benchmark: BenchmarkPayload | UnsetType = UNSET

    class PriceView(ApiView):
        @extend_schema(responses=PricePayload)
        def get(self, request: Request, ticker: str) -> Response:
            return Response(PricePayload(ticker=..., price=strip_zeros(...), ...))

The renderer (`core.api.renderers`) writes the JSON, and this module the component `Price`:

- Decimal: a number with exactly its digits, so pass what `strip_zeros` or `round_for_display`
  return; float: a number of the format double.
- date, datetime, UUID: text of that format. `core.json_types` has types for special cases.
- Literal and enums: an enum. `X | None`: may be null, is always there.
- `X | UnsetType = UNSET`: is left out where it is unset. Every other field is always there.
- A Struct in a Struct: a component of its own. `responses=list[PricePayload]`: an array.
- `Annotated[X, Meta(description="…")]`: a description. `Meta(extra_json_schema={…})`: whatever
  else the schema says of the field.

A Struct checks nothing: requests are read by serializers.
"""

from functools import partial
from typing import Any, TypeAlias

import msgspec
from drf_spectacular.drainage import warn
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import build_array_type, build_object_type, resolve_type_hint
from msgspec import inspect

Schema: TypeAlias = dict[str, Any]

NULL: Schema = {"type": "null"}
SIMPLE: dict[type[inspect.Type], Schema] = {
    inspect.AnyType: {},
    inspect.BoolType: {"type": "boolean"},
    inspect.IntType: {"type": "integer"},
    inspect.FloatType: {"type": "number", "format": "double"},
    inspect.DecimalType: {"type": "number"},
    inspect.StrType: {"type": "string"},
    inspect.DateType: {"type": "string", "format": "date"},
    inspect.DateTimeType: {"type": "string", "format": "date-time"},
    inspect.UUIDType: {"type": "string", "format": "uuid"},
}


class PayloadSchema(OpenApiSerializerExtension):
    target_class = "msgspec.Struct"
    match_subclasses = True

    def get_name(self, auto_schema: AutoSchema, direction: str) -> str:
        name: str = self.target.__name__
        return name.removesuffix("Payload")

    def map_serializer(self, auto_schema: AutoSchema, direction: str) -> Schema:
        struct = inspect.type_info(self.target)
        assert isinstance(struct, inspect.StructType)  # nosec B101  # for mypy
        schema_of = partial(_schema_of, auto_schema)
        return build_object_type(
            properties={field.encode_name: schema_of(field.type) for field in struct.fields},
            required=[field.encode_name for field in struct.fields if not _may_be_unset(field)],
            description=self.target.__doc__,
        )


def _may_be_unset(field: inspect.Field) -> bool:
    """Return whether the JSON can lack the field: msgspec reports UNSET as no default at all."""
    has_default = (field.default, field.default_factory) != (msgspec.NODEFAULT, msgspec.NODEFAULT)
    return not field.required and not has_default


def _schema_of(auto_schema: AutoSchema, described: inspect.Type) -> Schema:
    """Return the schema of a type of a field; Structs in it become components."""
    schema_of = partial(_schema_of, auto_schema)
    match described:
        case inspect.Metadata(type=inner, extra_json_schema=extra):
            return {**schema_of(inner), **(extra or {})}
        case inspect.UnionType(types=types):
            return _one_of([schema_of(one) for one in types])
        case inspect.NoneType():
            return NULL
        case inspect.StructType(cls=cls):
            component = auto_schema.resolve_serializer(cls, "response")  # type: ignore[arg-type]
            return dict(component.ref)
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            return build_array_type(schema_of(item))
        case inspect.DictType(value_type=inspect.AnyType()):
            return {"type": "object", "additionalProperties": {}}
        case inspect.DictType(value_type=value):
            return {"type": "object", "additionalProperties": schema_of(value)}
        case inspect.LiteralType(values=values):
            return {"type": "string", "enum": list(values)}
        case inspect.EnumType(cls=cls) | inspect.CustomType(cls=cls):
            return resolve_type_hint(cls)
    if type(described) not in SIMPLE:
        warn(f"payload_schema.py does not know how JSON shows a {described}.")
    return dict(SIMPLE.get(type(described), {}))


def _one_of(schemas: list[Schema]) -> Schema:
    """Return the schema of a union. A simple type that may be null has two types."""
    others = [schema for schema in schemas if schema != NULL]
    if len(others) == len(schemas):
        return {"oneOf": others}
    only = others[0] if len(others) == 1 else {}
    if "type" in only and "enum" not in only:
        return {**only, "type": [only["type"], "null"]}
    return {"oneOf": [*others, NULL]}
