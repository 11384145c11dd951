"""Scalable Capital: the transactions export. Semicolons, decimal comma, newest row first.

There are two layouts, in English and German. In the one with a status, the amount of a trade is
before fee and tax; in the one with a gross amount, the value is what moved the cash. Both state a
distribution after its tax. The amount of moved shares is only what they were worth.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

from financeproj.core.money import ONE
from integrations.statements.amounts import (
    cash_effect,
    divide,
    require_amount,
    split_ratio,
    transfer_kind,
)
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.days import iso_day
from integrations.statements.exchanges import Held, Moved, add_leg, add_split, find_exchanges
from integrations.statements.raw_rows import BadRow, RawRow, bad_row, unpaired_reversal
from integrations.statements.reversals import taken_back
from integrations.statements.sheet import Sheet
from integrations.statements.values import day_of, folded
from portfolios.calc.import_rows import gettext_noop as _

COLUMNS = (
    "date", "time", "status", "reference", "description", "assetType", "type", "isin", "shares",
    "price", "amount", "fee", "tax", "currency",
)  # fmt: skip
WITH_GROSS = (
    "date", "time", "type", "description", "isin", "amount", "shares", "currency", "fee", "tax",
    "gross", "reference",
)  # fmt: skip
# The columns of each layout and language, in the order of the names above.
LAYOUTS = (
    (COLUMNS, COLUMNS),
    (COLUMNS, ("Datum", "Uhrzeit", "Status", "Referenz", "Beschreibung", "Anlageklasse", "Typ",
               "ISIN", "Stück", "Kurs", "Betrag", "Gebühr", "Steuer", "Währung")),
    (WITH_GROSS, ("Datum", "Uhrzeit", "Typ", "Wertpapiername", "ISIN", "Wert", "Stück",
                  "Buchungswährung", "Gebühren", "Steuern", "Bruttobetrag", "Notiz")),
    (WITH_GROSS, ("Date", "Time", "Type", "Security Name", "ISIN", "Value", "Shares",
                  "Transaction Currency", "Fees", "Taxes", "Gross Amount", "Note")),
)  # fmt: skip

# Without capitals and accents, in the languages of the countries where Scalable works.
_WORDS = {
    "buy": (
        "buy|savings plan|kauf|sparplan|achat|plan d'epargne|acquisto|piano di accumulo|"
        "piano di risparmio|compra|plan de ahorro|plan de inversion|koop|aankoop|spaarplan"
    ),
    "sell": "sell|verkauf|vente|vendita|venta|verkoop",
    "dividend": (
        "distribution|dividend|dividends|ausschuttung|dividende|dividenden|dividendes|"
        "distribuzione|dividendo|dividendi|distribucion|dividendos|uitkering"
    ),
    "interest": "interest|zinsen|interets|interessi|intereses|rente",
    "deposit": "deposit|einzahlung|einlage|depot|versement|deposito|storting",
    "withdrawal": "withdrawal|removal|auszahlung|entnahme|retrait|prelievo|retirada|retiro|opname",
    "fee": "fee|fees|gebuhr|gebuhren|frais|commissione|commissioni|comision|comisiones|kosten",
    "tax": (
        "tax|taxes|steuer|steuern|steuerruckerstattung|tax refund|impots|taxe|imposte|tasse|"
        "impuestos|belasting|belastingen"
    ),
    "transfer": (
        "security transfer|wertpapierubertrag|transfert de titres|trasferimento titoli|"
        "traspaso de valores|transferencia de valores|effectenoverboeking"
    ),
    "action": (
        "corporate action|kapitalmassnahme|operation sur titres|operazione societaria|"
        "operazione sul capitale|evento corporativo|swap_out|swap_in|spin_off"
    ),
}
KINDS = {word: kind for kind, words in _WORDS.items() for word in words.split("|")}
EXECUTED = {
    "", "executed", "settled", "completed", "filled", "ausgefuhrt", "abgerechnet", "abgeschlossen",
    "execute", "eseguito", "ejecutado", "ejecutada", "uitgevoerd",
}  # fmt: skip
NOT_EXECUTED = {
    "cancelled", "canceled", "rejected", "expired", "pending", "open", "created", "requested",
    "confirmed", "failed", "storniert", "gestrichen", "geloscht", "abgelehnt", "abgelaufen",
    "ausstehend", "offen", "annule", "rejete", "expire", "en attente", "annullato", "annullata",
    "rifiutato", "rifiutata", "scaduto", "scaduta", "in attesa", "in sospeso", "cancelado",
    "cancelada", "rechazado", "rechazada", "caducado", "caducada", "pendiente", "geannuleerd",
    "geweigerd", "afgewezen", "verlopen", "in behandeling",
}  # fmt: skip
TRADES = {"buy", "sell"}
MONEY = {"interest", "deposit", "withdrawal", "fee", "tax"}
# What the file gives no sign, or one that does not count.
SIGNS = {"deposit": 1, "withdrawal": -1}
# Kinds of money whose fee is not in the amount, in the layout with a status.
WITH_FEE = {"interest", "deposit", "withdrawal"}
CANCELLED = "cancel-"
MOST_DAYS_APART = 7
CENT = Decimal("0.01")
_DOTTED_DAY = re.compile(r"(\d\d)\.(\d\d)\.(\d{4})(?: |$)", re.ASCII)
# Where a row has what it needs when a person says what its word means.
FOR_WORDS = {
    "date": "date",
    "amount": "amount",
    "currency": "currency",
    "quantity": "shares",
    "isin": "isin",
    "company_name": "description",
    "external_id": "reference",
}


@dataclass(slots=True)
class _File:
    """What has to be known of the whole file before its rows are read.

    `repaid` gives the row with the money for each line with shares that were repaid; the lines
    `with_money` are those rows. `exchanges` gives the name of the exchange for each line that is a
    leg of one, and `halves` the shares of the rows of one instrument and action. `held` are the
    shares after the rows so far, and `charges_sign` is -1 where the file writes what was taken with
    a minus.
    """

    held: Held
    charges_sign: Decimal
    repaid: dict[int, RawRow] = field(default_factory=dict)
    with_money: set[int] = field(default_factory=set)
    moved: set[int] = field(default_factory=set)
    exchanges: dict[int, str] = field(default_factory=dict)
    halves: dict[tuple[str, ...], list[Decimal]] = field(default_factory=lambda: defaultdict(list))
    reversed: set[int] = field(default_factory=set)


def read_day(text: str) -> date | None:
    """31.12.2024, alone or before a time; also 2024-12-31."""
    match = _DOTTED_DAY.match(text)
    if match is None:
        return iso_day(text)
    return day_of(int(match[3]), int(match[2]), int(match[1]))


def _positions(table: Table) -> Mapping[str, int] | None:
    """Return the positions of our columns, None if the header is of no layout."""
    names = [name.strip() for name in table.header]
    for ours, theirs in LAYOUTS:
        if set(theirs) <= set(names):
            return {our: names.index(their) for our, their in zip(ours, theirs, strict=True)}
    return None


def recognises(table: Table) -> bool:
    return _positions(table) is not None


def read(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    table.require_rectangle(is_always_full=True)
    positions = _positions(table)
    numbers = ("shares", "price", "amount", "fee", "tax", "gross")
    sheet = Sheet(
        "scalable",
        table,
        options,
        read_day=read_day,
        decimal="comma",
        columns=positions,
        numbers=numbers,
    )
    sheet.for_words = FOR_WORDS
    sheet.sort_oldest_first("date", "time")
    file = _look_through(sheet)
    for raw in sheet:
        with sheet.collect_problem(raw):
            _read_row(sheet, raw, file)
    return sheet.statement


def _kind(raw: RawRow) -> str:
    """Return what a row is, empty for an unknown word. Moved shares may have no word."""
    if not raw["type"] and raw["isin"] and raw["shares"]:
        return "transfer"
    return KINDS.get(folded(raw["type"]), "")


def _is_executed(raw: RawRow) -> bool:
    return folded(raw["status"]) in EXECUTED


def _sign_of_charges(sheet: Sheet) -> Decimal:
    """Return -1 where fees, which are never paid back, are below 0: then tax is so too."""
    signs: set[bool] = set()
    for raw in sheet:
        try:
            fee = raw.number_or_zero("fee")
        except BadRow:
            continue  # It is a problem of its row.
        if fee:
            signs.add(fee < 0)
    return -ONE if signs == {True} else ONE


def _charges(raw: RawRow, file: _File) -> tuple[Decimal, Decimal]:
    """Return (fee, tax): above 0 for what was taken, below 0 for tax that is paid back."""
    fee, tax = raw.number_or_zero("fee"), raw.number_or_zero("tax")
    return file.charges_sign * fee, file.charges_sign * tax


def _shares(raw: RawRow) -> Decimal:
    """Return the shares with their sign, which the layout with a gross amount gives otherwise."""
    shares = raw.number_or_zero("shares")
    if raw["gross"] == "" and raw["status"]:
        return shares
    is_out = raw["reference"].casefold().startswith(CANCELLED) or raw.number_or_zero("amount") <= 0
    return -abs(shares) if is_out else abs(shares)


# --- The whole file -------------------------------------------------------------------------------


def _look_through(sheet: Sheet) -> _File:
    file = _File(Held(sheet.statement), _sign_of_charges(sheet))
    payments: list[tuple[tuple[str, str], Decimal, int]] = []
    outs: list[tuple[RawRow, Decimal]] = []
    ins: list[tuple[RawRow, Decimal]] = []
    money: dict[tuple[str, str, str], list[RawRow]] = defaultdict(list)
    for raw in sheet:
        if not _is_executed(raw):
            continue
        kind = _kind(raw)
        try:
            amount, shares = raw.number_or_zero("amount"), _shares(raw)
        except BadRow:
            continue  # It is a problem of its row.
        if kind in ("action", "dividend") and not raw["shares"]:
            money[raw["isin"], raw["date"], _number_of(raw)].append(raw)
        if kind == "dividend":
            payments.append(((raw["isin"], raw["currency"]), amount, raw.line))
        if kind in ("transfer", "action") and shares:
            (outs if shares < 0 else ins).append((raw, shares))
    for raw, _out in outs:
        paid = money[raw["isin"], raw["date"], _number_of(raw)]
        if len(paid) == 1:
            file.repaid[raw.line] = paid[0]
            file.with_money.add(paid[0].line)
    file.reversed = taken_back(one for one in payments if one[2] not in file.with_money)
    file.moved = _moved_and_back([one for one in outs if one[0].line not in file.repaid], ins)
    moves: list[Moved] = []
    for raw, shares in outs + ins:
        is_told = raw.line in file.repaid or raw.line in file.moved
        if _kind(raw) == "action" and _number_of(raw) and not is_told:
            moves.append(Moved(_action(raw)[:2], raw["isin"], shares, raw.line))
            file.halves[_action(raw)].append(shares)
    file.exchanges = find_exchanges(moves).names
    return file


def _action(raw: RawRow) -> tuple[str, str, str]:
    return raw["date"], _number_of(raw), raw["isin"]


def _number_of(raw: RawRow) -> str:
    """Return the number by which Scalable books an action: the first two words of the reference."""
    return " ".join(raw["reference"].split()[:2])


def _moved_and_back(
    outs: Sequence[tuple[RawRow, Decimal]], ins: Iterable[tuple[RawRow, Decimal]]
) -> set[int]:
    """Return the lines of shares that left and came back, as when Scalable moved to another bank.

    Each is paired with the nearest within a week.
    """
    waiting = list(ins)
    found: set[int] = set()
    for raw, shares in outs:
        day = read_day(raw["date"])
        fitting = []
        for position, (other, came) in enumerate(waiting):
            other_day = read_day(other["date"])
            if other["isin"] != raw["isin"] or came != -shares or not day or not other_day:
                continue
            apart = abs((other_day - day).days)
            if apart <= MOST_DAYS_APART:
                fitting.append((apart, position))
        if fitting:
            _apart, position = min(fitting)
            found |= {raw.line, waiting.pop(position)[0].line}
    return found


# --- Rows -----------------------------------------------------------------------------------------


def _read_row(sheet: Sheet, raw: RawRow, file: _File) -> None:
    kind = _kind(raw)
    if not _is_executed(raw):
        if folded(raw["status"]) not in NOT_EXECUTED:
            raise sheet.unknown_type("status", raw["status"])
        sheet.ignore(raw, raw["status"].casefold())
    elif raw.line in file.reversed:
        read = partial(_add_dividend, sheet, raw, file)
        sheet.ignore_reversed(raw, "reversed", raw["reference"], read=read)
    elif raw.line in file.moved:
        sheet.ignore(raw, "moved to another bank")
    elif raw.line in file.with_money:
        sheet.ignore(raw, "money of a repayment")
    elif raw.line in file.repaid:
        _add_repayment(sheet, raw, file)
    elif kind in TRADES:
        _add_trade(sheet, raw, kind, file)
    elif kind == "dividend" and raw["isin"]:
        _add_dividend(sheet, raw, file)
    elif kind in MONEY and not raw.number_or_zero("shares"):
        _add_money(sheet, raw, kind, file)
    elif kind == "transfer":
        _add_transfer(sheet, raw, file)
    elif kind == "action" and raw["shares"]:
        _add_action(sheet, raw, file)
    else:
        raise sheet.unknown_type("type", raw["type"])


def _add_trade(sheet: Sheet, raw: RawRow, side: str, file: _File) -> None:
    shares = abs(raw.required_number("shares"))
    amount = raw.required_number("amount")
    fee, tax = _charges(raw, file)
    gross = abs(raw.number_or_zero("gross"))
    if gross:
        if (amount > 0) == (side == "buy"):
            raise unpaired_reversal("amount", amount)
        price = divide(gross, shares)
        require_amount(raw, "amount", side, ONE, gross, amount=amount, charges=fee + tax)
        settled = amount
    else:
        # The sign of the amount is not the same in all files.
        price, amount = raw.required_number("price"), cash_effect(side, abs(amount))
        require_amount(raw, "amount", side, shares, price, amount=amount)
        settled = amount - fee - tax
    _add_charged(
        sheet, raw, fee, tax, type=side, quantity=shares, price=price, settlement_amount=settled
    )


def _add_charged(sheet: Sheet, raw: RawRow, fee: Decimal, tax: Decimal, **fields: Any) -> None:
    """Add a transaction with its charges."""
    settled = fields.pop("settlement_amount").quantize(CENT)
    sheet.add_net(
        raw,
        commission=fee,
        tax=tax,
        settlement_currency=raw["currency"] or None,
        settlement_amount=settled or None,
        **{**_identity(raw), **fields},
    )


def _add_dividend(sheet: Sheet, raw: RawRow, file: _File) -> None:
    """Add a payment. The file states what was left of it after the charges."""
    net = raw.required_number("amount")
    fee, tax = _charges(raw, file)
    if net < 0:
        raise unpaired_reversal("amount", net)
    gross = abs(raw.number_or_zero("gross"))
    if gross:
        require_amount(raw, "amount", "dividend", ONE, gross, amount=net, charges=fee + tax)
    _add_charged(
        sheet,
        raw,
        fee,
        tax,
        type="dividend",
        quantity=ONE,
        price=net + fee + tax,
        settlement_amount=net,
    )


def _add_repayment(sheet: Sheet, raw: RawRow, file: _File) -> None:
    """Add the sale of what was repaid, once for the rows with its shares and its money."""
    paid = file.repaid[raw.line]
    shares, amount = abs(raw.required_number("shares")), paid.required_number("amount")
    fee, tax = _charges(paid, file)
    _add_charged(
        sheet,
        raw,
        fee,
        tax,
        type="sell",
        quantity=shares,
        price=divide(amount + fee + tax, shares),
        settlement_amount=amount,
    )


def _add_transfer(sheet: Sheet, raw: RawRow, file: _File) -> None:
    """Add shares that were moved in or out; the file states only what they were worth."""
    shares = _shares(raw)
    if not shares:
        raise bad_row("shares", raw["shares"], "not_above", _("Enter a number above 0."))
    worth = raw.number("price")
    if worth is None:
        worth = divide(abs(raw.required_number("amount")), abs(shares))
    kind = transfer_kind(shares)
    sheet.add(raw, type=kind, quantity=abs(shares), price=worth, **_identity(raw))


def _add_action(sheet: Sheet, raw: RawRow, file: _File) -> None:
    """Add an exchange, shares that come at no cost, or a split."""
    shares, halves = _shares(raw), file.halves[_action(raw)]
    # Rows of one action have the same reference, which then identifies none of them.
    identity = {**_identity(raw), "external_id": None}
    if raw.line in file.exchanges:
        name = file.exchanges[raw.line]
        add_leg(sheet, raw, shares, group=name, label=raw["type"], **identity)
    elif len(halves) == 2 and min(halves) < 0 < max(halves):
        add_split(sheet, raw, shares, halves, **identity)
    elif shares > 0 and raw["isin"] not in file.held:
        add_leg(sheet, raw, shares, note=raw["type"], **identity)
    else:
        _add_split(sheet, raw, file)


def _add_split(sheet: Sheet, raw: RawRow, file: _File) -> None:
    """Add a split, of which the file states the shares that it added."""
    ratio = split_ratio(file.held[raw["isin"]], _shares(raw), "shares")
    sheet.add(raw, type="split", quantity=ratio, **_identity(raw))


def _add_money(sheet: Sheet, raw: RawRow, kind: str, file: _File) -> None:
    amount, (fee, tax) = raw.required_number("amount"), _charges(raw, file)
    if kind in SIGNS:
        amount = SIGNS[kind] * abs(amount)
    withheld = {"tax": tax} if kind == "interest" and tax > 0 and amount > 0 else {}
    sheet.add_money(
        raw,
        kind,
        amount,
        raw["currency"],
        date=raw.day("date"),
        note=raw["description"],
        external_id=_id_of(raw),
        **withheld,
    )
    if fee and raw["status"] and kind in WITH_FEE:
        number = _id_of(raw)
        sheet.add_money(
            raw,
            "fee",
            -fee,
            raw["currency"],
            date=raw.day("date"),
            note=raw["description"],
            external_id=f"{number}:fee" if number else None,
        )


def _id_of(raw: RawRow) -> str | None:
    """Return the reference; notes of the other layout do not identify a row."""
    return (raw["reference"] or None) if raw["status"] else None


def _identity(raw: RawRow) -> dict[str, Any]:
    return {
        "date": raw.day("date"),
        "isin": raw["isin"],
        "company_name": raw["description"],
        "currency": raw["currency"],
        "external_id": _id_of(raw),
    }


EXAMPLE = (
    '2024-03-01;09:30:00;Executed;"WWUM1";"ASML";Security;Buy;NL0010273215;2;880,5;-1761;0,99;0;EUR'
)
FORMATS = (
    Format(
        name="scalable",
        label="Scalable Capital",
        columns=COLUMNS,
        example=f"{';'.join(COLUMNS)}\r\n{EXAMPLE}\r\n",
        recognises=recognises,
        read=read,
    ),
)
