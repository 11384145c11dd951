"""Charles Schwab: the words of its history in small letters, and what they are."""

import re

TRADES = {
    "buy": "buy", "reinvest shares": "buy", "sell": "sell", "sale": "sell",
    "full redemption": "sell", "partial redemption": "sell", "full maturity": "sell",
    "maturity": "sell", "full call": "sell", "partial call": "sell", "cash liquidation": "sell",
    "unissued rights redemption": "sell",
}  # fmt: skip
# The money of a redemption or a merger may stand in a row of its own, with this after the word.
ADJUSTED = " adj"
DIVIDENDS = {
    "dividend", "cash dividend", "qualified dividend", "non-qualified div", "special dividend",
    "special non qual div", "special qual div", "pr yr cash div", "pr yr qual div",
    "pr yr non-qual div", "pr yr non qual div", "pr yr special div", "div adjustment",
    "rev pr yr cash div", "rev pr yr qual div", "non-qualified dividend", "ordinary dividend",
    "reinvest dividend", "qual div reinvest", "non-qual div reinvest", "pr yr div reinvest",
    "spec div reinvest", "long term cap gain", "long term cap gain reinvest",
    "short term cap gain", "short term cap gain reinvest", "cap gain reinvest",
    "distribution", "substitute payment", "cash in lieu of dividend",
}  # fmt: skip
CASH_IN_LIEU = "cash in lieu"
INCOME = dict.fromkeys(DIVIDENDS, "dividend") | {
    "bond interest": "interest", "cd interest": "interest", "reinvest interest": "interest",
    "return of capital": "return_of_capital", "non-taxable div": "return_of_capital",
    # Money for a fraction of a share: the file does not state which fraction.
    CASH_IN_LIEU: "return_of_capital",
}  # fmt: skip
CHARGES = {
    "adr mgmt fee": "fee", "foreign security fee": "fee", "foreign tax paid": "tax",
    "foreign tax reclaim": "tax", "nra tax adj": "tax", "nra withholding": "tax",
    "tax withholding": "tax", "tax reversal": "tax", "irs withhold adj": "tax",
    "nra tax": "tax", "pr yr nra tax": "tax", "pr yr nra tax adj": "tax",
}  # fmt: skip
FEES = {
    "advisor fee", "service fee", "mgmt fee", "management fee", "account fee", "adr mgmt fee",
    "misc fee", "fee",
}  # fmt: skip
INTEREST = {
    "credit interest", "bank interest", "margin interest", "bond interest", "int charge",
    "interest", "interest adj", "cd interest", "bank interest adj", "credit interest adj",
}  # fmt: skip
TAXES = {
    "nra tax adj", "nra withholding", "tax withholding", "irs withhold adj", "foreign tax paid",
    "tax reversal", "backup withholding", "nra tax", "pr yr nra tax", "pr yr nra tax adj",
}  # fmt: skip
TRANSFERS = {
    "wire sent", "wire received", "wire funds", "wire funds received", "wire funds adj",
    "wire transfer", "moneylink transfer", "moneylink deposit", "moneylink adj",
    "internal transfer", "bank transfer", "funds received", "funds paid", "journal", "journaled",
    "electronic fund transfer", "ach", "direct deposit", "deposit", "check", "check received",
    "atm withdrawal", "schwab atm rebate", "visa purchase", "bill pay", "auto s1 credit",
    "auto s1 debit", "promotional award", "security transfer", "debit card", "withdrawal",
}  # fmt: skip
OF_MONEY = {
    **dict.fromkeys(DIVIDENDS | INTEREST, "interest"),  # also a dividend of no named instrument
    **dict.fromkeys(FEES, "fee"),
    **dict.fromkeys(TAXES, "tax"),
    **dict.fromkeys(TRANSFERS, "deposit"),
    **dict.fromkeys(("misc cash entry", "misc credits", "adjustment", "litigation"), "adjustment"),
}
# Shares that move without money, in or out by their sign.
MOVES = {
    "journaled shares", "journal", "security transfer", "internal transfer", "promotional award",
    "stock plan activity", "transfer of security", "delivered - other", "received - other",
}  # fmt: skip
OPTIONS = {
    "buy to open", "buy to close", "sell to open", "sell to close", "expired", "assigned",
    "exercised", "exchange or exercise", "sell short", "buy to cover", "option frgn settlement",
}  # fmt: skip
REVERSE_SPLIT = "reverse split"
# Two rows: the old shares go, often under their CUSIP, and the new ones come.
EXCHANGES = {
    "name change", "stock merger", "conversion", "merger", "symbol change", "cusip change",
    "mandatory exchange", "reorganization", "cash/stock merger", "cash merger", "cash stock merger",
    "mandatory reorg exc", "exchange", "tender offer", "merger exchange", "final cash liquid",
    "reorganized issue",
}  # fmt: skip
SPIN_OFFS = {"spin-off", "spin off", "dist rights trans"}
CANCELS = "cancel "  # before the word of the trade that it cancels
# What a row that moves only money is, by a part of its word. The first that fits counts.
_BY_PARTS = (
    ("tax", re.compile(r"\btax(?:es)?\b|withh")),
    ("dividend", re.compile(r"\bdiv(?:idends?)?\b|\bcap(?:ital)? gains?\b")),
    ("interest", re.compile(r"\bint(?:erest)?\b")),
    ("fee", re.compile(r"\bfees?\b|\bcommissions?\b")),
)
_TRANSFER = re.compile(r"\b(?:moneylink|wire|funds|transfer|tfr|deposit|withdrawal|ach|check)\b")


def payment_by_parts(word: str) -> str:
    """Return what an instrument paid or cost, empty if the word does not say it."""
    for meaning, pattern in _BY_PARTS:
        if pattern.search(word):
            return meaning
    return ""


def money_by_parts(word: str) -> str:
    """Return what a row of money alone is, empty if its word does not say it."""
    found = payment_by_parts(word)
    if found == "dividend":
        return "interest"  # of no named instrument
    if not found and _TRANSFER.search(word):
        return "deposit"
    return found
