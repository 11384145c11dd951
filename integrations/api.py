from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from financeproj.core.api.views import ApiView
from financeproj.users.api.authentication import user_of
from integrations.status import StatusPayload, status_for


class StatusView(ApiView):
    @extend_schema(responses=StatusPayload)
    def get(self, request: Request) -> Response:
        """Whether the worker runs and the third parties answer, running imports, held-back data."""
        return Response(status_for(user_of(request)))
