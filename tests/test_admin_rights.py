"""Walk the admin by right: staff who may only look change nothing, and each right opens what it
says.

An action, a page or a model that these tables do not name fails the first tests.
"""

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal as D
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.actions import delete_selected
from django.contrib.auth.models import Group, Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.db.models import Model
from django.forms.models import model_to_dict
from django.test import Client
from django.urls import URLPattern, reverse
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken

from conftest import PASSWORD, forget
from financeproj.core.shared import enqueue
from financeproj.users.models import TokenFamily, User
from financeproj.users.services import issue_tokens
from integrations.imports.pipeline import import_statement
from marketdata.models import CurrencyPair, HeldBack, StockMetadata
from marketdata.services import record_rates
from pensions.models import PensionAccount
from portfolios.models import Holding, ImportBatch, Portfolio, Transaction
from tests.stored import stored_models, stored_rows
from tests.world import STATEMENT, World, world  # noqa: F401  (world is a fixture)

pytestmark = [pytest.mark.django_db, pytest.mark.untraced]

# What an action needs, next to the right to see its list.
ACTIONS = {
    (StockMetadata, "refresh_prices"): "marketdata.change_stockmetadata",
    (HeldBack, "accept"): "marketdata.change_heldback",
    (HeldBack, "dismiss"): "marketdata.change_heldback",
    (CurrencyPair, "refresh_rates"): "marketdata.change_currencypair",
    (Holding, "refresh_prices"): "portfolios.change_holding",
    (Transaction, "export_csv"): "portfolios.view_transaction",
    (PensionAccount, "sync_now"): "pensions.change_pensionaccount",
    (TokenFamily, "end_families"): "users.change_tokenfamily",
    (ImportBatch, "undo_imports"): "portfolios.change_importbatch",
}
STANDARD_PAGES = ("changelist", "add", "history", "delete", "change")
OWN_PAGES = {"portfolios_portfolio_import"}
SITE_PAGES = {
    "index",
    "login",
    "logout",
    "password_change",
    "password_change_done",
    "autocomplete",
    "jsi18n",
    "view_on_site",
    "app_list",
}
# Written by the requests themselves, whatever they ask for.
OF_REQUESTS = {"sessions.Session", "admin.LogEntry"}
# Only superusers write these, whatever rights others have.
FOR_SUPERUSERS = {Group}


def registered() -> list[type[Model]]:
    return sorted(admin.site._registry, key=lambda model: model._meta.label)


