"""Send every route a parameter and a field that it does not know.

A new route is walked as soon as it is in `test_url_walk.CALLS`; its view derives from `ApiView` and
its serializer from `ApiSerializer`.
"""

from typing import Any
from uuid import uuid4

import pytest

from conftest import api_client, forget
from financeproj.core.api.throttling import AnonThrottle
from portfolios.models import Portfolio, Transaction
from tests.openapi import operations
from tests.test_url_walk import CALLS, OPEN, described_as, path_of
from tests.world import World, world  # noqa: F401  (world is a fixture)

pytestmark = [pytest.mark.django_db, pytest.mark.untraced]
WITHOUT_BODY = ("get", "delete")


@pytest.fixture(autouse=True)
def _unthrottled(monkeypatch):
    monkeypatch.setattr(AnonThrottle, "rate", "1000/min", raising=False)


@pytest.fixture
def owner(world):
    client = api_client(world.user)
    client.raise_request_exception = False
    return client


def send(client: Any, key: tuple[str, str], w: World, extra: str = "", **fields: Any) -> Any:
    """Send the request of CALLS with further query text and body fields."""
    method, route = key
    call = CALLS[key]
    query = "&".join([*(f"{name}={value}" for name, value in call.query(w).items()), extra])
    body = None if method in WITHOUT_BODY else {**call.body(w), **fields}
    form = {"format": "multipart"} if call.is_form else {}
    return getattr(client, method)(f"{path_of(route, w)}?{query.strip('&')}", body, **form)


def errors_of(response: Any) -> Any:
    if not response["Content-Type"].startswith("application/json"):
        return response.status_code, response["Content-Type"]
    body = response.json()
    found = [(one["code"], one["attr"]) for one in body.get("errors", [])] if body else []
    return response.status_code, found


def test_every_route_refuses_a_parameter_that_it_does_not_know(world, owner):
    before, wrong = world.rows(), []
    for key in CALLS:
        response = send(owner, key, world, "strange_parameter=1")
        if errors_of(response) != (400, [("unknown_parameter", "strange_parameter")]):
            wrong.append((key, errors_of(response)))
    assert wrong == []
    assert world.rows() == before


def test_every_route_refuses_a_parameter_that_it_gets_twice(world, owner):
    before, wrong, asked = world.rows(), [], 0
    for key in CALLS:
        for place in operations()[described_as(key)].get("parameters", []):
            if place["in"] != "query":
                continue
            name = place["name"]
            response = send(owner, key, world, f"{name}=a&{name}=a")
            asked += 1
            if errors_of(response) != (400, [("repeated_parameter", name)]):
                wrong.append((key, name, errors_of(response)))
    assert asked > 40
    assert wrong == []
    assert world.rows() == before


def test_every_route_refuses_a_field_that_it_does_not_know(world, owner):
    before, wrong, asked = world.rows(), [], 0
    for key in CALLS:
        if key[0] in WITHOUT_BODY:
            continue
        response = send(owner, key, world, strange_field=1)
        asked += 1
        if errors_of(response) != (422, [("unknown_field", "strange_field")]):
            wrong.append((key, errors_of(response)))
    assert asked > 25
    assert wrong == []
    assert world.rows() == before


def test_a_parameter_is_checked_before_the_object_is_looked_for(world, owner):
    wrong, asked = [], 0
    for method, route in CALLS:
        if "uuid" not in route:
            continue
        path = path_of(route, world).replace(str(world.portfolio.pk), str(uuid4()))
        for pk in world.ids():
            path = path.replace(pk, str(uuid4()))
        names = [
            place["name"]
            for place in operations()[described_as((method, route))].get("parameters", [])
            if place["in"] == "query"
        ]
        for name in [*names, "strange_parameter"]:
            asked += 1
            status = getattr(owner, method)(f"{path}?{name}=a%00b").status_code
            if status != 400:
                wrong.append((method, route, name, status))
    assert asked > 60
    assert wrong == []


def test_without_a_sign_in_the_answer_is_401(world, anonymous):
    for key in CALLS.keys() - OPEN:
        assert send(anonymous, key, world, "strange_parameter=1").status_code == 401, key


