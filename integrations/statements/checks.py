"""Check a row without the database, the same for every format."""

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Any

from financeproj.core.identifiers import (
    MAX_TICKER_LENGTH,
    has_ticker_characters,
)
from integrations.statements.base import StatementRow
from portfolios.calc.import_rows import RowProblem
from portfolios.calc.import_rows import gettext_noop as _
from portfolios.calc.kinds import RULES, Rules

# A symbol is stored in lower case, which can turn one letter into three.
MAX_LENGTHS = (
    ("company_name", 200),
    ("note", 500),
    ("external_id", 200),
    ("isin", 12),
    ("symbol", 60),
)
# What a spreadsheet makes of a long number. Different ids become the same, so new rows would look
# like duplicates.
_ROUNDED = re.compile(r"\d[.,]\d+E\+\d{2,}", re.ASCII)

REQUIRED = RowProblem("required", _("This field is required."))
NEGATIVE = RowProblem("too_small", _("Enter a number of 0 or more."))
NO_MONEY = RowProblem("invalid", _("This type moves no money: leave settlement_amount empty."))
WRONG_SIGN = RowProblem("wrong_sign", _("Money that is paid has a settlement_amount below 0."))
NO_AMOUNT = RowProblem("wrong_sign", _("The amount must not be 0."))
NOT_ABOVE = RowProblem("wrong_sign", _("The amount of this type must be above 0."))
NOT_BELOW = RowProblem("wrong_sign", _("The amount of this type must be below 0."))
NO_TAX = RowProblem("invalid", _("This type has no tax. Record the tax as a row of its own."))
NO_COMMISSION = RowProblem(
    "invalid", _("Money alone has no commission. Record the fee as a row of its own.")
)
NO_CHARGE = RowProblem(
    "no_charge",
    _("Shares that are moved in have no charge: add it to the price, the average cost they bring."),
)
NEEDS_INSTRUMENT = RowProblem("required", _("This type needs an instrument."))
NEEDS_NO_INSTRUMENT = RowProblem("invalid", _("This type has no instrument: leave ticker empty."))
NOT_ABOVE_ZERO = _("Enter a number above 0.")
# Those that people enter one by one; legs of groups are known too.
KNOWN_TYPES = sorted(kind for kind, rules in RULES.items() if not rules.is_exchange)
UNKNOWN_TYPE = RowProblem(
    "unknown_type", _("The type must be one of %(types)s."), {"types": ", ".join(KNOWN_TYPES)}
)
UNCHANGING_SPLIT = RowProblem("invalid", _("The ratio of a split cannot be 1."))
NULL_CHARACTERS = RowProblem("null_characters_not_allowed", _("Null characters are not allowed."))
ROUNDED_ID = RowProblem(
    "invalid", _("A spreadsheet rounded this number. Import the file as it was downloaded.")
)
BAD_TICKER = RowProblem(
    "invalid",
    _(
        "A ticker is made of letters, digits and . - = ^ _ & +, with at least one letter or digit, "
        "and has up to 40 characters."
    ),
)
CHARGES = ("commission", "tax")
_FIELDS = (
    "date",
    "type",
    "ticker",
    "quantity",
    "price",
    "commission",
    "exchange_rate",
    "currency",
    "tax",
    "settlement_currency",
    "settlement_amount",
    "booked_on",
    "cost_share",
)


