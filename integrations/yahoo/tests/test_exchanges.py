"""Test which currencies follow from an exchange."""

import pytest

from financeproj.core.currencies import is_currency
from integrations.yahoo.exchanges import BY_ENDING, currency_of_listing


@pytest.mark.parametrize(
    ("ticker", "exchange", "is_fund", "currency"),
    [
        ("EQNR.OL", "OSL", False, "NOK"),
        ("SAP.DE", "GER", False, "EUR"),
        ("AAPL", "NMS", False, "USD"),
        ("VTI", "PCX", True, "USD"),
        ("VOD.L", "LSE", False, ""),
        ("NESN.SW", "EBS", False, "CHF"),
        ("CSPX.SW", "EBS", True, ""),
        ("0700.HK", "HKG", False, "HKD"),
        ("80700.HK", "HKG", False, ""),
        ("ATL", "X", False, ""),
        ("ATL.XX", "NMS", False, ""),
    ],
)
def test_the_currency_follows_from_the_exchange_where_it_is_certain(
    ticker, exchange, is_fund, currency
):
    assert currency_of_listing(ticker, exchange, is_fund=is_fund) == currency


def test_every_currency_of_the_table_is_in_circulation():
    assert [code for code in BY_ENDING.values() if not is_currency(code)] == []
    assert "L" not in BY_ENDING