def test_every_object_can_be_sent_back_as_it_was_read(world, owner):
    asked = 0
    for method, route in CALLS:
        if method not in ("put", "patch") or ("get", route) not in CALLS:
            continue
        path = path_of(route, world)
        before = owner.get(path).json()
        response = getattr(owner, method)(path, before)
        forget()
        asked += 1
        assert response.status_code == 200, (method, route, response.json())
        after = owner.get(path).json()
        assert without_time(after) == without_time(before), (method, route)
    assert asked >= 8


MONEY: list[dict[str, Any]] = [
    {"type": "deposit", "amount": 100},
    {"type": "withdrawal", "amount": -10, "currency": "EUR"},
    {"type": "interest", "amount": 1.5, "tax": 0.5},
    {"type": "fee", "amount": -1.5, "currency": "USD", "booked_on": "2024-02-19"},
    {"type": "tax", "amount": 1.5},
    {"type": "adjustment", "amount": 0.1},
    {"type": "opening", "amount": 5},
]
TRADES: list[dict[str, Any]] = [
    {
        "type": "buy",
        "quantity": 3,
        "price": 9,
        "settlement_currency": "EUR",
        "settlement_amount": -3,
    },
    {"type": "return_of_capital", "quantity": 1, "price": 1},
    {"type": "interest", "quantity": 1, "price": 1},
    {"type": "fee", "quantity": 1, "price": 1},
    {"type": "transfer_in", "quantity": 2, "price": 1},
    {"type": "transfer_out", "quantity": 1},
    {"type": "split", "quantity": 2},
]


def posted(owner: Any, path: str, body: dict[str, Any]) -> Any:
    response = owner.post(f"/api/v1/{path}", body)
    assert response.status_code == 201, (body, response.json())
    return response.json()


def groups_of(w: World) -> list[dict[str, Any]]:
    """Return the bodies of a group of each kind but exercise."""
    shares = {"holding_id": str(w.holding.pk), "date": "2024-03-04"}
    money = {"portfolio_id": str(w.portfolio.pk), "date": "2024-03-04", "currency": "NOK"}
    target = {"currency": "NOK", "quantity": 2, "cost_share": 0.1}
    cash = {"currency": "NOK", "amount": 5, "cost_share": 0.9}
    return [
        {"kind": "transfer", "quantity": 1, "rate": 0.09, **shares},
        {"kind": "transfer", "amount": 10, **money},
        {"kind": "conversion", "amount": 10, "to_currency": "EUR", "to_amount": 1, **money},
        {"kind": "spin_off", "targets": [{"ticker": "SPUN-X", **target}], **shares},
        {
            "kind": "exchange",
            "quantity_out": 1,
            "targets": [{"ticker": "NEW-X", **target}],
            "cash": cash,
            **shares,
        },
    ]


def test_every_kind_of_transaction_and_group_can_be_sent_back_as_it_was_read(world, owner):
    other = posted(owner, "portfolios", {"name": "Euro", "currency": "EUR"})["id"]
    place = {"portfolio_id": str(world.portfolio.pk), "date": "2024-02-15"}
    for body in MONEY:
        posted(owner, "transactions", {**place, **body})
    for body in TRADES:
        posted(owner, "transactions", {**place, "ticker": world.shared_ticker, **body})
    paths = [f"transaction-groups/{world.group.pk}"]
    for body in groups_of(world):
        if body["kind"] == "transfer":
            body["to_portfolio_id"] = other
        paths.append(f"transaction-groups/{posted(owner, 'transaction-groups', body)['id']}")
    rows = owner.get("/api/v1/transactions?kind=all").json()["results"]
    kinds = {row["type"] for row in rows}
    assert len(kinds) == 17
    paths += [f"transactions/{row['id']}" for row in rows if "exchange_" not in row["type"]]
    for path in paths:
        before = owner.get(f"/api/v1/{path}").json()
        for method in ("put", "patch"):
            if method == "patch" and "groups" in path:
                continue
            response = getattr(owner, method)(f"/api/v1/{path}", before)
            forget()
            assert response.status_code == 200, (path, before, response.json())
            after = owner.get(f"/api/v1/{path}").json()
            assert without_time(after) == without_time(before), (method, path)