def page(model: type[Model], name: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def own_actions() -> Iterator[tuple[type[Model], str]]:
    for model in registered():
        for action in admin.site.get_model_admin(model).actions or ():
            yield model, action.__name__


def state() -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of the database by table, except those that requests write."""
    return {
        model._meta.label: stored_rows(model)
        for model in stored_models()
        if model._meta.label not in OF_REQUESTS
    }


def changed(before: dict[str, list[tuple[Any, ...]]]) -> list[str]:
    after = state()
    return [label for label, rows in before.items() if after[label] != rows]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Collect the tasks that are enqueued, without a broker."""
    tasks: list[Any] = []

    def note(task: Any, *args: Any) -> None:
        tasks.append(task.name)

    for module in ("portfolios.admin", "marketdata.admin"):
        monkeypatch.setattr(f"{module}.{enqueue.enqueue_on_commit.__name__}", note)
    return tasks


@pytest.fixture
def full(world: World) -> World:
    """Add a row of most of the other models, and a superuser."""
    import_statement(
        portfolio=world.portfolio,
        data=STATEMENT.replace(b"2024", b"2023"),
        file_name="earlier.csv",
        dry_run=False,
        format_name="auto",
    )
    HeldBack.objects.create(
        kind="price",
        stock=world.holding.stock,
        date="2024-05-02",
        value=500,
        reason="jump",
        source="simulated",
    )
    record_rates(base="EUR", target="NOK", rates=[(date(2024, 5, 2), D(11))], source="ecb")
    Group.objects.create(name="Accountants")
    issue_tokens(user=world.user, address="10.1.2.3", agent="test").blacklist()
    User.objects.create_superuser("root", password=PASSWORD)
    return world


def staff_with(*rights: str) -> Client:
    """Sign in a new staff user with exactly these rights (`app.codename`)."""
    member = User.objects.create_user("berit", password=PASSWORD, is_staff=True)
    every = Permission.objects.select_related("content_type")
    by_name = {f"{one.content_type.app_label}.{one.codename}": one for one in every}
    member.user_permissions.set([by_name[right] for right in rights])
    client = Client()
    client.force_login(member)
    return client


def dismiss(client: Client) -> None:
    """Delete the staff user that is signed in."""
    User.objects.filter(pk=client.session["_auth_user_id"]).delete()


def all_rights(*, verb: str = "") -> list[str]:
    found = Permission.objects.filter(codename__startswith=verb).select_related("content_type")
    return [f"{one.content_type.app_label}.{one.codename}" for one in found]


def right_to(verb: str, model: type[Model]) -> str:
    return f"{model._meta.app_label}.{verb}_{model._meta.model_name}"


def row_of(model: type[Model], full: World) -> Model | None:
    """Return a row of the model; for users one that is not a superuser."""
    return full.user if model is User else model._base_manager.first()


def form_of(row: Model | None) -> dict[str, Any]:
    """Return a form that would change the row if it were taken."""
    if row is None:
        return {}
    fields = {name: value for name, value in model_to_dict(row).items() if value is not None}
    for name in ("name", "note", "company_name", "username", "first_name"):
        if name in fields:
            fields[name] = "Changed"
    for name, value in fields.items():
        if not isinstance(value, str | int | float):
            fields[name] = str(value)
    return fields


def run_action(client: Client, model: type[Model], action: str) -> Any:
    keys = [str(pk) for pk in model._base_manager.values_list("pk", flat=True)]
    form = {"action": action, "_selected_action": keys, "post": "yes"}
    return client.post(page(model, "changelist"), form)


def upload() -> dict[str, Any]:
    content = STATEMENT.replace(b"2024", b"2022")
    return {"file": SimpleUploadedFile("new.csv", content), "format": "auto"}


# --- The tables are complete ----------------------------------------------------------------------


def test_every_action_of_the_admin_names_its_right():
    assert set(own_actions()) == set(ACTIONS)
    assert [name for name, _ in admin.site.actions] == [delete_selected.__name__]
    for model, name in ACTIONS:
        [action] = [
            one for one in admin.site.get_model_admin(model).actions if one.__name__ == name
        ]
        assert action.allowed_permissions, name


def test_every_page_of_the_admin_is_known():
    found = set()
    for model in registered():
        prefix = f"{model._meta.app_label}_{model._meta.model_name}_"
        standard = {prefix + name for name in STANDARD_PAGES} | {"auth_user_password_change"}
        names = {one.name for one in admin.site.get_model_admin(model).get_urls() if one.name}
        found |= names - standard
    assert found == OWN_PAGES
    of_site = {
        one.name for one in admin.site.get_urls() if isinstance(one, URLPattern) and one.name
    }
    assert of_site == SITE_PAGES


# --- Looking --------------------------------------------------------------------------------------


def test_staff_who_may_only_look_change_nothing(full, sent):
    client = staff_with(*all_rights(verb="view_"))
    before = state()
    asked = 0
    for model in registered():
        row = row_of(model, full)
        addresses = [page(model, "changelist"), page(model, "add")]
        if row is not None:
            addresses += [page(model, name, row.pk) for name in ("history", "delete", "change")]
        for address in addresses:
            asked += 1
            looked = client.get(address)
            expected = 403 if address.endswith(("/add/", "/delete/")) else 200
            assert looked.status_code == expected, address
            client.post(address, {**form_of(row), "post": "yes"})
        assert changed(before) == [], model
        offered = admin.site.get_model_admin(model).get_actions(looked.wsgi_request)
        assert set(offered) <= {"export_csv"}
    for model, action in [*ACTIONS, *((model, "delete_selected") for model in registered())]:
        asked += 1
        run_action(client, model, action)
        assert changed(before) == [], (model, action)
    for address in (
        reverse("admin:portfolios_portfolio_import", args=[full.portfolio.pk]),
        reverse("admin:auth_user_password_change", args=[full.user.pk]),
    ):
        asked += 1
        form = {**upload(), "password1": "another long phrase", "password2": "another long phrase"}
        assert client.get(address).status_code == 403
        assert client.post(address, form).status_code == 403
        assert changed(before) == [], address
    assert asked > 150
    assert sent == []


# --- Each right -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "action"), ACTIONS, ids=lambda part: getattr(part, "__name__", part)
)
def test_an_action_needs_its_right_and_no_other(full, sent, model, action):
    right = ACTIONS[model, action]
    seen = {right_to("view", model)}
    enough = {right, right.replace(".view_", ".change_")}  # who may change may look too
    lacking = staff_with(*(set(all_rights()) - enough))
    before = state()
    answer = run_action(lacking, model, action)
    assert "text/csv" not in answer["Content-Type"]
    assert (changed(before), sent) == ([], [])

    dismiss(lacking)
    allowed = staff_with(*seen, right)
    before = state()
    with transaction.atomic():
        answer = run_action(allowed, model, action)
        effects = changed(before)
        transaction.set_rollback(True)
    forget()
    assert effects or sent or "text/csv" in answer["Content-Type"]


