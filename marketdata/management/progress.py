"""A progress bar for a terminal."""

from collections.abc import Iterable, Iterator, Sized
from typing import Any, TypeVar

T = TypeVar("T")
WIDTH = 40


def progress(items: Iterable[T], *, out: Any, label: Any = str) -> Iterator[T]:
    """Yield `items` (of known length) and show the progress on `out` if that is a terminal.

    `label` returns the text for the current item.
    """
    total = 0
    if isinstance(items, Sized):
        total = len(items)
    shown = bool(total) and out.isatty()
    for done, item in enumerate(items):
        if shown:
            bar = "#" * (WIDTH * done // total)
            out.write(f"\r[{bar:<{WIDTH}}] {done}/{total} {label(item)[:30]:<30}", ending="")
            out.flush()
        yield item
    if shown:
        out.write(f"\r[{'#' * WIDTH}] {total}/{total} {'':<30}")