def test_a_leg_of_an_exchange_is_changed_with_its_group_alone(world, owner):
    [*_, body] = groups_of(world)
    group = posted(owner, "transaction-groups", body)
    before = world.rows()
    for row in group["transactions"]:
        for method in ("put", "patch", "delete"):
            response = getattr(owner, method)(f"/api/v1/transactions/{row['id']}", row)
            assert errors_of(response) == (409, [("part_of_group", None)])
    assert world.rows() == before


def without_time(answer: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in answer.items() if name != "updated_at"}
    if "transactions" in kept:
        kept["transactions"] = [without_time(row) for row in kept["transactions"]]
    return kept


@pytest.mark.parametrize(
    ("path", "attr", "detail"),
    [
        ("/performance?benchmrk=X", "benchmrk", 'Did you mean "benchmark"?'),
        ("/transactions?symbol=X", "symbol", 'Did you mean "ticker"?'),
        ("/dashboard?start=2024-01-01", "start", "This call takes none."),
        ("/stocks/search?q=a&colour=red", "colour", "Known here: limit, q."),
    ],
)
def test_an_unknown_parameter_names_what_was_meant(owner, path, attr, detail):
    [error] = owner.get(f"/api/v1{path}").json()["errors"]
    assert error == {
        "code": "unknown_parameter",
        "detail": f'Unknown parameter "{attr}". {detail}',
        "attr": attr,
    }


def test_reports_ignore_each_others_parameters(world, owner):
    query = "start=2024-01-01&end=2024-12-31&interval=month&benchmark=%5EGSPC"
    query += "&benchmark_return=price"
    for path in (
        "allocation",
        "net-worth/explain",
        f"portfolios/{world.portfolio.pk}/allocation",
        f"portfolios/{world.portfolio.pk}/bridge",
        f"portfolios/{world.portfolio.pk}/performance/explain",
        f"portfolios/{world.portfolio.pk}/realised-gains",
        f"holdings/{world.holding.pk}/explain",
    ):
        assert owner.get(f"/api/v1/{path}?{query}").status_code == 200, path


def test_brackets_behind_a_name_mean_the_name(world, owner):
    path = f"/api/v1/transactions?type%5B%5D=buy&portfolio_id={world.portfolio.pk}"
    assert owner.get(path).json()["results"] == [
        row
        for row in owner.get(f"/api/v1/transactions?portfolio_id={world.portfolio.pk}").json()[
            "results"
        ]
        if row["type"] == "buy"
    ]
    several = owner.get("/api/v1/timeline?start[]=2024-01-01&start[]=2024-02-01")
    assert errors_of(several) == (400, [("invalid", "start")])
    both = owner.get("/api/v1/timeline?start[]=2024-01-01&start=2024-02-01")
    assert errors_of(both) == (400, [("repeated_parameter", "start")])


def test_a_misspelt_field_of_a_trade_names_the_right_one_and_records_nothing(world, owner):
    count = Transaction.objects.count()
    response = send(owner, ("post", "transactions"), world, fee=5, qty=1)
    assert response.status_code == 422
    assert response.json()["errors"] == [
        {
            "code": "unknown_field",
            "detail": 'Unknown field "fee". Did you mean "commission"?',
            "attr": "fee",
        },
        {
            "code": "unknown_field",
            "detail": 'Unknown field "qty". Did you mean "quantity"?',
            "attr": "qty",
        },
    ]
    assert Transaction.objects.count() == count


def test_an_unknown_field_comes_with_the_other_errors_of_the_body(owner):
    response = owner.post("/api/v1/portfolios", {"nme": "A", "currency": "NOK"})
    assert errors_of(response) == (422, [("unknown_field", "nme"), ("required", "name")])
    assert not Portfolio.objects.filter(currency="NOK", name="A").exists()


