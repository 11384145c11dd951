"""The currency in which an exchange trades, by the ending of Yahoo's tickers.

London trades in several currencies, so its listings are not in the table and have to be asked
about, as those of exchanges that are not listed here.
"""

BY_ENDING = {
    "AE": "AED",
    "AS": "EUR",
    "AT": "EUR",
    "AX": "AUD",
    "BA": "ARS",
    "BC": "EUR",
    "BD": "HUF",
    "BE": "EUR",
    "BK": "THB",
    "BM": "EUR",
    "BO": "INR",
    "BR": "EUR",
    "CA": "EGP",
    "CN": "CAD",
    "CO": "DKK",
    "DE": "EUR",
    "DU": "EUR",
    "F": "EUR",
    "HA": "EUR",
    "HE": "EUR",
    "HK": "HKD",
    "HM": "EUR",
    "IC": "ISK",
    "IR": "EUR",
    "IS": "TRY",
    "JK": "IDR",
    "JO": "ZAR",
    "KL": "MYR",
    "KQ": "KRW",
    "KS": "KRW",
    "LS": "EUR",
    "MC": "EUR",
    "MI": "EUR",
    "MU": "EUR",
    "MX": "MXN",
    "NE": "CAD",
    "NS": "INR",
    "NX": "EUR",
    "NZ": "NZD",
    "OL": "NOK",
    "PA": "EUR",
    "PR": "CZK",
    "QA": "QAR",
    "RG": "EUR",
    "RO": "RON",
    "SA": "BRL",
    "SG": "EUR",
    "SI": "SGD",
    "SN": "CLP",
    "SR": "SAR",
    "SS": "CNY",
    "ST": "SEK",
    "SW": "CHF",
    "SZ": "CNY",
    "T": "JPY",
    "TA": "ILS",
    "TL": "EUR",
    "TO": "CAD",
    "TW": "TWD",
    "TWO": "TWD",
    "V": "CAD",
    "VI": "EUR",
    "VS": "EUR",
    "WA": "PLN",
}
# Exchanges on which funds, unlike shares, are traded in dollars, pounds or yuan too.
FUNDS_IN_SEVERAL = frozenset({"AS", "HK", "MX", "SI", "SW"})
# Where tickers have no ending; by Yahoo's code of the exchange, as its search gives it.
IN_DOLLARS = frozenset(
    {"ASE", "BTS", "NAS", "NCM", "NGM", "NMS", "NYQ", "NYS", "OEM", "OQB", "OQX", "PCX", "PNK"}
)


def currency_of_listing(ticker: str, exchange: str, *, is_fund: bool) -> str:
    """Return the currency of a listing that Yahoo's search found, empty where it is uncertain.

    `exchange` is Yahoo's code of the exchange, such as NMS.
    """
    name, dot, ending = ticker.rpartition(".")
    if not dot:
        if exchange in IN_DOLLARS:
            return "USD"
        return ""
    if is_fund and ending in FUNDS_IN_SEVERAL:
        return ""
    if ending == "HK" and name.startswith("8") and len(name) == 5:
        return ""  # counters in yuan
    return BY_ENDING.get(ending, "")
