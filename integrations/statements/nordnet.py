"""Nordnet: the transactions export of the Norwegian and the Finnish site.

UTF-16, tabs, decimal comma, newest row first. Five of its thirty columns share one name, so columns
are read by position. Amounts and fees are in the account's currency, prices in the instrument's.
"""

import re
from collections import defaultdict
from datetime import date
from decimal import Decimal

from financeproj.core.money import EXACT, ONE, ZERO, strip_zeros
from integrations.statements.amounts import divide
from integrations.statements.base import (
    Divergence,
    Format,
    Options,
    Statement,
    StatementRow,
    Table,
)
from integrations.statements.days import iso_day
from integrations.statements.figures import CENT, leave_balances, leave_shares, rounding_of
from integrations.statements.sheet import RawRow, Sheet, bad_row, unpaired_reversal
from portfolios.calc.import_rows import gettext_noop as _
from portfolios.calc.kinds import RULES

NORWEGIAN = (
    "Id", "Bokføringsdag", "Handelsdag", "Oppgjørsdag", "Portefølje", "Transaksjonstype",
    "Verdipapir", "ISIN", "Antall", "Kurs", "Rente", "Totale Avgifter", "Valuta", "Beløp", "Valuta",
    "Kjøpsverdi", "Valuta", "Resultat", "Valuta", "Totalt antall", "Saldo", "Vekslingskurs",
    "Transaksjonstekst", "Makuleringsdato", "Sluttseddelnummer", "Verifikationsnummer", "Kurtasje",
    "Valuta", "Valutakurs", "Innledende rente",
)  # fmt: skip
FINNISH = (
    "Id", "Kirjauspäivä", "Kauppapäivä", "Maksupäivä", "Salkku", "Tapahtumatyyppi", "Arvopaperi",
    "ISIN", "Määrä", "Kurssi", "Korko", "Kokonaiskulut", "Valuutta", "Summa", "Valuutta",
    "Hankinta-arvo", "Valuutta", "Tulos", "Valuutta", "Kokonaismäärä", "Saldo", "Vaihtokurssi",
    "Tapahtumateksti", "Mitätöintipäivä", "Laskelma", "Vahvistusnumero", "Välityspalkkio",
    "Valuutta", "Viitevaluuttakurssi", "Alkuperäinen korko",
)  # fmt: skip
POSITIONS = {
    "id": 0,
    "booked": 1,
    "traded": 2,
    "account": 4,
    "type": 5,
    "name": 6,
    "isin": 7,
    "quantity": 8,
    "price": 9,
    "fees": 11,
    "fees_currency": 12,
    "amount": 13,
    "account_currency": 14,
    "result_currency": 18,
    "total_quantity": 19,
    "balance": 20,
    "rate": 21,
    "text": 22,
    "cancelled": 23,
    "commission": 26,
    "commission_currency": 27,
    "rate_of_trade": 28,
}
NUMBERS = (
    "quantity",
    "price",
    "fees",
    "amount",
    "total_quantity",
    "balance",
    "rate",
    "commission",
    "rate_of_trade",
)
# A reinvested dividend is one row of the file: the purchase keeps its id, the dividend adds this.
DIVIDEND_SUFFIX = ":dividend"
CHECKED = ("amount", "total_quantity", "balance")

BUYS = {"KJØPT", "KJØP", "OSTO"}
SALES = {"SALG", "SOLGT", "MYYNTI"}
DIVIDENDS = {"UTBYTTE", "OSINKO"}
TAXES = {"KUPONGSKATT", "ENNAKKOPIDÄTYS", "ULKOM. KUPONKIVERO"}
REINVESTED = "REINVESTERT UTBYTTE"
SPLIT_OUT, SPLIT_IN = "SPLITT UTTAK VP", "SPLITT INNLEGG VP"
CASH = {
    "INNSKUDD", "UTTAK", "UTTAK INTERNET", "PLATTFORMAVGIFT", "DEBETRENTE", "DEBETRENTE KORR",
    "KREDITRENTE", "TALLETUS", "NOSTO", "LAINAKORKO", "TALLETUSKORKO", "PÄÄOMIT YLIT.KORKO",
    "DEBET KORON KORJ.", "VALUUTAN OSTO", "VALUUTAN MYYNTI",
}  # fmt: skip

_PER_SHARE = re.compile(r"\b([A-Z]{3})/(?:AKSJE|OSAKE|ANDEL)", re.IGNORECASE)


def recognises(table: Table) -> bool:
    header = tuple(name.strip() for name in table.header)
    return header in (NORWEGIAN, FINNISH)


