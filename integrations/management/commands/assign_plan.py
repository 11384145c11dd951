"""Assign a YNAB budget to a user."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from financeproj.core.errors import DomainError
from integrations.management.sources import user_named
from integrations.ynab.client import is_plan_id
from integrations.ynab.services import assign_budget, withdraw_budget


class Command(BaseCommand):
    help = (
        "Let a user read a YNAB budget (a plan). Users see only budgets assigned to them; staff "
        "and the only user of an installation see all of the API key."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="username")
        parser.add_argument("plan", help="the id of the budget, as in the address of YNAB's page")
        parser.add_argument("--withdraw", action="store_true", help="take it from the user again")

    def handle(self, *args: Any, **options: Any) -> None:
        user, plan_id = user_named(options["user"]), options["plan"]
        if not is_plan_id(plan_id):
            raise CommandError(f"{plan_id} is not the id of a budget.")
        if options["withdraw"]:
            withdraw_budget(user=user, budget_id=plan_id)
            self.stdout.write(f"{user} no longer sees {plan_id}.")
            return
        try:
            budget = assign_budget(user=user, budget_id=plan_id)
        except DomainError as error:
            raise CommandError(error.detail) from error
        self.stdout.write(f"{user} may choose {budget}.")
