"""Test pension accounts, their values and contribution plans over REST."""

import threading
import uuid
from datetime import date, timedelta
from decimal import Decimal as D

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from financeproj.core.errors import DomainError, NotFound
from pensions import services
from pensions.models import ContributionPlan, PensionAccount, PensionValueEntry

pytestmark = pytest.mark.django_db

ACCOUNTS = "/api/v1/pension/accounts"


def errors(response):
    return [(error["code"], error["attr"]) for error in response.json()["errors"]]


def values_path(account):
    return f"{ACCOUNTS}/{account.pk}/values"


def plans_path(account):
    return f"{ACCOUNTS}/{account.pk}/contributions"


# --- Accounts -------------------------------------------------------------------------------------


def test_an_account_is_made_and_read_back(api):
    made = api.post(ACCOUNTS, {"name": "  Ytelsespensjon ", "currency": "nok"})
    assert made.status_code == 201
    body = dict(made.json())
    assert body.pop("id")
    assert body.pop("created_at").endswith("Z")
    assert body == {
        "name": "Ytelsespensjon",
        "currency": "NOK",
        "ynab_account_id": None,
        "current_value": None,
        "current_value_date": None,
    }
    assert api.get(ACCOUNTS).json() == [made.json()]
    assert api.get(f"{ACCOUNTS}/{made.json()['id']}").json() == made.json()


def test_the_current_value_is_the_entry_with_the_latest_date(api, valued):
    listed = api.get(ACCOUNTS)
    assert b'"current_value":103000.5,"current_value_date":"2024-03-31"' in listed.content


def test_listing_accounts_takes_one_query_however_many_there_are(api, user):
    for number in range(12):
        account = services.create_account(user=user, name=f"Account {number}", currency="NOK")
        services.record_value(account=account, on=date(2024, 1, 1), value=D(number))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        listed = api.get(ACCOUNTS).json()
    assert [account["current_value"] for account in listed] == list(range(12))
    assert len(queries) == 1


@pytest.mark.parametrize("name", ["Fripolise", "FRIPOLISE", " fripolise  "])
def test_a_known_name_is_a_conflict_whatever_its_case(api, account, name):
    response = api.post(ACCOUNTS, {"name": name, "currency": "NOK"})
    assert response.status_code == 409
    assert errors(response) == [("duplicate_name", "name")]
    assert PensionAccount.objects.count() == 1


@pytest.mark.parametrize("character", ["ΐ", "ﬃ"])
def test_a_name_of_letters_that_grow_when_folded_is_kept(api, character):
    """In the database that keeps to lengths: SQLite does not, so the column's is compared too."""
    made = api.post(ACCOUNTS, {"name": character * 100, "currency": "NOK"})
    assert (made.status_code, made.json()["name"]) == (201, character * 100)
    key = PensionAccount.objects.get().name_key
    assert len(key) == 300 <= PensionAccount._meta.get_field("name_key").max_length


def test_another_user_may_use_the_same_name(other_api, account):
    assert other_api.post(ACCOUNTS, {"name": "Fripolise", "currency": "NOK"}).status_code == 201


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"currency": "NOK"}, ("required", "name")),
        ({"name": "", "currency": "NOK"}, ("blank", "name")),
        ({"name": None, "currency": "NOK"}, ("null", "name")),
        ({"name": "x" * 101, "currency": "NOK"}, ("max_length", "name")),
        ({"name": "A", "currency": "ZZZ"}, ("unknown_currency", "currency")),
        ({"name": "A", "currency": "XAU"}, ("unknown_currency", "currency")),
        ({"name": "A"}, ("required", "currency")),
        (
            {"name": "A", "currency": "NOK", "ynab_account_id": "../budgets"},
            ("invalid", "ynab_account_id"),
        ),
    ],
)
def test_an_account_that_is_invalid_is_refused(api, body, expected):
    response = api.post(ACCOUNTS, body)
    assert response.status_code == 422
    assert expected in errors(response)
    assert not PensionAccount.objects.exists()


