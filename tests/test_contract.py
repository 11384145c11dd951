"""The OpenAPI schema and docs/paths.txt name the same calls; what is said to stand in
docs/definitions.md does.
"""

import re
from pathlib import Path

import pytest
from drf_spectacular.generators import SchemaGenerator

ROOT = Path(__file__).parent.parent
PATHS = ROOT / "docs" / "paths.txt"
APPS = ("financeproj", "marketdata", "portfolios", "pensions", "integrations")
# The capabilities that are built; a new one joins when its calls are there.
BUILT = {"main-job", "market-data", "pensions-ynab", "numbers", "statements"}


def promised():
    lines = [
        line.split() for line in PATHS.read_text().splitlines() if line and not line.startswith("#")
    ]
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


def test_the_headings_of_the_definitions_that_code_and_documents_refer_to_are_there():
    headings = set(
        re.findall(r"^#+ (.+)$", (ROOT / "docs" / "definitions.md").read_text(), re.MULTILINE)
    )
    text = "".join(file.read_text() for app in APPS for file in (ROOT / app).rglob("*.py"))
    text += "".join(file.read_text() for file in (ROOT / "docs").rglob("*.md"))
    referred = re.findall(r'definitions\.md(?:,? \(?|: )("[^"]+"|section \d|§ ?\d)', text)
    assert len(referred) > 5
    names = [" ".join(name.strip('"').split()) for name in referred]
    assert [name for name in names if name not in headings] == []
