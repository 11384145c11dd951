"""Names that are unique regardless of case."""

from typing import Any

from django.db import models

# Unicode case folding makes at most three characters of one: ΐ and ﬃ.
FOLDED = 3


def name_key(name: str) -> str:
    """Return `name` for comparison: ØRE equals øre, which SQLite's LOWER does not know."""
    return " ".join(name.split()).casefold()


class Named(models.Model):
    """A row with a `name`; every save updates its `name_key`."""

    name: Any
    name_key: Any

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return str(self.name)

    def clean(self) -> None:
        self.name_key = name_key(self.name)

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.name_key = name_key(self.name)
        super().save(*args, **kwargs)
