"""Swissquote: the words of its files in German, French, Italian and English, as `folded` leaves
them, and what they are.
"""

import re

TRADES = {
    "buy": "buy", "kauf": "buy", "achat": "buy", "acquisto": "buy",
    "sell": "sell", "verkauf": "sell", "vente": "sell", "vendita": "sell",
    "redemption": "sell", "repayment": "sell", "ruckzahlung": "sell", "remboursement": "sell",
    "rimborso": "sell",
}  # fmt: skip
INCOME = {
    "dividend": "dividend", "dividende": "dividend", "dividendo": "dividend",
    "capital gain": "dividend", "gain en capital": "dividend", "plus-value": "dividend",
    "utile di capitale": "dividend",
    "coupon": "interest", "cedola": "interest", "zinscoupon": "interest",
    "securities lending": "interest", "wertpapierleihe": "interest", "pret de titres": "interest",
    "prestito titoli": "interest", "prestito di titoli": "interest",
    "capital repayment": "return_of_capital", "capital return": "return_of_capital",
    "return of capital": "return_of_capital", "kapitalruckzahlung": "return_of_capital",
    "nennwertruckzahlung": "return_of_capital", "remboursement de capital": "return_of_capital",
    "remboursement du capital": "return_of_capital", "rimborso di capitale": "return_of_capital",
    "rimborso del capitale": "return_of_capital",
}  # fmt: skip
TAXES = {
    "withholding tax", "verrechnungssteuer", "quellensteuer", "impot anticipe", "impot a la source",
    "imposta preventiva", "imposta alla fonte", "stamp duty", "stempelabgabe",
}  # fmt: skip
FEES = {
    "custody fees", "custody fee", "depotgebuhren", "depotgebuhr", "droits de garde",
    "frais de garde", "diritti di custodia", "spese di custodia", "tax statement",
    "spesen steuerauszug", "releve fiscal", "frais releve fiscal", "estratto fiscale", "fees",
    "fee", "spesen", "gebuhren", "frais", "spese", "commissioni", "jahresgebuhr", "annual fee",
    "frais annuels", "exchange fee rectif.", "exch. fee rectif.", "exchange fee rectification",
    "berichtigung borsengeb.", "rectif. frais de bourse", "rettifica tasse di borsa",
    "kommission am", "commission am", "commissione am", "kommission", "commission", "commissione",
    "kosten fur titel", "costs for securities", "frais sur titres", "spese per titoli",
    "trading platform fees", "trading platform fee", "handelsplattformgebuhren",
    "jahresgebuhren", "kontofuhrung", "tenue de compte", "account fees",
}  # fmt: skip
INTEREST = {
    "interests", "interest", "zins", "zinsen", "zinsen auf einlagen", "zinsen auf belastungen",
    "sollzinsen", "habenzinsen", "negativzins", "negativzinsen", "negative interest",
    "interets negatifs", "interessi negativi", "interest on credits", "interest on debits",
    "interest on deposits", "interets", "interets sur depots", "interets sur avoirs",
    "interets debiteurs", "interets crediteurs", "interets sur debits", "interessi",
    "interessi su depositi", "interessi sui depositi", "interessi su addebiti",
    "interessi creditori", "interessi debitori",
}  # fmt: skip
EXCHANGE = {
    "forex credit", "forex debit", "forex-gutschrift", "forex-belastung", "credit forex",
    "debit forex", "forex credito", "forex debito", "credito forex", "debito forex",
    "accredito forex", "addebito forex", "fx credit comp.", "fx debit comp.", "fx credit comp",
    "fx debit comp", "fx-gutschrift comp.", "fx-belastung comp.", "credit fx comp.",
    "debit fx comp.", "accredito fx comp.", "addebito fx comp.", "credito fx comp.",
    "debito fx comp.",
}  # fmt: skip
TRANSFERS = {
    "debit",
    "credit",
    "payment",
    "paying out",
    "payout",
    "deposit",
    "withdrawal",
    "twint",
    "vergutung",
    "zahlung",
    "einzahlung",
    "auszahlung",
    "belastung",
    "gutschrift",
    "paiement",
    "versement",
    "virement",
    "retrait",
    "pagamento",
    "versamento",
    "bonifico",
    "prelievo",
    "addebito",
    "accredito",
    "kartentransaktion",
    "card transaction",
    "transaction par carte",
    "transazione con carta",
    "bonusprogramm",
    "bonus program",
    "programme bonus",
    "programma bonus",
}
ADJUSTMENTS = {"korrekturbuchung", "correction", "ecriture de correction", "rettifica"}  # fmt: skip

