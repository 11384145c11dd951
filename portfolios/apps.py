from django.apps import AppConfig


class PortfoliosConfig(AppConfig):
    name = "portfolios"
    verbose_name = "Portfolios"

    def ready(self) -> None:
        from marketdata.signals import splits_recorded
        from portfolios.services.splits import on_splits_recorded

        splits_recorded.connect(on_splits_recorded, dispatch_uid="portfolios.book_splits")
