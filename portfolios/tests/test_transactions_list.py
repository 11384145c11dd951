"""Test how transactions are searched and sorted."""

from datetime import date, timedelta

import pytest

from conftest import api_client
from financeproj.users.models import User
from portfolios import services

pytestmark = pytest.mark.django_db

URL = "/api/v1/transactions"


def purchase(portfolio, number):
    return {
        "portfolio_id": str(portfolio.pk),
        "ticker": ("FJORD.DEMO", "NORDLYS.DEMO")[number % 2],
        "type": "buy",
        "date": str(date(2025, 1, 1) + timedelta(number // 2)),
        "quantity": 1,
        "price": 100,
        "note": "Gift from Kari" if number == 149 else "",
        "external_id": f"order-{number}",
    }


@pytest.fixture(scope="module")
def rows(module_db):
    """150 purchases on 75 days, of two instruments in turn; the last one has a note."""
    user = User.objects.create_user("kari")
    portfolio = services.create_portfolio(user=user, name="Nordic", currency="NOK")
    entered = [purchase(portfolio, number) for number in range(150)]
    assert api_client(user).post(f"{URL}/bulk", {"transactions": entered}).status_code == 201


@pytest.fixture
def user(rows):
    return User.objects.get()


def walk(api, **query):
    """Return the ids of all pages forwards, and check that the pages backwards are the same."""
    pages, link = [], None
    answer = api.get(URL, query).json()
    while True:
        pages.append([row["external_id"] for row in answer["results"]])
        link = answer["next"]
        if not link:
            break
        answer = api.get(link).json()
    back = [pages[-1]]
    while answer["previous"]:
        answer = api.get(answer["previous"]).json()
        back.append([row["external_id"] for row in answer["results"]])
    assert back[::-1] == pages
    return [one for page in pages for one in page]


def test_the_oldest_come_first_on_every_page_when_asked(api, rows):
    newest_first = walk(api)
    assert (len(newest_first), newest_first[0]) == (150, "order-149")
    assert walk(api, sort="-date") == newest_first
    assert walk(api, sort="date") == newest_first[::-1]


@pytest.mark.parametrize(
    ("text", "count"),
    [("gift", 1), ("fjord.demo", 75), ("order-14", 11), ("KARI", 1), ("nothing of that", 0)],
)
def test_a_text_is_searched_in_ticker_name_note_and_id(api, rows, text, count):
    assert len(walk(api, q=text)) == count


def test_an_unknown_order_is_refused(api, rows):
    response = api.get(URL, {"sort": "price"})
    assert (response.status_code, response.json()["errors"][0]["attr"]) == (400, "sort")
