"""The base class of the API's views, which refuses query parameters that a call does not know.

The names are checked before the method runs, and after the sign-in. A method declares its
parameters once, with `extend_schema(parameters=…)`; a list with filters or pages also has theirs.
Viewsets put `ApiView` before REST framework's class.
"""

from collections.abc import Iterator
from typing import Any

from django.http import QueryDict
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.views import APIView

from financeproj.core.api.errors import BadQuery
from financeproj.core.api.unknown_names import other_name


class ApiView(APIView):
    # No docstring: the schema would show it with every operation that has none.

    # Accepted and without effect, in every method of the view.
    ignored_parameters: tuple[str, ...] = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        method = getattr(self, str(request.method).lower(), None)
        if method is None or request.method == "OPTIONS":
            return
        query = single_values(request.query_params)
        known = [*self._declared_by(method), *self.ignored_parameters]
        for name in query:
            if name not in known:
                raise BadQuery(
                    f'Unknown parameter "{name[:100]}". {other_name(name, known)}',
                    attr=name,
                    code="unknown_parameter",
                )
        request._request.GET = query  # type: ignore[assignment]

    def _declared_by(self, method: Any) -> Iterator[str]:
        """Yield the names of the method's query parameters, as the OpenAPI schema has them."""
        schema_class = getattr(method, "kwargs", {}).get("schema")
        if schema_class is not None:
            schema = schema_class()
            schema.view = self
            for parameter in schema.get_override_parameters():
                if parameter.location == OpenApiParameter.QUERY:
                    yield parameter.name
        if getattr(self, "action", None) == "list":
            yield from self._declared_by_list()

    def _declared_by_list(self) -> Iterator[str]:
        """Yield the names of a list's filters and of its pages."""
        filterset_class = getattr(self, "filterset_class", None)
        if filterset_class is not None:
            yield from filterset_class.base_filters
        pagination_class = getattr(self, "pagination_class", None)
        if pagination_class is not None:
            yield pagination_class.cursor_query_param
            if pagination_class.page_size_query_param:
                yield pagination_class.page_size_query_param


def single_values(given: QueryDict) -> QueryDict:
    """Return the query with one value for each name; `x[]` is read as `x`.

    Several values of `x[]` become `a,b`. Raises BadQuery for a name that is repeated otherwise.
    """
    query = QueryDict(mutable=True)
    for name, values in given.lists():
        plain = name.removesuffix("[]")
        if plain in query or (plain == name and len(values) > 1):
            raise BadQuery(
                f'"{plain[:100]}" is given more than once. Separate several values by commas.',
                attr=plain,
                code="repeated_parameter",
            )
        query[plain] = ",".join(str(value) for value in values)
    return query
