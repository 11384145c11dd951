"""Saxo: the transactions export, in English, Danish, Dutch, French and German.

That of 2026 calls the amount `Booked Amount`; a longer one also says its currency, and has the
kind of the row in `Transaction Type` and that of the instrument in `Type`. The amount is in the
currency of the account and includes all charges; `Conversion Rate` is 1 where that is the
instrument's currency too. An account in several currencies has one part for each: then the amount
is in the currency of its part, and the rate converts it to that of the client.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

from financeproj.core.identifiers import in_major_unit
from financeproj.core.money import EXACT, ONE, ZERO
from integrations.statements.amounts import (
    MAX_PART,
    cash_effect,
    divide,
    half_unit,
    require_commission,
    reversed_lines,
)
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.days import named_day
from integrations.statements.raw_rows import (
    BadRow,
    RawRow,
    bad_row,
    unpaired_reversal,
    unsupported_instrument,
)
from integrations.statements.saxo_actions import (
    REVERSES,
    Shares,
    add_action,
    is_clear,
    read_actions,
)
from integrations.statements.saxo_words import (
    ACTIONS,
    BOND,
    CASH_AMOUNTS,
    CHARGE,
    CHARGES,
    INTEREST,
    PAYMENTS,
    SIDES,
    TRADES,
    TRANSFERS,
    is_derivative,
)
from integrations.statements.sheet import Sheet
from integrations.statements.values import folded, number_in
from portfolios.calc.import_rows import gettext_noop as _

COLUMNS = (
    "Client ID", "Trade Date", "Value Date", "Type", "Instrument", "Instrument ISIN",
    "Instrument currency", "Exchange Description", "Instrument Symbol", "Event", "Booked Amount",
    "Order ID", "Conversion Rate",
)  # fmt: skip
# Our column → the names that the languages give it, as `folded` leaves them.
_NAMES = {
    "client": r"client id|kunde-?id|klient-?id|klant-?id|kunden-?id|id client|code client",
    "date": r"trade date|handelsdato|handelsdatum|transactiedatum|date d'operation",
    "type": r"type|typ|tipo",
    "kind": (
        r"transaction type|transaktionstype|transactietype|type de transaction|type d'operation"
        r"|transaktionstyp"
    ),
    "booked_in": r"currency|valuta|devise|wahrung|bogfort valuta|kontovaluta",
    # Where the amount is there in two currencies, this is that of the booked one.
    "own": r"_(?:currency|valuta|devise|wahrung)",
    "name": r"instrument|instrumentnavn",
    "isin": r"instrument isin|instrumentets isin|isin|isin-?kode|(?:code )?isin de l'instrument",
    "currency": (
        r"instrument currency|instrumentvaluta|valuta (?:van )?(?:het )?instrument"
        r"|instrumentets valuta|devise de l'instrument|instrumentwahrung"
    ),
    "symbol": r"instrument symbol|instrumentsymbol|symbol|symbole|symbool",
    "event": r"event|begivenhed|haendelse|gebeurtenis|acties|evenement|ereignis",
    "amount": (
        r"amount|booked amount|belob|bogfort belob|bedrag|geboekt bedrag|boekingsbedrag"
        r"|montant comptabilise|montant|betrag|gebuchter betrag"
    ),
    "action": r"corporate action[- ]id",
    "product": r"product|produkt|produit",
    "derivative": r"from derivative|fra derivat|fran derivat|van derivaat|aus derivat|de derive",
    "rate": (
        r"conversion rate|omregningskurs|vekselkurs|konverteringskurs|wisselkoers|conversiekoers"
        r"|omrekeningskoers|taux de change|taux de conversion|umrechnungskurs"
    ),
}
_PATTERNS = {ours: re.compile(names) for ours, names in _NAMES.items()}
_REQUIRED = {"date", "type", "isin", "currency", "event", "amount", "rate"}

# Only these write a decimal point in every setting.
POINT_ONLY = {
    "buy", "sell", "bought", "sold", "koop", "verkoop", "transfer in", "transfer out", "deponering",
}  # fmt: skip
PER_CENT = Decimal("0.01")
_UNDERSCORE = re.compile(r"\A_")
_EVENT = re.compile(r"([^\W\d_][^\d@]{0,20}?) (-?[\d.,]++) @ ([\d.,]++) ([A-Z]{3})")


class _Action(NamedTuple):
    """The shares of a corporate action, by their ISIN, and its money; none for its other rows."""

    shares: Mapping[str, Shares]
    cash: Decimal
    currency: str
    is_clear: bool = True


def _positions(table: Table) -> dict[str, int]:
    """Return the position of each of our columns, in whichever language the header is."""
    found: dict[str, int] = {}
    for position, name in enumerate(map(folded, table.header)):
        for ours, pattern in _PATTERNS.items():
            if pattern.fullmatch(name):
                found.setdefault(ours, position)
    if "kind" in found:
        found["instrument"] = found.pop("type", -1)
        found["type"] = found.pop("kind")
    if "own" in found:
        found["booked_in"] = found.pop("own")
    return {ours: position for ours, position in found.items() if position >= 0}


def recognises(table: Table) -> bool:
    return _positions(table).keys() >= _REQUIRED


def read(table: Table, options: Options) -> Statement:
    columns = _positions(table)
    # _Valuta is another column than Valuta.
    table.header = [_UNDERSCORE.sub("booked ", name) for name in table.header]
    table.require_distinct_columns()
    table.drop_notes(columns["date"])
    table.require_rectangle(is_always_full=True)
    sheet = Sheet("saxo", table, options, read_day=named_day, columns=columns, numbers=("amount",))
    sheet.set_account("client")
    sheet.sort_oldest_first("date")
    account_currency = _account_currency(sheet)
    actions = _actions(sheet, table, account_currency)
    sheet.for_words = _for_words(columns, account_currency)
    reversed_rows = reversed_lines(_payments(sheet))
    for raw in sheet:
        with sheet.collect_problem(raw):
            read = partial(_read_row, sheet, raw, account_currency, actions.get(raw.line))
            if raw.line in reversed_rows:
                sheet.ignore_reversed(raw, raw["event"].lower(), read=read)
            else:
                read()
    return sheet.statement


def _for_words(columns: Mapping[str, int], account_currency: str | None) -> dict[str, str]:
    """Return where a row has what it needs when a person says what its word means.

    It lacks the currency where the file does not say which that of the account is.
    """
    found = {
        "date": "date",
        "amount": "amount",
        "isin": "isin",
        "symbol": "symbol",
        "company_name": "name",
    }
    if "booked_in" in columns:
        found["currency"] = "booked_in"
    elif account_currency:
        found["currency"] = account_currency
    return found if "currency" in found else {}


def _account_currency(sheet: Iterable[RawRow]) -> str | None:
    """Return the currency of the account: that of the rows whose amount was not converted.

    "" if there are none: then it is taken to be the portfolio's. None if there are several.
    """
    found = {raw["currency"] for raw in sheet if _is_one(raw["rate"]) and _moves(raw)} - {""}
    if len(found) > 1:
        return None
    return found.pop() if found else ""


def _moves(raw: RawRow) -> bool:
    """Return whether the row moved money."""
    return raw["amount"].strip("0., ") != ""


def _is_one(rate: str) -> bool:
    return number_in(rate, "point") in (None, ONE) and not rate.strip("01., ")


def _payments(sheet: Iterable[RawRow]) -> Iterator[tuple[tuple[str, str], Decimal, int]]:
    for raw in sheet:
        event = _event(raw)
        if raw["isin"] and event in PAYMENTS:
            try:
                yield (raw["isin"], event), raw.number_or_zero("amount"), raw.line
            except BadRow:
                continue


def _actions(sheet: Sheet, table: Table, account: str | None) -> dict[int, _Action]:
    """Return what the rows of corporate actions did to shares, if the workbook has them.

    One row of an action has its shares, and the money of those that are no payment. If what it did
    is not clear, each of them fails.
    """
    shares = read_actions(table.others)
    rows: dict[str, list[RawRow]] = defaultdict(list)
    for raw in sheet:
        if raw["action"] in shares and folded(raw["type"]) in ACTIONS:
            rows[raw["action"]].append(raw)
    found: dict[int, _Action] = {}
    for number, of_action in rows.items():
        with suppress(BadRow):  # It is a problem of its row.
            found |= _of_rows(of_action, shares[number], account)
    return found


def _of_rows(
    rows: list[RawRow], shares: Mapping[str, Shares], account: str | None
) -> dict[int, _Action]:
    """Return what each of the rows of one action did. Raises BadRow for an unreadable row."""
    others = [raw for raw in rows if not _is_payment(raw)] or rows[:1]
    cash = ZERO
    currencies: set[str] = set()
    for raw in others:
        if raw.number_or_zero("amount") and not _is_payment(raw):
            cash += raw.number_or_zero("amount")
            currencies.add(_booked_in(raw, account))
    whole = _Action(shares, cash, "".join(currencies))
    if len(currencies) > 1 or not is_clear(shares, cash):
        return {raw.line: whole._replace(is_clear=False) for raw in others}
    found = {raw.line: whole._replace(shares={}) for raw in others}
    return found | {others[0].line: whole}


def _is_payment(raw: RawRow) -> bool:
    return _event(raw) in PAYMENTS and raw.number_or_zero("amount") != 0


def _event(raw: RawRow) -> str:
    """Return what happened, or what the row takes back."""
    return REVERSES.sub("", folded(raw["event"]))


def _read_row(
    sheet: Sheet, raw: RawRow, account_currency: str | None, action: _Action | None
) -> None:
    kind = folded(raw["type"])
    event = _event(raw)
    if action is not None:
        _add_action(sheet, raw, action, account_currency)
    elif kind in TRADES:
        _add_trade(sheet, raw, account_currency)
    elif kind in ACTIONS | CASH_AMOUNTS and event in PAYMENTS and raw["isin"]:
        _add_payment(sheet, raw, PAYMENTS[event], account_currency)
    elif kind in TRANSFERS | CASH_AMOUNTS:
        _add_cash(sheet, raw, kind, event, account_currency)
    else:
        raise sheet.unknown_type("event", raw["event"])


def _add_action(sheet: Sheet, raw: RawRow, action: _Action, account: str | None) -> None:
    """Add the shares of a corporate action, and its payment if the row is one."""
    if not action.is_clear:
        raise sheet.unknown_type("event", raw["event"])
    if _is_payment(raw):
        _add_payment(sheet, raw, PAYMENTS[_event(raw)], account)
    if action.shares:
        add_action(sheet, raw, action.shares, action.cash, action.currency)
    elif not _is_payment(raw):
        sheet.ignore(raw, "part of a corporate action")


def _add_cash(sheet: Sheet, raw: RawRow, kind: str, event: str, account: str | None) -> None:
    if INTEREST.search(event):
        _add_money(sheet, raw, "interest", account)
    elif CHARGE.search(event):
        _add_money(sheet, raw, "fee", account)
    elif kind in TRANSFERS:
        _add_money(sheet, raw, "deposit", account)
    else:
        raise sheet.unknown_type("event", raw["event"])


def _add_money(sheet: Sheet, raw: RawRow, kind: str, account: str | None) -> None:
    currency = _booked_in(raw, account)
    notes = (raw["event"], raw["name"])
    sheet.add_money(
        raw,
        kind,
        raw.required_number("amount"),
        currency,
        date=raw.day("date"),
        note=" ".join(filter(None, notes)),
    )


def _add_payment(sheet: Sheet, raw: RawRow, kind: str, account: str | None) -> None:
    """Add a payment or charge, in the currency of the account. A charge paid back is money alone.

    Raises BadRow if it is 0: then the company paid in shares, of which the file does not say how
    many.
    """
    amount = raw.required_number("amount")
    if kind in CHARGES and amount > 0:
        _add_money(sheet, raw, kind, account)
        return
    if kind not in CHARGES and amount < 0:
        raise unpaired_reversal("amount", amount)
    if not amount:
        raise sheet.unknown_type("event", raw["event"])
    currency = _booked_in(raw, account)
    sheet.add(
        raw,
        type=kind,
        quantity=ONE,
        price=abs(amount),
        currency=currency,
        settlement_currency=currency,
        settlement_amount=amount or None,
        **_identity(raw),
    )


def _booked_in(raw: RawRow, account_currency: str | None) -> str:
    """Return the currency of the amount. Raises BadRow if the file does not show it."""
    if raw["booked_in"]:
        return raw["booked_in"]
    if _is_one(raw["rate"]):
        return raw["currency"]
    return _known(raw, account_currency)


def _known(raw: RawRow, account_currency: str | None) -> str:
    """Return the currency of the account. Raises BadRow if the file does not show it."""
    if not account_currency:
        raise _mixed(raw)
    return account_currency


def _mixed(raw: RawRow) -> BadRow:
    message = _(
        "The file does not give the currency of the amount. Enter the transaction by hand and "
        "skip this row."
    )
    return bad_row("rate", raw["rate"], "mixed_currencies", message)


def _add_trade(sheet: Sheet, raw: RawRow, account_currency: str | None) -> None:
    match = _EVENT.fullmatch(raw["event"])
    side = SIDES.get(folded(match[1])) if match else None
    if match is None or side is None:
        raise sheet.unknown_type("event", raw["event"])
    if is_derivative(raw["symbol"], raw["instrument"] or raw["product"], raw["derivative"]):
        raise unsupported_instrument("event", raw["event"])
    quantity = abs(_number_in_event(raw, match[2], folded(match[1])))
    quoted = _number_in_event(raw, match[3], folded(match[1]))
    price, traded_in = in_major_unit(quoted, match[4])
    if BOND.fullmatch(folded(raw["instrument"])):
        price = EXACT.multiply(price, PER_CENT)
    if side in ("transfer_in", "transfer_out"):
        sheet.add(
            raw, type=side, quantity=quantity, price=price, currency=traded_in, **_identity(raw)
        )
        return
    rate = _rate(raw)
    amount = raw.required_number("amount")
    if raw["booked_in"] == traded_in:
        rate = ONE
    if rate != ONE and raw["booked_in"]:
        currency = raw["booked_in"]
        rate = _fitting_rate(rate, side, quantity, price, amount)
    elif rate != ONE:
        currency = _known(raw, account_currency) if account_currency is None else account_currency
        rate = _fitting_rate(rate, side, quantity, price, amount)
    else:
        currency = in_major_unit(ONE, raw["currency"])[1]
        if raw["booked_in"] not in ("", currency, raw["currency"]):
            raise _mixed(raw)
    price, commission = _price_and_commission(raw, side, quantity, price, amount, rate)
    sheet.add(
        raw,
        type=side,
        quantity=quantity,
        price=price,
        commission=commission,
        currency=traded_in,
        exchange_rate=rate if rate != ONE else None,
        rate_currency=currency or None,
        settlement_currency=currency or None,
        settlement_amount=amount or None,
        **_identity(raw),
    )


def _rate(raw: RawRow) -> Decimal:
    """Return the price of one unit of the instrument's currency in that of the account."""
    return raw.number("rate") or ONE


