"""The pages: templates for signed-in users, which scripts in static/js fill from the API."""

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from financeproj.core.errors import DomainError, NotFound
from financeproj.users.api.authentication import user_of
from marketdata.queries import instrument_named
from marketdata.services import can_describe
from portfolios.selectors import portfolios_of
from portfolios.services import can_price

THEMES = ("light", "dark")


def preferences(request: HttpRequest) -> dict[str, Any]:
    """Add the display settings that static/js/frame.js keeps in cookies to every template.

    Rendered by the server, so that no page flashes in the wrong colours.
    """
    theme = request.COOKIES.get("theme", "")
    if theme not in THEMES:
        theme = ""
    return {"theme": theme, "amounts_hidden": request.COOKIES.get("amounts") == "hidden"}


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    return redirect("dashboard")


class SignInView(LoginView):
    template_name = "users/login.html"
    redirect_authenticated_user = True

    def get_redirect_url(self) -> str:  # type: ignore[override]  # the stub is of a later Django
        """Return the address in `next`; "" for this page, which would redirect to itself."""
        address = str(super().get_redirect_url())
        if urlsplit(address).path == self.request.path:
            return ""
        return address


@require_safe
@never_cache
@login_required
def dashboard(request: HttpRequest) -> HttpResponse:
    return render(request, "wealth/dashboard.html")


@require_safe
@never_cache
@login_required
def portfolios(request: HttpRequest) -> HttpResponse:
    return render(request, "portfolios/portfolios.html")


@require_safe
@never_cache
@login_required
def portfolio(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show a portfolio; 404 for another user's, as in the API."""
    found = get_object_or_404(portfolios_of(user_of(request)), pk=pk)
    return render(request, "portfolios/portfolio.html", {"portfolio": found})


@require_safe
@never_cache
@login_required
def instrument(request: HttpRequest, ticker: str) -> HttpResponse:
    """Show an instrument; 404 for one that neither the user nor a source knows, as in the API."""
    user = user_of(request)
    ticker = ticker.strip().upper()
    try:
        name = instrument_named(user=user, ticker=ticker).company_name
    except NotFound as error:
        raise Http404 from error
    except DomainError:  # No source can be asked: the page says so.
        name = ""
    shown = {
        "ticker": ticker,
        "name": name or ticker,
        "may_describe": can_describe(user=user, ticker=ticker),
        "may_price": can_price(user=user, ticker=ticker),
    }
    return render(request, "portfolios/instrument.html", shown)


@require_safe
@never_cache
@login_required
def pension(request: HttpRequest) -> HttpResponse:
    return render(request, "pensions/pension.html")


@require_safe
@never_cache
@login_required
def held_back(request: HttpRequest) -> HttpResponse:
    return render(request, "portfolios/held_back.html")


@require_safe
@never_cache
@login_required
def settings(request: HttpRequest) -> HttpResponse:
    return render(request, "users/settings.html")
