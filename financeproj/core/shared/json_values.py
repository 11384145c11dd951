"""Values of the caches as JSON. Reading a pickle would run the code that it contains."""

import json
from typing import Any

from django_redis.serializers.base import BaseSerializer


def to_json(value: Any) -> str:
    """Write `value` as JSON; a tuple becomes a list. Raises TypeError for other types."""
    return json.dumps(value, separators=(",", ":"))


def from_json(text: str | bytes) -> Any:
    """Return the value of `text`; None if it is not JSON: what another program wrote is missing."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


class JsonSerializer(BaseSerializer):
    """How django-redis stores values."""

    def dumps(self, value: Any) -> bytes:
        return to_json(value).encode()

    def loads(self, value: bytes) -> Any:
        return from_json(value)