# What money alone is, by a part of its word, where the whole is not in the lists.
FEE_PART = re.compile(r"\bfees?\b|gebuhr|\bfrais\b|\bspese\b")
INTEREST_PART = re.compile(r"\binterests?\b|zinsen|\binterets\b|\binteressi\b")
# NVDA APR25 119C
OPTION = re.compile(r" [A-Z]{3}\d\d \d{1,6}(?:\.\d{1,3})?[CP]\Z", re.ASCII)

OF_MONEY = {
    **dict.fromkeys(TAXES, "tax"),
    **dict.fromkeys(FEES, "fee"),
    **dict.fromkeys(INTEREST, "interest"),
    **dict.fromkeys(EXCHANGE, "conversion"),
    **dict.fromkeys(TRANSFERS, "deposit"),
    **dict.fromkeys(ADJUSTMENTS, "adjustment"),
}


def money_of(word: str) -> str:
    """Return what a row of money alone is, nothing for an unknown word."""
    if word in OF_MONEY:
        return OF_MONEY[word]
    if FEE_PART.search(word):
        return "fee"
    return "interest" if INTEREST_PART.search(word) else ""


# Shares that come or go by what a company does. The rows of one day and word belong together.
SPLITS = {
    "split", "stock split", "aktiensplit", "reverse split", "split inverse", "split inverso",
    "fractionnement", "regroupement", "frazionamento", "raggruppamento",
}  # fmt: skip
EXERCISES = {
    "ausubung von anrechten", "exercise of rights", "rights exercise", "exercice de droits",
    "esercizio di diritti", "vorrechtszeichungsangebot", "vorrechtszeichnungsangebot",
    "capital increase", "kapitalerhohung", "augmentation de capital", "aumento di capitale",
}  # fmt: skip
LAPSED = {
    "verfall von anrechten", "expiry of rights", "echeance de droits", "scadenza di diritti",
    "expiration", "wertlose ausbuchung", "worthless", "sans valeur", "senza valore",
}  # fmt: skip
MOVED = {
    "titeleingang", "titelausgang", "incoming securities", "outgoing securities",
    "entree de titres", "sortie de titres", "entrata titoli", "uscita titoli",
    "securities transfer", "transfer of securities", "transfert de titres",
    "trasferimento titoli", "titellieferung", "crypto deposit", "crypto withdrawal",
}  # fmt: skip
ACTIONS = SPLITS | EXERCISES | LAPSED | MOVED | {
    "fusion", "merger", "fusione", "corporate action", "operation sur titres",
    "operazione societaria", "internal exchange transaction", "titelumbuchung",
    "interne titelumbuchung", "internal rebooking",
    "transfert interne de titres", "giro interno titoli", "umtausch", "titelumtausch", "echange",
    "echange de titres", "exchange", "exchange of securities", "scambio", "scambio titoli",
    "scambio di titoli", "spin off", "spin-off", "scission", "scissione", "abspaltung",
    "stockdividende", "stock dividend", "dividende en actions", "dividende-titres",
    "dividendo in azioni", "ausgabe von anrechten", "issue of rights", "rights issue",
    "rights distribution", "emission de droits", "attribution de droits", "emissione di diritti",
    "assegnazione di diritti", "ruckkaufangebot", "tender offer", "offre publique",
}  # fmt: skip
OPTIONS = {
    "buy-to-open", "sell-to-open", "buy-to-close", "sell-to-close", "ausubung", "assignment",
}  # fmt: skip

REVERSES = {"storno", "reversal", "cancellation", "annulation", "extourne", "annullamento"}
REVERSED = {"storniert", "annule", "annulee", "cancelled", "annullato"}


def without_reversal(word: str) -> str:
    """Return what was reversed for a word that says so: dividende for Storno (Dividende)."""
    before, _, inside = word.partition("(")
    before, inside = before.strip(), inside.removesuffix(")").strip()
    if before in REVERSES and inside:
        return inside
    return before if inside in REVERSED else word
