"""The words of DEGIRO's account statement, in the languages of its countries, and what they mean.

Every language is tried on every row: the words are those of the customer's language when the row
was booked, and the header that of today. They are compared as `folded` leaves them.
"""

import re
from enum import Enum, auto

VERBS = {
    "koop": "buy", "verkoop": "sell",
    "buy": "buy", "sell": "sell",
    "kauf": "buy", "verkauf": "sell",
    "achat": "buy", "vente": "sell",
    "compra": "buy", "venta": "sell", "venda": "sell",
    "acquisto": "buy", "vendita": "sell",
    "kupno": "buy", "zakup": "buy", "sprzedaz": "sell",
    "nakup": "buy", "prodej": "sell",
    "kob": "buy", "kop": "buy", "kjop": "buy", "salg": "sell", "salj": "sell",
    "osto": "buy", "myynti": "sell",
}  # fmt: skip
ENGLISH = {"buy", "sell"}
_NUMBER = r"\d{1,3}(?:[ .,']\d{3})*(?:[.,]\d+)?|\d+(?:[.,]\d+)?"
# split: koop 1.000 asml@880,5 eur (nl0010273215)
TRADE = re.compile(
    r"\A(?:(?P<prefix>[^:@ ]++(?: [^:@ ]++)*+) ?: ?)?(?P<verb>" + "|".join(VERBS) + r") "
    rf"(?P<quantity>(?>(?:{_NUMBER})(?![^ @])))"
    r"(?P<name>[^@]*?)(?:@|\b(?:at|zu je|zu|za) (?=\d)) ?"
    rf"(?P<price>{_NUMBER}) (?P<currency>[a-z]{{3}})\b"
)
# What comes before the number of shares, where its verb is missing or of another language:
# aktiensplit: 15 tesla zu je 442,68 usd
UP_TO_SHARES = re.compile(r"\A(?P<prefix>(?:[^:@\d]{3,40}: ?)?)(?:[^\W\d_]{2,15} )?(?=\d)")
# ING C12.00 20DEC24
OPTION = re.compile(r" [CP]\d{1,6}(?:[.,]\d{1,4})? \d{2}[A-Z]{3}\d{2}\Z")
# Words of a reservation for money that leaves; others are for money that comes.
PAID_OUT = re.compile(r"withdrawal|opname")
CURRENCY_PAIR = re.compile(r"\A ?[a-z]{3}/[a-z]{3} ?\Z")


class Meaning(Enum):
    INTERNAL = auto()
    RESERVATION = auto()
    MONEY_MARKET = auto()
    EXCHANGE = auto()
    ORDER_FEE = auto()
    ORDER_TAX = auto()
    FEE = auto()
    TAX = auto()
    RETURN_OF_CAPITAL = auto()
    DIVIDEND = auto()
    INTEREST = auto()
    ACCRUED = auto()
    LENDING = auto()
    COMPENSATION = auto()
    TRANSFER = auto()


# What a row becomes, by its meaning. PAYMENTS and CHARGES are of an instrument, MONEY is of none.
PAYMENTS = {
    Meaning.DIVIDEND: "dividend",
    Meaning.INTEREST: "interest",
    Meaning.LENDING: "interest",
    Meaning.RETURN_OF_CAPITAL: "return_of_capital",
}
CHARGES = {
    Meaning.TAX: "tax",
    Meaning.ORDER_TAX: "tax",
    Meaning.FEE: "fee",
    Meaning.ORDER_FEE: "fee",
}
CHARGES_OF_ORDERS = {"fee": Meaning.ORDER_FEE, "tax": Meaning.ORDER_TAX}
OF_ORDER = {Meaning.ORDER_FEE, Meaning.ORDER_TAX}
MONEY = {
    **CHARGES,
    Meaning.INTEREST: "interest",
    Meaning.LENDING: "interest",
    # The cash lies in a fund whose price may change.
    Meaning.MONEY_MARKET: "interest",
    Meaning.COMPENSATION: "adjustment",
    Meaning.TRANSFER: "deposit",
}
WITHIN_DEGIRO = {Meaning.INTERNAL, Meaning.RESERVATION}

