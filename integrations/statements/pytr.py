"""Trade Republic, as the tool pytr exports the app's timeline, in the languages it knows.

Semicolons; decimal point or comma, both in files that were joined. The value is what moved the
cash, after fees and taxes. Accounts are in euro, which the file does not say.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

from financeproj.core.money import ONE, ZERO
from integrations.statements.amounts import divide, gross_of, split_ratio
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.days import iso_day
from integrations.statements.detect import CUT_OFF
from integrations.statements.exchanges import Held, name_of, unpaired_action
from integrations.statements.pytr_actions import (
    CENT,
    EURO,
    add_pair,
    add_spin_off,
    add_swap,
    find_pairs,
    identity_of,
)
from integrations.statements.raw_rows import BadRow, RawRow, bad_row, unpaired_reversal
from integrations.statements.reversals import taken_back
from integrations.statements.sheet import Sheet
from integrations.statements.values import number_in
from portfolios.calc.import_rows import gettext_noop as _

FIELDS = ("date", "type", "value", "note", "isin", "shares", "fees", "taxes")
NUMBERS = ("value", "shares", "fees", "taxes", "shares2")
# Files of the first versions end before the fees.
FEWEST = FIELDS.index("fees")
# The columns in each language, in the order of FIELDS. Two may follow: of what came for it.
HEADERS = (
    ("Date", "Type", "Value", "Note", "ISIN", "Shares", "Fees", "Taxes"),
    ("Datum", "Typ", "Wert", "Notiz", "ISIN", "Stück", "Gebühren", "Steuern"),
    ("Datum", "Transactietype", "Waarde (netto)", "Opmerking", "ISIN", "Aantal", "Kosten",
     "Belasting"),
    ("Date", "Type", "Valeur", "Note", "ISIN", "Parts", "Frais", "Impôts / Taxes"),
    ("Data", "Tipo", "Valore", "Note", "ISIN", "Azioni", "Commissioni", "Tasse"),
    ("Fecha", "Tipo", "Valor", "Nota", "ISIN", "Cantidad", "Comisiones", "Impuestos"),
    ("Data", "Tipo", "Valor", "Nota", "ISIN", "Quantidade", "Comissões", "Impostos"),
    ("Data", "Typ", "Wartość", "Uwaga", "ISIN", "Akcje", "Opłaty", "Podatki"),
    ("Datum", "Typ", "Hodnota", "Poznámka", "ISIN", "Akcie", "Poplatky", "Daně"),
    ("Dátum", "Typ", "Hodnota", "Poznámka", "ISIN", "Akcie", "Poplatky", "Daň"),
    ("Dato", "Type", "Værdi", "Bemærkning", "ISIN", "Aktier", "Gebyrer", "Skatter"),
    ("Дата", "Тип", "Значение", "Заметка", "ISIN", "Акций", "Сборы", "Налоги"),
    ("日期", "类型", "净额", "备注", "ISIN", "份额", "费用", "税款"),
)  # fmt: skip
# Of what came for it; a language that has no word for a column shows its key.
OTHERS = {
    "isin2": {"ISIN2", "CSVColumn_ISIN2"},
    "shares2": {
        "Shares2", "Stück2", "Aantal2", "Parts2", "Azioni2", "Cantidad2", "Quantidade2", "Akcje2",
        "Akcie2", "Aktier2", "CSVColumn_Shares2",
    },
}  # fmt: skip

# Where a row has what it needs when a person says what its word means.
FOR_WORDS = {
    "date": "date",
    "amount": "value",
    "currency": EURO,
    "quantity": "shares",
    "isin": "isin",
    "company_name": "note",
}

_WORDS = {
    "buy": "buy|kauf|aankoop|achat|compra|comprar|kupno|koupit|nákup|kúpiť|køb|покупка|买入",
    "sell": (
        "sell|verkauf|verkoop|vente|vendi|venta|vender|sprzedaż|prodat|predaj|sælg|продажа|卖出"
    ),
    "dividend": (
        "dividend|dividende|dividendes|dividendo|dividendos|dywidenda|dividendy|dividenda|udbytte|"
        "дивиденд|股息"
    ),
    "interest": (
        "interest|zinsen|rentebaten|intérêts|interessi|intereses|juros|odsetki|úrok|úroky|"
        "renteindtægter|процент|利息"
    ),
    "deposit": (
        "deposit|einlage|storting|dépôt|deposito|depósito|depozyt|vklad|indsæt|пополнение|存款"
    ),
    "withdrawal": (
        "removal|entnahme|onttrekking|retrait|prelievo|retirada|levantamento|wypłata|výběr|výber|"
        "hævning|списание|取款"
    ),
    "interest_charge": (
        "interest charge|zinsbelastung|rentelasten|frais d'intérêts|interessi passivi|"
        "cargo por intereses|encargos de juros|opłata odsetkowa|úrokový poplatek|úrokový poplatok|"
        "renteudgifter|возврат процента|利息支出|interest_charge"
    ),
    "fee": (
        "fees|gebühren|kosten|frais|commissioni|comisiones|comissões|opłaty|poplatky|gebyrer|сборы|"
        "费用"
    ),
    "fee_back": (
        "fees refund|gebührenerstattung|terugbetaling van kosten|remboursement de frais|"
        "rimborso commissioni|reembolso de comisiones|reembolso de comissões|zwrot opłat|"
        "vratka poplatku|vrátenie poplatkov|refunderede gebyrer|возврат сборов|费用退款|fees_refund"
    ),
    "tax": (
        "taxes|steuern|belastingen|impôts / taxes|tasse|impuestos|impostos|podatki|daně|dane|"
        "skatter|налоги|税款"
    ),
    "tax_back": (
        "tax refund|steuerrückerstattung|terugbetaling van belastingen|"
        "remboursement impôts / taxes|rimborso tasse|devolución de impuestos|"
        "reembolso de impostos|zwrot podatku|daňová vratka|vrátenie dane|tilbagebetalte skatter|"
        "возврат налога|退税|tax_refund"
    ),
    "moved_in": (
        "transfer (inbound)|umbuchung (eingang)|inkomende overboeking|transfert (entrant)|"
        "trasferimento (in entrata)|traspaso (entrada)|transferência (entrada)|"
        "transfer (przychodzący)|převod (příchozí)|prevod (prichádzajúci)|overfør (intern)|"
        "перевод (входящий)|转入|transfer_in"
    ),
    "moved_out": (
        "transfer (outbound)|umbuchung (ausgang)|uitgaande overboeking|transfert (sortant)|"
        "trasferimento (in uscita)|traspaso (salida)|transferência (saída)|"
        "transfer (wychodzący)|převod (odchozí)|prevod (odchádzajúci)|overfør (ekstern)|"
        "перевод (исходящий)|转出|transfer_out"
    ),
    "split": "split",
    "swap": "swap",
    "spinoff": "spinoff|spin-off|spin off",
}
# What these are as money alone; their sign says which way it went.
OF_MONEY = {
    "interest_charge": "interest", "fee_back": "fee", "tax_back": "tax",
    "moved_in": "deposit", "moved_out": "withdrawal",
}  # fmt: skip
MOVES = {"moved_in": "transfer_in", "moved_out": "transfer_out"}
KINDS = {word: kind for kind, words in _WORDS.items() for word in words.split("|")}
TRADES = {"buy", "sell"}
PAYMENTS = {"dividend", "interest"}


class _Charges(NamedTuple):
    fee: Decimal
    tax: Decimal


def _columns(table: Table) -> Mapping[str, int] | None:
    """Return the positions of FIELDS, None if the header is in none of the languages."""
    names = [name.strip() for name in table.header]
    for header in HEADERS:
        for count in range(len(header), FEWEST - 1, -1):
            if tuple(names[:count]) == header[:count]:
                found = _with_others(names, count)
                if len(found) == len(names):
                    return found
    return None


def _with_others(names: Sequence[str], count: int) -> dict[str, int]:
    """Return the positions of the first `count` fields, and of those that may follow."""
    found = {field: position for position, field in enumerate(FIELDS[:count])}
    for position, name in enumerate(names[count:], count):
        for field, words in OTHERS.items():
            if name in words:
                found[field] = position
    return found


def recognises(table: Table) -> bool:
    return _columns(table) is not None


def read(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    table.require_rectangle()
    columns = _columns(table) or {}
    style = options.decimal or _write_with_points(table, columns)
    sheet = Sheet(
        "pytr",
        table,
        options,
        read_day=iso_day,
        decimal=style,
        columns=columns,
        numbers=NUMBERS,
    )
    sheet.for_words = FOR_WORDS
    sheet.sort_oldest_first("date", "date")
    pairs = find_pairs(sheet, {raw.line: _kind(raw) for raw in sheet})
    reversed_rows = taken_back(_payments(sheet))
    held = Held(sheet.statement)
    for raw in sheet:
        with sheet.collect_problem(raw):
            if raw.line in reversed_rows:
                read = partial(_read_row, sheet, raw, held)
                sheet.ignore_reversed(raw, "reversed", read=read)
            elif raw.line in pairs:
                add_pair(sheet, raw, _kind(raw), pairs[raw.line])
            else:
                _read_row(sheet, raw, held)
    return sheet.statement


def _write_with_points(table: Table, columns: Mapping[str, int]) -> str | None:
    """Write the numbers of a file of both styles with decimal points, row by row.

    Returns the style of the file, None if it has only one. A number that its row leaves open, such
    as 10,799, is then an error of its row: it is marked as one that is not written out.
    """
    positions = [columns[name] for name in NUMBERS if name in columns]
    numbers_of = itemgetter(*positions)
    styles = [_style_of(numbers_of(cells)) for cells in table.records]
    if not {"point", "comma"} <= set(styles):
        return None
    for cells, style in zip(table.records, styles, strict=True):
        for position in positions:
            number = number_in(cells[position], "comma")
            text = cells[position].strip()
            if style == "comma" and number is not None:
                cells[position] = f"{number:f}"
            elif not style and text and not text.lstrip("+-").isdigit():
                cells[position] += CUT_OFF
    return "point"


def _style_of(texts: Iterable[str]) -> str:
    """Return the decimal separator of a row, nothing if its numbers leave it open."""
    for text in texts:
        as_point, as_comma = number_in(text, "point"), number_in(text, "comma")
        if as_point is not None and as_comma is None:
            return "point"
        if as_comma is not None and as_point is None:
            return "comma"
    return ""


def _payments(sheet: Sheet) -> list[tuple[str, Decimal, int]]:
    """Return the payments of instruments, those before tax being alike."""
    found = []
    for raw in sheet:
        if _kind(raw) not in PAYMENTS or not raw["isin"]:
            continue
        try:
            found.append((raw["isin"], raw.number_or_zero("value"), raw.line))
        except BadRow:
            continue  # It is a problem of its row.
    return found


def _kind(raw: RawRow) -> str:
    return KINDS.get(raw["type"].casefold(), "")


def _read_row(sheet: Sheet, raw: RawRow, held: Held) -> None:
    kind = _kind(raw)
    value = raw.number_or_zero("value")
    if kind == "swap" and raw["shares2"]:
        add_swap(sheet, raw)
    elif kind == "swap" and value > 0:
        _add_trade(sheet, raw, "sell")
    elif kind == "spinoff":
        add_spin_off(sheet, raw)
    elif kind == "swap" or (kind in TRADES and raw["shares2"].strip("0., ")):
        raise unpaired_action(raw, "shares")
    elif kind in TRADES:
        _add_trade(sheet, raw, kind)
    elif kind == "split":
        identity = _identity(raw)
        ratio = split_ratio(held[name_of(identity)], raw.required_number("shares"), "shares")
        sheet.add(raw, type="split", quantity=ratio, **identity)
    elif kind in MOVES and raw["shares"]:
        _add_moved(sheet, raw, MOVES[kind])
    elif not value and raw["isin"] and kind in (*PAYMENTS, "fee", "tax"):
        sheet.ignore(raw, f"{kind} of 0")
    elif kind in PAYMENTS and raw["isin"]:
        if value < 0:
            raise unpaired_reversal("value", value)
        charges = _charges(raw)
        _add(sheet, raw, charges, type=kind, quantity=ONE, price=value + sum(charges))
    elif kind in ("fee", "tax") and raw["isin"] and value < 0:
        _add(sheet, raw, _Charges(ZERO, ZERO), type=kind, quantity=ONE, price=-value)
    elif kind and (not raw["shares"] or kind == "tax"):
        _add_money(sheet, raw, OF_MONEY.get(kind, kind), value)
    else:
        raise sheet.unknown_type("type", raw["type"])


def _add_moved(sheet: Sheet, raw: RawRow, kind: str) -> None:
    """Add shares that were moved in, which the file gives no cost, or out."""
    sheet.add(
        raw,
        type=kind,
        quantity=abs(raw.required_number("shares")),
        is_cost_unknown=kind == "transfer_in",
        **_identity(raw),
    )


def _add_trade(sheet: Sheet, raw: RawRow, kind: str) -> None:
    """Add a trade at the price that its value says without fees and taxes."""
    value, shares = raw.required_number("value"), abs(raw.required_number("shares"))
    is_taken_back = value < 0
    if kind == "buy":
        is_taken_back = value > 0
    if is_taken_back:
        raise unpaired_reversal("value", value)
    if not shares:
        raise bad_row("shares", "0", "not_above", _("Enter a number above 0."))
    charges = _charges(raw)
    gross = gross_of(kind, abs(value), sum(charges, ZERO))
    _add(sheet, raw, charges, type=kind, quantity=shares, price=divide(gross, shares))


def _add_money(sheet: Sheet, raw: RawRow, kind: str, value: Decimal) -> None:
    """Add money alone; the value is what was left after the tax."""
    tax = _charges(raw).tax
    withheld = {"tax": tax} if kind == "interest" and tax and value > 0 else {}
    sheet.add_money(
        raw, kind, value.quantize(CENT), EURO, date=raw.day("date"), note=raw["note"], **withheld
    )


def _charges(raw: RawRow) -> _Charges:
    """Return fees and taxes; earlier versions of pytr wrote them with a minus."""
    return _Charges(abs(raw.number_or_zero("fees")), abs(raw.number_or_zero("taxes")))


def _add(sheet: Sheet, raw: RawRow, charges: _Charges, **fields: Any) -> None:
    sheet.add(
        raw,
        commission=charges.fee,
        tax=charges.tax,
        settlement_currency=EURO,
        settlement_amount=raw.required_number("value").quantize(CENT) or None,
        **{**_identity(raw), **fields},
    )


def _identity(raw: RawRow) -> dict[str, Any]:
    return identity_of(raw, raw["isin"], raw["note"])


EXAMPLE = "2024-03-01T09:30:00;Buy;-1762.0;ASML;NL0010273215;2;1.0;"
FORMATS = (
    Format(
        name="pytr",
        label="Trade Republic, exported by pytr",
        columns=HEADERS[0],
        example=f"{';'.join(HEADERS[0])}\r\n{EXAMPLE}\r\n",
        recognises=recognises,
        read=read,
    ),
)