def test_put_replaces_and_patch_changes_what_it_names(api, account):
    path = f"{ACCOUNTS}/{account.pk}"
    assert api.put(path, {"name": "Innskudd", "currency": "SEK"}).json()["currency"] == "SEK"
    patched = api.patch(path, {"name": "Innskuddspensjon"})
    assert (patched.json()["name"], patched.json()["currency"]) == ("Innskuddspensjon", "SEK")
    assert errors(api.put(path, {"name": "Innskudd"})) == [("required", "currency")]


def test_renaming_to_the_same_name_in_other_case_is_not_a_conflict(api, account):
    assert (
        api.patch(f"{ACCOUNTS}/{account.pk}", {"name": "FRIPOLISE"}).json()["name"] == "FRIPOLISE"
    )


def test_renaming_to_a_taken_name_is_a_conflict_and_changes_nothing(api, user, account):
    services.create_account(user=user, name="Øre", currency="NOK")
    response = api.patch(f"{ACCOUNTS}/{account.pk}", {"name": "øRE", "currency": "SEK"})
    assert response.status_code == 409
    account.refresh_from_db()
    assert (account.name, account.currency) == ("Fripolise", "NOK")


def test_the_currency_of_an_account_with_values_stays(api, valued):
    path = f"{ACCOUNTS}/{valued.pk}"
    response = api.patch(path, {"currency": "EUR"})
    assert response.status_code == 409
    assert errors(response) == [("currency_fixed", "currency")]
    assert api.patch(path, {"currency": "NOK", "name": "Same"}).status_code == 200
    valued.refresh_from_db()
    assert valued.currency == "NOK"


def test_deleting_an_account_takes_its_values_along(api, valued):
    assert api.delete(f"{ACCOUNTS}/{valued.pk}").status_code == 204
    assert not PensionValueEntry.objects.exists()
    assert api.get(f"{ACCOUNTS}/{valued.pk}").status_code == 404


def at_once(number, function):
    """What `number` threads got that called `function` together: its result, or the code of its
    DomainError.
    """
    outcomes = []
    start = threading.Barrier(number)

    def run():
        try:
            start.wait()
            outcomes.append(function())
        except DomainError as error:
            outcomes.append(error.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_requests_for_the_same_name_at_once_make_one_account(transactional_db, user):
    outcomes = at_once(
        4, lambda: services.create_account(user=user, name="Race", currency="NOK").name
    )
    assert sorted(outcomes) == ["Race", "duplicate_name", "duplicate_name", "duplicate_name"]
    assert PensionAccount.objects.count() == 1


def test_values_for_the_same_date_at_once_make_one_value(transactional_db, account):
    on = date(2024, 5, 1)
    outcomes = at_once(4, lambda: services.record_value(account=account, on=on, value=D(1)).source)
    assert sorted(outcomes) == ["duplicate_date", "duplicate_date", "duplicate_date", "manual"]
    assert account.values.count() == 1


def test_two_nightly_syncs_at_once_write_one_value(transactional_db, account):
    on = date(2024, 5, 1)
    outcomes = at_once(
        4, lambda: services.record_balance_if_changed(account=account, on=on, value=D(1))
    )
    assert sorted(outcomes) == ["unchanged", "unchanged", "unchanged", "written"]
    assert account.values.count() == 1


def test_a_value_whose_account_was_deleted_meanwhile_is_gone(account, valued):
    entry = valued.values.first()
    services.delete_account(account=account)
    with pytest.raises(NotFound):
        services.update_value(entry=entry, value=D(1))
    with pytest.raises(NotFound):
        services.record_value(account=valued, on=date(2024, 5, 1), value=D(1))


# --- Values ---------------------------------------------------------------------------------------


def test_values_come_oldest_first_with_their_exact_digits(api, valued):
    response = api.get(values_path(valued))
    assert [(row["date"], row["source"]) for row in response.json()] == [
        ("2024-01-31", "manual"),
        ("2024-02-29", "manual"),
        ("2024-03-31", "manual"),
    ]
    assert b'"value":101500.25' in response.content


@pytest.mark.parametrize(
    ("given", "written"), [("0.1", b"0.1"), (b"123456789012.345", b"123456789012.345"), ("0", b"0")]
)
def test_a_value_keeps_its_digits(api, account, given, written):
    body = b'{"date":"2024-05-01","value":%s}' % (
        given if isinstance(given, bytes) else f'"{given}"'.encode()
    )
    response = api.post(values_path(account), body, content_type="application/json")
    assert response.status_code == 201
    assert b'"value":%s,' % written in response.content


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"date": "2024-01-31", "value": -1}, ("too_small", "value")),
        ({"date": "2024-01-31", "value": "NaN"}, ("invalid", "value")),
        ({"date": "2024-01-31", "value": "1e15"}, ("out_of_range", "value")),
        ({"date": "2024-01-31", "value": True}, ("invalid", "value")),
        ({"date": "2024-01-31"}, ("required", "value")),
        ({"date": "2024-02-30", "value": 1}, ("invalid", "date")),
        ({"date": "1899-12-31", "value": 1}, ("out_of_range", "date")),
        ({"value": 1}, ("required", "date")),
    ],
)
def test_a_value_that_is_invalid_is_refused_and_not_kept(api, account, body, expected):
    response = api.post(values_path(account), body)
    assert response.status_code == 422
    assert expected in errors(response)
    assert not account.values.exists()


