import sys
from argparse import ArgumentParser
from typing import Any

import structlog
from django.core.management.base import BaseCommand

from integrations.doctor import examine

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Command(BaseCommand):
    help = (
        "Show what is wrong with this installation and what to do about it. "
        "Exits with 1 if anything is wrong."
    )
    requires_system_checks: list[str] = []  # examine() runs them with the rest

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--fix", action="store_true", help="do what is safe to do, then look again"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        found = examine()
        if options["fix"] and any(one.fix for one in found):
            for one in found:
                if one.fix is not None:
                    self.fix(one)
            found = examine()
        for one in found:
            self.stdout.write(f"{self.style.ERROR(one.about)}: {one.says}\n    {one.advice}")
        if found:
            self.stdout.write(f"{len(found)} findings.")
            sys.exit(1)
        self.stdout.write(self.style.SUCCESS("All is well."))

    def fix(self, finding: Any) -> None:
        self.stdout.write(f"{finding.about}: {finding.says} Fixing.")
        try:
            finding.fix()
        except Exception as error:
            # The others are fixed all the same, and the second look finds this one again.
            log.warning("fix_failed", about=finding.about, exc_info=True)
            self.stdout.write(f"    That failed: {error}")
