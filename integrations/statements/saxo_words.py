"""The words of Saxo's export, in the languages of its customers, as `folded` leaves them."""

import re

from integrations.statements.values import folded

TRADES = {"trade", "transactie", "handel", "handler", "operation", "transaktion"}
TRANSFERS = {
    "cash transfer", "overforsel", "kontantoverforsel", "pengeoverforsel", "geldoverboeking",
    "contante overboeking", "transfert d'especes", "bargeldtransfer", "geldtransfer",
    "storting/opname",
}  # fmt: skip
CASH_AMOUNTS = {
    "cash amount", "kontantbelob", "cashbedrag", "geldbedrag", "montant de liquidites",
    "barbetrag", "geldbetrag",
}  # fmt: skip
ACTIONS = {
    "corporate action", "corporate actions", "selskabsbegivenhed", "selskabshaendelse",
    "corporate-action", "operation sur titres", "kapitalmassnahme",
}  # fmt: skip
SIDES = {
    "buy": "buy", "bought": "buy", "koop": "buy", "kob": "buy", "kobt": "buy", "kop": "buy",
    "acheter": "buy", "achat": "buy", "kauf": "buy", "kaufen": "buy",
    "sell": "sell", "sold": "sell", "verkoop": "sell", "saelg": "sell", "salg": "sell",
    "solgt": "sell", "vendre": "sell", "vente": "sell", "verkauf": "sell", "verkaufen": "sell",
    "transfer in": "transfer_in", "transfert entrant": "transfer_in",
    "overforsel ind": "transfer_in", "overdracht in": "transfer_in", "deponering": "transfer_in",
    "transfer out": "transfer_out", "transfert sortant": "transfer_out",
    "overforsel ud": "transfer_out", "overdracht uit": "transfer_out",
    "uitlevering": "transfer_out",
}  # fmt: skip
# `Type` of a bond, whose price is in per cent.
BOND = re.compile(r"bonds?|obligati(?:on|e|oner|es|ons)|anleihen?")
PAYMENTS = {
    "dividend": "dividend",
    "cash dividend": "dividend",
    "dividends": "dividend",
    "udbytte": "dividend",
    "kontantudbytte": "dividend",
    "contant dividend": "dividend",
    "dividende": "dividend",
    "dividende en especes": "dividend",
    "bardividende": "dividend",
    "cashdividend": "dividend",
    "keuzedividend": "dividend",
    "optional dividend": "dividend",
    "herbeleggingsdividend": "dividend",
    "dividend reinvestment": "dividend",
    "interest payment": "interest",
    "coupon": "interest",
    "couponbetaling": "interest",
    "return of capital": "return_of_capital",
    "capital repayment": "return_of_capital",
    "kapitaaluitkering": "return_of_capital",
    "capital return": "return_of_capital",
    "withholding tax": "tax",
    "udbytteskat": "tax",
    "dividendbelasting": "tax",
    "retenue a la source": "tax",
    "quellensteuer": "tax",
    "bronbelasting": "tax",
    "roerende voorheffing": "tax",
    "adr-kosten": "fee",
    "adr fee": "fee",
    "adr fees": "fee",
    "adr-gebyr": "fee",
}
CHARGES = {"tax", "fee"}
INTEREST = re.compile(r"interest|rente|interet|zins")
CHARGE = re.compile(
    r"fee|vat|gebyr|moms|omkostning|kosten|btw|frais|tva|gebuhr|commissi|kurtage|subscription"
    r"|abonnement|charge|bewaarloon"
)
# The symbols of options and futures: AAPL/25H200:xcbf
_SYMBOL_OF_DERIVATIVE = re.compile(r"/\d")
_KIND_OF_DERIVATIVE = re.compile(r"option|optie|opsjon|future|\bcfd|contract ?for ?diff|\bfx|forex")
_YES = {"yes", "ja", "oui", "si", "true"}


def is_derivative(symbol: str, kind: str, from_derivative: str) -> bool:
    """Return whether a row is of an option, a future or a CFD.

    `kind` is the kind of the instrument and `from_derivative` what the column of that name says.
    """
    return (
        _SYMBOL_OF_DERIVATIVE.search(symbol) is not None
        or _KIND_OF_DERIVATIVE.search(folded(kind)) is not None
        or folded(from_derivative) in _YES
    )
