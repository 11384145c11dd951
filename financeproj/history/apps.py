from django.apps import AppConfig


class HistoryConfig(AppConfig):
    name = "financeproj.history"
    label = "history"
    verbose_name = "History"
