"""How fields of answers are described where their Python type alone does not say it.

`core.api.payload_schema` reads these; they change nothing of the JSON.
"""

from decimal import Decimal
from typing import Annotated, TypeAlias

from msgspec import Meta

# A date that is text already: numpy writes those of a series at once.
DateText: TypeAlias = Annotated[str, Meta(extra_json_schema={"format": "date"})]

# Exact numbers that the schema has always called doubles, or read-only.
DoubleDecimal: TypeAlias = Annotated[Decimal, Meta(extra_json_schema={"format": "double"})]
ReadOnlyDecimal: TypeAlias = Annotated[Decimal, Meta(extra_json_schema={"readOnly": True})]
