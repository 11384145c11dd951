"""Names that must be unique whatever their case."""

from typing import Any

from django.db import models

# A character is folded to at most three: ΐ and ﬃ are (Unicode, full case folding).
FOLDED = 3


def name_key(name: str) -> str:
    """`name` as it is compared: ØRE and øre are one name, which SQLite's LOWER does not know."""
    return " ".join(name.split()).casefold()


class Named(models.Model):
    """A row with a `name`, whose `name_key` follows it at every save."""

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
