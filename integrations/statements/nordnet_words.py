"""Nordnet's words for what a row is, and for its columns, in the languages of its four sites.

The file writes them in capitals, some cut after twenty characters. A word that is missing here is
an error of its row, unless it is of money alone and says itself what it is: add a line.
"""

import re
from collections.abc import Sequence
from enum import Enum, auto


class Meaning(Enum):
    """What a row of the file is."""

    BUY = auto()
    SUBSCRIBED = auto()  # a purchase, or the exercise of rights that go on the same day
    SUBSCRIBED_MONEY = auto()  # where the shares and the money are two rows
    SELL = auto()
    DIVIDEND = auto()
    COUPON = auto()  # the interest of a bond
    REINVESTED = auto()  # a dividend and what was bought with it, in one row
    TAX = auto()
    LENDING = auto()  # income from lending shares out
    RETURN_OF_CAPITAL = auto()
    SPLIT_OUT = auto()
    SPLIT_IN = auto()
    STOCK_DIVIDEND = auto()
    SHARES_IN = auto()  # moved from another account
    SHARES_OUT = auto()
    EXCHANGED_OUT = auto()  # for shares of another instrument, of one or more EXCHANGED_IN
    EXCHANGED_IN = auto()
    GRANTED = auto()  # rights, or shares of a company that was split off
    LAPSED = auto()  # shares or rights that are worth nothing any more
    REDEEMED_SHARES = auto()  # what leaves; the row of the payment counts
    REDEEMED_MONEY = auto()
    BUY_CURRENCY = auto()
    SELL_CURRENCY = auto()
    PAYMENT = auto()  # a deposit or withdrawal, as the sign says
    INTEREST = auto()
    FEE = auto()
    COMPENSATION = auto()


