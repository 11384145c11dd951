"""XTB: the history of cash operations. Every amount is in the account's currency, which the file
does not name: the request must.

How many shares were traded, and at which price, is in the comment. The price is in the currency of
the listing; the rate is that of the amount.
"""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from financeproj.core.money import ONE, ZERO
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.raw_rows import BadRow, RawRow, bad_row, unpaired_reversal
from integrations.statements.reversals import taken_back
from integrations.statements.sheet import Sheet
from integrations.statements.values import folded
from integrations.statements.xtb_listings import (
    LISTING,
    currency_of,
    instrument_of,
    read_day,
    trade_of,
)
from integrations.statements.xtb_sales import Profits, traded
from portfolios.calc.import_rows import gettext_noop as _

COLUMNS = ("ID", "Type", "Time", "Symbol", "Comment", "Amount")
# Our columns by their names, without accents and capitals, in the languages of the site. Files
# since 2025 also have the instrument's name, its category, the product and the position.
MOST_OTHERS = 4
_NAMES = {
    "id": "id|identyfikator",
    "type": "type|typ|tipo",
    "time": "time|zeit|uhrzeit|czas|cas|hora|heure|ora|timp|fecha|data|datum",
    "symbol": "symbol|ticker|simbolo|symbole|simbol",
    "comment": "comment|kommentar|komentarz|komentar|comentario|commentaire|commento|comentariu",
    "amount": "amount|betrag|kwota|castka|suma|importe|montant|importo|valor|quantia",
}
_INSTRUMENT = "instrument|instrumento|strumento|nazev|nazov"
_ALL_NAMES = {**_NAMES, "instrument": _INSTRUMENT}
NAMES = {name: ours for ours, names in _ALL_NAMES.items() for name in names.split("|")}

# Without the "/ETF" of "Stocks/ETF purchase", which only some files have.
_WORDS = {
    "buy": (
        "stocks purchase|stock purchase|stock buy|kauf aktien|aktien kauf|aktienkauf|zakup akcji|"
        "nakup akcii|nakup akcie|acoes compra|compra de acoes|compra de acciones|acciones compra|"
        "achat d'actions|achat actions|acquisto azioni|cumparare actiuni|actiuni/cumparare etf"
    ),
    "sell": (
        "stocks sale|stock sale|stock sell|aktien verkauf|verkauf aktien|aktienverkauf|"
        "sprzedaz akcji|prodej akcii|prodej akcie|predaj akcii|acoes vende|acoes venda|"
        "venda de acoes|venta de acciones|acciones venta|vente d'actions|vente actions|"
        "vendita azioni|vanzare actiuni"
    ),
    "dividend": (
        "dividend|divident|cash dividend|dividende|dywidenda|dividenda|dividendo|dividendos|"
        "dividendes|dividendi"
    ),
    "capital": "spin off|spin-off|spinoff|fractional shares|akcje ulamkowe",
    "wht": (
        "withholding tax|quellensteuer|podatek od dywidend|podatek u zrodla|srazkova dan|"
        "zrazkova dan|imposto retido na fonte|retencion fiscal|retencion en origen|"
        "retenue a la source|ritenuta d'acconto|impozitul retinut"
    ),
    "interest": (
        "free funds interests|free funds interest|zinsen auf freie mittel|"
        "odsetki od wolnych srodkow|uroky z volnych prostredku|uroky z volnych prostriedkov|"
        "juros de fundos livres|intereses de fondos libres|interets sur fonds libres|"
        "interessi su fondi liberi"
    ),
    "tax": (
        "free funds interests tax|free funds interest tax|steuer auf zinsen auf freie mittel|"
        "podatek od odsetek od wolnych srodkow|dan z uroku z volnych prostredku|"
        "dan z urokov z volnych prostriedkov|stamp duty|tax iftt|tax ftt|tax ro"
    ),
    "deposit": "deposit|einzahlung|wplata|vklad|deposito|depot|depunere",
    "withdrawal": (
        "withdrawal|auszahlung|wyplata|vyber|levantamento|retirada|retiro|retrait|prelievo|"
        "retragere"
    ),
    "transfer": (
        "transfer|subaccount transfer|uberweisung|przelew|prevod|prevod na poducet|"
        "transferencia|transfert|trasferimento"
    ),
    "fee": (
        "commission|commision|kommission|prowizja|komise|comissao|comision|commissione|comision|"
        "sec fee|fee|stock transfer fee|inactivity fee|adr fee"
    ),
    "correction": "correction|korekta|korrektur|correcao|correccion|correzione",
    "close": (
        "close trade|profit/loss|profit/pierdere|gewinn/verlust|zysk/strata|zisk/ztrata|zisk/strata"
    ),
    "cfd": "profit/loss (fx/cfd)|gewinn/verlust (fx/cfd)|swap|rollover|dividend equivalent",
    "total": "total|summe|suma|celkem|spolu|razem",
}
KINDS = {word: kind for kind, words in _WORDS.items() for word in words.split("|")}
# Money that moves to or from a pension account of Poland.
PENSION_ACCOUNTS = ("ike ", "ikze ")
_ETF = re.compile(r" ?/ ?etf(?:s|-uri)?\b")
OF_MONEY = {
    "interest": "interest", "tax": "tax", "deposit": "deposit", "withdrawal": "withdrawal",
    "fee": "fee", "transfer": "deposit", "correction": "adjustment",
}  # fmt: skip
# What shares pay. Money for a company that was split off, or for a fraction of a share, comes out
# of the cost: the file does not say how many shares it was paid for.
PAYMENTS = {"dividend": "dividend", "capital": "return_of_capital"}
# Where a row has what it needs when a person says what its word means.
FOR_WORDS = {
    "date": "time",
    "amount": "amount",
    "symbol": "symbol",
    "external_id": "id",
}


