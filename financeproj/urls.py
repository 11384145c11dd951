from collections.abc import Callable
from functools import wraps

from csp.constants import SELF, UNSAFE_INLINE
from csp.decorators import csp_update
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import include, path
from django.views.decorators.cache import cache_control
from django.views.generic import RedirectView
from django.views.i18n import JavaScriptCatalog, set_language
from drf_spectacular.views import SpectacularRedocView, SpectacularSwaggerView

from financeproj import pages
from financeproj.core.api.schema_view import SchemaView
from financeproj.core.ops import health

View = Callable[..., HttpResponseBase]

# Swagger UI and Redoc set styles and start with an inline script; Redoc's search runs in a worker
# made from a blob.
documentation_policy = csp_update(
    {
        "script-src": [SELF, UNSAFE_INLINE],
        "style-src": [SELF, UNSAFE_INLINE],
        "img-src": [SELF, "data:"],
        "worker-src": [SELF, "blob:"],
    }
)


def for_documentation(view: View) -> View:
    """Close Swagger UI's view to other windows; it opens itself for OAuth, which is not used."""

    @wraps(view)
    def closed(request: HttpRequest) -> HttpResponseBase:
        answer = view(request)
        del answer["Cross-Origin-Opener-Policy"]  # the middleware sets its own
        return answer

    return documentation_policy(closed)


# The texts are in LOCALE_PATHS, which the catalogue includes; it needs some package.
texts = JavaScriptCatalog.as_view(packages=["financeproj.users"])

urlpatterns = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("api/v1/", include("financeproj.api")),
    path("api/schema", SchemaView.as_view(), name="schema"),
    path("api/docs", for_documentation(SpectacularSwaggerView.as_view(url_name="schema"))),
    path("api/redoc", for_documentation(SpectacularRedocView.as_view(url_name="schema"))),
    path("admin/", admin.site.urls),
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}img/icon.svg")),
    path("", pages.home),
    path("login", pages.SignInView.as_view(), name="login"),
    path("logout", LogoutView.as_view(), name="logout"),
    path("dashboard", pages.dashboard, name="dashboard"),
    path("portfolios", pages.portfolios, name="portfolios"),
    path("portfolios/<uuid:pk>", pages.portfolio, name="portfolio"),
    path("instruments/<str:ticker>", pages.instrument, name="instrument"),
    path("pension", pages.pension, name="pension"),
    path("held-back", pages.held_back, name="held_back"),
    path("settings", pages.settings, name="settings"),
    path("i18n/language", set_language, name="set_language"),
    path("i18n/texts.js", cache_control(private=True, max_age=3600)(texts), name="texts"),
]

handler400 = "financeproj.core.api.error_pages.bad_request"
handler403 = "financeproj.core.api.error_pages.permission_denied"
handler404 = "financeproj.core.api.error_pages.not_found"
handler500 = "financeproj.core.api.error_pages.server_error"
