"""The steps of an import: each takes rows and returns new ones."""

from datetime import date
from decimal import Decimal as D

import pytest
from msgspec.structs import replace

from integrations.imports.currencies import convert_to_own_currency, without_foreign_rates
from integrations.statements.base import StatementRow

DAY = date(2024, 3, 1)
BUY = StatementRow(2, "buy", DAY, "ATLAS.USD.DEMO", D(10), D(100), D(29), currency="USD")


def test_a_row_cannot_be_changed():
    with pytest.raises(AttributeError):
        BUY.ticker = "OTHER"
    assert BUY.ticker == "ATLAS.USD.DEMO"


def test_amounts_in_the_instruments_currency_stay_as_they_are(db):
    row = replace(BUY, price_in="USD", commission_in="USD")
    assert convert_to_own_currency([BUY, row]) == ([BUY, row], [])


def test_an_amount_without_a_known_currency_of_the_instrument_is_a_problem(db):
    row = replace(BUY, currency=None, commission_in="NOK")
    rows, [problem] = convert_to_own_currency([row])
    assert rows == []
    assert (problem.row, problem.column, problem.value, problem.code) == (
        2,
        "currency",
        "NOK",
        "exchange_rate_required",
    )
    assert problem.detail == (
        "No rate from NOK to the instrument's currency is known on 2024-03-01."
    )


def test_a_rate_into_another_currency_than_the_portfolios_is_dropped():
    into_kroner = replace(BUY, exchange_rate=D("10.5"), rate_currency="NOK")
    assert without_foreign_rates([into_kroner], "NOK") == [into_kroner]
    assert without_foreign_rates([into_kroner], "EUR") == [replace(into_kroner, exchange_rate=None)]


def test_the_problems_of_rows_are_norwegian_where_norwegian_is_asked_for(upload):
    line = "2030-01-01,buy,FJORD.DEMO,1,1"
    english = upload(line).json()["errors"]
    upload.api.credentials(
        **upload.api._credentials,
        HTTP_ACCEPT_LANGUAGE="nb",  # as a Norwegian browser says
    )
    norwegian = upload(line).json()["errors"]
    assert english[0]["detail"] == "The date 2030-01-01 is in the future."
    assert norwegian[0]["detail"] not in ("", english[0]["detail"])
    assert "2030-01-01" in norwegian[0]["detail"]
    assert [{**one, "detail": ""} for one in norwegian] == [
        {**one, "detail": ""} for one in english
    ]
