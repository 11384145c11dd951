"""Test request limits per user and per address."""

import pytest
from django.test import RequestFactory

from financeproj.core.api.throttling import AnonThrottle, UserThrottle
from financeproj.core.shared.proxies import client_address

pytestmark = pytest.mark.django_db


def test_a_user_above_the_rate_limit_gets_retry_after(api, other_api, monkeypatch):
    monkeypatch.setattr(UserThrottle, "rate", "3/min", raising=False)
    assert [api.get("/api/v1/users/me").status_code for _ in range(3)] == [200, 200, 200]
    refused = api.get("/api/v1/users/me")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (429, "throttled")
    assert 1 <= int(refused["Retry-After"]) <= 60
    assert other_api.get("/api/v1/users/me").status_code == 200


def test_an_address_without_sign_in_has_a_rate_of_its_own(anonymous, api, monkeypatch):
    monkeypatch.setattr(AnonThrottle, "rate", "2/min", raising=False)
    codes = [anonymous.post("/api/v1/auth/refresh", {"refresh": "x"}).status_code for _ in range(3)]
    assert codes == [401, 401, 429]
    elsewhere = anonymous.post("/api/v1/auth/refresh", {"refresh": "x"}, REMOTE_ADDR="10.9.9.9")
    assert elsewhere.status_code == 401
    assert api.get("/api/v1/users/me").status_code == 200


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, "1.1.1.1", "9.9.9.9"),
        (1, "1.1.1.1", "1.1.1.1"),
        (1, "6.6.6.6, 1.1.1.1", "1.1.1.1"),
        (2, "6.6.6.6, 1.1.1.1, 8.8.8.8", "1.1.1.1"),
        (2, "1.1.1.1", "1.1.1.1"),
        (1, "", "9.9.9.9"),
        (1, "not an address", "9.9.9.9"),
    ],
)
def test_forwarded_addresses_are_trusted_for_the_given_number_of_proxies(
    settings, proxies, forwarded, expected
):
    settings.TRUSTED_PROXIES = proxies
    request = RequestFactory().get("/", REMOTE_ADDR="9.9.9.9", HTTP_X_FORWARDED_FOR=forwarded)
    assert client_address(request) == expected


def test_requests_with_bad_tokens_are_throttled_as_anonymous(anonymous, monkeypatch):
    monkeypatch.setattr(AnonThrottle, "rate", "2/min", raising=False)
    codes = [
        anonymous.get("/api/v1/users/me", headers={"Authorization": "Bearer x.y.z"}).status_code
        for _ in range(3)
    ]
    assert codes == [401, 401, 429]
