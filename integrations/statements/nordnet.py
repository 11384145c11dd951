"""Nordnet: the transactions export of the Norwegian and the Finnish site.

UTF-16, tabs, decimal comma, newest row first. Five of its thirty columns share one name, so they
are read by position. Amounts and fees are in the account's currency, prices in the instrument's.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from financeproj.core.money import EXACT, ONE, ZERO
from integrations.statements.base import (
    Checkpoint,
    Divergence,
    Format,
    Options,
    Statement,
    StatementRow,
    Table,
)
from integrations.statements.sheet import Raw, Sheet, bad_row, divided, iso_day, taken_back
from portfolios.calc.import_rows import gettext_noop as _
from portfolios.calc.kinds import RULES

NORWEGIAN = (
    "Id", "Bokføringsdag", "Handelsdag", "Oppgjørsdag", "Portefølje", "Transaksjonstype", "Verdipapir", "ISIN",
    "Antall", "Kurs", "Rente", "Totale Avgifter", "Valuta", "Beløp", "Valuta", "Kjøpsverdi", "Valuta", "Resultat",
    "Valuta", "Totalt antall", "Saldo", "Vekslingskurs", "Transaksjonstekst", "Makuleringsdato", "Sluttseddelnummer",
    "Verifikationsnummer", "Kurtasje", "Valuta", "Valutakurs", "Innledende rente",
)  # fmt: skip
FINNISH = (
    "Id", "Kirjauspäivä", "Kauppapäivä", "Maksupäivä", "Salkku", "Tapahtumatyyppi", "Arvopaperi", "ISIN", "Määrä",
    "Kurssi", "Korko", "Kokonaiskulut", "Valuutta", "Summa", "Valuutta", "Hankinta-arvo", "Valuutta", "Tulos",
    "Valuutta", "Kokonaismäärä", "Saldo", "Vaihtokurssi", "Tapahtumateksti", "Mitätöintipäivä", "Laskelma",
    "Vahvistusnumero", "Välityspalkkio", "Valuutta", "Viitevaluuttakurssi", "Alkuperäinen korko",
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
OF_REINVESTED = ":dividend"  # beside the purchase, which has the id as it is
CHECKED = ("amount", "total_quantity", "balance")

BUYS = {"KJØPT", "KJØP", "OSTO"}
SALES = {"SALG", "SOLGT", "MYYNTI"}
DIVIDENDS = {"UTBYTTE", "OSINKO"}
TAXES = {"KUPONGSKATT", "ENNAKKOPIDÄTYS", "ULKOM. KUPONKIVERO"}
REINVESTED = "REINVESTERT UTBYTTE"
SPLIT_OUT, SPLIT_IN = "SPLITT UTTAK VP", "SPLITT INNLEGG VP"
CASH = {
    "INNSKUDD", "UTTAK", "UTTAK INTERNET", "PLATTFORMAVGIFT", "DEBETRENTE", "DEBETRENTE KORR", "KREDITRENTE",
    "TALLETUS", "NOSTO", "LAINAKORKO", "TALLETUSKORKO", "PÄÄOMIT YLIT.KORKO", "DEBET KORON KORJ.", "VALUUTAN OSTO",
    "VALUUTAN MYYNTI",
}  # fmt: skip

_PER_SHARE = re.compile(r"\b([A-Z]{3})/(?:AKSJE|OSAKE|ANDEL)", re.IGNORECASE)
CENT = Decimal("0.01")


def recognises(table: Table) -> bool:
    header = tuple(name.strip() for name in table.header)
    return header in (NORWEGIAN, FINNISH)


def read(table: Table, options: Options) -> Statement:
    table.require_rectangle(is_always_full=True)
    sheet = Sheet(
        "nordnet", table, options, read_day=iso_day, decimal="comma", columns=POSITIONS, numbers=NUMBERS
    )  # fmt: skip
    sheet.take_account("account")
    sheet.rows.sort(key=_entered)
    currencies = _currencies(sheet)
    halves = _split_halves(sheet)
    for raw in sheet:
        with sheet.row(raw):
            _read_row(sheet, raw, currencies, halves)
    _reconcile(sheet)
    return sheet.statement


def _entered(raw: Raw) -> tuple[str, int, str]:
    """Nordnet numbers the rows in the order of booking."""
    # By length, then as text: Python makes no number of more than 4,300 digits.
    digits = raw["id"].lstrip("0") if raw["id"].isascii() and raw["id"].isdigit() else ""
    return raw["booked"], len(digits), digits


def _currencies(sheet: Sheet) -> dict[str, str]:
    """ISIN → the currency that its price is in, from the rows that say so."""
    found: dict[str, str] = {}
    for raw in sheet:
        per_share = _PER_SHARE.search(raw["text"])
        if currency := raw["result_currency"] or (per_share[1].upper() if per_share else ""):
            found.setdefault(raw["isin"], currency)
    return found


def _split_halves(sheet: Sheet) -> dict[tuple[str, str], dict[str, list[Raw]]]:
    halves: dict[tuple[str, str], dict[str, list[Raw]]] = defaultdict(lambda: defaultdict(list))
    for raw in sheet:
        if raw["type"].upper() in (SPLIT_OUT, SPLIT_IN) and not raw["cancelled"]:
            halves[raw["isin"], raw["traded"]][raw["type"].upper()].append(raw)
    return halves


def _read_row(
    sheet: Sheet,
    raw: Raw,
    currencies: dict[str, str],
    halves: dict[tuple[str, str], dict[str, list[Raw]]],
) -> None:
    kind = raw["type"].upper()
    if raw["cancelled"]:
        sheet.take_back(raw, "cancelled", raw["id"], f"{raw['id']}{OF_REINVESTED}")
        return
    for column in CHECKED:
        raw.number(column)  # no number is an error of its row too
    if kind in CASH and not raw["isin"]:
        sheet.ignore(raw, kind.lower(), raw.amount("amount"), raw["account_currency"])
    elif kind in BUYS | SALES:
        _add(
            sheet,
            raw,
            currencies,
            "buy" if kind in BUYS else "sell",
            raw.day("traded"),
            fees=_fees(raw),
        )
    elif kind in DIVIDENDS:
        if raw.amount("amount") < 0:
            raise taken_back("amount", raw.amount("amount"))
        _add(sheet, raw, currencies, "dividend", raw.day("booked"))
    elif kind in TAXES:
        _add_tax(sheet, raw, currencies)
    elif kind == REINVESTED:
        # The payment and what was bought for it, in one row and without any cash.
        day = raw.day("traded")
        if _add(sheet, raw, currencies, "dividend", day, suffix=OF_REINVESTED):
            _add(sheet, raw, currencies, "buy", day)
    elif kind in (SPLIT_OUT, SPLIT_IN):
        _add_split(sheet, raw, kind, halves[raw["isin"], raw["traded"]])
    else:
        raise sheet.unknown("type", raw["type"])


def _fees(raw: Raw) -> tuple[Decimal, str]:
    """All fees of a trade, of which the commission is a part."""
    if (total := raw.number("fees")) is not None:
        return total, raw["fees_currency"] or raw["account_currency"]
    return raw.amount("commission"), raw["commission_currency"] or raw["account_currency"]


def _money(raw: Raw, currencies: dict[str, str]) -> tuple[str | None, Decimal | None]:
    """(the currency of the row's price, what one unit of it is in the account's currency), None if
    it does not say.
    """
    stated = raw.number("rate_of_trade") or raw.number("rate") or None  # 0 is no rate
    currency = raw["result_currency"] or currencies.get(raw["isin"])
    if not currency and stated in (None, ONE):
        currency = raw["account_currency"]
    return currency or None, ONE if currency == raw["account_currency"] else stated


def _add(
    sheet: Sheet,
    raw: Raw,
    currencies: dict[str, str],
    kind: str,
    day: date,
    *,
    fees: tuple[Decimal, str] = (ZERO, ""),
    suffix: str = "",
) -> StatementRow | None:
    currency, rate = _money(raw, currencies)
    fee, fee_currency = fees
    if fee and fee_currency != currency:
        if rate is None:
            raise bad_row(
                "rate",
                None,
                "exchange_rate_required",
                _("The fee is in another currency than the price."),
            )
        fee = divided(fee, rate)
    return sheet.add(
        raw,
        type=kind,
        date=day,
        quantity=abs(raw.needed("quantity")),
        price=raw.needed("price"),
        commission=fee,
        exchange_rate=rate,
        **_identity(raw, currency, suffix),
    )


def _add_tax(sheet: Sheet, raw: Raw, currencies: dict[str, str]) -> None:
    currency, rate = _money(raw, currencies)
    amount = -raw.needed("amount")
    if amount < 0:
        raise bad_row(
            "amount",
            raw["amount"],
            "unsupported",
            _("Repaid tax cannot be imported yet. Enter it by hand and skip this row."),
        )
    sheet.add(
        raw,
        type="tax",
        date=raw.day("booked"),
        quantity=ONE,
        price=divided(amount, rate) if rate and rate != ONE else amount,
        price_in=None if rate else raw["account_currency"],
        exchange_rate=rate,
        **_identity(raw, currency),
    )


def _add_split(sheet: Sheet, raw: Raw, kind: str, halves: dict[str, list[Raw]]) -> None:
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
    before, after = halves[SPLIT_OUT][0].needed("quantity"), raw.needed("quantity")
    if not before:
        raise bad_row("quantity", raw["quantity"], "not_above", _("Enter a number above 0."))
    ratio = divided(abs(after), abs(before))
    sheet.add(raw, type="split", date=raw.day("traded"), quantity=ratio, **_identity(raw, None))


def _identity(raw: Raw, currency: str | None, suffix: str = "") -> dict[str, str | None]:
    return {
        "isin": raw["isin"] or None,
        "symbol": None if raw["isin"] else raw["name"],
        "company_name": raw["name"],
        "currency": currency,
        "rate_currency": raw["account_currency"] or None,
        "note": raw["text"],
        "external_id": f"{raw['id']}{suffix}" if raw["id"] else None,
    }


# --- Against the broker's own figures -------------------------------------------------------------


def _reconcile(sheet: Sheet) -> None:
    statement = sheet.statement
    if statement.failed:
        return  # what is missing would be all that the comparison finds
    statement.reconciles = bool(sheet.rows)
    made: dict[int, list[StatementRow]] = defaultdict(list)
    for row in statement.rows:
        made[row.row].append(row)
    held: dict[tuple[str, date], Checkpoint] = {}
    raws = [raw for raw in sheet if not raw["cancelled"]]
    for raw in raws:
        # Dividends and taxes have 0 in this column whatever is held.
        for row in made[raw.line]:
            total = raw.number("total_quantity")
            if row.type in ("buy", "sell", "split") and total is not None:
                held[row.isin or row.symbol or "", row.date] = Checkpoint(
                    row.ticker, row.date, total, row.row
                )
    statement.checkpoints = list(held.values())
    statement.cash_divergence = _cash_divergence(raws, made)


def _cash_divergence(raws: Iterable[Raw], made: dict[int, list[StatementRow]]) -> Divergence | None:
    """The first day at whose end the balance is not the one before plus what our transactions did
    to the cash.
    """
    balance: Decimal | None = None
    tolerance = ZERO
    rows = [raw for raw in raws if raw.number("balance") is not None]
    for raw, following in zip(rows, [*rows[1:], None], strict=False):
        booked = raw.amount("amount")
        # Without a rate, what our transactions did to the cash of the account is not known.
        is_known = made[raw.line] and all(row.exchange_rate for row in made[raw.line])
        ours = sum((_cash_effect(row) for row in made[raw.line]), ZERO) if is_known else booked
        if balance is None:
            balance = raw.needed("balance") - booked
        balance += ours
        tolerance += CENT + sum((_rounding_of_rate(row) for row in made[raw.line]), ZERO)
        if following is None or following["booked"] != raw["booked"]:
            said = raw.needed("balance")
            if abs(said - balance) > tolerance:
                return Divergence(raw.line, f"balance {said}", f"balance {balance.quantize(CENT)}")
            balance, tolerance = said, ZERO
    return None


def _cash_effect(row: StatementRow) -> Decimal:
    gross = EXACT.multiply(row.quantity, row.price or ZERO)
    rate = row.exchange_rate or ONE
    sign = RULES[row.type].money
    if not sign:
        return ZERO
    return EXACT.multiply(sign * gross - (row.commission or ZERO), rate)


def _rounding_of_rate(row: StatementRow) -> Decimal:
    """How much the amount may be off because the file has a rate with few decimals."""
    if row.exchange_rate in (None, ONE):
        return ZERO
    exponent = int(row.exchange_rate.as_tuple().exponent)
    return EXACT.multiply(
        row.quantity * (row.price or ZERO), Decimal(5).scaleb(min(exponent, 0) - 1)
    )


FORMATS = (
    Format(
        name="nordnet",
        label="Nordnet (Norway, Finland)",
        columns=NORWEGIAN,
        example="\t".join(NORWEGIAN)
        + "\r\n100001\t2024-03-01\t2024-03-01\t2024-03-05\t87654321\tKJØPT\tOrkla\tNO0003733800\t10\t80,50\t0\t29\tNOK\t"
        "-834\tNOK\t834\tNOK\t0\tNOK\t10\t4 166,00\t\t\t\t200001\t200001\t29\tNOK\t\t\r\n",
        recognises=recognises,
        read=read,
    ),
)