def _positions(table: Table) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for position, name in enumerate(table.header):
        ours = NAMES.get(folded(name))
        if ours:
            found.setdefault(ours, position)
    return found


def recognises(table: Table) -> bool:
    """Return whether the header has our six columns, and few others."""
    others = len(list(filter(None, map(str.strip, table.header)))) - len(_NAMES)
    return _positions(table).keys() >= _NAMES.keys() and others <= MOST_OTHERS


def read(table: Table, options: Options) -> Statement:
    currency = options.require_currency()
    table.require_distinct_columns()
    table.drop_empty_ends()
    table.require_rectangle(is_always_full=True)
    sheet = Sheet(
        "xtb", table, options, read_day=read_day, columns=_positions(table), numbers=("amount",)
    )
    sheet.for_words = FOR_WORDS
    sheet.sort_oldest_first("time")
    profits = _profits(sheet, currency)
    reversed_rows = taken_back(_payments(sheet))
    for raw in sheet:
        with sheet.collect_problem(raw):
            if raw.line in reversed_rows:
                sheet.ignore_reversed(raw, "reversed", raw["id"])
            else:
                _read_row(sheet, raw, currency, profits)
    return sheet.statement


def _kind(raw: RawRow) -> str:
    word = folded(raw["type"]).replace("free-funds", "free funds")
    if word.startswith(PENSION_ACCOUNTS):
        return "transfer"
    return KINDS.get(word) or KINDS.get(_ETF.sub("", word), "")


def _payments(sheet: Sheet) -> Iterator[tuple[tuple[str, str], Decimal, int]]:
    for raw in sheet:
        if _kind(raw) != "dividend":
            continue
        try:
            yield (raw["symbol"], raw["comment"]), raw.number_or_zero("amount"), raw.line
        except BadRow:
            continue  # It is a problem of its row.


def _profits(sheet: Sheet, currency: str) -> Profits:
    sales = [raw for raw in sheet if _kind(raw) == "sell"]
    closed = [raw for raw in sheet if _kind(raw) == "close"]
    own = [raw for raw in sales if currency_of(raw) in (currency, None)]
    return Profits(sales, closed, own)