_TAX = (
    r"belasting|steuer|\btax(es)?\b|\bimpots?\b|\bimpuestos?\b|\bimpostos?\b|\bimpost[ae]\b|"
    r"ritenuta|retenue a la source|retencion|retencao|podat(ek|ku)\b|\bdane?\b|skatt?\b|vero\b|"
    r"withholding|osztalekado"
)
_FEE = (
    r"kosten|\bfees?\b|gebuhr|\bfrais\b|\bcosti?\b|\bcost[eo]s?\b|\bcosts\b|\bcust[oi]s?\b|comis|commission|"
    r"handelsmodalitaten|\bcouts?\b|avgift|gebyr|\boplat[ay]\b|poplat|kulut?\b|pass.through|rebate|"
    r"custodia|\bcharges?\b|real ?time|market data|exercise and assignment"
)
_TRANSACTION = r"transa[ckz]|courtage|kaupankay"
_OF_STATES = (
    r"stamp duty|beurstaks|operations de bourse|impot de bourse|timbre|imposto de selo|levy\b|"
    r"financial transaction|\btransactions? financ|transazioni finanziarie|tobin|\btob\b|\bsec fee"
)
# What names a dividend has; words around it may say which, not what else.
_DIVIDEND = (
    r"(dividend(e|en|o|os|i|a|y)?|dywidend[ay]|udbytte|utdelning|utbytte|osinko|"
    r"(fund|fonds|cash|qie)? ?distribution( du fonds| capital gain)?|(fonds)?ausschuttung|"
    r"fonds?uitkering|distribuc(ion|e fondu)|distribuzione( de[li] fond[oi]| fondo)?|"
    r"distribu[a-z]* (de|del|do) fund?o?s?|distribu[a-z]* (de|del|do) fondos?|osztalek)"
)
_WHICH = (
    r"((interim|final|special|variable|variabel|extra|cash|contant|keuze|optional|prima de) |"
    r"(contant|interim|slot|bar|sonder)[ -]?)"
)
_OF_WHICH_KIND = (
    r"( (extraordinari[oa]|complementari[oa]|a cuenta|en especes|in contanti|exceptionnel|"
    r"(corr|korr)\w{0,8})|n?(corr|korr)\w{0,8})"
)