WORDS: dict[Meaning, set[str]] = {
    Meaning.BUY: {
        "KJØPT", "KJØP", "KÖPT", "KÖP", "KØBT", "KØB", "OSTO", "BYTESKÖP", "BYTTEKJØP",
        "KJØP, BYTTE AV FOND", "KÖP, BYTE AV FOND", "KØB, BYTTE AF FOND",
    },
    Meaning.SUBSCRIBED: {
        "TEGNING INNLEGG VP", "EMISJON INNLEGG VP", "EMISSION INLÄGG VP", "TECKNING INLÄGG VP",
        "NYEMISSION INLÄGG VP", "EM INLÄGG VP", "EM INNLEGG VP", "EMISSION INDLÆG VP",
        "TEGNING INDLÆG VP", "MERKINTÄ AP JÄTTÖ", "MERKINTÄ AP-JÄTTÖ",
    },
    Meaning.SUBSCRIBED_MONEY: {
        "TEGNING LIKVID", "TECKNING LIKVID", "EMISJON LIKVID", "EMISSION LIKVID", "EM LIKVID",
        "MERKINNÄN MAKSU", "TEGNING BETALING", "TECKNING BETALNING",
    },
    Meaning.SELL: {
        "SALG", "SOLGT", "SÅLT", "SÄLJ", "FÖRSÄLJNING", "MYYNTI", "BYTESSÄLJ", "BYTTESALG",
        "SALG, BYTTE AV FOND", "SÄLJ, BYTE AV FOND", "SALG, BYTTE AF FOND", "SÅLD",
    },
    Meaning.DIVIDEND: {
        "UTBYTTE", "UTDELNING", "UDBYTTE", "UDB.", "OSINKO", "TUOTTO-OSUUS", "RAHASTO-OSUUDEN TUOT",
        "UTDELNING FOND", "UTBYTTE FOND",
    },
    Meaning.COUPON: {
        "KUPONG", "KUPONGRENTE", "OBLIGASJONSRENTE", "OBLIGATIONSRÄNTA", "OBLIGATIONSRENTE",
        "KUPONKIKORKO",
    },
    Meaning.REINVESTED: {
        "REINVESTERT UTBYTTE", "ÅTERINVESTERAD UTD.", "ÅTERINV UTDELNING", "ÅTERINVESTERING",
        "GENINVESTERET UDBYTTE", "GENINVESTERING", "UUDELLEENSIJOITUS",
    },
    Meaning.TAX: {
        "KUPONGSKATT", "KILDESKATT", "UTL KUPSKATT", "UTL. KUPSKATT", "UTLÄNDSK KUPONGSKATT",
        "PRELIMINÄRSKATT", "PREL SKATT", "PREL. SKATT", "KÄLLSKATT", "UDBYTTESKAT", "UDB. SKAT",
        "UDENL. UDBYTTESKAT", "KUPONSKAT", "ENNAKKOPIDÄTYS", "ULKOM. KUPONKIVERO", "LÄHDEVERO",
        "UTL KUPSKATT ÅTER", "UTENLANDSK KILDE", "UTENLANDSK KILDESKATT", "AVKASTNINGSSKATT",
        "KUPONGSKATT KORR", "KUPONGSKATT KORR.", "KORR UTL KUPSKATT",
        "UTL KÄLLSKATT", "UTL. KÄLLSKATT", "UTLÄNDSK KÄLLSKATT", "AFKASTSKAT", "AFKASTSKAT ASK",
        "GERMAN SOL TAX DIV",
    },
    Meaning.LENDING: {
        "UTBETALING AKSJEUTLÅN", "AKSJEUTLÅN", "ERS. AKTIELÅN", "AKTIELÅN", "ERSÄTTNING AKTIELÅN",
        "AKTIEUDLÅN", "UDBETALING AKTIEUDLÅN", "OSAKELAINAUS",
    },
    Meaning.RETURN_OF_CAPITAL: {
        "TILBAKEBETALING", "TILBAKEBET. KAPITAL", "KAPITALNEDSETTELSE", "ÅTERBETALNING",
        "TILBAGEBETALING", "PÄÄOMAN PALAUTUS", "PÄÄOMANPALAUTUS", "TILBAKEBETALING AV KAPITAL",
        "ÅTERBETALNING AV KAPITAL",
    },
    Meaning.SPLIT_OUT: {"SPLITT UTTAK VP", "SPLIT UTTAG VP", "SPLIT UDTAG VP", "SPLIT AP OTTO"},
    Meaning.SPLIT_IN: {
        "SPLITT INNLEGG VP", "SPLIT INLÄGG VP", "SPLIT INDLÆG VP", "SPLIT INDSÆT VP",
        "SPLIT AP JÄTTÖ",
    },
    Meaning.STOCK_DIVIDEND: {
        "UTBYTTE INNLEGG VP", "FONDSEMISJON INNL VP", "UTDELNING INLÄGG VP", "UDBYTTE INDLÆG VP",
        "RAHASTOANTI AP JÄTTÖ", "OSINKO AP JÄTTÖ", "FONDSEMISJON INNLEGG VP",
        "FONDEMISSION INLÄGG VP", "FONDSEMISSION INDLÆG VP",
    },
    Meaning.SHARES_IN: {
        "INNLEGG OVERFØRING", "INNLEGG VP", "INLÄGG ÖVERFÖRING", "INLÄGG VP", "ÖVERFÖRING INLÄGG",
        "INDLÆG OVERFØRING", "INDLÆG VP", "OVERFØRSEL IND", "JÄTTÖ SIIRTO", "AP JÄTTÖ", "AP-JÄTTÖ",
        "DECIMALER INLÄGG VP", "DESIMALER INNLEGG VP", "KORJAUS AP JÄTTÖ", "INNLEGG",
    },
    Meaning.SHARES_OUT: {
        "UTTAK OVERFØRING", "UTTAK VP", "UTTAK VP RESULTAT", "UTTAG VP RESULTAT",
        "UTTAG ÖVERFÖRING", "UTTAG VP", "ÖVERFÖRING UTTAG", "UDTAG OVERFØRING", "UDTAG VP",
        "OVERFØRSEL UD", "OTTO SIIRTO", "AP OTTO", "AP-OTTO", "DECIMALER UTTAG VP",
        "DESIMALER UTTAK VP", "KORJAUS AP OTTO",
    },
    Meaning.EXCHANGED_OUT: {
        "OMVANDLING UTTAG VP", "OMVANDLING UTTAK VP", "BYTTE UTTAK VP", "BYTTE UTTAK VERDIPAPIR",
        "BYTE UTTAG VP", "OMBYTNING UDTAG VP", "VAIHTO AP-OTTO", "FUSJON UTTAK VP",
        "FUSION UTTAG VP", "FUSION UDTAG VP", "BYTE UTTAG VÄRDEPAPPER", "VAIHTO ARVOPAPERIN OTTO",
        "VAIHTO AP OTTO",
    },
    Meaning.EXCHANGED_IN: {
        "OMVANDLING INLÄGG VP", "OMVANDLING INNLEGG VP", "BYTTE INNLEGG VP", "BYTE INLÄGG VP",
        "OMBYTNING INDLÆG VP", "VAIHTO AP-JÄTTÖ", "FUSJON INNLEGG VP", "FUSION INLÄGG VP",
        "FUSION INDLÆG VP", "BYTTE INNLEGG VERDIPAPIR", "BYTE INLÄGG VÄRDEPAPPER",
        "VAIHTO ARVOPAPERIN JÄTTÖ", "VAIHTO AP JÄTTÖ",
    },
    Meaning.GRANTED: {
        "INLÄGG FISSION", "INNLEGG FISJON", "TILLDELNING INLÄGG VP", "TILDELING INNLEGG VP",
        "TILDELING INNLEGG RE", "UTSKILLING FISJON IN", "TILLDELNING INLÄGG RE",
        "TECKNINGSRÄTT INLÄGG", "UTSKILJANDE INLÄGG VP", "AVKNOPPNING INLÄGG VP",
        "TILDELING INDLÆG RE", "UDSKILLELSE INDLÆG VP", "YHTIÖIT. IRR JÄTTÖ",
        "TILLDELNING INLÄGG RÄTTER", "TILDELING INNLEGG RETTER",
    },
    Meaning.LAPSED: {
        "SLETTING UTTAK VP", "MAKULERING UTTAG VP", "SLETNING UDTAG VP", "POISTO AP OTTO",
        "RENSNING UTTAG VP", "TEGNING UTTAK RETTER", "TECKNING UTTAG RÄTTER", "EMISJON UTTAK VP",
        "EMISSION UTTAG VP", "EMISSION UDTAG VP", "MERKINTÄ AP OTTO", "DESIM. UT VP IKKE UT",
        "MO OTTO EMISSION YHT",
    },
    Meaning.REDEEMED_SHARES: {
        "INNLØSN. UTTAK VP", "SLETTING DESIM. UTTA", "INLÖSEN UTTAG VP", "MAK DECIMALER UTTAG",
        "INDFRIELSE UDTAG VP", "LUNASTUS AP OTTO", "DESIM KIRJAUS OTTO", "DESIM. KIRJAUS OTTO",
        "INNLØSNING",
    },
    Meaning.REDEEMED_MONEY: {
        "INNL. VP LIKVID", "SLETTING DESIM. LIKV", "INLÖSEN LIKVID", "INL. VP LIKVID",
        "MAK DECIMALER LIKVID", "INDFRIELSE LIKVID", "LUNASTUS AP KÄT.", "LUNASTUS AP KÄT./OTTO",
        "DESIM. ULOSKIRJ. KÄT",
    },
    Meaning.BUY_CURRENCY: {
        "KJØP VALUTA", "VALUTAKJØP", "KÖP VALUTA", "VALUTAKÖP", "KØB VALUTA", "VALUTAKØB",
        "VALUUTAN OSTO",
    },
    Meaning.SELL_CURRENCY: {
        "SALG VALUTA", "VALUTASALG", "SÄLJ VALUTA", "VALUTAFÖRSÄLJNING", "VALUUTAN MYYNTI",
    },
    Meaning.PAYMENT: {
        "INNSKUDD", "INNSKUDD KONTANTER", "OVERFØRING VIA TRUSTLY", "PREMIEINNBETALING", "UTTAK",
        "UTTAK INTERNET", "UTTAK INTERNT", "UTBETALING", "INTERN OVERFØRING", "OVERFØRING",
        "INSÄTTNING", "INS. KREDIT", "INSÄTTNING KONTANTER", "INBETALNING", "UTTAG",
        "UTTAG INTERNET", "UTBETALNING", "ÖVERFÖRING VIA TRUSTLY", "ÖVERFÖRING",
        "INTERN ÖVERFÖRING", "AUTOGIRO", "INDBETALING", "INDSKUD", "INDSÆTNING", "UDBETALING",
        "HÆVNING", "UDTAG", "INTERN OVERFØRSEL", "OVERFØRSEL", "OVERFØRSEL VIA TRUSTLY",
        "PRÆMIEINDBETALING", "PREMIEINBETALNING", "TALLETUS", "NOSTO", "SIIRTO", "TALLETUS TRUSTLY",
        "INDSÆTTELSE", "SKATTEINDBETALING ASK", "INSÄTTNING AUTOGIRO", "UTTAG AUTOGIRO",
        "TALLETUS OST.", "TALLETUS REAL-TIME",
    },
    Meaning.INTEREST: {
        "DEBETRENTE", "DEBETRENTE KORR", "KREDITRENTE", "KREDITRENTE KORR", "OVERBELÅNINGSRENTE",
        "RENTE", "RÄNTA", "KAP RÄNTA", "KAP. RÄNTA", "KAP. DEB RÄNTA", "KAP DEB RÄNTA",
        "DEBETRÄNTA", "KREDITRÄNTA", "ÖVERBELÅNINGSRÄNTA", "DEBITORRENTE", "KREDITORRENTE",
        "LAINAKORKO", "TALLETUSKORKO", "PÄÄOMIT YLIT.KORKO", "DEBET KORON KORJ.", "KORKO",
        "KAP ÖVERBEL.RÄNTA", "KAP. ÖVERBEL.RÄNTA", "DEPOTRENTE",
    },
    Meaning.FEE: {
        "PLATTFORMAVGIFT", "PLATTFORMAVG KORR", "FORSIKRINGSKOSTNAD", "MVA",
        "OPPBEVARING NORDISKE UNOTERTE", "OPPBEVARING NORDISKE", "AVG KORR", "AVGIFT", "AVGIFTER",
        "DEPOTGEBYR", "GEBYR", "TILBAKEBET. FOND AVG", "PLATTFORMSAVGIFT", "AVGIFT KORR", "MOMS",
        "FÖRSÄKRINGSKOSTNAD", "ÅTERBET. FONDAVGIFT", "ÅTERBETALNING FONDAVG", "ÅTERBET FONDAVGIFT",
        "FÖRVARING NORDISKA ONOTERADE", "DEPÅAVGIFT", "PLATFORMSGEBYR", "GEBYR KORR",
        "FORSIKRINGSOMKOSTNING", "TILBAGEBET. FONDSGEBYR", "PALVELUMAKSU", "MAKSU", "ALV",
        "SÄILYTYSMAKSU", "ALUSTAMAKSU", "RISKKOSTNAD", "LAJIMAKSU", "ETF_KK SÄÄSTÖN PALVELUMAKSU",
    },
    Meaning.COMPENSATION: {
        "ERSTATNING", "ERSÄTTNING", "KOMPENSASJON", "KOMPENSATION", "KORVAUS", "HYVITYS",
    },
}  # fmt: skip

