import os
import secrets
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand
from django.db import transaction
from django.utils import timezone

from financeproj.users.models import User
from financeproj.users.services import set_retirement_goal
from integrations import demo
from integrations.imports.pipeline import import_statement
from marketdata import services as marketdata
from pensions.models import PensionAccount, PensionValueEntry
from pensions.services import create_contribution
from portfolios import selectors, services
from portfolios.models import PortfolioBalance


class Command(BaseCommand):
    help = (
        "Make a demo user with two imported portfolios, two pension accounts and a goal. "
        "Safe to run again."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        user, password = self.demo_user()
        today = timezone.localdate()
        for name, (currency, _) in demo.PORTFOLIOS.items():
            if not selectors.transactions_visible_to(user).filter(portfolio__name=name).exists():
                self.import_portfolio(user, name, currency, today)
        self.pensions(user, today)
        if user.retirement_goal_amount is None:
            set_retirement_goal(user=user, amount=Decimal(4_000_000), year=today.year + 20)
        if user.check_password(password):
            self.stdout.write(self.style.SUCCESS(f"Sign in as demo with the password {password}"))
        else:
            says = (
                "Sign in as demo with the password that was set since, or set one with "
                "manage.py changepassword demo"
            )
            self.stdout.write(self.style.WARNING(says))

    def demo_user(self) -> tuple[User, str]:
        """Return the demo user and the password.

        It is made once and kept in a file that only its owner may read.
        """
        path = settings.VAR_DIR / "demo_password"
        user = User.objects.filter(username="demo").first()
        if user and path.exists():
            return user, path.read_text()
        password = secrets.token_urlsafe(12)
        user = user or User(
            username="demo", email="demo@example.org", is_staff=True, is_superuser=True
        )
        user.set_password(password)
        user.save()
        with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
            file.write(password)
        return user, password

    def import_portfolio(self, user: User, name: str, currency: str, today: date) -> None:
        path = settings.VAR_DIR / f"demo {name}.csv".lower().replace(" ", "-")
        path.write_text(demo.statement(name, today))
        portfolio = selectors.portfolios_of(user).filter(
            name=name
        ).first() or services.create_portfolio(
            user=user, name=name, currency=currency, brokerage_firm="Demo broker"
        )
        services.set_balance(
            portfolio=portfolio, kind=PortfolioBalance.Kind.CASH, amount=Decimal(12_500)
        )
        outcome = import_statement(portfolio=portfolio, data=path.read_bytes(), file_name=path.name)
        marketdata.ensure_history(stock_ids=portfolio.holdings.values_list("stock_id", flat=True))
        self.stdout.write(
            f"{name}: {outcome.import_batch.created} transactions imported from {path.name}"
        )

    def pensions(self, user: User, today: date) -> None:
        for name, start, growth, paid in (
            ("Employer's scheme", 180_000, 2_900, 2_400),
            ("Own pension account", 60_000, 1_250, 1_000),
        ):
            with transaction.atomic():  # an account that is there has its values
                account, made = PensionAccount.objects.get_or_create(
                    user=user, name=name, defaults={"currency": user.base_currency}
                )
                if made:
                    months = [
                        today.replace(day=1) - timedelta(days=30 * month)
                        for month in range(48, 0, -1)
                    ]
                    PensionValueEntry.objects.bulk_create(
                        PensionValueEntry(account=account, date=day, value=start + growth * index)
                        for index, day in enumerate(months)
                    )
                    create_contribution(
                        account=account,
                        amount=Decimal(paid),
                        start=months[0],
                        growth=Decimal("0.03"),
                    )
