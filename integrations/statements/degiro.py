"""DEGIRO: the account statement, in Dutch, English, Portuguese and French.

One trade is several rows of one order: what was traded, its fees, and the exchange of its currency.
The fills of an order may be of several days, and then in several files. The columns are the same in
every language and are read by position. Newest row first. Some files mix decimal points and decimal
commas.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from financeproj.core.identifiers import in_major_unit
from financeproj.core.money import EXACT, ONE, ZERO
from integrations.statements.amounts import amount_mismatch, divide
from integrations.statements.base import (
    Divergence,
    Format,
    Options,
    Statement,
    StatementRow,
    Table,
)
from integrations.statements.days import dashed_day
from integrations.statements.degiro_orders import Order, price_of_currency, total_fees
from integrations.statements.sheet import RawRow, Sheet, bad_row, unpaired_reversal
from integrations.statements.values import number_in, single_spaced
from portfolios.calc.import_rows import RowProblem
from portfolios.calc.import_rows import gettext_noop as _
from portfolios.calc.kinds import RULES

DUTCH = (
    "Datum", "Tijd", "Valutadatum", "Product", "ISIN", "Omschrijving", "FX", "Mutatie", "", "Saldo",
    "", "Order Id",
)  # fmt: skip
FIRST_COLUMNS = {("Datum", "Tijd"), ("Date", "Time"), ("Data", "Hora"), ("Date", "Heure")}
POSITIONS = {
    "date": 0, "time": 1, "product": 3, "isin": 4, "description": 5, "fx": 6, "currency": 7,
    "change": 8, "balance_currency": 9, "balance": 10, "order": 11,
}  # fmt: skip

CHECKED = ("change", "balance")

VERBS = {
    "koop": "buy", "verkoop": "sell", "buy": "buy", "sell": "sell",
    "compra": "buy", "venda": "sell", "achat": "buy", "vente": "sell",
}  # fmt: skip
# SPLIT: Koop 1.000 ASML@880,5 EUR (NL0010273215), with single spaces.
_TRADE = re.compile(
    r"\A(?:(?P<prefix>[^: ]++(?: [^: ]++)*+) ?: ?)?(?P<verb>" + "|".join(VERBS) + r") "
    r"(?P<quantity>(?>(?:\d{1,3}(?:[ .,]\d{3})*(?:[.,]\d+)?|\d+(?:[.,]\d+)?)\b))"
    r"[^@]*?(?:@|\bat\b) ?(?P<price>[\d.,]++) (?P<currency>[A-Z]{3})\b",
    re.IGNORECASE,
)
_FIGURES = re.compile(r"[-\d.,]")
_BRACKET_OR_FIGURES = re.compile(r"[-\d.,(]")
DIVIDENDS = {"dividend", "dividende", "dividendo", "fund distribution"}
TAXES = {"dividendbelasting", "dividend tax", "impôts sur dividende", "imposto sobre dividendo"}
FEES = (
    "degiro transactiekosten", "degiro transaction", "comissões de transação degiro",
    "frais degiro de courtage",
)  # fmt: skip
EXCHANGE = (
    "valuta creditering", "valuta debitering", "fx credit", "fx debit", "crédito de divisa",
    "levantamento de divisa", "ingreso cambio de divisa", "retirada cambio de divisa",
)  # fmt: skip
MONEY_MARKET = (
    "money market fund",
    "conversion fonds monétaires",
    "variation fonds monétaires",
    "geldmarktfonds",
)
CASH_ACCOUNT = "NLFLATEXACNT"
FREE_SHARES = {"stock dividend"}
CENT = Decimal("0.01")
MAX_ORDER_ID = 200

UNPAIRED_ACTION = _(
    "%(action)s needs a sale and a purchase of one ISIN on one day. Enter by hand what happened "
    "and skip this row."
)

# (ISIN, day) → (buy or sell, row) of its corporate actions.
ActionRows = dict[tuple[str, str], list[tuple[str, RawRow]]]


def recognises(table: Table) -> bool:
    header = [name.strip() for name in table.header]
    return (
        len(header) == len(DUTCH)
        and tuple(header[:2]) in FIRST_COLUMNS
        and header[4] == "ISIN"
        and not header[8]
    )


def read(table: Table, options: Options) -> Statement:
    _join_wrapped_ids(table)
    table.require_rectangle(is_always_full=True)
    numbers = ("change", "fx", "balance")
    sheet = Sheet("degiro", table, options, read_day=dashed_day, columns=POSITIONS, numbers=numbers)
    sheet.sort_oldest_first("date", "time")
    orders = _orders(sheet)
    reversed_lines = _reversed_lines(sheet)
    action_rows = _action_rows(sheet)
    for raw in sheet:
        with sheet.collect_problem(raw):
            for column in CHECKED:
                raw.number(column)  # An unreadable number is a problem of its row.
            if raw.line in reversed_lines:
                sheet.ignore(raw, "reversed")
            else:
                _read_row(sheet, raw, orders.get(raw["order"]), action_rows)
    _reconcile(sheet)
    return sheet.statement


def _join_wrapped_ids(table: Table) -> None:
    """Join an order id that is wrapped onto a line of its own."""
    lines: list[int] = []
    records: list[list[str]] = []
    for line, record in zip(table.lines, table.records, strict=True):
        is_full = len(record) == len(DUTCH)
        is_rest = is_full and not any(map(str.strip, record[:-1]))
        if is_rest and records and len(records[-1][-1]) <= MAX_ORDER_ID:
            records[-1][-1] = records[-1][-1].strip() + record[-1].strip()
        else:
            lines.append(line)
            records.append(record)
    table.lines[:], table.records[:] = lines, records


def _starts(text: str, words: Iterable[str]) -> bool:
    return text.casefold().startswith(tuple(words))


def _orders(sheet: Sheet) -> dict[str, Order]:
    orders: dict[str, Order] = defaultdict(Order)
    for raw in sheet:
        if not raw["order"]:
            continue
        order = orders[raw["order"]]
        if _starts(raw["description"], FEES):
            order.fees.append(raw)
        elif _starts(raw["description"], EXCHANGE):
            order.exchanges.append(raw)
        elif _trade(raw):
            order.trades.append(raw)
            order.first.setdefault(raw["date"], raw)
    for order in orders.values():
        if order.trades:
            order.add_up()
    return orders


def _reversed_lines(sheet: Sheet) -> set[int]:
    """Find dividends and taxes that another row reverses to the cent.

    Returns the lines of both rows.
    """
    waiting: dict[tuple[str, str, str, Decimal], list[int]] = defaultdict(list)
    found: set[int] = set()
    for raw in sheet:
        kind = raw["description"].casefold()
        if kind not in DIVIDENDS | TAXES or not raw["change"]:
            continue
        change = sheet.number(raw["change"])
        if isinstance(change, RowProblem):
            continue
        opposite = waiting[raw["isin"], kind, raw["currency"], -change]
        if opposite:
            found |= {opposite.pop(), raw.line}
        else:
            waiting[raw["isin"], kind, raw["currency"], change].append(raw.line)
    return found


def _action_rows(sheet: Sheet) -> ActionRows:
    """Find the corporate actions: sales and purchases with words before them."""
    found: ActionRows = defaultdict(list)
    for raw in sheet:
        match = _trade(raw)
        if match and match["prefix"] and not _starts(raw["description"], MONEY_MARKET):
            side = VERBS[match["verb"].casefold()]
            found[raw["isin"], raw["date"]].append((side, raw))
    return found


def _read_row(sheet: Sheet, raw: RawRow, order: Order | None, action_rows: ActionRows) -> None:
    words = raw["description"].casefold()
    if not words:
        raise sheet.unknown_type("description", "")
    match = _trade(raw)
    is_exchange = _starts(words, EXCHANGE)
    has_trades = order is not None and bool(order.trades)
    if raw["isin"] == CASH_ACCOUNT or _starts(words, MONEY_MARKET):
        _ignore_cash(sheet, raw)
    elif has_trades and (is_exchange or _starts(words, FEES)):
        sheet.ignore(raw, "part of a trade")
    elif is_exchange or not raw["isin"]:
        _ignore_cash(sheet, raw)
    elif match and not match["prefix"]:
        _add_trade(sheet, raw, match, order or Order())
    elif match:
        _add_action(sheet, raw, match, action_rows[raw["isin"], raw["date"]])
    elif words in DIVIDENDS:
        _add_income(sheet, raw, "dividend", raw.required_number("change"))
    elif words in TAXES:
        _add_income(sheet, raw, "tax", -raw.required_number("change"))
    else:
        raise sheet.unknown_type("description", raw["description"])


def _add_income(sheet: Sheet, raw: RawRow, kind: str, amount: Decimal) -> None:
    if amount < 0:
        raise unpaired_reversal("change", raw.required_number("change"))
    sheet.add(
        raw, type=kind, quantity=ONE, price=amount, currency=raw["currency"], **_identity(raw)
    )


def _ignore_cash(sheet: Sheet, raw: RawRow) -> None:
    # An amount, or a name in brackets, is not part of the kind.
    kind = single_spaced(raw["description"])
    pattern = _BRACKET_OR_FIGURES if kind.endswith(")") else _FIGURES
    details = pattern.search(kind)
    if details:
        kind = kind[: details.start()].rstrip()
    sheet.ignore(raw, kind.casefold()[:60], raw.number_or_zero("change"), raw["currency"])


def _traded(match: re.Match[str]) -> tuple[Decimal, Decimal, str]:
    """Return (quantity, price in the main unit, currency) from the words of a trade."""
    quantity = _number_in_words(match, match["quantity"])
    price = _number_in_words(match, match["price"])
    price, currency = in_major_unit(price, match["currency"].upper())
    return quantity, price, currency


def _number_in_words(match: re.Match[str], text: str) -> Decimal:
    # Other words than English ones come with a decimal comma: 1.000 shares are a thousand in Dutch.
    is_english = match["verb"].casefold() in ("buy", "sell")
    styles = ("point", "comma") if is_english else ("comma", "point")
    for style in styles:
        number = number_in(text, style)
        if number is not None:
            return number
    raise bad_row(
        "description",
        match[0],
        "invalid",
        _("Could not read the numbers of the trade. Enter it by hand and skip this row."),
    )


def _add_trade(sheet: Sheet, raw: RawRow, match: re.Match[str], order: Order) -> None:
    quantity, price, currency = _traded(match)
    gross = EXACT.multiply(quantity, price)
    change = raw.number("change")
    if change is not None and abs(abs(change) - gross) > max(CENT, gross / 500):
        raise amount_mismatch(raw, "change", quantity=quantity, price=price, expected=gross)
    rate, account_currency = price_of_currency(order.exchanged_on(raw["date"]), currency)
    fee, fee_currency = total_fees(order.fees_of(raw))
    if fee and rate and fee_currency == account_currency:
        fee = divide(fee, rate)
        fee_currency = currency
    identity = _identity(raw)
    if raw["order"]:
        identity["external_id"] = order.external_id(raw, quantity, price)
        # Earlier versions used the id of the order, and `order:2` for the second fill of a file,
        # which is another fill in another file.
        identity["former_id"] = raw["order"]
    sheet.add(
        raw,
        type=VERBS[match["verb"].casefold()],
        quantity=quantity,
        price=price,
        commission=fee,
        commission_in=fee_currency or None,
        currency=currency,
        exchange_rate=rate,
        rate_currency=account_currency or None,
        **identity,
    )


def _add_action(
    sheet: Sheet, raw: RawRow, match: re.Match[str], rows: list[tuple[str, RawRow]]
) -> None:
    """Add shares that were added or removed without a trade.

    `rows` are the (side, row) of all actions of that ISIN on that day.
    """
    words = match["prefix"].casefold()
    quantity, price, currency = _traded(match)
    side = VERBS[match["verb"].casefold()]
    if words in FREE_SHARES and match["verb"].casefold() != "sell":
        sheet.add(
            raw, type="buy", quantity=quantity, price=price, currency=currency, **_identity(raw)
        )
        return
    by_side = dict(rows)
    if len(rows) != 2 or by_side.keys() != {"buy", "sell"}:
        raise bad_row(
            "description",
            raw["description"],
            "unpaired_action",
            UNPAIRED_ACTION,
            action=match["prefix"],
        )
    old = _traded(_matched(by_side["sell"]))[0]
    new = _traded(_matched(by_side["buy"]))[0]
    if old == new:
        sheet.ignore(raw, words)  # The same shares under another name.
    elif side == "sell":
        sheet.ignore(raw, "split: shares taken out")
    elif not old or "split" not in words:
        raise sheet.unknown_type("description", raw["description"])
    else:
        sheet.add(raw, type="split", quantity=divide(new, old), **_identity(raw))


def _trade(raw: RawRow) -> re.Match[str] | None:
    """Match the words of a trade. Returns None for other words."""
    return _TRADE.match(single_spaced(raw["description"]))


def _matched(raw: RawRow) -> re.Match[str]:
    match = _trade(raw)
    assert match is not None  # nosec B101  # For mypy: the caller has only rows that match.
    return match


def _identity(raw: RawRow) -> dict[str, Any]:
    return {
        "date": raw.day("date"),
        "isin": raw["isin"],
        "company_name": raw["product"],
        "note": raw["description"],
    }


# --- Comparison with the broker's balances --------------------------------------------------------


def _reconcile(sheet: Sheet) -> None:
    """Compare the balance of each currency at the end of each day with the broker's.

    It must be the balance before plus what our transactions did to it. The first difference becomes
    `divergence`.
    """
    statement = sheet.statement
    if statement.failed:
        return  # The comparison would find nothing but the rows that are missing.
    made = {row.row: row for row in statement.rows}
    balances = list(_balances(sheet))
    statement.reconciles = bool(balances)
    last_lines: dict[tuple[str, str], int] = {}
    for raw, _stated in balances:
        last_lines[raw["date"], raw["balance_currency"]] = raw.line
    running: dict[str, Decimal] = {}
    tolerance: dict[str, Decimal] = defaultdict(Decimal)
    for raw, stated in balances:
        currency = raw["balance_currency"]
        change = raw.number("change")
        if change is None or raw["currency"] != currency:
            # Money moved to or from the bank. Only the words give the amount.
            running[currency] = stated
            continue
        effect, rounding = _cash_effect(made.get(raw.line), change)
        running[currency] = running.get(currency, stated - change) + effect
        tolerance[currency] += rounding
        if last_lines[raw["date"], currency] != raw.line:
            continue
        if abs(stated - running[currency]) > tolerance[currency]:
            statement.divergence = Divergence(
                raw.line,
                f"balance {stated} {currency}",
                f"balance {running[currency].quantize(CENT)} {currency}",
            )
            return
        running[currency] = stated
        tolerance[currency] = ZERO


def _balances(sheet: Sheet) -> Iterator[tuple[RawRow, Decimal]]:
    for raw in sheet:
        if not raw["balance_currency"]:
            continue
        balance = raw.number("balance")
        if balance is not None:
            yield raw, balance


def _cash_effect(row: StatementRow | None, change: Decimal) -> tuple[Decimal, Decimal]:
    """Return (what our transaction did to the cash, how much of that may be rounding).

    The first is the broker's `change` where the row made no transaction. Fees are rows of their
    own.
    """
    if row is None or row.price is None:
        return change, ZERO
    gross = EXACT.multiply(row.quantity, row.price)
    # The price in the words has lost its last digits: 5.416 for what cost 5.42.
    last_digit = min(int(row.price.as_tuple().exponent), 0)
    price_rounding = Decimal(5).scaleb(last_digit - 1)
    rounding = CENT + EXACT.multiply(row.quantity, price_rounding)
    return RULES[row.type].money * gross, rounding


EXAMPLE = (
    "01-03-2024,09:30,01-03-2024,ASML HOLDING,NL0010273215,"
    '"Koop 2 @ 880,5 EUR",,EUR,"-1761,00",EUR,"239,00",11111111-2222-3333-4444-555555555555'
)
FORMATS = (
    Format(
        name="degiro",
        label="DEGIRO, account statement",
        columns=tuple(filter(None, DUTCH)),
        example=f"{','.join(DUTCH)}\r\n{EXAMPLE}\r\n",
        recognises=recognises,
        read=read,
    ),
)