MEANINGS = {word: meaning for meaning, words in WORDS.items() for word in words}
# The file may cut a word after twenty characters.
CUT = 20
MEANINGS = {word[:CUT].strip(): meaning for word, meaning in MEANINGS.items()} | MEANINGS

# Before the word of a row that it takes back: makulering.
REVERSES = "MAK "
# Words of rows that take another back, by what that one is.
REVERSALS = {
    "OSINGON PERUUTUS": Meaning.DIVIDEND,
    "PER ULK KUPONKIVERO": Meaning.TAX,
}
# A correction of money says what it corrects, before or after.
_CORRECTION = re.compile(r"\AKORR\.? |,? KORR(?:IGERING|EKSJON|EKTION)?\.?\Z")
# Words of money alone that say what they are, the first that fits.
_SAYS_ITSELF = (
    (Meaning.INTEREST, re.compile(r"RENTE|RÄNT|KORKO|KORON\b")),
    (Meaning.TAX, re.compile(r"SKATT?|VERO\b|PIDÄTYS")),
    (
        Meaning.FEE,
        re.compile(r"A[VF]GIFT|GEBYR|KOSTNAD|OMKOST|MAKSU\b|PALKKIO|KULUT?\b|\b(?:MOMS|MVA|ALV)\b"),
    ),
    (
        Meaning.PAYMENT,
        re.compile(
            r"INN?BET|PREMIEINN?B?|INDBET|UTBET|UDBET|INNSKUDD|INSÄTTN|INDSÆT|INDSKUD|HÆVN|TALLETUS|NOSTO\b|"
            r"\bUTTA[KG]\b|OVERFØR|ÖVERFÖR|SIIRTO|TRUSTLY|AUTOGIRO|SWISH"
        ),
    ),
)


