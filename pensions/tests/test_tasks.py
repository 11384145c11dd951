"""Test the scheduled tasks of pensions."""

import pytest

from financeproj.celery import app
from marketdata.tasks import refresh_pair
from pensions import services
from pensions.selectors import needed_pairs
from pensions.tasks import refresh_rates

pytestmark = pytest.mark.django_db


def test_the_rates_of_every_foreign_account_are_asked_for_once(user, other_user, monkeypatch):
    for owner, name, currency in (
        (user, "A", "EUR"),
        (user, "B", "EUR"),
        (user, "C", "NOK"),
        (other_user, "D", "SEK"),
    ):
        services.create_account(user=owner, name=name, currency=currency)
    assert needed_pairs() == {("EUR", "NOK"), ("SEK", "NOK")}
    asked = []
    monkeypatch.setattr(refresh_pair, "delay", lambda base, target: asked.append((base, target)))
    refresh_rates()
    assert sorted(asked) == [("EUR", "NOK"), ("SEK", "NOK")]


def test_the_task_is_known_to_celery_and_to_beat():
    app.loader.import_default_modules()
    assert app.conf.beat_schedule["refresh pensions' rates"]["task"] in app.tasks