def test_a_value_of_tomorrow_is_refused_and_one_of_today_is_taken(api, account):
    today = timezone.localdate()
    response = api.post(
        values_path(account), {"date": (today + timedelta(days=1)).isoformat(), "value": 1}
    )
    assert response.status_code == 422
    assert errors(response) == [("future_date", "date")]
    assert (
        api.post(values_path(account), {"date": today.isoformat(), "value": 1}).status_code == 201
    )


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL keeps more than 15 digits")
def test_more_digits_than_sqlite_keeps_are_refused_not_rounded(api, account):
    response = api.post(values_path(account), {"date": "2024-01-31", "value": "1234567890123.456"})
    assert response.status_code == 422
    assert errors(response) == [("too_precise", "value")]


def test_a_second_value_on_a_date_is_a_conflict(api, valued):
    response = api.post(values_path(valued), {"date": "2024-01-31", "value": 7})
    assert response.status_code == 409
    assert errors(response) == [("duplicate_date", "date")]
    assert valued.values.get(date=date(2024, 1, 31)).value == D("100000")


def test_a_value_is_changed_and_removed(api, valued):
    entry = valued.values.get(date=date(2024, 1, 31))
    path = f"{values_path(valued)}/{entry.pk}"
    assert api.put(path, {"date": "2024-01-30", "value": 99}).json() == {
        "id": str(entry.pk),
        "date": "2024-01-30",
        "value": 99,
        "source": "manual",
    }
    assert api.patch(path, {"value": 98.5}).json()["date"] == "2024-01-30"
    assert errors(api.put(path, {"value": 99})) == [("required", "date")]
    moved = api.patch(path, {"date": "2024-02-29"})
    assert (moved.status_code, errors(moved)) == (409, [("duplicate_date", "date")])
    assert api.delete(path).status_code == 204
    assert valued.values.count() == 2


def test_a_fetched_value_that_is_changed_by_hand_is_manual_from_then_on(api, account):
    entry = services.record_value(
        account=account, on=date(2024, 1, 1), value=D(1), source=PensionValueEntry.Source.YNAB
    )
    assert api.get(values_path(account)).json()[0]["source"] == "ynab"
    assert (
        api.patch(f"{values_path(account)}/{entry.pk}", {"value": 2}).json()["source"] == "manual"
    )


# --- Contributions --------------------------------------------------------------------------------


def test_a_plan_is_made_with_its_defaults(api, account):
    made = api.post(plans_path(account), {"amount": "1500.50", "start": "2024-01-25", "end": None})
    assert made.status_code == 201
    plan = dict(made.json())
    assert plan.pop("id")
    assert plan == {
        "amount": 1500.5,
        "frequency": "monthly",
        "start": "2024-01-25",
        "end": None,
        "growth": 0,
    }
    assert api.get(plans_path(account)).json() == [made.json()]


