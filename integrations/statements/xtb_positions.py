"""XTB: the closed positions. Each row is a purchase and a sale of the same shares.

Prices are in the currency of the listing; the values, the profit and the charges are in that of the
account, which the file does not name: the request must. Shares that are still held are not in it,
and neither are dividends and deposits.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from integrations.statements.amounts import require_profit
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.raw_rows import RawRow, bad_row
from integrations.statements.sheet import Sheet
from integrations.statements.values import folded
from integrations.statements.xtb_listings import LISTING, instrument_of, read_day, trade_of
from portfolios.calc.import_rows import gettext_noop as _

NAME = "xtb-positions"
COLUMNS = (
    "Symbol", "Type", "Volume", "Open time", "Open price", "Close time", "Close price",
    "Purchase value", "Sale value", "Commission", "Swap", "Rollover", "Gross P/L", "Comment",
)  # fmt: skip
# What the names of our columns have in them, without accents and capitals: a word for each part.
# English, Polish, German, Spanish, Portuguese, French, Italian, Czech, Slovak and Romanian.
_OPEN = "open|otwar|eroffn|apertura|abertura|ouverture|otevr|otevir|otvor|otvar|deschi"
_CLOSE = (
    "close|zamkn|schlu|schlie|cierre|fecho|fecham|cloture|chiusura|uzavr|zavr|zavir|zatvor|"
    "zatvar|inchid"
)
_TIME = "time|czas|zeit|datum|fecha|hora|data|heure|date|ora|cas|timp"
_PRICE = "price|cena|kurs|preis|precio|preco|prix|prezzo|pret"
_VALUE = "value|wartosc|wert|valor|valeur|valore|hodnota|valoare"
_BUY = "purchase|zakup|kauf|compra|achat|acquisto|nakup|kupn|cumpar"
_SELL = "sale|sprzed|verkauf|venta|venda|vente|vendita|prodej|predaj|vanz"
_NEEDED: dict[str, tuple[str, ...]] = {
    "symbol": ("symbol|ticker|simbol",),
    "type": (r"\A(?:type|typ|tipo|tip)\b",),
    "volume": ("volum|wolumen|objem",),
    "closed": (_CLOSE, _TIME),
    "close price": (_CLOSE, _PRICE),
    "opened": (_OPEN, _TIME),
    "open price": (_OPEN, _PRICE),
    "brought": (_SELL, _VALUE),
    "paid": (_BUY, _VALUE),
    "profit": (
        "gross|brutto|bruto|brut|lordo|hrub",
        "p/l|profit|zysk|gewinn|g/v|benef|lucro|utile|zisk|z/z",
    ),
}
_OTHERS: dict[str, tuple[str, ...]] = {
    "instrument": ("instrument|strument",),
    "category": ("categor|kategor",),
    "commission": ("commis|prowizja|kommission|provision|comis|komis|provize",),
    "swap": ("swap",),
    "rollover": ("rollover|rolowanie",),
}
_NAMES = {ours: tuple(map(re.compile, parts)) for ours, parts in {**_NEEDED, **_OTHERS}.items()}
CHARGES = ("commission", "swap", "rollover")
NUMBERS = ("volume", "open price", "close price", "paid", "brought", "profit", *CHARGES)
BOUGHT = "BUY"
# What the categories of shares and funds have in them.
OF_SHARES = (
    "stock",
    "etf",
    "akcj",
    "akci",
    "aktie",
    "accion",
    "acoes",
    "action",
    "azion",
    "actiun",
)


def _positions(table: Table) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for position, name in enumerate(map(folded, table.header)):
        for ours, parts in _NAMES.items():
            if ours not in found and all(part.search(name) for part in parts):
                found[ours] = position
                break
    return found


def recognises(table: Table) -> bool:
    return _positions(table).keys() >= _NEEDED.keys()


def read(table: Table, options: Options) -> Statement:
    currency = options.require_currency()
    table.require_distinct_columns()
    table.drop_empty_ends()
    table.require_rectangle()
    positions = _positions(table)
    numbers = [name for name in NUMBERS if name in positions]
    sheet = Sheet(NAME, table, options, read_day=read_day, columns=positions, numbers=numbers)
    sheet.sort_oldest_first("closed")
    for raw in sheet:
        with sheet.collect_problem(raw):
            _read_row(sheet, raw, currency)
    return sheet.statement


def _read_row(sheet: Sheet, raw: RawRow, currency: str) -> None:
    if not raw["symbol"] and not raw["volume"]:
        sheet.ignore(raw, "total")
    elif _is_of_shares(raw):
        _add_position(sheet, raw, currency)
    else:
        message = _("Options, futures and CFDs are not imported, only shares and funds.")
        raise bad_row("symbol", raw["symbol"], "unsupported_instrument", message)


def _is_of_shares(raw: RawRow) -> bool:
    """Return whether a position is of shares or a fund, which are bought and then sold."""
    is_bought = raw["type"].upper() == BOUGHT
    is_listed = LISTING.fullmatch(raw["symbol"].upper()) is not None
    category = folded(raw["category"])
    has_fitting_category = not category or any(word in category for word in OF_SHARES)
    return is_bought and is_listed and has_fitting_category


def _add_position(sheet: Sheet, raw: RawRow, currency: str) -> None:
    """Add the purchase and the sale of a row. What else it cost is charged with the sale."""
    shares = raw.required_number("volume")
    if shares <= 0:
        raise bad_row("volume", raw["volume"], "not_above", _("Enter a number above 0."))
    paid, brought = raw.required_number("paid"), raw.required_number("brought")
    require_profit(raw, "profit", paid, brought)
    charge = -sum((raw.number_or_zero(column) for column in CHARGES), Decimal(0))
    bought_at, sold_at = raw.required_number("open price"), raw.required_number("close price")
    bought = trade_of(raw, "paid", "buy", shares, bought_at, -paid, currency)
    sold = trade_of(raw, "brought", "sell", shares, sold_at, brought, currency)
    sold["settlement_amount"] = brought - charge
    fields: dict[str, Any] = instrument_of(raw)
    if sheet.add(raw, date=raw.day("opened"), **bought, **fields):
        charged_in = currency if charge else None
        sheet.add_net(
            raw,
            commission=charge,
            commission_in=charged_in,
            date=raw.day("closed"),
            **sold,
            **fields,
        )


EXAMPLE = (
    "ASML.NL;BUY;2;01.03.2024 09:30:00;880.50;02.04.2024 15:00:00;900.00;1761.00;1800.00;0;0;0;"
    "39.00;"
)
FORMATS = (
    Format(
        name=NAME,
        label="XTB, closed positions",
        columns=COLUMNS,
        example=f"{';'.join(COLUMNS)}\r\n{EXAMPLE}\r\n",
        recognises=recognises,
        read=read,
        repeats="xtb",
    ),
)
