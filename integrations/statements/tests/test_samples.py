"""Test every format with its samples: expected results, duplicates and undo."""

from collections import Counter
from decimal import Decimal as D

import pytest
from django.apps import apps

from integrations.conftest import Upload
from integrations.statements.registry import formats
from integrations.statements.tests.samples import SAMPLES
from marketdata.tests.factories import with_rates
from portfolios import services
from portfolios.models import Holding, ImportBatch

pytestmark = pytest.mark.django_db


@pytest.fixture(params=SAMPLES, ids=lambda sample: sample.name)
def sample(request):
    for base, quote, day, rate in request.param.rates:
        with_rates(base, quote, {day: rate})
    return request.param


@pytest.fixture
def account(api, user, sample):
    return Upload(
        api, services.create_portfolio(user=user, name="At the broker", currency=sample.currency)
    )


NAMES = (
    "current_quantity",
    "average_cost_per_share",
    "cost_basis",
    "realised_gain",
    "income",
    "charges",
)


def held():
    return {row[0]: row[1:] for row in Holding.objects.values_list("stock__ticker", *NAMES)}


def as_precise(found, truth):
    """Round `found` to the decimals of `truth`."""
    precise = {}
    for ticker, values in found.items():
        of_ticker = []
        for value, said in zip(values, truth.get(ticker, values), strict=True):
            if isinstance(said, D) and value is not None:
                value = value.quantize(said)
            of_ticker.append(value)
        precise[ticker] = tuple(of_ticker)
    return precise


def test_every_format_has_two_samples_or_more():
    counted = Counter(sample.format for sample in SAMPLES)
    assert {one.name for one in formats()} == {
        name for name, count in counted.items() if count >= 2
    }


def test_a_sample_comes_to_its_truth(account, sample):
    body = account.done(data=sample.data, **sample.options)
    assert as_precise(held(), sample.held) == sample.held
    assert body["format"] == sample.format
    assert (body["created"], body["ignored"], body["failed"], body["errors"]) == (
        sample.created,
        sample.ignored,
        0,
        [],
    )
    assert (body["reconciled"], body["first_divergence"]) == (sample.reconciled, None)
    assert sum(one["count"] for one in body["ignored_sums"]) == sample.ignored


def test_the_second_time_changes_nothing(account, sample, dump):
    account.done(data=sample.data, **sample.options)
    before = dump()
    again = account(data=sample.data, **sample.fields)
    assert (again.status_code, again.json()["created"], again.json()["duplicates"]) == (
        200,
        0,
        sample.created,
    )
    assert dump() == before


@pytest.mark.untraced
@pytest.mark.parametrize("newest_first", [False, True])
def test_halves_that_overlap_are_the_whole(account, sample, newest_first):
    parts = [sample.older, sample.newer]
    options = sample.options | {"on_error": "skip"}
    for part in parts[::-1] if newest_first else parts:
        account(data=part, **options)
    # What lacked its purchases the first time is there after the second; a third changes nothing.
    for part in parts:
        account(data=part, **options)
    whole = account(data=sample.data, **sample.fields)
    assert as_precise(held(), sample.held) == sample.held
    assert whole.json()["created"] == 0


def everything():
    """Every row of the database but market data, what instruments are called, the import
    itself with its checkpoints, and its history; no times.
    """
    kept = {}
    for model in apps.get_models():
        if model._meta.app_label == "marketdata" or model.__name__ in (
            "Checkpoint",
            "HistoryEntry",
            "ImportBatch",
            "InstrumentAlias",
        ):
            continue
        left_out = {"updated_at", "version"}
        names = [
            field.attname for field in model._meta.concrete_fields if field.attname not in left_out
        ]
        kept[model.__name__] = sorted(map(repr, model._base_manager.values_list(*names)))
    return kept


@pytest.mark.untraced
def test_undo_leaves_the_database_as_it_was_row_for_row(account, sample, api):
    account.done(data=sample.older, **sample.options)
    before = everything()
    body = account(data=sample.data, **sample.options).json()
    assert body["created"] == 0 or everything() != before
    if body["id"]:
        assert api.delete(f"/api/v1/imports/{body['id']}").status_code == 204
    assert everything() == before
    first = ImportBatch.objects.order_by("created_at").first()
    assert api.delete(f"/api/v1/imports/{first.pk}").status_code == 204
    assert not Holding.objects.exists()
    assert everything()["Transaction"] == []


@pytest.mark.untraced
def test_an_undone_import_can_be_imported_again(account, sample, api):
    body = account.done(data=sample.data, **sample.options)
    assert api.delete(f"/api/v1/imports/{body['id']}").status_code == 204
    assert account.done(data=sample.data, **sample.fields)["created"] == sample.created
    assert as_precise(held(), sample.held) == sample.held
