"""What the answer to an unknown parameter or field suggests instead."""

from collections.abc import Collection
from difflib import get_close_matches

MOST_LISTED = 20

# Names that other programs use for what is called this here.
SYNONYMS = {
    "account": "account_id",
    "avg_price": "price",
    "broker": "brokerage_firm",
    "ccy": "currency",
    "comment": "note",
    "commissions": "commission",
    "company": "company_name",
    "count": "quantity",
    "day": "date",
    "description": "note",
    "fee": "commission",
    "fees": "commission",
    "from": "start",
    "from_date": "start",
    "fx_rate": "exchange_rate",
    "holding": "holding_id",
    "kind": "type",
    "memo": "note",
    "number": "quantity",
    "page": "cursor",
    "page_size": "limit",
    "portfolio": "portfolio_id",
    "price_per_share": "price",
    "qty": "quantity",
    "rate": "exchange_rate",
    "search": "q",
    "shares": "quantity",
    "since": "start",
    "symbol": "ticker",
    "to": "end",
    "to_date": "end",
    "trade_date": "date",
    "transaction_type": "type",
    "units": "quantity",
    "until": "end",
}


def other_name(name: str, known: Collection[str]) -> str:
    """Return a sentence that names what was probably meant, else what there is."""
    wanted = name.lower()[:100]
    synonym = SYNONYMS.get(wanted)
    if synonym in known:
        return f'Did you mean "{synonym}"?'
    close = get_close_matches(wanted, known, n=1)
    if close:
        return f'Did you mean "{close[0]}"?'
    if not known:
        return "This call takes none."
    listed = sorted(set(known))
    if len(listed) > MOST_LISTED:
        return "The documentation at /api/docs lists all."
    return f"Known here: {', '.join(listed)}."
