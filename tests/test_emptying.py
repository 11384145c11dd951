"""Check that nothing which a test commits is left for the next one."""

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.test import TransactionTestCase

from financeproj.users.models import User
from portfolios.services import create_portfolio, set_balance

pytestmark = pytest.mark.django_db(transaction=True)


def filled_tables():
    return {
        model._meta.db_table
        for model in apps.get_models(include_auto_created=True)
        if model._base_manager.exists()
    }


def names_of_permissions():
    return sorted(Permission.objects.values_list("content_type__model", "codename"))


def empty():
    TransactionTestCase()._fixture_teardown()


def test_only_what_the_migrations_have_made_is_left(user):
    portfolio = create_portfolio(user=user, name="Nordic", currency="NOK")
    set_balance(portfolio=portfolio, kind="cash", amount=1)
    user.user_permissions.set(Permission.objects.all()[:2])
    before = list(Permission.objects.order_by("pk").values_list())
    assert {"users_user", "users_user_user_permissions", "portfolios_portfoliobalance"} <= (
        filled_tables()
    )
    empty()
    assert filled_tables() == {"auth_permission", "django_content_type"}
    assert list(Permission.objects.order_by("pk").values_list()) == before


def test_changed_permissions_are_made_again():
    before = names_of_permissions()
    Permission.objects.filter(codename="view_user").delete()
    ContentType.objects.create(app_label="crypto", model="coin")
    Permission.objects.create(
        codename="new", name="New", content_type=ContentType.objects.get_for_model(User)
    )
    empty()
    assert names_of_permissions() == before
    assert not ContentType.objects.filter(app_label="crypto").exists()
