"""Names that are unique for a reader: regardless of case, width and invisible characters."""

import unicodedata
from collections.abc import Collection
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

# Unicode case folding makes at most three characters of one: ΐ and ﬃ. The few that normalisation
# makes longer (ﷺ) count as they are written out, and a name that gets too long by them is refused.
FOLDED = 3
MAX_NAME_LENGTH = 100
MAX_KEY_LENGTH = FOLDED * MAX_NAME_LENGTH
UNNAMED = "Unnamed"


def name_key(name: str) -> str:
    """Return `name` for comparison: ØRE equals øre, which SQLite's LOWER does not know.

    Compatible characters are equal (NFKC: Ａ is A), and characters that cannot be seen (category
    Cf) do not count. The key of a name without a visible character is empty.
    """
    if not name.isascii():
        compatible = unicodedata.normalize("NFKC", name)
        visible = "".join(filter(_is_visible, compatible))
        # Folding and removing can bring characters together that have a composed form.
        name = unicodedata.normalize("NFKC", visible.casefold())
    return " ".join(name.split()).casefold()


def _is_visible(character: str) -> bool:
    return unicodedata.category(character) != "Cf"


def free_name(name: str, taken: Collection[str]) -> str:
    """Return `name`, shortened if needed, or `name (2)` and so on if its key is in `taken`."""
    base = name if name_key(name) else UNNAMED
    while len(name_key(base)) > MAX_KEY_LENGTH - len(" (999)"):
        base = base[:-1]
    candidate, number = base, 1
    while name_key(candidate) in taken:
        number += 1
        ending = f" ({number})"
        candidate = base[: MAX_NAME_LENGTH - len(ending)] + ending
    return candidate


def renew_name_keys(rows: Any) -> None:
    """Calculate the keys of `rows` again. Of names of a user that become equal the younger changes.

    For migrations; `rows` is a QuerySet of a historical model with user, name, name_key and
    created_at.
    """
    taken: dict[Any, set[str]] = {}
    changed: list[tuple[Any, str, str]] = []
    stored = rows.order_by("created_at", "pk").values_list("pk", "user_id", "name", "name_key")
    for pk, user_id, name, key in stored:
        keys = taken.setdefault(user_id, set())
        new_name = free_name(name, keys)
        new_key = name_key(new_name)
        keys.add(new_key)
        if (new_name, new_key) != (name, key):
            changed.append((pk, new_name, new_key))
    # Two steps: a new key may be the old one of a younger row.
    for pk, _name, _key in changed:
        rows.filter(pk=pk).update(name_key=f"renewed {pk}")
    for pk, name, key in changed:
        rows.filter(pk=pk).update(name=name, name_key=key)


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
        if self.name and not self.name_key:
            detail = _("Use a name with a character that can be seen.")
            raise ValidationError({"name": ValidationError(detail, "blank")})
        if len(self.name_key) > MAX_KEY_LENGTH:
            raise ValidationError({"name": ValidationError(_("Use a shorter name."), "max_length")})

    def validate_constraints(self, exclude: Any = None) -> None:
        """Check the constraints, but not those of the key of a name that is refused already."""
        excluded = set(exclude or ())
        if "name" in excluded:
            excluded.add("name_key")
        super().validate_constraints(exclude=excluded)

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.name_key = name_key(self.name)
        super().save(*args, **kwargs)
