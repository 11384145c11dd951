"""The answer to OPTIONS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.metadata import SimpleMetadata

if TYPE_CHECKING:  # REST framework's views import this module
    from rest_framework.request import Request
    from rest_framework.views import APIView


class NameAndDescription(SimpleMetadata):
    """Say what a resource is, and not its fields: most views have no serializer, and the schema
    describes them all.
    """

    def determine_actions(self, request: Request, view: APIView) -> dict[str, object]:
        return {}