@pytest.mark.parametrize(
    ("field", "value", "call"),
    [
        ("cash", 17, "PUT /portfolios/{id}/cash"),
        ("cash_from", "2024-02-01", "PUT /portfolios/{id}/cash-from"),
        ("position", 9, "PUT /portfolios/order"),
    ],
)
def test_patch_refuses_what_another_call_sets(world, owner, field, value, call):
    path = f"/api/v1/portfolios/{world.portfolio.pk}"
    before = owner.get(path).json()
    response = owner.patch(path, {"name": "Other", field: value})
    assert response.status_code == 422
    assert response.json()["errors"] == [
        {
            "code": "read_only",
            "detail": f"This call does not change {field}. Use {call}.",
            "attr": field,
        }
    ]
    assert owner.get(path).json() == before
    same = owner.patch(path, {field: before[field]})
    assert same.status_code == 200
    ignored = owner.put(path, {"name": "Kept", "currency": before["currency"], field: value})
    assert (ignored.status_code, ignored.json()[field]) == (200, before[field])


def test_a_portfolio_whose_cash_follows_from_transactions_can_be_sent_back(world, owner):
    path = f"/api/v1/portfolios/{world.portfolio.pk}"
    assert owner.put(f"{path}/cash-from", {"cash_from": "2024-01-01"}).status_code == 200
    before = owner.get(path).json()
    assert owner.patch(path, before).status_code == 200
    response = owner.patch(path, {"cash": before["cash"] + 1})
    assert errors_of(response) == (422, [("read_only", "cash")])
    response = owner.patch(path, {"cash_from": None})
    assert errors_of(response) == (422, [("read_only", "cash_from")])


def test_patch_of_the_user_refuses_the_goal_unless_it_is_the_stored_one(owner):
    goal = {"retirement_goal_amount": 1000000.1, "retirement_goal_year": 2060}
    assert owner.put("/api/v1/users/me/retirement-goal", goal).status_code == 200
    assert owner.patch("/api/v1/users/me", goal).status_code == 200
    for change in ({"retirement_goal_amount": None}, {"retirement_goal_amount": 1000000.2}):
        response = owner.patch("/api/v1/users/me", change)
        assert errors_of(response) == (422, [("read_only", "retirement_goal_amount")])
    assert owner.get("/api/v1/users/me").json()["retirement_goal_amount"] == 1000000.1


@pytest.mark.parametrize("cursor", ["x", "!!!!", "eD0x", "cD1ub3doZXJl", "cj1u", "%00", "bz0tMQ"])
def test_a_cursor_that_cannot_be_read_is_refused_everywhere(world, owner, cursor):
    asked = 0
    for method, route in CALLS:
        places = operations()[described_as((method, route))].get("parameters", [])
        if "cursor" not in [place["name"] for place in places]:
            continue
        response = owner.get(f"{path_of(route, world)}?cursor={cursor}")
        asked += 1
        assert errors_of(response) == (400, [("invalid", "cursor")]), route
    assert asked == 7


@pytest.mark.parametrize("path", ["transactions", "history", "holdings/{holding}/transactions"])
def test_a_cursor_of_another_order_is_refused(world, owner, path):
    place = path.format(holding=world.holding.pk)
    response = owner.get(f"/api/v1/{place}?cursor=cD0yMDI0LTAxLTAx")
    assert errors_of(response) == (400, [("invalid", "cursor")])


def test_null_clears_what_a_patch_can_leave_out(world, owner):
    plan = f"/api/v1/pension/accounts/{world.account.pk}/contributions/{world.plan.pk}"
    assert owner.patch(plan, {"end": "2040-01-01"}).json()["end"] == "2040-01-01"
    assert owner.patch(plan, {"end": None}).json()["end"] is None
    trade = f"/api/v1/transactions/{world.transaction.pk}"
    assert owner.patch(trade, {"external_id": "A1"}).json()["external_id"] == "A1"
    assert owner.patch(trade, {"external_id": None}).json()["external_id"] is None
    account = f"/api/v1/pension/accounts/{world.account.pk}"
    assert owner.patch(account, {"ynab_account_id": None}).json()["ynab_account_id"] is None
