"""The view of the OpenAPI schema."""

import threading

from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request
from rest_framework.response import Response


class SchemaView(SpectacularAPIView):
    """Serve the schema, made by one thread at a time.

    drf-spectacular resolves the classes of its extensions at their first use. A second thread that
    reads them meanwhile finds them half resolved.
    """

    _lock = threading.Lock()

    def _get_schema_response(self, request: Request) -> Response:
        with self._lock:
            return super()._get_schema_response(request)
