import sys
from typing import Any

from django.core.management import BaseCommand, call_command

from financeproj.users.models import User


class Command(BaseCommand):
    help = "Offer to create the first user if there are none (on a terminal)."

    def handle(self, *args: Any, **options: Any) -> None:
        if User.objects.exists():
            return
        if not sys.stdin.isatty():
            self.stdout.write("No users exist. Create one: manage.py createsuperuser")
            return
        answer = input("No users exist. Create the first one now? [Y/n] ")
        if answer.strip().lower() in ("", "y", "yes"):
            call_command("createsuperuser")
