"""Test the HTML of the pages: access and content policy. tests/browser tests the scripts."""

import ast
import re
from pathlib import Path

import pytest
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile

from conftest import PASSWORD
from portfolios.services import create_portfolio

pytestmark = pytest.mark.django_db
PAGES = (
    "/dashboard",
    "/portfolios",
    "/instruments/FJORD.DEMO",
    "/pension",
    "/held-back",
    "/settings",
)


@pytest.fixture
def visitor(client, user):
    client.force_login(user)
    return client


def policy(response):
    return {
        part.split()[0]: part.split()[1:] for part in response["Content-Security-Policy"].split(";")
    }


def test_the_root_leads_to_the_dashboard(visitor):
    assert visitor.get("/").headers["Location"] == "/dashboard"


@pytest.mark.parametrize("address", [*PAGES, "/portfolios/00000000-0000-4000-8000-000000000000"])
def test_a_page_redirects_anonymous_users_to_sign_in_and_back(client, address):
    response = client.get(address)
    assert (response.status_code, response["Location"]) == (302, f"/login?next={address}")


@pytest.mark.parametrize("address", PAGES)
def test_a_page_allows_only_its_own_origin_and_nothing_inline(visitor, address):
    response = visitor.get(address)
    assert response.status_code == 200
    assert policy(response)["default-src"] == ["'self'"]
    assert "unsafe" not in response["Content-Security-Policy"]
    text = response.content.decode()
    assert "style=" not in text
    assert "<style" not in text
    assert all("src=" in tag.split(">")[0] for tag in text.split("<script")[1:])
    assert "no-store" in response["Cache-Control"]


def test_the_admin_and_the_api_have_the_same_policy(visitor):
    for address in ("/admin/login/", "/api/v1/users/me", "/healthz"):
        assert policy(visitor.get(address))["default-src"] == ["'self'"]


@pytest.mark.parametrize("address", ["/api/docs", "/api/redoc"])
def test_only_the_documentation_may_use_inline_script(client, address):
    response = client.get(address)
    assert response.status_code == 200
    assert policy(response)["default-src"] == ["'self'"]
    assert "'unsafe-inline'" in policy(response)["script-src"]


def test_another_users_portfolio_is_not_found(visitor, other_user):
    theirs = create_portfolio(user=other_user, name="Theirs", currency="NOK")
    response = visitor.get(f"/portfolios/{theirs.pk}")
    assert response.status_code == 404
    assert b"Theirs" not in response.content


def test_only_its_owner_may_price_and_describe_an_instrument_on_its_page(
    visitor, user, other_user, client, yahoo
):
    portfolio = create_portfolio(user=user, name="Own", currency="NOK")
    bought = {"ticker": "CABIN", "type": "buy", "date": "2024-03-01", "quantity": 1, "price": 10}
    body = {"portfolio_id": str(portfolio.pk), "currency": "NOK", **bought}
    answer = visitor.post("/api/v1/transactions", body, content_type="application/json")
    assert answer.status_code == 201, answer.json()
    own = visitor.get("/instruments/cabin").content.decode()
    assert ('id="by-hand"' in own, 'id="edit"' in own) == (True, True)
    client.force_login(other_user)
    assert client.get("/instruments/cabin").status_code == 404
    shared = client.get("/instruments/FJORD.DEMO").content.decode()
    assert ('id="by-hand"' in shared, 'id="edit"' in shared) == (False, False)


def test_sign_in_and_out(client, user):
    assert client.get("/login").status_code == 200
    response = client.post("/login", {"username": "kari", "password": PASSWORD, "next": "/pension"})
    assert (response.status_code, response["Location"]) == (302, "/pension")
    assert client.get("/pension").status_code == 200
    assert client.post("/logout")["Location"] == "/login"
    assert client.get("/pension").status_code == 302


def test_a_sign_in_never_leads_to_another_host(client, user):
    response = client.post(
        "/login", {"username": "kari", "password": PASSWORD, "next": "https://evil.example/"}
    )
    assert response["Location"] == "/dashboard"


def test_five_wrong_passwords_lock_the_page_with_429(client, user):
    for _ in range(4):
        assert client.post("/login", {"username": "kari", "password": "wrong"}).status_code == 200
    locked = client.post("/login", {"username": "kari", "password": "wrong"})
    assert locked.status_code == 429
    assert int(locked["Retry-After"]) > 0
    assert client.post("/login", {"username": "kari", "password": PASSWORD}).status_code == 429


