"""Test what a restore does to sessions and tokens."""

import pytest
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.test import Client
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from financeproj.users.models import SignIn, TokenFamily
from financeproj.users.services import issue_tokens
from integrations.backups.services import make_backup

pytestmark = pytest.mark.django_db


@pytest.fixture
def signed_in(user):
    """A browser and a client with tokens of one user."""
    browser = Client()
    browser.force_login(user)
    return browser, issue_tokens(user=user, address="10.1.2.3", agent="test")


def statuses(signed_in, anonymous):
    browser, tokens = signed_in
    bearer = {"Authorization": f"Bearer {tokens.access_token}"}
    return [
        browser.get("/api/v1/users/me").status_code,
        anonymous.get("/api/v1/users/me", headers=bearer).status_code,
        anonymous.post("/api/v1/auth/refresh", {"refresh": str(tokens)}).status_code,
    ]


def test_a_restore_ends_every_session_and_token(signed_in, anonymous, tmp_path, capsys):
    made = make_backup(folder=tmp_path)
    call_command("restore", made.path, "--replace")
    assert "Everyone has to sign in again." in capsys.readouterr().out
    assert statuses(signed_in, anonymous) == [401, 401, 401]
    for model in (Session, TokenFamily, OutstandingToken):
        assert not model.objects.exists()
    assert SignIn.objects.count() == 1  # the record of the browser's sign-in


def test_a_restore_keeps_sign_ins_where_it_should(signed_in, anonymous, tmp_path, capsys):
    made = make_backup(folder=tmp_path)
    call_command("restore", made.path, "--replace", "--keep-sign-ins")
    assert "sign in again" not in capsys.readouterr().out
    assert statuses(signed_in, anonymous) == [200, 200, 200]
