"""The schema as the tests read it: does a value, or an answer, hold what it promises?"""

import json
from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator


@cache
def schema() -> dict[str, Any]:
    return SchemaGenerator().get_schema(request=None, public=True)


def answers_of(operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the answers by status, including references to components."""
    common = schema()["components"]["responses"]
    answers = {}
    for status, answer in operation["responses"].items():
        if "$ref" in answer:
            answer = common[answer["$ref"].rsplit("/")[-1]]
        answers[status] = answer
    return answers


def operations() -> dict[str, dict[str, Any]]:
    """Return all operations by `METHOD /path`, as in docs/paths.txt."""
    return {
        f"{method.upper()} {path.removeprefix('/api/v1')}": operation
        for path, methods in schema()["paths"].items()
        for method, operation in methods.items()
    }


def faults(value: Any, described: dict[str, Any]) -> list[str]:
    """What `value` has that `described` (a schema, with references into the components) does not
    allow.
    """
    whole = {"allOf": [described], "components": schema()["components"]}
    validator = Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [
        f"{'/'.join(map(str, error.absolute_path))}: {error.message}"
        for error in validator.iter_errors(value)
    ]


def answer_faults(operation: dict[str, Any], status: int, kind: str, content: bytes) -> list[str]:
    """Return the problems of an answer of `operation`."""
    answer = answers_of(operation).get(str(status))
    if answer is None:
        return [f"status {status} is not in the schema"]
    media = answer.get("content", {})
    if not media:
        return [] if not content else ["a body, where the schema has none"]
    found = media.get(kind.split(";")[0])
    if found is None:
        return [f"media type {kind} is not in the schema"]
    return (
        faults(json.loads(content), found["schema"]) if kind.startswith("application/json") else []
    )
