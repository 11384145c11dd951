"""A sample: a small file of one format, and the holdings that it must give, calculated by hand.

The layouts are the brokers'; companies and numbers are invented. The expected values are per
ticker: quantity, average cost, cost basis, realised gain, income, charges. The first two are in the
instrument's currency, the others in the portfolio's. They are compared to as many decimals as they
are written with.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal as D

Truth = tuple[D | int | None, ...]


@dataclass(frozen=True)
class Sample:
    """`older` and `newer` are two exports of parts of `data` that overlap and together are all of
    it.

    `rates` are (from, to, day, rate) that the market data source has; `reconciled` is what the
    report says. `header_lines` counts the header and the lines of title above it.
    """

    name: str
    format: str
    currency: str
    data: bytes
    older: bytes
    newer: bytes
    held: dict[str, Truth]
    created: int
    ignored: int
    instruments: dict[str, str] = field(default_factory=dict)
    rates: tuple[tuple[str, str, date, str], ...] = ()
    reconciled: bool | None = None
    fields: dict[str, str] = field(default_factory=dict)
    header_lines: int = 1

    @property
    def options(self) -> dict[str, str]:
        return self.fields | (
            {"instruments": json.dumps(self.instruments)} if self.instruments else {}
        )


def sample(
    name: str,
    format: str,
    header: str,
    rows: str,
    older: Iterable[int],
    newer: Iterable[int],
    **rest,
) -> Sample:
    """Make a sample of `header`, lines of title before it included, and `rows`, one a line.

    `older` and `newer` number the rows from 0.
    """
    lines = rows.strip("\n").splitlines()
    assert sorted({*older, *newer}) == list(range(len(lines)))

    def file(numbers: Iterable[int]) -> bytes:
        return "\r\n".join([header, *(lines[number] for number in numbers), ""]).encode()

    return Sample(
        name,
        format,
        data=file(range(len(lines))),
        older=file(older),
        newer=file(newer),
        header_lines=len(header.splitlines()),
        **rest,
    )


ATLAS, HARBOUR, SKOG, FUND = "US0000000011", "GB0000000021", "SE0000000012", "IE0000000041"
ORDER = "0b1f7d5e-0000-4000-8000-00000000000"