def problems_of(row: StatementRow) -> list[RowProblem]:
    """Return every problem of a row, none if it is fine.

    A field may hold a RowProblem in place of its value: what could not even be read is listed with
    the rest.
    """
    found: list[RowProblem] = []

    def report(column: str, problem: RowProblem | None) -> None:
        if problem is not None:
            found.append(problem.at(row.row, column, values.get(column)))

    values: dict[str, Any] = {}
    for name in _FIELDS:
        value = getattr(row, name)
        if value.__class__ is RowProblem:
            found.append(value.at(row.row, name, None))
        else:
            values[name] = value
    has_instrument = row.isin or row.symbol or row.is_money_alone
    for name in ("date", "type", "ticker", "quantity"):
        is_needed = name != "ticker" or not has_instrument
        if is_needed and values.get(name, 0) in (None, ""):
            report(name, REQUIRED)
    if values.get("settlement_currency") == "":
        report("currency", REQUIRED)
    kind = values.get("type")
    rules = RULES[kind] if isinstance(kind, str) and kind in RULES else None
    if kind and rules is None:
        report("type", UNKNOWN_TYPE)
    if values.get("ticker"):
        report("ticker", ticker_problem(values["ticker"]))
    needs_price = (rules is None or rules.is_priced) and not row.is_cost_unknown
    if values.get("price", 0) is None and needs_price:
        report("price", REQUIRED)
    report("exchange_rate", _not_above_zero(values.get("exchange_rate")))
    if rules is None or not _can_be_all(rules) or values.get("quantity"):
        report("quantity", _not_above_zero(values.get("quantity")))
    for name in ("price", "commission", "tax", "cost_share"):
        if (values.get(name) or 0) < 0:
            report(name, NEGATIVE)
    if rules is not None and rules.brings_cost:
        for name in CHARGES:
            report(name, NO_CHARGE if (values.get(name) or 0) > 0 else None)
    if rules is not None and row.is_money_alone:
        for column, problem in _money_problems(rules, values):
            report(column, problem)
    elif rules is not None and rules.has_holding:
        report("settlement_amount", _settlement_problem(rules, values))
    elif rules is not None and values.get("ticker", ""):
        report("ticker", NEEDS_NO_INSTRUMENT)
    if rules is not None and rules.is_ratio and values.get("quantity") == 1:
        report("quantity", UNCHANGING_SPLIT)
    for name, length in MAX_LENGTHS:
        if text := getattr(row, name):
            values[name] = text
            report(name, _text_problem(text, length))
    if row.external_id and _ROUNDED.fullmatch(row.external_id):
        report("external_id", ROUNDED_ID)
    return found


def _can_be_all(rules: Rules) -> bool:
    """Whether a quantity of 0 stands for all shares, or for none that go out."""
    return rules.is_exchange and rules.shares < 0


def _settlement_problem(rules: Rules, values: dict[str, Any]) -> RowProblem | None:
    """Return what is wrong with the broker's own amount, None if nothing is."""
    amount = values.get("settlement_amount")
    if amount and not rules.money and not _can_be_all(rules):
        return NO_MONEY
    if amount and amount > 0 and rules.money < 0:
        return WRONG_SIGN
    return None


def _money_problems(
    rules: Rules, values: dict[str, Any]
) -> Iterator[tuple[str, RowProblem | None]]:
    """Yield what is wrong with a row of money alone, by its column."""
    amount = values.get("settlement_amount")
    if not rules.stands_alone:
        yield "ticker", NEEDS_INSTRUMENT
    elif "settlement_amount" in values and not amount:
        yield "settlement_amount", NO_AMOUNT
    elif amount and amount * rules.cash < 0:
        yield "settlement_amount", NOT_ABOVE if rules.cash > 0 else NOT_BELOW
    if values.get("commission"):
        yield "commission", NO_COMMISSION
    if values.get("tax") and not rules.is_income:
        yield "tax", NO_TAX


def unknown_currency(code: str) -> RowProblem:
    message = _("%(currency)s is not a currency in circulation (ISO 4217).")
    return RowProblem("unknown_currency", message, {"currency": code[:20]})


def _not_above_zero(value: Decimal | None) -> RowProblem | None:
    if value is None or value > 0:
        return None
    return RowProblem("too_small" if value else "not_above", NOT_ABOVE_ZERO)


def _text_problem(text: str, length: int) -> RowProblem | None:
    if len(text) > length:
        return _too_long(length)
    if "\x00" in text:
        return NULL_CHARACTERS
    return None


def _too_long(length: int) -> RowProblem:
    message = _("Use at most %(length)s characters.")
    return RowProblem("max_length", message, {"length": str(length)})


def ticker_problem(ticker: str) -> RowProblem | None:
    if len(ticker) > MAX_TICKER_LENGTH:
        return _too_long(MAX_TICKER_LENGTH)
    return _characters_problem(ticker)


# Long texts never come here: thousands of cells would stay in memory.
@lru_cache(maxsize=10_000)
def _characters_problem(ticker: str) -> RowProblem | None:
    return None if has_ticker_characters(ticker) else BAD_TICKER
