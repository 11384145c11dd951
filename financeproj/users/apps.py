from django.apps import AppConfig


class UsersConfig(AppConfig):
    name = "financeproj.users"
    label = "users"
    verbose_name = "Users"

    def ready(self) -> None:
        from financeproj.users import (
            services,  # noqa: F401  (its receivers)
            sign_ins,  # noqa: F401  (its receivers)
            tokens,
        )

        tokens.install()