def test_an_error_page_has_the_frame_and_the_request_id(client):
    response = client.get("/nothing/here")
    assert response.status_code == 404
    assert response["X-Request-ID"] in response.content.decode()
    assert b"css/app.css" in response.content


def test_an_error_page_asks_nothing_of_the_database(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        client.get("/nothing/here")


@pytest.mark.parametrize("language", ["en", "nb"])
def test_the_language_is_kept_in_a_cookie(client, language):
    client.post("/i18n/language", {"language": language, "next": "/login"})
    assert f'<html lang="{language}"' in client.get("/login").content.decode()


def test_the_theme_and_hidden_amounts_are_drawn_by_the_server(client):
    client.cookies["theme"], client.cookies["amounts"] = "dark", "hidden"
    assert (
        '<html lang="en" data-theme="dark" data-amounts="hidden">'
        in client.get("/login").content.decode()
    )
    client.cookies["theme"] = '"><script>'
    assert "data-theme" not in client.get("/login").content.decode()


def test_errors_of_imported_rows_are_norwegian_on_a_norwegian_page(visitor, user):
    portfolio = create_portfolio(user=user, name="Nordic", currency="NOK")
    file = SimpleUploadedFile(
        "trades.csv", b"date,type,ticker,quantity,price\n2024-03-01,sell,FJORD.DEMO,10,100\n"
    )
    visitor.post("/i18n/language", {"language": "nb", "next": "/dashboard"})
    response = visitor.post(
        "/api/v1/transactions/import-csv", {"portfolio_id": portfolio.pk, "file": file}
    )
    assert response.status_code == 422
    assert [(one["code"], one["detail"]) for one in response.json()["errors"]] == [
        ("insufficient_quantity", "FJORD.DEMO: 10 kreves, men bare 0 eies 2024-03-01.")
    ]


@pytest.mark.parametrize("domain", ["django", "djangojs"])
def test_every_text_has_a_norwegian_translation_that_is_compiled(domain):
    folder = Path(settings.LOCALE_PATHS[0]) / "nb" / "LC_MESSAGES"
    with (folder / f"{domain}.po").open("rb") as file:
        wanted = {key_of(message): message for message in read_po(file, locale="nb") if message.id}
    with (folder / f"{domain}.mo").open("rb") as file:
        compiled = {key_of(message): message.string for message in read_mo(file) if message.id}
    assert len(wanted) > 40
    assert not [
        key for key, message in wanted.items() if message.fuzzy or not all(listed(message.string))
    ]
    assert {key: listed(message.string) for key, message in wanted.items()} == {
        key: listed(text) for key, text in compiled.items()
    }


def key_of(message):
    return listed(message.id)[0]


def listed(text):
    return [text] if isinstance(text, str) else list(text)


def test_every_text_in_the_scripts_and_templates_is_in_the_catalogue():
    root = Path(settings.BASE_DIR)
    sources = {
        "djangojs": (root / "static/js", "*.js", r'\bn?gettext\("((?:[^"\\]|\\.)*)"'),
        "django": (root / "templates", "*.html", r"{% translate [\"']([^\"']*)[\"'] %}"),
    }
    for domain, (folder, names, pattern) in sources.items():
        with (root / f"locale/nb/LC_MESSAGES/{domain}.po").open("rb") as file:
            known = {
                listed(message.id)[0].replace("%%", "%") for message in read_po(file, locale="nb")
            }
        used = {
            text for path in folder.rglob(names) for text in re.findall(pattern, path.read_text())
        }
        assert len(used) > 40
        assert used <= known, used - known


def test_every_marked_message_in_the_code_is_in_the_catalogue():
    root = Path(settings.BASE_DIR)
    with (root / "locale/nb/LC_MESSAGES/django.po").open("rb") as file:
        known = {listed(message.id)[0] for message in read_po(file, locale="nb")}
    used = set()
    for app in ("financeproj", "marketdata", "portfolios", "pensions", "integrations"):
        for path in (root / app).rglob("*.py"):
            if "tests" not in path.parts:
                used |= marked_messages(ast.parse(path.read_text()))
    assert len(used) > 50
    assert used <= known, used - known


def marked_messages(tree):
    """Return the texts given to `_` or one of the functions of gettext."""
    found = set()
    for node in ast.walk(tree):
        is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args
        if is_call and node.func.id in ("_", "gettext", "gettext_lazy", "gettext_noop"):
            text = node.args[0]
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                found.add(text.value)
    return found
