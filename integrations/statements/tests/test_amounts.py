"""Check amounts against their factors, with bounds worked by hand."""

from datetime import date
from decimal import Decimal as D

import pytest

from integrations.statements.amounts import half_unit, require_amount, rounding_of_product
from integrations.statements.base import Options, Table
from integrations.statements.days import iso_day
from integrations.statements.raw_rows import BadRow, RawRow
from integrations.statements.sheet import Sheet

OPTIONS = Options(
    today=date(2026, 1, 1), number_problem=lambda value: None, is_currency=lambda code: True
)


def row(amount):
    table = Table("utf-8", ",", 1, ["Amount"], [2], [[amount]])
    sheet = Sheet("test", table, OPTIONS, read_day=iso_day, decimal="point")
    return RawRow(sheet, 2, [amount])


def check(side, quantity, price, amount, **more):
    values = {name: D(value) for name, value in more.items()}
    require_amount(row(amount), "Amount", side, D(quantity), D(price), amount=D(amount), **values)


@pytest.mark.parametrize(
    ("number", "half"), [("1.50", "0.005"), ("29.99", "0.005"), ("7", "0.5"), ("1E3", "0.5")]
)
def test_half_a_unit_of_the_last_digit_that_is_written(number, half):
    assert half_unit(D(number)) == D(half)


def test_the_rounding_of_each_factor_is_carried_through_the_product():
    # 0.62425 × 48.055 − 0.6242 × 48.05 = 29.99833375 − 29.99281
    assert rounding_of_product(D("0.6242"), D("48.05")) == D("0.00552375")
    # Ten whole shares are exact: 10 × 0.005.
    assert rounding_of_product(D(10), D("12.35")) == D("0.05")
    # 3 × 134.855 × 0.925 − 3 × 134.85 × 0.92
    assert rounding_of_product(D(3), D("134.85"), D("0.92")) == D("2.036625")


@pytest.mark.parametrize(
    ("side", "quantity", "price", "amount", "more"),
    [
        ("buy", "0.6242", "48.05", "-29.99", {}),
        ("buy", "10", "12.35", "-123.55", {}),  # 0.05 of the price, 0.005 of the amount
        ("buy", "2", "100.00", "-205.00", {"charges": "5"}),
        ("sell", "2", "100.00", "195.00", {"charges": "5"}),
        ("sell", "1", "0.50", "-4.50", {"charges": "5"}),
        ("dividend", "4", "0.50", "2.00", {}),
        ("buy", "2", "330.16", "-7104.41", {"rate": "10.72655", "charges": "21.45"}),
    ],
)  # fmt: skip
def test_an_amount_within_the_rounding_of_its_factors_is_taken(side, quantity, price, amount, more):
    check(side, quantity, price, amount, **more)


@pytest.mark.parametrize(
    ("side", "quantity", "price", "amount", "more", "says"),
    [
        ("buy", "10", "12.35", "-123.56", {}, "10 × 12.35 with charges of 0 gives -123.50"),
        ("buy", "2", "100.00", "-205.00", {}, "gives -200.00, but the amount is -205.00"),
        ("buy", "2", "100.00", "200.00", {}, "gives -200.00, but the amount is 200.00"),
        ("sell", "2", "100.00", "-200.00", {}, "gives 200.00, but the amount is -200.00"),
        ("buy", "2", "100.00", "-1900.00", {"rate": "9.5000", "charges": "1"}, "× 9.5000 with"),
    ],
)  # fmt: skip
def test_another_amount_is_an_error_with_both_sums(side, quantity, price, amount, more, says):
    with pytest.raises(BadRow) as caught:
        check(side, quantity, price, amount, **more)
    assert caught.value.problem.code == "amount_differs"
    assert says in caught.value.problem.detail
