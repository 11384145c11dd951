"""A progress bar for people; silent where nobody is looking."""

from collections.abc import Iterable, Iterator, Sized
from typing import Any, TypeVar

T = TypeVar("T")
WIDTH = 40


def progress(items: Iterable[T], *, out: Any, label: Any = str) -> Iterator[T]:
    """Hand on `items` (of known length) while a bar on `out`, if that is a terminal, shows how far
    it is.

    `label` makes the text for the item at work.
    """
    total = len(items) if isinstance(items, Sized) else 0
    shown = bool(total) and out.isatty()
    for done, item in enumerate(items):
        if shown:
            bar = "#" * (WIDTH * done // total)
            out.write(f"\r[{bar:<{WIDTH}}] {done}/{total} {label(item)[:30]:<30}", ending="")
            out.flush()
        yield item
    if shown:
        out.write(f"\r[{'#' * WIDTH}] {total}/{total} {'':<30}")
