"""Test that docs/openapi.yaml matches the code and has a valid example for every operation."""

from pathlib import Path

import pytest
from drf_spectacular.renderers import OpenApiYamlRenderer

from tests.openapi import answer_faults, answers_of, faults, operations, schema

CHECKED_IN = Path(__file__).parent.parent / "docs" / "openapi.yaml"


def test_the_checked_in_schema_is_that_of_the_code():
    assert OpenApiYamlRenderer().render(schema(), renderer_context={}) == CHECKED_IN.read_bytes(), (
        "make openapi"
    )


def test_operation_ids_are_names_in_every_language():
    names = [operation["operationId"] for operation in operations().values()]
    assert [name for name in names if not name.isidentifier()] == []
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("key", operations())
def test_the_operation_has_examples_that_hold(key):
    operation = operations()[key]
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path" or parameter.get("required"):
            assert "example" in parameter, parameter["name"]
        if "example" in parameter:
            assert faults(parameter["example"], parameter["schema"]) == []
    for media in operation.get("requestBody", {}).get("content", {}).values():
        assert faults(media["example"], media["schema"]) == []
    shown = False
    for status, answer in answers_of(operation).items():
        for kind, media in answer.get("content", {}).items():
            if "example" in media:
                assert faults(media["example"], media["schema"]) == [], status
                shown |= int(status) < 300
            else:
                # Of several answers that are right, the one that was recorded is shown.
                assert int(status) < 300 or status == "422", (status, kind)
    has_body = any(
        "content" in answer for status, answer in answers_of(operation).items() if int(status) < 300
    )
    assert shown == has_body


def test_an_answer_that_is_not_in_the_schema_is_found():
    operation = operations()["GET /users/me"]
    assert answer_faults(operation, 418, "application/json", b"{}") == [
        "status 418 is not in the schema"
    ]
    assert answer_faults(operation, 200, "text/html", b"") == [
        "media type text/html is not in the schema"
    ]
    assert ": 'id' is a required property" in answer_faults(
        operation, 200, "application/json", b"{}"
    )
