"""Compare the OpenAPI schema with docs/paths.txt, and check references to docs/definitions.md."""

import re
from pathlib import Path

import pytest
from drf_spectacular.generators import SchemaGenerator

ROOT = Path(__file__).parent.parent
PATHS = ROOT / "docs" / "paths.txt"
APPS = ("financeproj", "marketdata", "portfolios", "pensions", "integrations")


def documented():
    lines = PATHS.read_text().splitlines()
    return {tuple(line.split()) for line in lines if line and not line.startswith("#")}


@pytest.fixture(scope="module")
def schema():
    return SchemaGenerator().get_schema(request=None, public=True)


def test_the_schema_has_exactly_the_documented_operations(schema):
    described = {
        (method.upper(), path.removeprefix("/api/v1"))
        for path, operations in schema["paths"].items()
        for method in operations
        if method in ("get", "post", "put", "patch", "delete")
    }
    assert described == documented()


def test_no_path_ends_with_a_slash(schema):
    assert [path for path in schema["paths"] if path.endswith("/")] == []


def test_references_to_definitions_md_name_existing_headings():
    headings = set(
        re.findall(r"^#+ (.+)$", (ROOT / "docs" / "definitions.md").read_text(), re.MULTILINE)
    )
    text = "".join(file.read_text() for app in APPS for file in (ROOT / app).rglob("*.py"))
    text += "".join(file.read_text() for file in (ROOT / "docs").rglob("*.md"))
    referred = re.findall(r'definitions\.md(?:,? \(?|: )("[^"]+"|section \d|§ ?\d)', text)
    assert len(referred) > 5
    names = [" ".join(name.strip('"').split()) for name in referred]
    assert [name for name in names if name not in headings] == []


def test_files_named_in_the_documents_exist():
    documents = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
    documents += (ROOT / "docs").rglob("*.md")
    folders = "|".join((*APPS, "static/js", "static/css", "templates", "tests", "docs"))
    named = set()
    for document in documents:
        named.update(re.findall(rf"`((?:{folders})/[\w./-]+)`", document.read_text()))
    assert len(named) > 40
    made_up = {name for name in named if "polar" in name}  # the example of adding-a-broker.md
    assert sorted(name for name in named - made_up if not (ROOT / name).exists()) == []
