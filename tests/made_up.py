"""Requests made up from the schema.

Schemathesis makes them: the schema's examples, the edges of every field, right values and wrong
ones. Here they get the ids of things that exist, so that they come past the path.
"""

import re
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.generation import GenerationMode
from schemathesis.generation.hypothesis.builder import (
    HypothesisTestConfig,
    HypothesisTestMode,
    create_test,
)

from conftest import PASSWORD
from tests.openapi import schema as described
from tests.world import World

config = SchemathesisConfig.from_dict(
    {
        "checks": {
            # 409 and 422: what the schema allows may still break a rule.
            "positive_data_acceptance": {
                "expected-statuses": [200, 201, 202, 204, 304, 401, 403, 404, 409, 422]
            },
            "negative_data_rejection": {
                "expected-statuses": [400, 401, 403, 404, 405, 409, 413, 415, 422]
            },
        },
    }
)


class Asked:
    """The requests so far by status; `past` counts those past the token and the path."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()

    @property
    def total(self) -> int:
        return self.statuses.total()

    @property
    def past(self) -> int:
        return self.total - sum(self.statuses[status] for status in (401, 403, 404, 405))


def api_schema() -> Any:
    # A copy: schemathesis writes into what it is given.
    return schemathesis.openapi.from_dict(deepcopy(described()), config=config)


def real_values(path: str, ids: dict[str, str]) -> dict[str, Any]:
    """Return existing values by the name of the parameter or field."""
    first = path.removeprefix("/api/v1/").split("/")[0]
    things = {
        "holdings": "holding",
        "transactions": "transaction",
        "imports": "import",
        "pension": "account",
    }
    is_of_own_instrument = re.fullmatch(r"/api/v1/stocks/\{ticker\}(/prices.*)?", path)
    return {
        "id": ids[things.get(first, "portfolio")],
        "value_id": ids["value"],
        "contribution_id": ids["plan"],
        "ticker": World.ticker if is_of_own_instrument else World.shared_ticker,
        "from": "EUR",
        "to": "NOK",
        "account_id": ids["ynab_account"] if first == "ynab" else ids["account"],
        "portfolio_id": ids["portfolio"],
        "holding_id": ids["holding"],
        "import_id": ids["import"],
        "budget_id": ids["budget"],
        "ynab_account_id": ids["ynab_account"],
        "currency": "NOK",
        "benchmark": "EQNR.OL",
        "date": "2024-08-01",
        "current_password": PASSWORD,
        "cursor": "",  # what a list gave before: nothing that could be made up
    }


def make_real(case: Any, ids: dict[str, str]) -> None:
    """Replace generated values by existing ones, where the request is meant to be valid."""
    values = real_values(case.operation.path, ids)
    made_up = (
        len(repr(case.body)) % 4 == 0
    )  # a quarter keeps what was made up in the body and the query
    for place, part in (("path", case.path_parameters), ("query", case.query), ("body", case.body)):
        component = case.meta and case.meta.components.get(place)
        is_right = component is None or component.mode == GenerationMode.POSITIVE
        if (
            is_right
            and isinstance(part, dict)
            and (place == "path" or not made_up or "cursor" in part)
        ):
            part.update({name: values[name] for name in part if name in values})


def send_all(api: Any, name: str, send: Callable[[Any], None], *, examples: int) -> None:
    """Call `send` with each case of an operation (`METHOD /path`), with `examples` random ones."""
    method, path = name.split()
    # What schemathesis' plugin for pytest does, without making every operation's requests whenever
    # tests are collected.
    how = HypothesisTestConfig(
        project=api.config,
        modes=list(HypothesisTestMode),
        settings=settings(
            max_examples=examples,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
    create_test(operation=api[f"/api/v1{path}"][method], test_func=send, config=how)()
