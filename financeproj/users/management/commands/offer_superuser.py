import sys
from typing import Any

from django.core.management import BaseCommand, call_command

from financeproj.users.models import User


class Command(BaseCommand):
    help = "Where there is no user yet, offer to make the first one (on a terminal)."

    def handle(self, *args: Any, **options: Any) -> None:
        if User.objects.exists():
            return
        if not sys.stdin.isatty():
            self.stdout.write("There is no user yet: run manage.py createsuperuser.")
            return
        if input("There is no user yet. Make one now? [Y/n] ").strip().lower() in ("", "y", "yes"):
            call_command("createsuperuser")
