"""Every route of the REST API, in one place."""

from django.urls import path, re_path

from financeproj.core.api.errors import ApiNotFoundView
from financeproj.history.api import views as history
from financeproj.users.api import views as users
from financeproj.wealth.api import views as wealth
from integrations import api as status
from integrations.exports import api as exports
from integrations.imports import api as imports
from integrations.ynab import api as ynab
from marketdata.api import views as market
from pensions.api import views as pensions
from portfolios.api import (
    agreement,
    bulk,
    cash,
    groups,
    held_back,
    instruments,
    reports,
    statement,
)
from portfolios.api import views as portfolios

OBJECT_ACTIONS = {
    "get": "retrieve",
    "put": "update",
    "patch": "partial_update",
    "delete": "destroy",
}
PORTFOLIO, HOLDING, TRANSACTION = (
    portfolios.PortfolioViewSet,
    portfolios.HoldingViewSet,
    portfolios.TransactionViewSet,
)

urlpatterns = [
    path("auth/login", users.LoginView.as_view()),
    path("auth/refresh", users.RefreshView.as_view()),
    path("auth/logout", users.LogoutView.as_view()),
    path("sign-ins", users.SignInsView.as_view()),
    path("users/me", users.MeView.as_view()),
    path("users/me/retirement-goal", users.RetirementGoalView.as_view()),
    path("users/me/password", users.PasswordView.as_view()),
    path("history", history.HistoryViewSet.as_view({"get": "list"})),
    path("status", status.StatusView.as_view()),
    path("currencies", market.CurrenciesView.as_view()),
    path("stocks/search", market.SearchView.as_view()),
    path("stocks/<str:ticker>", instruments.InstrumentView.as_view()),
    path("held-back", held_back.HeldBackListView.as_view()),
    path("held-back/<uuid:pk>", held_back.HeldBackView.as_view()),
    path("stocks/<str:ticker>/price", market.PriceView.as_view()),
    path("stocks/<str:ticker>/prices", instruments.PricesByHandView.as_view()),
    path("stocks/<str:ticker>/prices/<str:date>", market.PriceByHandView.as_view()),
    path("stocks/<str:ticker>/history", market.HistoryView.as_view()),
    path("exchange-rates/<str:from>/<str:to>", market.RateView.as_view()),
    path("exchange-rates/<str:from>/<str:to>/history", market.RateHistoryView.as_view()),
    path("portfolios", PORTFOLIO.as_view({"get": "list", "post": "create"})),
    path("portfolios/order", PORTFOLIO.as_view({"put": "order"})),
    path("portfolios/<uuid:pk>", PORTFOLIO.as_view({**OBJECT_ACTIONS})),
    path("portfolios/<uuid:pk>/used-credit", cash.CashViewSet.as_view({"put": "used_credit"})),
    path(
        "portfolios/<uuid:pk>/cash", cash.CashViewSet.as_view({"get": "retrieve", "put": "update"})
    ),
    path("portfolios/<uuid:pk>/agreement", agreement.AgreementViewSet.as_view({"get": "retrieve"})),
    path("portfolios/<uuid:pk>/cash-from", cash.CashViewSet.as_view({"put": "cash_from"})),
    path("portfolios/<uuid:pk>/holdings", PORTFOLIO.as_view({"get": "holdings"})),
    path("portfolios/<uuid:pk>/statement", statement.StatementView.as_view()),
    path("portfolios/<uuid:pk>/statement.csv", exports.StatementCsvView.as_view()),
    path("portfolios/<uuid:pk>/timeline", reports.TimelineView.as_view()),
    path("portfolios/<uuid:pk>/performance", reports.PerformanceView.as_view()),
    path("portfolios/<uuid:pk>/performance/explain", reports.PerformanceExplainView.as_view()),
    path("portfolios/<uuid:pk>/bridge", reports.BridgeView.as_view()),
    path("portfolios/<uuid:pk>/allocation", reports.AllocationView.as_view()),
    path("portfolios/<uuid:pk>/realised-gains", reports.RealisedGainsView.as_view()),
    path("timeline", reports.TimelineView.as_view()),
    path("bridge", reports.BridgeView.as_view()),
    path("performance", reports.PerformanceView.as_view()),
    path("allocation", reports.AllocationOfAllView.as_view()),
    path(
        "holdings/<uuid:pk>",
        HOLDING.as_view({name: OBJECT_ACTIONS[name] for name in ("get", "patch", "delete")}),
    ),
    path("holdings/<uuid:pk>/explain", reports.HoldingExplainView.as_view()),
    path("holdings/<uuid:pk>/transactions", HOLDING.as_view({"get": "transactions"})),
    path("transactions", TRANSACTION.as_view({"get": "list", "post": "create"})),
    path("transactions/import-csv", imports.ImportCsvView.as_view()),
    path("transactions/import-csv/failed-rows", imports.FailedRowsView.as_view()),
    path("transaction-groups", groups.GroupViewSet.as_view({"get": "list", "post": "create"})),
    path(
        "transaction-groups/<uuid:pk>",
        groups.GroupViewSet.as_view({"get": "retrieve", "put": "update", "delete": "destroy"}),
    ),
    path("transactions/bulk", bulk.BulkViewSet.as_view({"post": "create"})),
    path("transactions/export.csv", exports.ExportCsvView.as_view()),
    path("transactions/<uuid:pk>", TRANSACTION.as_view({**OBJECT_ACTIONS})),
    path("export", exports.ExportView.as_view()),
    path("imports", imports.ImportViewSet.as_view({"get": "list"})),
    path("imports/formats", imports.FormatsView.as_view()),
    path("imports/mappings", imports.MappingsView.as_view()),
    path("imports/mappings/<path:name>", imports.MappingView.as_view()),
    path(
        "imports/<uuid:pk>",
        imports.ImportViewSet.as_view({"get": "retrieve", "delete": "destroy"}),
    ),
    path("settings/ynab", ynab.YnabSettingsView.as_view()),
    path("settings/ynab/plans", ynab.YnabPlansView.as_view()),
    path("ynab/accounts", ynab.YnabAccountsView.as_view()),
    path("ynab/accounts/<str:account_id>/balance", ynab.YnabBalanceView.as_view()),
    path("pension/accounts/<uuid:pk>/sync", ynab.PensionSyncView.as_view()),
    path("net-worth", wealth.NetWorthView.as_view()),
    path("net-worth/explain", wealth.NetWorthExplainView.as_view()),
    path("dashboard", wealth.DashboardView.as_view()),
    path("goal", wealth.GoalView.as_view()),
    path("pension/projection", pensions.ProjectionView.as_view()),
    path("pension/accounts", pensions.AccountsView.as_view()),
    path("pension/accounts/<uuid:pk>", pensions.AccountView.as_view()),
    path("pension/accounts/<uuid:pk>/values", pensions.ValuesView.as_view()),
    path("pension/accounts/<uuid:pk>/values/<uuid:value_id>", pensions.ValueView.as_view()),
    path("pension/accounts/<uuid:pk>/contributions", pensions.ContributionsView.as_view()),
    path(
        "pension/accounts/<uuid:pk>/contributions/<uuid:contribution_id>",
        pensions.ContributionView.as_view(),
    ),
    # Unknown paths get a JSON answer, also with DEBUG.
    re_path(r"", ApiNotFoundView.as_view()),
]
