from django.apps import AppConfig


class MarketdataConfig(AppConfig):
    name = "marketdata"
    verbose_name = "Market data"

    def ready(self) -> None:
        from financeproj.core.ops import health
        from marketdata import gateway

        health.INFORMATION["third_parties"] = gateway.state
