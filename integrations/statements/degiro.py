"""DEGIRO: the account statement, in Dutch, English, Portuguese and French words.

One trade is several rows of one order: what was traded, its fees, and the exchange of its currency.
The fills of an order may be of several days, and then of several files. The columns are the same in
every language and are read by position. Newest row first. Some files have a point in one number and
a comma in the next.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from financeproj.core.identifiers import in_major_unit
from financeproj.core.money import EXACT, ONE, ZERO, strip_zeros
from integrations.statements.base import (
    Divergence,
    Format,
    Options,
    Statement,
    StatementRow,
    Table,
)
from integrations.statements.sheet import (
    BadRow,
    Raw,
    Sheet,
    bad_row,
    dashed_day,
    divided,
    taken_back,
)
from integrations.statements.values import number_in, single_spaced
from portfolios.calc.import_rows import RowProblem
from portfolios.calc.import_rows import gettext_noop as _
from portfolios.calc.kinds import RULES

DUTCH = (
    "Datum", "Tijd", "Valutadatum", "Product", "ISIN", "Omschrijving", "FX", "Mutatie", "", "Saldo", "", "Order Id"
)  # fmt: skip
FIRST_COLUMNS = {("Datum", "Tijd"), ("Date", "Time"), ("Data", "Hora"), ("Date", "Heure")}
POSITIONS = {
    "date": 0, "time": 1, "product": 3, "isin": 4, "description": 5, "fx": 6, "currency": 7, "change": 8,
    "balance_currency": 9, "balance": 10, "order": 11,
}  # fmt: skip

VERBS = {
    "koop": "buy", "verkoop": "sell", "buy": "buy", "sell": "sell", "compra": "buy", "venda": "sell",
    "achat": "buy", "vente": "sell",
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
    "degiro transactiekosten", "degiro transaction", "comissões de transação degiro", "frais degiro de courtage",
)  # fmt: skip
EXCHANGE = (
    "valuta creditering", "valuta debitering", "fx credit", "fx debit", "crédito de divisa", "levantamento de divisa",
    "ingreso cambio de divisa", "retirada cambio de divisa",
)  # fmt: skip
MONEY_MARKET = (
    "money market fund",
    "conversion fonds monétaires",
    "variation fonds monétaires",
    "geldmarktfonds",
)
CASH_ACCOUNT = "NLFLATEXACNT"
FREE_SHARES = {"stock dividend"}
SPLIT_WORDS = ("split",)
CENT = Decimal("0.01")
MAX_ORDER_ID = 200


# Currency → the sum of its changes, or what is wrong with one of them.
Exchanged = dict[str, Decimal | BadRow]


def _add_change(exchanged: Exchanged, raw: Raw) -> None:
    """Add the change of `raw` to the sum of its currency."""
    before = exchanged.get(raw["currency"], ZERO)
    if isinstance(before, BadRow):
        return
    try:
        exchanged[raw["currency"]] = before + raw.amount("change")
    except BadRow as problem:
        exchanged[raw["currency"]] = problem


def _sum_of(exchanged: Exchanged, currency: str) -> Decimal:
    found = exchanged.get(currency, ZERO)
    if isinstance(found, BadRow):
        raise found
    return found


@dataclass(slots=True)
class _Order:
    """The rows that share an order id.

    `first` is the first fill of each day, `fees_by_line` the fees of a fill by its line,
    `exchanged` what was exchanged by day and currency ("" is all days). `named` counts the ids
    given so far.
    """

    trades: list[Raw] = field(default_factory=list)
    fees: list[Raw] = field(default_factory=list)
    exchanges: list[Raw] = field(default_factory=list)
    first: dict[str, Raw] = field(default_factory=dict)
    fees_by_line: dict[int, list[Raw]] = field(default_factory=lambda: defaultdict(list))
    exchanged: dict[str, Exchanged] = field(default_factory=lambda: defaultdict(dict))
    named: Counter[str] = field(default_factory=Counter)

    def add_up(self) -> None:
        """Give the fees to the fills and add up the exchanges, when all rows are known.

        The fees of a day go with its first fill. Those of a day without any go with the first of
        all.
        """
        for fee in self.fees:
            fill = self.first.get(fee["date"]) or self.trades[0]
            self.fees_by_line[fill.line].append(fee)
        for raw in self.exchanges:
            for day in {raw["date"], ""}:
                _add_change(self.exchanged[day], raw)

    def fees_of(self, fill: Raw) -> list[Raw]:
        return self.fees_by_line.get(fill.line, [])

    def exchanged_on(self, day: str) -> Exchanged:
        """What was exchanged on that day, which is what a file of that day alone has; on all days
        if there is nothing.
        """
        return self.exchanged.get(day) or self.exchanged.get("", {})

    def external_id(self, fill: Raw, quantity: Decimal, price: Decimal) -> str:
        """Made of what the fill says, so that it is the same whichever others of the order are in
        the file.
        """
        name = f"{fill['order']}:{fill.day('date')}T{fill['time']}:{strip_zeros(quantity):f}@{strip_zeros(price):f}"
        self.named[name] += 1
        return name if self.named[name] == 1 else f"{name}:{self.named[name]}"


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
    sheet.oldest_first("date", "time")
    orders = _orders(sheet)
    taken_back = _taken_back(sheet)
    halves = _halves(sheet)
    for raw in sheet:
        with sheet.row(raw):
            if raw.line in taken_back:
                sheet.ignore(raw, "reversed")
            else:
                _read_row(sheet, raw, orders[raw["order"]] if raw["order"] else None, halves)
    _reconcile(sheet)
    return sheet.statement


def _join_wrapped_ids(table: Table) -> None:
    """Join an order id that is wrapped onto a line of its own."""
    lines: list[int] = []
    records: list[list[str]] = []
    for line, record in zip(table.lines, table.records, strict=True):
        is_rest = len(record) == len(DUTCH) and not any(cell.strip() for cell in record[:-1])
        if is_rest and records and len(records[-1][-1]) <= MAX_ORDER_ID:
            records[-1][-1] = records[-1][-1].strip() + record[-1].strip()
        else:
            lines.append(line)
            records.append(record)
    table.lines[:], table.records[:] = lines, records


def _starts(text: str, words: Iterable[str]) -> bool:
    return text.casefold().startswith(tuple(words))


def _orders(sheet: Sheet) -> dict[str, _Order]:
    orders: dict[str, _Order] = defaultdict(_Order)
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


def _taken_back(sheet: Sheet) -> set[int]:
    """The lines of dividends and taxes that a later row takes back to the cent, with those rows."""
    waiting: dict[tuple[str, str, str, Decimal], list[int]] = defaultdict(list)
    gone: set[int] = set()
    for raw in sheet:
        kind = raw["description"].casefold()
        change = sheet.number(raw["change"]) if raw["change"] else None
        if kind not in DIVIDENDS | TAXES or change is None or isinstance(change, RowProblem):
            continue
        if opposite := waiting[raw["isin"], kind, raw["currency"], -change]:
            gone |= {opposite.pop(), raw.line}
        else:
            waiting[raw["isin"], kind, raw["currency"], change].append(raw.line)
    return gone


def _halves(sheet: Sheet) -> dict[tuple[str, str], list[tuple[str, Raw]]]:
    """(ISIN, day) → the buys and sells with words before them: corporate actions, booked as a sale
    and a purchase.
    """
    halves: dict[tuple[str, str], list[tuple[str, Raw]]] = defaultdict(list)
    for raw in sheet:
        match = _trade(raw)
        if match and match["prefix"] and not _starts(raw["description"], MONEY_MARKET):
            halves[raw["isin"], raw["date"]].append((VERBS[match["verb"].casefold()], raw))
    return halves


def _read_row(
    sheet: Sheet,
    raw: Raw,
    order: _Order | None,
    halves: dict[tuple[str, str], list[tuple[str, Raw]]],
) -> None:
    words = raw["description"].casefold()
    raw.number("balance")  # no number is an error of its row too
    match = _trade(raw)
    if not words:
        raise sheet.unknown("description", "")
    if raw["isin"] == CASH_ACCOUNT or _starts(words, MONEY_MARKET):
        _ignore_cash(sheet, raw)
    elif order is not None and order.trades and (_starts(words, FEES) or _starts(words, EXCHANGE)):
        sheet.ignore(raw, "part of a trade")
    elif _starts(words, EXCHANGE) or not raw["isin"]:
        _ignore_cash(sheet, raw)
    elif match and not match["prefix"]:
        _add_trade(sheet, raw, match, order or _Order())
    elif match:
        _add_action(sheet, raw, match, halves[raw["isin"], raw["date"]])
    elif words in DIVIDENDS or words in TAXES:
        is_tax = words in TAXES
        price = -raw.needed("change") if is_tax else raw.needed("change")
        if price < 0:
            raise taken_back("change", raw.needed("change"))
        sheet.add(
            raw,
            type="tax" if is_tax else "dividend",
            quantity=ONE,
            price=price,
            currency=raw["currency"],
            **_identity(raw),
        )
    else:
        raise sheet.unknown("description", raw["description"])


def _ignore_cash(sheet: Sheet, raw: Raw) -> None:
    # What comes with the words, such as an amount or a name in brackets, is not part of the kind.
    words = single_spaced(raw["description"])
    details = (_BRACKET_OR_FIGURES if words.endswith(")") else _FIGURES).search(words)
    kind = words[: details.start()].rstrip() if details else words
    sheet.ignore(raw, kind.casefold()[:60], raw.amount("change"), raw["currency"])


def _numbers(match: re.Match[str]) -> tuple[Decimal, Decimal, str]:
    """(quantity, price in the major unit, currency) of the words of a trade."""
    # With a comma in the numbers unless the words are English: 1.000 shares are a thousand in
    # Dutch.
    english = match["verb"].casefold() in ("buy", "sell")
    styles = ("point", "comma") if english else ("comma", "point")

    def number(text: str) -> Decimal:
        for style in styles:
            if (value := number_in(text, style)) is not None:
                return value
        raise bad_row(
            "description", match[0], "invalid", _("Could not read the numbers of the trade.")
        )

    price, currency = in_major_unit(number(match["price"]), match["currency"].upper())
    return number(match["quantity"]), price, currency


def _add_trade(sheet: Sheet, raw: Raw, match: re.Match[str], order: _Order) -> None:
    quantity, price, currency = _numbers(match)
    side = VERBS[match["verb"].casefold()]
    gross, change = EXACT.multiply(quantity, price), raw.number("change")
    if change is not None and abs(abs(change) - gross) > max(CENT, gross / 500):
        raise bad_row(
            "change",
            raw["change"],
            "amount_mismatch",
            _("%(quantity)s × %(price)s = %(gross)s, but the cash changed by %(change)s."),
            quantity=quantity,
            price=price,
            gross=gross,
            change=change,
        )
    rate, account_currency = _exchange(order.exchanged_on(raw["date"]), currency)
    fee, fee_currency = _fees(order.fees_of(raw))
    if fee and rate and fee_currency == account_currency:
        fee, fee_currency = divided(fee, rate), currency
    identity = _identity(raw)
    if raw["order"]:
        identity["external_id"] = order.external_id(raw, quantity, price)
        # Once the id was that of the order, `order:2` for the second fill of the file: in another
        # file, another fill.
        identity["former_id"] = raw["order"]
    sheet.add(
        raw,
        type=side,
        quantity=quantity,
        price=price,
        commission=fee,
        commission_in=fee_currency or None,
        currency=currency,
        exchange_rate=rate,
        rate_currency=account_currency or None,
        **identity,
    )


def _exchange(exchanged: Exchanged, currency: str) -> tuple[Decimal | None, str]:
    """(what one unit of `currency` was exchanged for, in which currency), as far as the rows
    tell.
    """
    if len(exchanged) != 2 or currency not in exchanged:
        return None, ""
    [account] = exchanged.keys() - {currency}
    ours, theirs = _sum_of(exchanged, currency), _sum_of(exchanged, account)
    if not ours:
        return None, ""
    return (divided(abs(theirs), abs(ours)), account) if theirs else (None, "")


def _fees(fees: list[Raw]) -> tuple[Decimal, str]:
    currencies = {raw["currency"] for raw in fees}
    if not currencies:
        return ZERO, ""
    if len(currencies) > 1:
        raise bad_row(
            "currency",
            None,
            "mixed_currencies",
            _("The fees of the order are in several currencies."),
        )
    return -sum((raw.amount("change") for raw in fees), ZERO), currencies.pop()


def _add_action(
    sheet: Sheet, raw: Raw, match: re.Match[str], halves: list[tuple[str, Raw]]
) -> None:
    """Shares that came or went without a trade."""
    words, (quantity, price, currency) = match["prefix"].casefold(), _numbers(match)
    if words in FREE_SHARES and match["verb"].casefold() != "sell":
        sheet.add(
            raw, type="buy", quantity=quantity, price=price, currency=currency, **_identity(raw)
        )
        return
    sides = dict(halves) if len(halves) == 2 else {}
    if sides.keys() != {"buy", "sell"}:
        raise bad_row(
            "description",
            raw["description"],
            "unpaired_action",
            _(
                "%(action)s needs a sale and a purchase of one ISIN on one day. Enter by hand what "
                "happened."
            ),
            action=match["prefix"],
        )
    old, new = (_numbers(_matched(sides[side]))[0] for side in ("sell", "buy"))
    if old == new:
        sheet.ignore(raw, match["prefix"].casefold())  # the same shares under another name
    elif VERBS[match["verb"].casefold()] == "sell":
        sheet.ignore(raw, "split: shares taken out")
    elif not old or not any(word in words for word in SPLIT_WORDS):
        raise sheet.unknown("description", raw["description"])
    else:
        sheet.add(raw, type="split", quantity=divided(new, old), **_identity(raw))


def _trade(raw: Raw) -> re.Match[str] | None:
    """The parts of the words of a trade, None if these are other words."""
    return _TRADE.match(single_spaced(raw["description"]))


def _matched(raw: Raw) -> re.Match[str]:
    match = _trade(raw)
    assert match is not None  # nosec B101  # for mypy: only rows that match are asked
    return match


def _identity(raw: Raw) -> dict[str, Any]:
    return {
        "date": raw.day("date"),
        "isin": raw["isin"],
        "company_name": raw["product"],
        "note": raw["description"],
    }


# --- Against the broker's own figures -------------------------------------------------------------


def _reconcile(sheet: Sheet) -> None:
    """Whether each currency's balance at the end of a day is the one before plus what our
    transactions did to it.
    """
    statement = sheet.statement
    if statement.failed:
        return  # what is missing would be all that the comparison finds
    made = {row.row: row for row in statement.rows}
    balances = list(_balances(sheet))
    statement.reconciles = bool(balances)
    last = {(raw["date"], raw["balance_currency"]): raw.line for raw, _ in balances}
    running: dict[str, Decimal] = {}
    tolerance: dict[str, Decimal] = defaultdict(Decimal)
    for raw, said in balances:
        currency, change = raw["balance_currency"], raw.number("change")
        if change is None or raw["currency"] != currency:
            running[currency] = said  # moved to or from the bank, by how much is only in the words
            continue
        ours, rounding = _cash_effect(made.get(raw.line), change)
        running[currency] = running.get(currency, said - change) + ours
        tolerance[currency] += rounding
        if last[raw["date"], currency] != raw.line:
            continue
        if abs(said - running[currency]) > tolerance[currency]:
            statement.cash_divergence = Divergence(
                raw.line,
                f"balance {said} {currency}",
                f"balance {running[currency].quantize(CENT)} {currency}",
            )
            return
        running[currency], tolerance[currency] = said, ZERO


def _balances(sheet: Sheet) -> Iterator[tuple[Raw, Decimal]]:
    for raw in sheet:
        if raw["balance_currency"] and (said := raw.number("balance")) is not None:
            yield raw, said


def _cash_effect(row: StatementRow | None, change: Decimal) -> tuple[Decimal, Decimal]:
    """(what our transaction did to the cash, how much of that is rounding); the broker's `change`
    where it is none.

    Fees are rows of their own, in whose currency they count.
    """
    if row is None or row.price is None:
        return change, ZERO
    gross = EXACT.multiply(row.quantity, row.price)
    # The price in the words has lost its last digits: 5.416 for what cost 5.42.
    unit = Decimal(5).scaleb(min(int(row.price.as_tuple().exponent), 0) - 1)
    return RULES[row.type].money * gross, CENT + EXACT.multiply(row.quantity, unit)


FORMATS = (
    Format(
        name="degiro",
        label="DEGIRO, account statement",
        columns=tuple(name for name in DUTCH if name),
        example=",".join(DUTCH)
        + '\r\n01-03-2024,09:30,01-03-2024,ASML HOLDING,NL0010273215,"Koop 2 @ 880,5 EUR",,EUR,"-1761,00",EUR,"239,00",'
        "11111111-2222-3333-4444-555555555555\r\n",
        recognises=recognises,
        read=read,
    ),
)
