from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "financeproj.core"

    def ready(self) -> None:
        from financeproj.core import checks, logging  # noqa: F401  (registers checks and log receivers)