def test_a_plan_is_replaced_changed_and_removed(api, account):
    body = {
        "amount": 900,
        "frequency": "quarterly",
        "start": "2024-01-25",
        "end": "2030-01-25",
        "growth": 0.03,
    }
    path = f"{plans_path(account)}/{api.post(plans_path(account), body).json()['id']}"
    assert api.patch(path, {"amount": 1000}).json()["growth"] == 0.03
    replaced = api.put(path, {"amount": 1000, "start": "2024-01-25"}).json()
    assert (replaced["frequency"], replaced["end"], replaced["growth"]) == ("monthly", None, 0)
    assert api.delete(path).status_code == 204
    assert api.get(plans_path(account)).json() == []


@pytest.mark.parametrize("growth", [-0.99, -0.01, 0.005, 2, 9.5, 10])
def test_a_plan_may_shrink_or_grow(api, account, growth):
    made = api.post(plans_path(account), {"amount": 900, "start": "2024-01-25", "growth": growth})
    assert (made.status_code, made.json()["growth"]) == (201, growth)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"amount": 0}, ("not_above", "amount")),
        ({"amount": -5}, ("too_small", "amount")),
        ({"frequency": "weekly"}, ("invalid_choice", "frequency")),
        ({"growth": -1}, ("not_above", "growth")),
        ({"growth": 11}, ("too_big", "growth")),
        ({"end": "2023-12-31"}, ("end_before_start", "end")),
        ({"start": "soon"}, ("invalid", "start")),
    ],
)
def test_a_plan_that_is_invalid_is_refused(api, account, change, expected):
    good = {"amount": 1000, "start": "2024-01-01"}
    refused = api.post(plans_path(account), {**good, **change})
    assert refused.status_code == 422
    assert expected in errors(refused)
    assert not ContributionPlan.objects.exists()
    path = f"{plans_path(account)}/{api.post(plans_path(account), good).json()['id']}"
    assert expected in errors(api.patch(path, change))
    plan = ContributionPlan.objects.get()
    assert (plan.amount, plan.frequency, plan.start, plan.end, plan.growth) == (
        1000,
        "monthly",
        date(2024, 1, 1),
        None,
        0,
    )


# --- Whose ----------------------------------------------------------------------------------------


def test_another_users_account_does_not_exist(other_api, other_user, valued):
    value = valued.values.first()
    plan = services.create_contribution(account=valued, amount=D(1), start=date(2024, 1, 1))
    own = services.create_account(user=other_user, name="Own", currency="NOK")
    new_value, new_plan = {"date": "2024-05-01", "value": 1}, {"amount": 1, "start": "2024-01-01"}
    calls = [
        ("get", f"{ACCOUNTS}/{valued.pk}", None),
        ("put", f"{ACCOUNTS}/{valued.pk}", {"name": "Mine", "currency": "NOK"}),
        ("patch", f"{ACCOUNTS}/{valued.pk}", {"name": "Mine"}),
        ("delete", f"{ACCOUNTS}/{valued.pk}", None),
        ("get", values_path(valued), None),
        ("post", values_path(valued), new_value),
        ("put", f"{values_path(valued)}/{value.pk}", new_value),
        ("patch", f"{values_path(valued)}/{value.pk}", new_value),
        ("delete", f"{values_path(valued)}/{value.pk}", None),
        ("delete", f"{values_path(own)}/{value.pk}", None),
        ("get", plans_path(valued), None),
        ("post", plans_path(valued), new_plan),
        ("put", f"{plans_path(valued)}/{plan.pk}", new_plan),
        ("patch", f"{plans_path(valued)}/{plan.pk}", new_plan),
        ("delete", f"{plans_path(valued)}/{plan.pk}", None),
        ("delete", f"{plans_path(own)}/{plan.pk}", None),
        ("get", f"{ACCOUNTS}/{uuid.uuid4()}", None),
    ]
    for method, path, body in calls:
        response = getattr(other_api, method)(path, body)
        assert (response.status_code, errors(response)) == (404, [("not_found", None)]), (
            method,
            path,
        )
    assert [account["name"] for account in other_api.get(ACCOUNTS).json()] == ["Own"]
    valued.refresh_from_db()
    assert (valued.name, valued.values.count(), valued.contributions.count()) == ("Fripolise", 3, 1)


def test_without_signing_in_nothing_is_shown(anonymous, valued):
    for path in (ACCOUNTS, f"{ACCOUNTS}/{valued.pk}", values_path(valued), plans_path(valued)):
        assert anonymous.get(path).status_code == 401