def meaning_of(text: str) -> Meaning | None:
    """Return what a row of this type is, or what it takes back; None if the word is not known."""
    word = _word(text)
    plain = word.removeprefix(REVERSES)
    meaning = MEANINGS.get(word) or REVERSALS.get(word) or MEANINGS.get(plain)
    return meaning or MEANINGS.get(_CORRECTION.sub("", plain))


def meaning_of_money(text: str) -> Meaning | None:
    """Return what a row of money alone is by the parts of its word, None if they do not say it."""
    word = _word(text)
    for meaning, pattern in _SAYS_ITSELF:
        if pattern.search(word):
            return meaning
    return None


def is_reversal(text: str) -> bool:
    """Whether a row of this type takes another back."""
    word = _word(text)
    return word in REVERSALS or (word.startswith(REVERSES) and word not in MEANINGS)


def _word(text: str) -> str:
    return " ".join(text.upper().split())


# The columns, in Norwegian, Swedish, Danish and Finnish, and those of until 2019. The currency of a
# figure is the column after it: they all share one name.
COLUMNS = {
    "id": ("Id",),
    "booked": ("Bokføringsdag", "Bokföringsdag", "Bogføringsdag", "Kirjauspäivä"),
    "traded": ("Handelsdag", "Affärsdag", "Kauppapäivä"),
    "account": ("Portefølje", "Depå", "Depot", "Salkku"),
    "type": ("Transaksjonstype", "Transaktionstyp", "Transaktionstype", "Tapahtumatyyppi"),
    "name": ("Verdipapir", "Värdepapper", "Værdipapirer", "Værdipapir", "Arvopaperi"),
    "isin": ("ISIN",),
    "quantity": ("Antall", "Antal", "Määrä"),
    "price": ("Kurs", "Kurssi"),
    "accrued": ("Rente", "Ränta", "Korko"),
    "fees": (
        "Totale Avgifter", "Total Avgift", "Samlede afgifter", "Kokonaiskulut", "Avgifter",
        "Afgifter", "Maksut",
    ),
    "amount": ("Beløp", "Belopp", "Beløb", "Summa"),
    "cost": ("Kjøpsverdi", "Inköpsvärde", "Indkøbsværdi", "Hankinta-arvo"),
    "result": ("Resultat", "Tulos"),
    "total_quantity": ("Totalt antall", "Totalt antal", "Kokonaismäärä"),
    "balance": ("Saldo",),
    "rate": ("Vekslingskurs", "Växlingskurs", "Vaihtokurssi", "Valuuttakurssi"),
    "text": ("Transaksjonstekst", "Transaktionstext", "Transaktionstekst", "Tapahtumateksti"),
    "cancelled": ("Makuleringsdato", "Makuleringsdatum", "Mitätöintipäivä"),
    "commission": ("Kurtasje", "Courtage", "Kurtage", "Välityspalkkio"),
    "verification": (
        "Verifikasjonsnummer", "Verifikationsnummer", "Vahvistusnumero",
        "Verifikations-/Notanummer", "Verifikasjons-/Sluttseddelnummer",
        "Vahvistusnumero/Laskelma",
    ),
}  # fmt: skip
OPTIONAL = {"commission", "cost", "verification", "accrued", "account"}
CURRENCIES = {
    "fees": "fees_currency",
    "amount": "account_currency",
    "result": "result_currency",
    "commission": "commission_currency",
    "cost": "cost_currency",
}
# Until 2019 only the amount had a currency.
CURRENCY = ("valuta", "valuutta")


def positions_of(header: Sequence[str]) -> dict[str, int] | None:
    """Return where each column stands, None if the header is not one of Nordnet's."""
    names = [name.strip().casefold() for name in header]
    found: dict[str, int] = {}
    for position, name in enumerate(names):
        found.setdefault(name, position)
    positions: dict[str, int] = {}
    for column, known in COLUMNS.items():
        standing = [found[name.casefold()] for name in known if name.casefold() in found]
        if standing:
            positions[column] = standing[0]
        elif column not in OPTIONAL:
            return None
    for column, currency in CURRENCIES.items():
        following = positions.get(column, len(names)) + 1
        if following < len(names) and names[following] in CURRENCY:
            positions[currency] = following
    if "account_currency" not in positions:
        return None
    return positions
