"""Test sign-in, tokens and lockout."""

import pytest
from django.contrib.auth.hashers import identify_hasher
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import RefreshToken

from conftest import PASSWORD
from financeproj.users.models import User

pytestmark = pytest.mark.django_db


def sign_in(client, username="kari", password=PASSWORD):
    return client.post("/api/v1/auth/login", {"username": username, "password": password})


def errors(response):
    return [(error["code"], error["attr"]) for error in response.json()["errors"]]


def test_signing_in_gives_an_access_token_that_opens_the_api(user, anonymous):
    tokens = sign_in(anonymous).json()
    anonymous.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens['access']}")
    assert anonymous.get("/api/v1/users/me").json()["username"] == "kari"


def test_a_wrong_password_is_refused_with_a_code_and_the_request_id(user, anonymous):
    response = sign_in(anonymous, password="wrong")
    assert response.status_code == 401
    assert errors(response) == [("invalid_credentials", None)]
    assert response.json()["type"] == "client_error"
    assert response.json()["request_id"] == response["X-Request-ID"]


def test_five_failures_lock_the_name_for_that_address_only(user, anonymous):
    for _ in range(4):
        assert sign_in(anonymous, password="wrong").status_code == 401
    fifth = sign_in(anonymous, password="wrong")
    assert fifth.status_code == 429
    locked = sign_in(anonymous)
    assert locked.status_code == 429
    assert errors(locked) == [("locked_out", None)]
    assert 1 <= int(locked["Retry-After"]) <= 900
    elsewhere = APIClient(REMOTE_ADDR="10.1.2.3")
    assert sign_in(elsewhere).status_code == 200


def test_a_sign_in_forgets_the_failures_before_it_of_that_name_from_that_address(
    user, other_user, anonymous
):
    elsewhere = APIClient(REMOTE_ADDR="10.1.2.3")
    for _ in range(4):
        for client, name in ((anonymous, "kari"), (anonymous, "ola"), (elsewhere, "kari")):
            assert sign_in(client, name, "wrong").status_code == 401
    assert sign_in(anonymous).status_code == 200
    for _ in range(4):
        assert sign_in(anonymous, password="wrong").status_code == 401
    assert sign_in(anonymous, password="wrong").status_code == 429
    assert sign_in(anonymous, "ola", "wrong").status_code == 429
    assert sign_in(elsewhere, password="wrong").status_code == 429


def test_a_sign_in_is_the_last_one(user, anonymous):
    sign_in(anonymous, password="wrong")
    assert User.objects.get().last_login is None
    sign_in(anonymous)
    assert User.objects.get().last_login is not None


def test_a_refresh_token_works_once(user, anonymous):
    first = sign_in(anonymous).json()["refresh"]
    rotated = anonymous.post("/api/v1/auth/refresh", {"refresh": first})
    assert set(rotated.json()) == {"access", "refresh"}
    again = anonymous.post("/api/v1/auth/refresh", {"refresh": first})
    assert again.status_code == 401
    assert errors(again)[0][0] == "token_not_valid"
    assert (
        anonymous.post("/api/v1/auth/refresh", {"refresh": rotated.json()["refresh"]}).status_code
        == 200
    )


def test_signing_out_kills_the_refresh_token(user, anonymous):
    tokens = sign_in(anonymous).json()
    anonymous.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens['access']}")
    assert anonymous.post("/api/v1/auth/logout", {"refresh": tokens["refresh"]}).status_code == 204
    assert anonymous.post("/api/v1/auth/refresh", {"refresh": tokens["refresh"]}).status_code == 401


def test_only_who_is_signed_in_signs_out_and_with_a_token_of_their_own(user, anonymous, other_api):
    refresh = sign_in(anonymous).json()["refresh"]
    response = anonymous.post("/api/v1/auth/logout", {"refresh": refresh})
    assert (response.status_code, errors(response)) == (401, [("not_authenticated", None)])
    another = other_api.post("/api/v1/auth/logout", {"refresh": refresh})
    assert (another.status_code, errors(another)) == (401, [("token_not_valid", None)])
    assert anonymous.post("/api/v1/auth/refresh", {"refresh": refresh}).status_code == 200


def test_a_new_password_kills_every_refresh_token(user, anonymous, api):
    refresh = sign_in(anonymous).json()["refresh"]
    body = {"current_password": PASSWORD, "new_password": "another long phrase"}
    assert api.put("/api/v1/users/me/password", body).status_code == 204
    assert anonymous.post("/api/v1/auth/refresh", {"refresh": refresh}).status_code == 401
    assert sign_in(anonymous, password="another long phrase").status_code == 200


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"current_password": "wrong", "new_password": "another long phrase"},
            ("wrong_password", "current_password"),
        ),
        (
            {"current_password": PASSWORD, "new_password": "short"},
            ("password_too_short", "new_password"),
        ),
        (
            {"current_password": PASSWORD, "new_password": "password1234"},
            ("password_too_common", "new_password"),
        ),
        ({"current_password": PASSWORD}, ("required", "new_password")),
    ],
)
def test_a_password_that_is_invalid_changes_nothing(user, api, body, expected):
    before = user.password
    response = api.put("/api/v1/users/me/password", body)
    assert response.status_code == 422
    assert expected in errors(response)
    user.refresh_from_db()
    assert user.password == before


@pytest.mark.parametrize("user_id", ["17", "kari", "", ["a"], {"a": 1}, -1, 2**200, None])
def test_a_token_with_an_unknown_user_id_is_invalid(user, anonymous, user_id):
    tokens = RefreshToken.for_user(user)
    for token in (tokens, access := tokens.access_token):
        token["user_id"] = user_id
    refreshed = anonymous.post("/api/v1/auth/refresh", {"refresh": str(tokens)})
    anonymous.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
    asked = anonymous.get("/api/v1/users/me")
    assert [(one.status_code, one.json()["type"]) for one in (refreshed, asked)] == [
        (401, "client_error")
    ] * 2
    assert asked["WWW-Authenticate"].startswith("Bearer")
    assert {code for code, _ in errors(refreshed) + errors(asked)} <= {
        "token_not_valid",
        "user_not_found",
    }


@pytest.mark.parametrize("path", ["users/me", "users/me/password", "users/me/retirement-goal"])
def test_without_a_token_the_answer_is_401(anonymous, path):
    response = anonymous.put(f"/api/v1/{path}", {})
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_passwords_are_kept_with_bcrypt(settings, make_user):
    from financeproj import settings as real

    settings.PASSWORD_HASHERS = real.PASSWORD_HASHERS
    assert identify_hasher(make_user("berit").password).algorithm == "bcrypt_sha256"