def read(table: Table, options: Options) -> Statement:
    table.require_rectangle(is_always_full=True)
    sheet = Sheet(
        "nordnet",
        table,
        options,
        read_day=iso_day,
        decimal="comma",
        columns=POSITIONS,
        numbers=NUMBERS,
    )
    sheet.set_account("account")
    sheet.rows.sort(key=_booking_order)
    currencies = _currencies(sheet)
    halves = _split_halves(sheet)
    for raw in sheet:
        with sheet.collect_problem(raw):
            _read_row(sheet, raw, currencies, halves)
    _leave_figures(sheet)
    return sheet.statement


def _booking_order(raw: RawRow) -> tuple[str, int, str]:
    """Sort by day, then by id: Nordnet numbers the rows as it books them."""
    row_id = raw["id"]
    is_number = row_id.isascii() and row_id.isdigit()
    # By length, then as text: Python refuses to convert more than 4,300 digits.
    digits = row_id.lstrip("0") if is_number else ""
    return raw["booked"], len(digits), digits


def _currencies(sheet: Sheet) -> dict[str, str]:
    """Return the currency of each ISIN's price, from the rows that give it."""
    found: dict[str, str] = {}
    for raw in sheet:
        currency = raw["result_currency"]
        if not currency:
            per_share = _PER_SHARE.search(raw["text"])
            if per_share is None:
                continue
            currency = per_share[1].upper()
        found.setdefault(raw["isin"], currency)
    return found


def _split_halves(sheet: Sheet) -> dict[tuple[str, str], dict[str, list[RawRow]]]:
    halves: dict[tuple[str, str], dict[str, list[RawRow]]] = defaultdict(lambda: defaultdict(list))
    for raw in sheet:
        if raw["type"].upper() in (SPLIT_OUT, SPLIT_IN) and not raw["cancelled"]:
            halves[raw["isin"], raw["traded"]][raw["type"].upper()].append(raw)
    return halves


def _read_row(
    sheet: Sheet,
    raw: RawRow,
    currencies: dict[str, str],
    halves: dict[tuple[str, str], dict[str, list[RawRow]]],
) -> None:
    kind = raw["type"].upper()
    if raw["cancelled"]:
        sheet.ignore_reversed(raw, "cancelled", raw["id"], f"{raw['id']}{DIVIDEND_SUFFIX}")
        return
    for column in CHECKED:
        raw.number(column)  # An unreadable number is a problem of its row.
    if kind in CASH and not raw["isin"]:
        sheet.ignore(raw, kind.lower(), raw.number_or_zero("amount"), raw["account_currency"])
    elif kind in BUYS:
        _add(sheet, raw, currencies, "buy", raw.day("traded"), fees=_fees(raw))
    elif kind in SALES:
        _add(sheet, raw, currencies, "sell", raw.day("traded"), fees=_fees(raw))
    elif kind in DIVIDENDS:
        amount = raw.number_or_zero("amount")
        if amount < 0:
            raise unpaired_reversal("amount", amount)
        _add(sheet, raw, currencies, "dividend", raw.day("booked"))
    elif kind in TAXES:
        _add_tax(sheet, raw, currencies)
    elif kind == REINVESTED:
        # The payment and what was bought with it, in one row and without any cash.
        day = raw.day("traded")
        if _add(sheet, raw, currencies, "dividend", day, suffix=DIVIDEND_SUFFIX):
            _add(sheet, raw, currencies, "buy", day)
    elif kind in (SPLIT_OUT, SPLIT_IN):
        _add_split(sheet, raw, kind, halves[raw["isin"], raw["traded"]])
    else:
        raise sheet.unknown_type("type", raw["type"])


def _fees(raw: RawRow) -> tuple[Decimal, str]:
    """Return all fees of a trade, which include the commission, and their currency."""
    total = raw.number("fees")
    if total is not None:
        return total, raw["fees_currency"] or raw["account_currency"]
    return raw.number_or_zero("commission"), raw["commission_currency"] or raw["account_currency"]


def _currency_and_rate(
    raw: RawRow, currencies: dict[str, str]
) -> tuple[str | None, Decimal | None]:
    """Return (currency of the row's price, price of one unit of it in the account's currency).

    Each is None if the file does not give it.
    """
    account_currency = raw["account_currency"]
    stated = raw.number("rate_of_trade") or raw.number("rate") or None  # 0 is not a rate.
    currency = raw["result_currency"] or currencies.get(raw["isin"])
    if not currency and stated in (None, ONE):
        currency = account_currency
    rate = ONE if currency == account_currency else stated
    return currency or None, rate


