"""Test concurrent writes over real HTTP: no oversold holding, no duplicate name."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal as D
from threading import Barrier

import pytest
import requests
from django.db import connection, transaction
from django.utils import timezone

from conftest import PASSWORD
from integrations.imports.pipeline import import_statement
from integrations.simulated import SimulatedSource
from marketdata.models import StockMetadata
from marketdata.services import rate_refresh, record_splits
from portfolios import services
from portfolios.models import Holding, Portfolio, Transaction
from portfolios.services.ledger_check import contradicted_holdings

THREADS = 20

pytestmark = pytest.mark.untraced


@pytest.fixture
def headers(live_server, user):
    answer = requests.post(
        f"{live_server}/api/v1/auth/login",
        json={"username": "kari", "password": PASSWORD},
        timeout=30,
    )
    return {"Authorization": f"Bearer {answer.json()['access']}"}


@pytest.fixture
def held(live_server, user):
    portfolio = services.create_portfolio(user=user, name="Nordic", currency="NOK")
    stock = StockMetadata.objects.create(
        ticker="FJORD.DEMO", currency="NOK", source="simulated", history_fetched_at=timezone.now()
    )
    return services.record_transaction(
        portfolio=portfolio, stock=stock, type="buy", date=date(2024, 1, 2), quantity=10, price=100
    ).holding


def at_once(call):
    barrier = Barrier(THREADS)

    def run(index):
        barrier.wait()
        return call(index)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def test_twenty_threads_selling_the_same_ten_shares_sell_exactly_ten(live_server, headers, held):
    body = {
        "holding_id": str(held.pk),
        "type": "sell",
        "date": "2024-05-02",
        "quantity": 1,
        "price": 120,
    }

    def sell(index):
        return requests.post(
            f"{live_server}/api/v1/transactions", json=body, headers=headers, timeout=60
        )

    answers = at_once(sell)
    assert sorted(answer.status_code for answer in answers) == [201] * 10 + [422] * 10
    refused = [
        answer.json()["errors"][0]["code"] for answer in answers if answer.status_code == 422
    ]
    assert refused == ["insufficient_quantity"] * 10
    holding = Holding.objects.get()
    assert (holding.current_quantity, holding.realised_gain) == (0, 200)
    assert Transaction.objects.filter(type="sell").count() == 10


def test_edits_at_one_end_of_a_chain_and_sales_at_the_other_wait_for_each_other(
    live_server, headers, user, held
):
    places = [held.portfolio]
    for name in ("Second", "Third"):
        places.append(services.create_portfolio(user=user, name=name, currency="NOK"))
        legs = services.transfer_of_shares(
            holding=Holding.objects.select_related("portfolio", "stock").get(portfolio=places[-2]),
            to_portfolio=places[-1],
            quantity=D(10),
            date=date(2024, 2, len(places)),
        )
        services.record_share_group(kind="transfer", legs=legs, date=date(2024, 2, len(places)))
    first = Transaction.objects.get(type="buy")
    last = Holding.objects.get(portfolio=places[-1])
    sale = {"holding_id": str(last.pk), "type": "sell", "date": "2024-05-02", "quantity": 1}
    api = f"{live_server}/api/v1/transactions"

    def edit_or_sell(index):
        if index % 2:
            return requests.patch(
                f"{api}/{first.pk}", json={"price": 100 + index}, headers=headers, timeout=60
            )
        return requests.post(api, json={**sale, "price": 120}, headers=headers, timeout=60)

    answers = at_once(edit_or_sell)
    assert sorted(answer.status_code for answer in answers) == [200] * 10 + [201] * 10
    last.refresh_from_db()
    first.refresh_from_db()
    assert last.current_quantity == 0
    assert last.realised_gain == 10 * (120 - first.price)
    assert list(services.contradicted_chains()) == []
    assert list(contradicted_holdings()) == []


def test_twenty_threads_making_one_portfolio_make_one(live_server, headers):
    def create(index):
        name = "Nordic" if index % 2 else "NORDIC"
        body = {"name": name, "currency": "NOK"}
        return requests.post(
            f"{live_server}/api/v1/portfolios", json=body, headers=headers, timeout=60
        )

    assert sorted(answer.status_code for answer in at_once(create)) == [201] + [409] * 19
    assert Portfolio.objects.count() == 1


def test_twenty_threads_recording_one_external_id_record_it_once(live_server, headers, held):
    body = {
        "holding_id": str(held.pk),
        "type": "buy",
        "date": "2024-05-02",
        "quantity": 1,
        "price": 120,
        "external_id": "N-1",
    }

    def record(index):
        return requests.post(
            f"{live_server}/api/v1/transactions", json=body, headers=headers, timeout=60
        )

    assert sorted(answer.status_code for answer in at_once(record)) == [201] + [409] * 19
    assert Holding.objects.get().current_quantity == 11


def test_twenty_requests_that_lack_a_history_work_it_out_and_store_it_once(
    live_server, headers, user, monkeypatch
):
    portfolio = services.create_portfolio(user=user, name="Nordic", currency="NOK")
    stock = StockMetadata.objects.create(
        ticker="ATLAS.USD.DEMO", currency="USD", source="simulated"
    )
    services.record_transaction(
        portfolio=portfolio,
        stock=stock,
        type="buy",
        date=date(2024, 1, 2),
        quantity=10,
        price=100,
        exchange_rate=10,
    )
    asked, stored = [], []
    history, record_rates = SimulatedSource.history, rate_refresh.record_rates

    def counted_history(self, ticker, start):
        asked.append(ticker)
        return history(self, ticker, start)

    def counted_rates(*, base, target, **kwargs):
        stored.append((base, target))
        return record_rates(base=base, target=target, **kwargs)

    monkeypatch.setattr(SimulatedSource, "history", counted_history)
    monkeypatch.setattr(rate_refresh, "record_rates", counted_rates)

    def look(index):
        name = ("timeline", "performance")[index % 2]
        return requests.get(
            f"{live_server}/api/v1/portfolios/{portfolio.pk}/{name}", headers=headers, timeout=60
        )

    assert [answer.status_code for answer in at_once(look)] == [200] * THREADS
    assert asked == ["ATLAS.USD.DEMO"]
    assert sorted(stored) == [("EUR", "NOK"), ("EUR", "USD")]


def test_of_twenty_uses_of_one_refresh_token_one_works(live_server, user):
    refresh = requests.post(
        f"{live_server}/api/v1/auth/login",
        json={"username": "kari", "password": PASSWORD},
        timeout=30,
    ).json()["refresh"]

    def use(index):
        return requests.post(
            f"{live_server}/api/v1/auth/refresh", json={"refresh": refresh}, timeout=60
        )

    assert sorted(answer.status_code for answer in at_once(use)) == [200] + [401] * 19


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="on SQLite there is one write at a time")
@pytest.mark.parametrize("way", ["by hand", "from a file"])
def test_a_split_stored_while_a_new_holding_is_not_committed_yet_is_booked_in_it(user, way):
    portfolio = services.create_portfolio(user=user, name="Nordic", currency="NOK")
    stock = StockMetadata.objects.create(
        ticker="FJORD.DEMO", currency="NOK", source="simulated", history_fetched_at=timezone.now()
    )

    def learn():
        record_splits(stock=stock, splits=[(date(2024, 6, 10), D(4))], source="simulated")
        connection.close()

    with transaction.atomic():
        if way == "by hand":
            services.record_transaction(
                portfolio=portfolio,
                stock=stock,
                type="buy",
                date=date(2024, 5, 2),
                quantity=D(10),
                price=D(100),
            )
        else:
            data = b"date,type,ticker,quantity,price\n2024-05-02,buy,FJORD.DEMO,10,100\n"
            import_statement(portfolio=portfolio, data=data, file_name="one.csv")
        with ThreadPoolExecutor(1) as pool:
            pool.submit(learn).result()
    assert Holding.objects.get().current_quantity == 40
    assert list(contradicted_holdings()) == []


# --- Places to wait -------------------------------------------------------------------------------


@pytest.fixture
def slow_market(yahoo, settings):
    settings.MARKET_DATA_TIMEOUT_SECONDS = 10
    yahoo.list("ACME", [100.0, 101.0])
    yahoo.delay = 0.3
    return yahoo


def test_ten_requests_for_one_price_never_seen_are_answered_for_one_call(
    live_server, headers, slow_market
):
    url = f"{live_server}/api/v1/stocks/ACME/price"

    def ask(_):
        answer = requests.get(url, headers=headers, timeout=60)
        return answer.status_code, answer.json().get("price")

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(ask, range(10)))
    assert answers == [(200, 101)] * 10
    assert slow_market.asked("chart", "ACME") == 1


@pytest.mark.parametrize("ticker", ["ACME", "CABIN"])
def test_requests_that_buy_a_new_instrument_at_once_are_all_recorded(
    live_server, headers, user, slow_market, ticker
):
    portfolio = services.create_portfolio(user=user, name="US", currency="USD")
    body = {
        "portfolio_id": str(portfolio.pk),
        "ticker": ticker,
        "currency": "USD",
        "type": "buy",
        "date": "2024-05-02",
        "quantity": 1,
        "price": 10,
    }

    def buy(_):
        answer = requests.post(
            f"{live_server}/api/v1/transactions", json=body, headers=headers, timeout=60
        )
        return answer.status_code

    assert at_once(buy) == [201] * THREADS
    # What could not be asked about was the user's own at first, and joins the shared one.
    requests.get(f"{live_server}/api/v1/dashboard", headers=headers, timeout=60)
    assert Holding.objects.get().current_quantity == THREADS
    assert Holding.objects.get().transactions.count() == THREADS


def test_twenty_requests_that_deposit_and_delete_leave_the_exact_sum(live_server, headers, user):
    portfolio = services.create_portfolio(user=user, name="Nordic", currency="NOK")
    services.set_cash_from(
        portfolio=portfolio, cash_from=date(2024, 1, 2), openings={"NOK": D("0.05")}
    )
    url = f"{live_server}/api/v1/transactions"
    body = {"portfolio_id": str(portfolio.pk), "type": "deposit", "date": "2024-01-01"}

    def deposit_and_delete(index):
        with requests.Session() as session:
            session.headers.update(headers)
            answers = []
            for cents in (index + 1, 1000):
                made = session.post(url, json=body | {"amount": f"{cents / 100:.2f}"}, timeout=60)
                answers.append(made.status_code)
            gone = session.delete(f"{url}/{made.json()['id']}", timeout=60)
            return [*answers, gone.status_code]

    assert at_once(deposit_and_delete) == [[201, 201, 204]] * THREADS
    rows = Transaction.objects.filter(portfolio=portfolio)
    assert sum(rows.filter(type="deposit").values_list("settlement_amount", flat=True)) == D("2.10")
    # What a person said of the evening before cash_from stays true.
    assert rows.get(type="opening").settlement_amount == D("-2.05")
    cash = requests.get(
        f"{live_server}/api/v1/portfolios/{portfolio.pk}/cash", headers=headers, timeout=60
    )
    assert cash.json()["currencies"] == [{"currency": "NOK", "balance": 0.05, "value": 0.05}]
