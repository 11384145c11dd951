"""The OpenAPI schema and docs/paths.txt name the same calls."""

from pathlib import Path

import pytest
from drf_spectacular.generators import SchemaGenerator

PATHS = Path(__file__).parent.parent / "docs" / "paths.txt"
# The capabilities that are built; a new one joins when its calls are there.
BUILT = {"main-job", "market-data", "pensions-ynab", "numbers", "statements"}


def promised():
    lines = [line.split() for line in PATHS.read_text().splitlines() if line and not line.startswith("#")]
    return {(method, path) for method, path, capability in lines if capability in BUILT}


@pytest.fixture(scope="module")
def schema():
    return SchemaGenerator().get_schema(request=None, public=True)


def test_the_schema_has_exactly_the_calls_of_the_capabilities_that_are_built(schema):
    described = {
        (method.upper(), path.removeprefix("/api/v1"))
        for path, operations in schema["paths"].items()
        for method in operations
        if method in ("get", "post", "put", "patch", "delete")
    }
    assert described == promised()


def test_no_path_ends_with_a_slash(schema):
    assert [path for path in schema["paths"] if path.endswith("/")] == []