def _read_row(sheet: Sheet, raw: RawRow, currency: str, profits: Profits) -> None:
    kind = _kind(raw)
    amount = raw.number_or_zero("amount")
    if kind in ("buy", "sell"):
        _add_trade(sheet, raw, kind, currency, profits)
    elif kind == "close" and (not amount or raw.line in profits.lines):
        sheet.ignore(raw, "profit of a sale")
    elif kind == "total":
        sheet.ignore(raw, "total")
    elif kind in ("cfd", "close") or (raw["symbol"] and not LISTING.fullmatch(raw["symbol"])):
        message = _("Options, futures and CFDs are not imported, only shares and funds.")
        raise bad_row("symbol", raw["symbol"], "unsupported_instrument", message)
    elif kind and not amount:
        sheet.ignore(raw, raw["type"].lower())
    elif kind in PAYMENTS and raw["symbol"]:
        if amount < 0:
            raise unpaired_reversal("amount", amount)
        _add_payment(sheet, raw, PAYMENTS[kind], currency)
    elif kind == "wht":
        _add_charge(sheet, raw, "tax", currency)
    elif kind in ("fee", "tax") and raw["symbol"]:
        _add_charge(sheet, raw, kind, currency)
    elif kind in OF_MONEY and not (raw["symbol"] and kind == "correction"):
        _add_money(sheet, raw, OF_MONEY[kind], currency)
    else:
        raise sheet.unknown_type("type", raw["type"])


# --- Trades ---------------------------------------------------------------------------------------


def _add_trade(
    sheet: Sheet,
    raw: RawRow,
    side: str,
    currency: str,
    profits: Profits,
) -> None:
    said = traded(raw)
    if said is None:
        message = _("The comment does not say how many shares were traded, and at which price.")
        raise bad_row("comment", raw["comment"], "invalid", message)
    shares, price = said
    amount = raw.required_number("amount")
    if side == "sell":
        amount += profits.of(raw)
    if not amount or (amount > 0) == (side == "buy"):
        raise unpaired_reversal("amount", amount)
    trade = trade_of(raw, "amount", side, shares, price, amount, currency)
    sheet.add(raw, commission=ZERO, **trade, **_identity(raw))


# --- Payments and money ---------------------------------------------------------------------------


def _add_payment(sheet: Sheet, raw: RawRow, kind: str, currency: str) -> None:
    """Add what an instrument paid or cost, as one sum in the account's currency."""
    amount = raw.required_number("amount")
    sheet.add(
        raw,
        type=kind,
        quantity=ONE,
        price=abs(amount),
        currency=currency,
        note=raw["comment"],
        settlement_currency=currency,
        settlement_amount=amount,
        **_identity(raw),
    )


def _add_charge(sheet: Sheet, raw: RawRow, kind: str, currency: str) -> None:
    """Add a fee or tax of an instrument. What is paid back is money alone."""
    if raw.required_number("amount") < 0:
        _add_payment(sheet, raw, kind, currency)
    else:
        _add_money(sheet, raw, kind, currency)


def _add_money(sheet: Sheet, raw: RawRow, kind: str, currency: str) -> None:
    sheet.add_money(
        raw,
        kind,
        raw.required_number("amount"),
        currency,
        date=raw.day("time"),
        note=raw["comment"],
        external_id=raw["id"] or None,
    )


def _identity(raw: RawRow) -> dict[str, Any]:
    return {
        **instrument_of(raw),
        "date": raw.day("time"),
        "external_id": raw["id"] or None,
    }


EXAMPLE = "100001;Stocks/ETF purchase;01.03.2024 09:30:00;ASML.NL;OPEN BUY 2 @ 880.50;-1761.00"
FORMATS = (
    Format(
        name="xtb",
        label="XTB",
        columns=COLUMNS,
        example=f"{';'.join(COLUMNS)}\r\n{EXAMPLE}\r\n",
        recognises=recognises,
        read=read,
    ),
)
