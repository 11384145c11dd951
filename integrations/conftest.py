"""Fixtures of the tests of statements, and YNAB as a local server."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from financeproj.users.models import User
from integrations.ynab.services import choose_budget
from portfolios import services
from portfolios.models import Portfolio
from tests.servers.simulated import shorten_histories
from tests.servers.ynab import KEY, ynab_server

HEADER = "date,type,ticker,quantity,price,commission,currency,exchange_rate,note,external_id"


def csv(*lines: str, header: str = HEADER) -> bytes:
    """Return a file of these lines, each padded with empty cells."""
    commas = header.count(",")
    return "\n".join(
        [header, *(line + "," * (commas - line.count(",")) for line in lines)]
    ).encode()


@pytest.fixture(autouse=True)
def short_simulated_histories(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten_histories(monkeypatch)


@pytest.fixture
def portfolio(user: User) -> Portfolio:
    return services.create_portfolio(user=user, name="Nordic", currency="NOK")


class Upload:
    """POST /transactions/import-csv for one portfolio."""

    def __init__(self, api: APIClient, portfolio: Portfolio) -> None:
        self.api = api
        self.portfolio = portfolio

    def __call__(
        self, *lines: str, data: bytes | None = None, name: str = "trades.csv", **fields: Any
    ) -> Any:
        file = SimpleUploadedFile(name, csv(*lines) if data is None else data)
        body = {"portfolio_id": str(self.portfolio.pk), "file": file} | fields
        return self.api.post("/api/v1/transactions/import-csv", body, format="multipart")

    def done(self, *lines: str, **fields: Any) -> dict[str, Any]:
        """Import and check that it was recorded. Return the answer."""
        response = self(*lines, **fields)
        assert response.status_code == 201, json.dumps(response.json(), indent=1)
        return response.json()


@pytest.fixture
def upload(api: APIClient, portfolio: Portfolio) -> Upload:
    return Upload(api, portfolio)


@pytest.fixture
def dump() -> Callable[..., Any]:
    """Return a function that dumps everything an import may change, without times."""
    from marketdata.models import StockMetadata
    from portfolios.models import Holding, ImportBatch, Transaction

    def rows(model: Any, *left_out: str, **only: Any) -> list[Any]:
        names = [
            field.attname
            for field in model._meta.fields
            if field.attname not in {"updated_at", *left_out}
        ]
        return sorted(map(repr, model.objects.filter(**only).values_list(*names)))

    def take(*left_out: str) -> Any:
        return (
            rows(Transaction, *left_out),
            rows(Holding, "version", *left_out),
            rows(ImportBatch, *left_out),
            rows(Portfolio, "version", *left_out),
            # Instruments of a source are market data, which anybody's question may add.
            rows(StockMetadata, "version", *left_out, owner__isnull=False),
        )

    return take


@pytest.fixture
def ynab(settings):
    """Run a local YNAB server; the settings point to it."""
    with ynab_server() as server:
        settings.YNAB_BASE_URL = server.url
        settings.YNAB_API_KEY = KEY
        yield server


@pytest.fixture
def api(api):
    """Return a client for which a server error is a response, not an exception."""
    api.raise_request_exception = False
    return api


@pytest.fixture
def plan(ynab):
    return ynab.plan("Household", "NOK")


@pytest.fixture
def budget(ynab, plan, user):
    """Choose the budget `plan` for the user, and clear the calls that it needed."""
    choose_budget(user=user, budget_id=plan.id, assign=True)
    ynab.requests.clear()
    return plan