def _add(
    sheet: Sheet,
    raw: RawRow,
    currencies: dict[str, str],
    kind: str,
    day: date,
    *,
    fees: tuple[Decimal, str] = (ZERO, ""),
    suffix: str = "",
) -> StatementRow | None:
    currency, rate = _currency_and_rate(raw, currencies)
    fee, fee_currency = fees
    if fee and fee_currency != currency:
        if rate is None:
            raise bad_row(
                "rate",
                None,
                "exchange_rate_required",
                _(
                    "The fee is in another currency than the price, and the file gives no exchange "
                    "rate. Enter the trade by hand and skip this row."
                ),
            )
        fee = divide(fee, rate)
    return sheet.add(
        raw,
        type=kind,
        date=day,
        quantity=abs(raw.required_number("quantity")),
        price=raw.required_number("price"),
        commission=fee,
        exchange_rate=rate,
        **_identity(raw, currency, suffix),
    )


def _add_tax(sheet: Sheet, raw: RawRow, currencies: dict[str, str]) -> None:
    currency, rate = _currency_and_rate(raw, currencies)
    amount = -raw.required_number("amount")
    if amount < 0:
        raise bad_row(
            "amount",
            raw["amount"],
            "unsupported",
            _("Repaid tax cannot be imported yet. Enter it by hand and skip this row."),
        )
    if rate is not None and rate != ONE:
        amount = divide(amount, rate)
    sheet.add(
        raw,
        type="tax",
        date=raw.day("booked"),
        quantity=ONE,
        price=amount,
        price_in=None if rate else raw["account_currency"],
        exchange_rate=rate,
        **_identity(raw, currency),
    )


def _add_split(sheet: Sheet, raw: RawRow, kind: str, halves: dict[str, list[RawRow]]) -> None:
    if len(halves[SPLIT_OUT]) != 1 or len(halves[SPLIT_IN]) != 1:
        raise bad_row(
            "type",
            raw["type"],
            "unpaired_split",
            _("A split needs one row %(out)s and one row %(in)s of one ISIN and day."),
            **{"out": SPLIT_OUT, "in": SPLIT_IN},
        )
    if kind == SPLIT_OUT:
        sheet.ignore(raw, "split: shares taken out")
        return
    before = halves[SPLIT_OUT][0].required_number("quantity")
    after = raw.required_number("quantity")
    if not before:
        raise bad_row("quantity", raw["quantity"], "not_above", _("Enter a number above 0."))
    ratio = divide(abs(after), abs(before))
    sheet.add(raw, type="split", date=raw.day("traded"), quantity=ratio, **_identity(raw, None))


def _identity(raw: RawRow, currency: str | None, suffix: str = "") -> dict[str, str | None]:
    row_id = raw["id"]
    return {
        "isin": raw["isin"] or None,
        "symbol": None if raw["isin"] else raw["name"],
        "company_name": raw["name"],
        "currency": currency,
        "rate_currency": raw["account_currency"] or None,
        "note": raw["text"],
        "external_id": f"{row_id}{suffix}" if row_id else None,
    }


# --- What the file says by itself -----------------------------------------------------------------


def _leave_figures(sheet: Sheet) -> None:
    """Leave the broker's balances and numbers of shares, and check its amounts."""
    statement = sheet.statement
    made: dict[int, list[StatementRow]] = defaultdict(list)
    for row in statement.rows:
        made[row.row].append(row)
    raws = [raw for raw in sheet if not raw["cancelled"]]
    statement.reconciles = bool(raws) and not statement.failed
    leave_balances(sheet, raws, booked="booked", balance="balance", currency="account_currency")
    leave_shares(sheet, raws, made, booked="booked", total="total_quantity")
    for raw in raws:
        of_line = made.get(raw.line, ())
        if len(of_line) == 1 and statement.divergence is None:
            statement.divergence = _divergence(raw, of_line[0])


def _divergence(raw: RawRow, row: StatementRow) -> Divergence | None:
    """Return how the amount of a row differs from what its other figures give, if it does."""
    booked, rate = raw.number("amount"), row.exchange_rate
    sign = RULES[row.type].money
    if booked is None or not rate or not sign:
        return None
    gross = EXACT.multiply(row.quantity, row.price or ZERO)
    effect = EXACT.multiply(sign * gross - row.charge, rate)
    if abs(booked - effect) <= rounding_of(row, rate):
        return None
    currency = raw["account_currency"]
    expected = f"amount {strip_zeros(booked):f} {currency}"
    return Divergence(raw.line, expected, f"amount {effect.quantize(CENT):f} {currency}")


EXAMPLE = (
    "100001\t2024-03-01\t2024-03-01\t2024-03-05\t87654321\tKJØPT\tOrkla\tNO0003733800\t10\t80,50\t"
    "0\t29\tNOK\t-834\tNOK\t834\tNOK\t0\tNOK\t10\t4 166,00\t\t\t\t200001\t200001\t29\tNOK\t\t"
)
FORMATS = (
    Format(
        name="nordnet",
        label="Nordnet (Norway, Finland)",
        columns=NORWEGIAN,
        example="\t".join(NORWEGIAN) + f"\r\n{EXAMPLE}\r\n",
        recognises=recognises,
        read=read,
    ),
)