def _fitting_rate(
    rate: Decimal, side: str, quantity: Decimal, price: Decimal, amount: Decimal
) -> Decimal:
    """Return the rate, or one divided by it if only that fits the amount: both are written."""
    gross = EXACT.multiply(quantity, price)
    ways = (rate, divide(ONE, rate))
    return min(ways, key=lambda way: abs(cash_effect(side, EXACT.multiply(gross, way)) - amount))


def _price_and_commission(
    raw: RawRow, side: str, quantity: Decimal, price: Decimal, amount: Decimal, rate: Decimal
) -> tuple[Decimal, Decimal]:
    """Return (price, commission) in the instrument's currency.

    The file states no charges: they are what the amount is more than quantity × price. Prices are
    rounded: if the amount is less, and rounding explains it, the price follows from the amount.
    """
    gross = EXACT.multiply(quantity, price)
    net = amount if rate == ONE else divide(amount, rate)
    commission = cash_effect(side, gross) - net
    rounding = EXACT.multiply(quantity, half_unit(price)) + divide(half_unit(amount), rate)
    if -rounding <= commission < 0:
        return divide(abs(net), quantity), ZERO
    if not raw["isin"] and commission > EXACT.multiply(gross, MAX_PART):
        # An option is of 100 shares, and has no ISIN.
        raise unsupported_instrument("event", raw["event"])
    require_commission(raw, "amount", commission, quantity, price)
    return price, commission


