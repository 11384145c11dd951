"""The table of transaction kinds."""

from decimal import Decimal as D

from portfolios.calc import kinds, performance
from portfolios.calc.kinds import RULES, TransactionType, shares_after
from portfolios.models import TRANSACTION_TYPES, Transaction
from portfolios.tests.oracle import Kind


def test_the_codes_in_stored_arrays_stay_what_they_were():
    of_holdings = [kind for kind in TransactionType if kind.rules.has_holding]
    of_the_oracle = {kind.name: kind.value for kind in Kind}
    assert {kind.name: kind.rules.code for kind in of_holdings} == {
        **of_the_oracle,
        "RETURN_OF_CAPITAL": 14,
        "EXCHANGE_IN": 15,
        "EXCHANGE_OUT": 16,
    }


def test_every_kind_has_a_code_of_its_own():
    codes = [rules.code for rules in RULES.values()]
    assert len(codes) == len(set(codes))


def test_the_choices_of_a_transaction_are_the_table():
    assert Transaction._meta.get_field("type").choices == TRANSACTION_TYPES
    assert TRANSACTION_TYPES[0] == ("buy", "Buy")
    assert ("transfer_in", "Transfer In") in TRANSACTION_TYPES


def test_groups_follow_from_the_signs():
    names = {rules.code: name for name, rules in RULES.items()}
    assert kinds.UNPRICED_TYPES == (
        "split",
        "transfer_out",
        "exchange_in",
        "exchange_out",
    )
    assert [names[code] for code in performance.SHARES_IN] == [
        "buy",
        "transfer_in",
        "exchange_in",
    ]
    assert [names[code] for code in performance.SHARES_OUT] == [
        "sell",
        "transfer_out",
        "exchange_out",
    ]
    assert [names[code] for code in performance.INCOME] == ["dividend", "interest"]
    assert [names[code] for code in performance.CHARGES] == ["fee", "tax"]


def test_shares_after_each_kind():
    after = {}
    for kind in kinds.TYPES_OF_HOLDINGS:
        after[kind] = shares_after(D(10), kind, D(2), was_split=False)
    assert after == {
        "buy": D(12),
        "transfer_in": D(12),
        "sell": D(8),
        "transfer_out": D(8),
        "split": D(20),
        "dividend": D(10),
        "interest": D(10),
        "fee": D(10),
        "tax": D(10),
        "return_of_capital": D(10),
        "exchange_in": D(12),
        "exchange_out": D(8),
    }
