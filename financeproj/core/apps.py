from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "financeproj.core"

    def ready(self) -> None:
        from financeproj.core.ops import checks  # noqa: F401  (registers checks and log receivers)