def test_the_pages_of_a_model_need_its_rights(full):
    """With every other right its pages stay closed."""
    before = state()
    for model in registered():
        pages_stay_closed(model, row_of(model, full))
        assert changed(before) == [], model


def pages_stay_closed(model: type[Model], row: Model | None) -> None:
    own = {verb: right_to(verb, model) for verb in ("view", "add", "change", "delete")}
    client = staff_with(*(set(all_rights()) - set(own.values())))
    addresses = [page(model, "changelist"), page(model, "add")]
    if row is not None:
        addresses += [page(model, name, row.pk) for name in ("history", "delete", "change")]
    for address in addresses:
        assert client.get(address).status_code == 403, address
        assert client.post(address, {**form_of(row), "post": "yes"}).status_code == 403, address
    run_action(client, model, "delete_selected")
    dismiss(client)


def test_a_right_opens_its_page_and_no_other(full):
    root = Client()
    root.force_login(User.objects.get(username="root"))
    request = root.get("/admin/").wsgi_request
    for model in registered():
        only_its_page_opens(model, row_of(model, full), request)


def only_its_page_opens(model: type[Model], row: Model | None, request: Any) -> None:
    shown = admin.site.get_model_admin(model)
    possible = {
        "add": shown.has_add_permission(request),
        "change": shown.has_change_permission(request, row),
        "delete": shown.has_delete_permission(request, row),
    }
    for verb in ("add", "change", "delete"):
        client = staff_with(right_to(verb, model))
        is_open = possible[verb] and model not in FOR_SUPERUSERS
        if model is User and verb == "add":
            is_open = False  # Django asks for the right to change users too
        opened = {"add": client.get(page(model, "add")).status_code == 200}
        if row is not None:
            # Django shows a row without a form to who may change the model's rows.
            answer = client.get(page(model, "change", row.pk))
            opened["change"] = answer.status_code == 200 and answer.context["has_change_permission"]
            opened["delete"] = client.get(page(model, "delete", row.pk)).status_code == 200
        expected = {name: is_open and name == verb for name in opened}
        assert opened == expected, (model, verb)
        dismiss(client)


