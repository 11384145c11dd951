"""Test that names which look the same are the same, and what becomes of those stored before."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.utils import timezone

from financeproj.core.db.names import free_name, name_key
from pensions.models import PensionAccount
from portfolios.models import InstrumentAlias, Portfolio
from portfolios.services import remember_aliases

pytestmark = pytest.mark.django_db

INVISIBLE = "\u200b\u200d\ufeff\u00ad\u2066\u202e"


@pytest.mark.parametrize(
    "name",
    [
        "Savings",
        "savings",
        "Ｓａｖｉｎｇｓ",
        "Sav\u200bings",
        "\ufeffSavings",
        "Sa\u00advings ",
        "SAVINGS\u202e",
    ],
)
def test_names_that_look_the_same_have_the_same_key(name):
    assert name_key(name) == "savings"


def test_other_names_stay_apart():
    names = ["Sparing", "Spåring", "Spa ring", "Sparing 2", "Спаринг"]
    assert len({name_key(name) for name in names}) == len(names)
    assert name_key("ØRE") == name_key("øre")
    assert name_key("e\u0301") == name_key("é") == name_key("e\u200d\u0301")


@pytest.mark.parametrize(
    ("path", "model"),
    [("/api/v1/portfolios", Portfolio), ("/api/v1/pension/accounts", PensionAccount)],
)
def test_a_name_is_stored_as_typed_compared_as_seen_and_never_invisible(api, path, model):
    typed = "Ｎordic \u200bＡ"
    assert api.post(path, {"name": typed, "currency": "NOK"}).status_code == 201
    assert list(model.objects.values_list("name", "name_key")) == [(typed, "nordic a")]
    same = api.post(path, {"name": "nordic a", "currency": "NOK"})
    assert (same.status_code, same.json()["errors"][0]["code"]) == (409, "duplicate_name")
    for name in (INVISIBLE, f" {INVISIBLE} ", "\u200b"):
        refused = api.post(path, {"name": name, "currency": "NOK"})
        assert refused.status_code == 422
        [error] = refused.json()["errors"]
        assert (error["code"], error["attr"]) == ("blank", "name")
    long = api.post(path, {"name": "\ufdfa" * 100, "currency": "NOK"})
    assert long.status_code == 422
    assert [error["attr"] for error in long.json()["errors"]] == ["name"]
    assert model.objects.count() == 1


def test_a_free_name_counts_up_and_stays_short():
    assert free_name("A", set()) == "A"
    assert free_name("A", {"a"}) == "A (2)"
    assert free_name("A", {"a", "a (2)"}) == "A (3)"
    assert free_name("x" * 100, {"x" * 100}) == "x" * 96 + " (2)"
    assert free_name("\u200b", set()) == "Unnamed"


@pytest.mark.parametrize(
    ("module", "model"),
    [
        ("portfolios.migrations.0010_names_that_look_the_same", Portfolio),
        ("pensions.migrations.0005_names_that_look_the_same", PensionAccount),
    ],
)
def test_of_stored_names_that_become_equal_the_younger_changes(user, other_user, module, model):
    begun = timezone.now()

    def stored(name, key, days, owner=user):
        """Store a row as an earlier release wrote it."""
        row = model.objects.create(user=owner, name=f"Temporary {days} {owner}", currency="NOK")
        at = begun + timedelta(days=days)
        model.objects.filter(pk=row.pk).update(name=name, name_key=key, created_at=at)
        return row

    rows = [
        stored("Ａ", "ａ", 1),  # becomes "a", which is the old key of the next
        stored("A", "a", 2),
        stored("A (2)", "a (2)", 3),
        stored("a\u200b", "a\u200b", 4),
        stored("\u200b", "\u200b", 5),
        stored("B", "b", 6),
        stored("Ａ", "ａ", 7, other_user),
    ]
    import_module(module).forwards(apps, None)
    for row in rows:
        row.refresh_from_db()
    assert [(row.name, row.name_key) for row in rows] == [
        ("Ａ", "a"),
        ("A (2)", "a (2)"),
        ("A (2) (2)", "a (2) (2)"),
        ("a\u200b (3)", "a (3)"),
        ("Unnamed", "unnamed"),
        ("B", "b"),
        ("Ａ", "a"),
    ]


def test_of_instrument_names_that_become_equal_the_last_choice_stays(user):
    isin = "US0378331005"
    chosen = [("ａcme", "OLD"), ("acme\u200b", "NEW"), ("\u200b", "GONE"), (isin, "AAPL")]
    begun = timezone.now()
    for number, (key, ticker) in enumerate(chosen):
        row = InstrumentAlias.objects.create(user=user, key=key, ticker=ticker)
        at = begun + timedelta(days=number)
        InstrumentAlias.objects.filter(pk=row.pk).update(updated_at=at)
    import_module("portfolios.migrations.0010_names_that_look_the_same").forwards(apps, None)
    assert set(InstrumentAlias.objects.values_list("key", "ticker")) == {
        ("acme", "NEW"),
        (isin, "AAPL"),
    }


def test_a_brokers_name_that_is_too_long_to_compare_is_not_remembered(user):
    remember_aliases(user=user, tickers={"x" * 601: "LONG", "x" * 600: "SHORT"})
    assert list(InstrumentAlias.objects.values_list("ticker", flat=True)) == ["SHORT"]
