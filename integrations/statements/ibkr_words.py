"""Interactive Brokers: the words of its activity statement in German and French.

The reader knows the English ones. Words are compared without accents and capitals.
"""

import re

from integrations.statements.values import folded

_SECTIONS = {
    "Trades": "transaktionen|transactions",
    "Dividends": "dividenden|dividendes",
    "Withholding Tax": "quellensteuer|retenue a la source|retenues a la source|impot a la source",
    "Payment In Lieu Of Dividends": (
        "zahlungen anstelle von dividenden|ersatzzahlungen fur dividenden|"
        "ausgleichszahlungen fur dividenden|paiement en remplacement de dividendes|"
        "paiements en remplacement de dividendes|paiement tenant lieu de dividendes|"
        "paiements tenant lieu de dividendes"
    ),
    "Corporate Actions": (
        "kapitalmassnahmen|operations sur titres|evenements sur titres|operations sur capital"
    ),
    "Transaction Fees": "transaktionsgebuhren|frais de transaction|frais de transactions",
    "Deposits & Withdrawals": (
        "einzahlungen & auszahlungen|ein- & auszahlungen|ein- und auszahlungen|depots et retraits|"
        "depots & retraits"
    ),
    "Interest": "zinsen|interet|interets",
    "Fees": "gebuhren|frais",
    "Other Fees": "sonstige gebuhren|andere gebuhren|autres frais",
    "Transfers": "ubertragungen|ubertrage|transferts",
    "Statement": "releve",
    "Account Information": "kontoinformationen|informations du compte|informations sur le compte",
    "Net Asset Value": "nettovermogenswert|valeur liquidative|valeur d'actif nette",
    "Change in NAV": (
        "veranderung des nav|anderung des nav|variation de la vni|changement dans vni|"
        "variation de la valeur liquidative"
    ),
    "Mark-to-Market Performance Summary": (
        "mark-to-market-performance-uberblick|resume de la performance mark-to-market|"
        "resume de la performance au prix du marche"
    ),
    "Realized & Unrealized Performance Summary": (
        "ubersicht zur realisierten und unrealisierten performance|"
        "resume de la performance realisee et non realisee"
    ),
    "Month & Year to Date Performance Summary": (
        "performanceubersicht seit monats- und jahresbeginn|"
        "resume de la performance du mois et de l'annee a ce jour"
    ),
    "Cash Report": "cash-bericht|bericht uber barmittel|rapport de liquidites|rapport en especes",
    "Open Positions": "offene positionen|positions ouvertes",
    "Forex Balances": "devisenpositionen|devisensalden|soldes forex|soldes des devises",
    "Net Stock Position Summary": (
        "netto-aktienpositionsubersicht|resume des positions nettes en actions"
    ),
    "Financial Instrument Information": (
        "informationen zum finanzinstrument|informations sur l'instrument financier|"
        "informations relatives aux instruments financiers"
    ),
    "Codes": "codes",
    "Notes/Legal Notes": (
        "hinweise/rechtshinweise|notes/mentions legales|remarques/mentions legales"
    ),
    "Interest Accruals": "aufgelaufene zinsen|zinsanfall|interets courus",
    "Change in Dividend Accruals": (
        "veranderung im dividendenanfall|veranderung der dividendenansammlung|"
        "variation des dividendes a recevoir|changement de dividendes courus"
    ),
    "Open Dividend Accruals": "offener dividendenanfall|dividendes courus ouverts",
    "Base Currency Exchange Rate": (
        "basiswahrung wechselkurs|wechselkurs der basiswahrung|taux de change de la devise de base"
    ),
}  # fmt: skip
_COLUMNS = {
    "Asset Category": "vermogenswertkategorie|anlagekategorie|categorie d'actifs|categorie d'actif",
    "Currency": "wahrung|devise",
    "Account": "konto|compte",
    "Symbol": "symbole",
    "Date/Time": "datum/zeit|date/heure",
    "Date": "datum",
    "Settle Date": "abwicklungsdatum|abrechnungsdatum|valutadatum|date de reglement",
    "Report Date": "berichtsdatum|date du rapport|date de rapport|date du releve",
    "Quantity": "menge|quantite",
    "T. Price": "t.-kurs|t. kurs|prix trans.|prix de trans.",
    "Proceeds": "erlos|erlose|produit|produits",
    "Comm/Fee": "prov./gebuhr|provision/gebuhr|comm/tarif|comm./tarif|comm/frais",
    "Amount": "betrag|montant",
    "Description": "beschreibung",
    "Subtitle": "untertitel|sous-titre",
    "Value": "wert|valeur",
    "Direction": "richtung|sens",
    "Market Value": "marktwert|valeur de marche|valeur du marche",
    "Cash Amount": "barbetrag|montant en especes",
    "Qty": "qte|quantite transferee",
}
# The categories of statements and the asset classes of Flex queries.
_CATEGORIES = {
    "Stocks": (
        "stk|fund|etf|war|aktien|actions|mutual funds|funds|etfs|investmentfonds|fonds|"
        "fonds communs de placement|warrants|optionsscheine|bons de souscription"
    ),
    "Structured Products": (
        "iopt|strukturierte produkte|zertifikate|certificates|produits structures|certificats|"
        "dutch warrants"
    ),
    "Cryptocurrency": "crypto|cryptocurrencies|kryptowahrung|kryptowahrungen|cryptomonnaies|"
    "cryptomonnaie|crypto-monnaies",
    "Forex": "devisen|devises",
    "Bonds": "bond|bill|anleihen|obligations|treasury bills|bills|schatzanweisungen|bons du tresor",
    "Cash": "barmittel|liquidites|especes",
}
SECTIONS = {word: name for name, words in _SECTIONS.items() for word in words.split("|")}
COLUMNS = {word: name for name, words in _COLUMNS.items() for word in words.split("|")}
CATEGORIES = {word: name for name, words in _CATEGORIES.items() for word in words.split("|")}
# The commission of an exchange of currencies names the currency that it is in.
_COMMISSION_IN = re.compile(r"(?:comm|prov)\w{0,12}\.? (?:in|en) ([a-z]{3})", re.ASCII)

# Charges of a trade that are taxes: UK Stamp Tax, French Transaction Tax.
_TAX_OF_TRADES = re.compile(r"\b(?:tax|taxe|duty|ftt)\b|steuer\b")


def is_tax_of_trades(words: str) -> bool:
    return _TAX_OF_TRADES.search(folded(words)) is not None


def section_of(name: str) -> str:
    """Return the English name of a section, or the name itself."""
    return SECTIONS.get(folded(name), name)


def column_of(name: str) -> str:
    """Return the English name of a column, or the name itself."""
    return COLUMNS.get(folded(name), name.strip())


def category_of(name: str) -> str:
    """Return the English name of a category of assets, or the name itself.

    Statements of some clients say who holds them: `Stocks - Held with …`.
    """
    plain = name.partition(" - ")[0].strip()
    return CATEGORIES.get(folded(plain), plain)


def commission_currency(column: str) -> str:
    """Return EUR for `Comm in EUR`, empty for other columns."""
    match = _COMMISSION_IN.fullmatch(folded(column))
    return match[1].upper() if match else ""