def test_importing_a_file_needs_the_right_to_change_portfolios_and_to_add_imports(full):
    address = reverse("admin:portfolios_portfolio_import", args=[full.portfolio.pk])
    needed = {"portfolios.change_portfolio", "portfolios.add_importbatch"}
    before = state()
    for missing in sorted(needed):
        client = staff_with(*(set(all_rights()) - {missing}))
        assert client.post(address, upload()).status_code == 403
        shown = client.get(page(Portfolio, "change", full.portfolio.pk)).content.decode()
        assert address not in shown
        dismiss(client)
    assert changed(before) == []
    allowed = staff_with(*needed)
    assert allowed.post(address, upload()).status_code == 200
    assert ImportBatch.objects.filter(file_name="new.csv", created=2).exists()


# --- Who gives rights -----------------------------------------------------------------------------


@pytest.fixture
def manager(full: World) -> Client:
    """Staff with every right, who is not a superuser."""
    return staff_with(*all_rights())


def user_form(user: User, **fields: Any) -> dict[str, Any]:
    return {
        "username": user.username,
        "base_currency": user.base_currency,
        "is_active": "on",
        "date_joined_0": user.date_joined.strftime("%Y-%m-%d"),
        "date_joined_1": user.date_joined.strftime("%H:%M:%S"),
        **fields,
    }


def test_a_user_manager_gives_rights_to_no_one(manager):
    me = User.objects.get(username="berit")
    group = Group.objects.get()
    right = Permission.objects.first().pk
    rights = {"is_superuser": "on", "groups": [group.pk], "user_permissions": [right]}
    before = sorted(me.get_all_permissions())
    form = user_form(me, is_staff="on", first_name="Berit", **rights)
    assert manager.post(page(User, "change", me.pk), form).status_code == 302
    me = User.objects.get(pk=me.pk)
    assert (me.first_name, me.is_superuser, me.groups.count()) == ("Berit", False, 0)
    assert sorted(me.get_all_permissions()) == before
    for address in (page(Group, "add"), page(Group, "change", group.pk)):
        assert manager.post(address, {"name": "Owners", "permissions": [right]}).status_code == 403
    assert Group.objects.get().permissions.count() == 0


def change_account(client: Client, root: User) -> Any:
    return client.post(page(User, "change", root.pk), user_form(root, username="taken"))


def change_password(client: Client, root: User) -> Any:
    form = {
        "password1": "another long phrase",
        "password2": "another long phrase",
        "usable_password": "true",
    }
    return client.post(reverse("admin:auth_user_password_change", args=[root.pk]), form)


def delete(client: Client, root: User) -> Any:
    return client.post(page(User, "delete", root.pk), {"post": "yes"})


def delete_in_list(client: Client, root: User) -> Any:
    form = {"action": "delete_selected", "_selected_action": [str(root.pk)], "post": "yes"}
    return client.post(page(User, "changelist"), form)


@pytest.mark.parametrize("act", [change_account, change_password, delete, delete_in_list])
def test_a_superusers_account_is_changed_by_superusers_alone(
    manager: Client, act: Callable[[Client, User], Any]
):
    root = User.objects.get(username="root")
    before = state()
    assert act(manager, root).status_code == 403
    assert changed(before) == []
    another = Client()
    another.force_login(User.objects.create_superuser("eva", password=PASSWORD))
    assert act(another, root).status_code == 302
    now = User.objects.filter(pk=root.pk).first()
    assert now is None or now.username == "taken" or now.check_password("another long phrase")


def test_no_page_of_the_admin_shows_a_token(full):
    token = str(RefreshToken.for_user(full.user))
    stored = OutstandingToken.objects.get(jti=RefreshToken(token)["jti"])
    root = Client()
    root.force_login(User.objects.get(username="root"))
    for address in (
        page(OutstandingToken, "changelist"),
        page(OutstandingToken, "change", stored.pk),
        page(BlacklistedToken, "changelist"),
        page(BlacklistedToken, "change", BlacklistedToken.objects.first().pk),
    ):
        text = root.get(address).content.decode()
        assert "eyJ" not in text
    assert token not in str(state())