def _number_in_event(raw: RawRow, text: str, verb: str) -> Decimal:
    """Return a number of the words of a trade.

    They have a decimal point, unlike some amounts; in other languages than English and Dutch they
    may have a comma. Raises BadRow for another text, and for 1,500, which may be 1500 or 1.5.
    """
    number = number_in(text, "point")
    other = number_in(text, "comma") if "," in text else None
    if number is None and other is not None and verb not in POINT_ONLY:
        return other
    if number is None:
        message = _("%(text)s is not a number with a decimal point.")
        raise bad_row("event", raw["event"], "invalid", message, text=text)
    if other is not None:
        raise bad_row(
            "event",
            raw["event"],
            "invalid",
            _("%(text)s could be %(number)s or %(other)s. Enter the row by hand."),
            text=text,
            number=number,
            other=other,
        )
    return number


def _identity(raw: RawRow) -> dict[str, Any]:
    return {
        "date": raw.day("date"),
        "isin": raw["isin"] or None,
        "symbol": raw["symbol"] or None,
        "company_name": raw["name"],
        "note": raw["event"],
    }


EXAMPLE = (
    "1,01-Mar-2024,05-Mar-2024,Trade,Apple Inc.,US0378331005,USD,NASDAQ,AAPL:xnas,"
    'Buy 10 @ 180.00 USD,"-1801,00",5000001,1'
)
FORMATS = (
    Format(
        name="saxo",
        label="Saxo",
        columns=COLUMNS,
        example=f"{','.join(COLUMNS)}\r\n{EXAMPLE}\r\n",
        recognises=recognises,
        read=read,
    ),
)
