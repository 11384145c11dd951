"""The rows of a file on their way into a portfolio, and what is wrong with some of them.

All are frozen: a step of an import makes new rows and never changes one that it was given.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from msgspec import Struct

from financeproj.core.money import ZERO

VALUE_SHOWN = 100
REVERSED, REVERSAL = "reversed", "reversal"

Day = date  # within a class that has a field `date`


class ImportRow(Struct, frozen=True):
    """One transaction of a file: values as the file has them, None where it says nothing.

    `row` is its line; the header is line 1. A row that `is_money_alone` has no instrument: its
    `settlement_amount` is signed as it moves the balance in `settlement_currency`, and `price` is
    that without its sign. One that `is_converted` has amounts that were converted at our own rate.
    One with `is_cost_unknown` has shares that come in without a price. Rows with the same `group`
    belong together, in a group of `group_kind`; `cost_share` is the part of the cost that a leg
    with shares takes over, or the cash of what goes out. The quantity 0 of what goes out stands
    for all. One that `takes_back` is not a transaction: either REVERSED, a row as the broker had it
    before it was reversed in the same file, or REVERSAL, which says what instrument, amount and
    currency an earlier row had that it reverses. `known_as` is the fingerprint under which an
    earlier version recorded it, if that was another. `renamed_from` is the ticker in the file, if
    the instrument has another one now.
    """

    row: int
    type: str
    date: date
    ticker: str
    quantity: Decimal
    price: Decimal | None = None
    commission: Decimal | None = None
    exchange_rate: Decimal | None = None
    currency: str | None = None
    company_name: str = ""
    note: str = ""
    external_id: str | None = None
    tax: Decimal | None = None
    settlement_currency: str | None = None
    settlement_amount: Decimal | None = None
    booked_on: Day | None = None
    is_money_alone: bool = False
    is_converted: bool = False
    is_cost_unknown: bool = False
    group: str = ""
    group_kind: str = ""
    group_label: str = ""
    cost_share: Decimal | None = None
    known_as: str = ""
    takes_back: str = ""
    renamed_from: str = ""

    @property
    def charge(self) -> Decimal:
        """Commission and tax together, by which a row is known again."""
        return (self.commission or ZERO) + (self.tax or ZERO)


class RowProblem(Struct, frozen=True):
    """What is wrong with one row, or with one value until the row is known.

    `code` is for programs. `message` is a text in English with the placeholders of `params`, which
    is what is translated: `%(ticker)s`. `row` is the line in the file, `column` the column at fault
    and `value` what stands there. `sample` is the text of the row, of the first of its kind.
    """

    code: str
    message: str
    params: Mapping[str, str] = {}
    row: int = 0
    column: str | None = None
    value: str | None = None
    sample: str = ""

    @property
    def detail(self) -> str:
        """The message in English."""
        return self.message % self.params if self.params else self.message

    def at(self, row: int, column: str | None, value: object) -> "RowProblem":
        """The same problem, of this value in this column of this row."""
        shown = None if value is None else str(value)
        return RowProblem(
            self.code, self.message, self.params, row, column, shown, sample=self.sample
        )

    def as_entry(self) -> dict[str, object]:
        """Return an entry of `ImportBatch.errors`: the detail in English and, if it has values, the
        message and the values, from which it is made in other languages.
        """
        entry: dict[str, object] = {
            "row": self.row,
            "column": self.column,
            "value": None if self.value is None else storable(self.value[:VALUE_SHOWN]),
            "code": self.code,
            "detail": storable(self.detail),
        }
        if self.params:
            entry["message"] = self.message
            entry["params"] = {name: storable(value) for name, value in self.params.items()}
        return entry


class Checkpoint(Struct, frozen=True):
    """What a file says stood at the end of a booking day: a balance, or a number of shares.

    Either `currency` or `ticker` is set. `decimals` is how many the file writes in that column,
    `row` the line with the figure, `rows_of_day` how many rows of the file were booked on `day`.
    """

    day: date
    amount: Decimal
    decimals: int
    row: int
    rows_of_day: int
    currency: str = ""
    ticker: str = ""


def gettext_noop(message: str) -> str:
    """Mark a message for translation; it is translated when it is shown."""
    return message


def storable(text: str) -> str:
    """`text` without null characters, which Python and JSON take, but PostgreSQL does not."""
    return text.replace("\x00", "\ufffd")
