"""Read the ledger and build requests in tests of statement formats."""

import json
from decimal import Decimal as D

from portfolios.models import Holding, Transaction


def held():
    names = (
        "current_quantity",
        "average_cost_per_share",
        "cost_basis",
        "realised_gain",
        "income",
        "charges",
    )
    return {row[0]: row[1:] for row in Holding.objects.values_list("stock__ticker", *names)}


def rounded(holding, places="0.01"):
    return tuple(value and value.quantize(D(places)) for value in holding)


def ledger():
    names = ("type", "quantity", "price", "commission", "exchange_rate", "external_id")
    return [tuple(row) for row in Transaction.objects.order_by("sequence").values_list(*names)]


def text(*lines):
    return "\r\n".join(lines).encode()


def choices(**tickers):
    return json.dumps(tickers)


def twice(upload, data):
    """Check that importing the same file again changes nothing."""
    before = held()
    again = upload(data=data)
    assert (again.status_code, again.json()["created"], again.json()["failed"]) == (200, 0, 0)
    assert held() == before


def faults(body):
    return [(error["row"], error["column"], error["code"]) for error in body["errors"]]