# The first pattern that is found in the words says what they mean.
_PATTERNS: list[tuple[Meaning, str]] = [
    (
        Meaning.INTERNAL,
        r"cash sweep|flatex ?(degiro)? bank|geldrekening|cash account|geldkonto|"
        r"cuenta de efectivo|conta (de )?(dinheiro|caixa)|conto di liquidita|compte especes|"
        r"rachunk\w{0,8} pieniezn|penezni\w{0,8} ucet",
    ),
    (
        Meaning.RESERVATION,
        r"\Areserv|\Areserva|\Aprenotazione|\Arezerw|\Arezerv|processed flatex withdrawal|"
        r"verwerkte flatex",
    ),
    (
        Meaning.MONEY_MARKET,
        r"money market|geldmarktfonds|fonds monetaire|fondos? (del mercado )?monetario|"
        r"fond[oi] (del mercato )?monetari|fundos? (do mercado )?monetario|"
        r"fundusz\w{0,8} (gotowk|pieniez|rynku)|penezniho fondu|pengemarked|penningmarknad|"
        r"rahamarkkina",
    ),
    # Not what was exchanged, but what it cost.
    (Meaning.ORDER_FEE, rf"\bautofx\b|\A(?=.*({_FEE}))(?=.*(\bfx\b|walut|valut|divisa|currency))"),
    (
        Meaning.EXCHANGE,
        r"\bfx\b|valuta ?(cred|deb|kred)|wahrungswechsel|operation de change|cambio de divisa|"
        r"cambio (di )?valuta|(credito|debito|levantamento) de divisa|(credit|debit) devise|"
        r"currency (cred|deb)|credito di valuta|(kredyt|debet) walut|cambio divisa|"
        r"konverze meny|wymian\w{0,8} walut|przewalutowanie|valutavekslin|valutavaxling|"
        r"valuutanvaihto",
    ),
    (Meaning.ORDER_FEE, rf"\A(?=.*degiro)(?=.*({_TRANSACTION}))(?!.*({_TAX}))"),
    (
        Meaning.ORDER_TAX,
        rf"\A(?=.*({_TAX}|\btaxa\b))(?=.*({_TRANSACTION}))|{_OF_STATES}",
    ),
    (Meaning.TAX, rf"{_TAX}|imposta di bollo"),
    (
        Meaning.RETURN_OF_CAPITAL,
        r"kapitaals?uitkering|capital return|return of capital|kapitalruck|"
        r"remboursement de capital|(rendimiento|devolucion|reembolso|retorno) de capital|"
        r"kapitalretur|"
        r"rimborso (di |del )?capitale|vratka kapitalu|zwrot kapitalu|"
        # What is paid for shares next to an action: of a merger, or for a fraction.
        r"cash settlement|contante verrekening|verrekening van aandelen|barausgleich|"
        r"reglement en especes|regolamento in contanti|liquidacion en efectivo|"
        r"liquidacao em dinheiro|rozliczenie gotowkowe|penezni vyrovnani",
    ),
    (Meaning.LENDING, r"securities lending|effecten ?(uit)?leen|wertpapierleihe|pret de titres|"
                      r"prestito titoli|prestamo de valores|emprestimo de titulos"),
    (Meaning.FEE, _FEE),
    (Meaning.DIVIDEND, rf"\A({_WHICH})?{_DIVIDEND}({_OF_WHICH_KIND})?\Z"),
    # Interest that a bond had accrued, paid with its purchase and received with its sale.
    (
        Meaning.ACCRUED,
        r"(meegekochte|meeverkochte|opgelopen) rente|stuckzins|accrued|interets? courus|\brateo\b|"
        r"(cupon|interes(es)?|juros?) corridos?|naliczone odsetki",
    ),
    (
        Meaning.INTEREST,
        r"interest|rente\b|zinsen?\b|zins(ertrag|zahlung|gutschrift)|\binterets?\b|\binteres(es)?\b|interess[ei]?\b|\bjuros?\b|"
        r"odsetki|\burok\b|\branta\b|\brantor\b|\brenter\b|\bkorko\b|coupon|cedola|\bcupon\b|"
        r"\bcupao\b|\bkupon\b",
    ),
    (
        Meaning.COMPENSATION,
        r"courtesy|coulance|kulanz|compensati|vergoeding|schadeloos|reimburs|rembours|"
        r"terugbetaling|erstattung|gutschrift|rimborso|reembolso|devolucion|odszkodowanie",
    ),
    (
        Meaning.TRANSFER,
        r"promo|propagac|welkomst|werbeaktion|kundenaktion|pramie|welcome|welkom|bonus|cashback|deposit|storting|einzahlung|auszahlung|\bdepot\b|"
        r"versement|\bingreso|\bretirada|\bretiro\b|levantamento|depozyt|\bvklad|\bvyber|wplata|"
        r"wyplata|withdrawal|\bretrait|prelievo|versamento|indbetaling|udbetaling|insattning|"
        r"\buttag|innskudd|\buttak|talletus|\bnosto\b|\bideal\b|\bsofort\b|trustly|bonifico|"
        r"credit transfer|"
        r"\bvirement|transferencia|overschrijving|opname",
    ),
]  # fmt: skip
_MEANINGS = [(meaning, re.compile(pattern)) for meaning, pattern in _PATTERNS]


def meaning_of(words: str) -> Meaning | None:
    """Return what the folded words of a row mean, None if they are not known."""
    for meaning, pattern in _MEANINGS:
        if pattern.search(words):
            return meaning
    return None
