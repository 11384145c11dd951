"""Where the figures of a holding come from: inputs with sources, formulas, values in between.

The reported figures can be calculated from one of these answers alone, its pages together; a test
does.
"""

from collections.abc import Iterable
from decimal import Decimal
from itertools import islice

from django.utils import timezone

from financeproj.core.money import round_for_display, round_for_storage
from marketdata.selectors import rates_on
from portfolios.calc.carried import Brought
from portfolios.calc.kinds import types_where
from portfolios.calc.ledger import Position, order, states
from portfolios.models import Transaction
from portfolios.reports.pages import Explanation, PageQuery, page_of
from portfolios.reports.shown import (
    LedgerEntry,
    ledger_entries,
    rate_shown,
    rounded,
    transaction_shown,
)
from portfolios.valuation import ValuedHolding, ValuedPortfolio

TYPES_OUT = types_where(lambda rules: rules.shares < 0)
FORMULAS = {
    "current_quantity": "what the transactions add up to: the quantity after the last step",
    "average_cost_per_share": "cost ÷ quantity after the last step, in the instrument's currency",
    "cost_basis": "the cost in the portfolio's currency after the last step",
    "realised_gain": "the sum of the realised gains of the steps",
    "income": "the sum of the amounts of dividends and interest",
    "charges": "the sum of the amounts of fees and taxes, as costs",
    "market_value": "quantity × price × rate",
    "unrealised_gain": "market_value − cost_basis",
    "unrealised_gain_pct": "unrealised_gain ÷ cost_basis",
    "price_effect": "quantity × (price − average_cost_per_share) × average_rate_paid",
    "fx_effect": "quantity × price × (rate − average_rate_paid)",
    "total_gain": "unrealised_gain + realised_gain + income − charges",
    "day_change": "quantity × (price − previous_close) × rate; null where the price is more than 4 "
    "days old, or the previous close more than 6 days older",
    "day_change_pct": "day_change ÷ (market_value − day_change)",
    "weight": "market_value ÷ the market value of the portfolio",
}


def holding_explained(
    holding: ValuedHolding, valued: ValuedPortfolio, query: PageQuery
) -> Explanation[dict[str, object]]:
    """Explain every number of a holding's answer; `valued` is its portfolio. Two queries.

    The transactions and their steps are those of one page.
    """
    currency, target = holding.currency, valued.portfolio.currency
    rows = list(ledger_entries(Transaction.objects.filter(holding=holding.id)))
    rows.sort(key=order)
    page = page_of(rows, query)
    transactions, steps = [], []
    for row, position in islice(states(rows), page.first, page.end):
        transactions.append(transaction_shown(row))
        steps.append(_step(row, position))
    today = timezone.localdate()
    rate = rates_on([(currency, target)], today).get((currency, target))
    numbers = {
        name: {"value": getattr(holding, name), "formula": formula}
        for name, formula in FORMULAS.items()
    }
    body: dict[str, object] = {
        "holding_id": holding.id,
        "ticker": holding.ticker,
        "currency": currency,
        "portfolio_currency": target,
        "inputs": {
            "transactions": transactions,
            "carried_from": _carried_from(rows),
            "price": {
                "price": holding.price,
                "previous_close": holding.previous_close,
                "as_of": holding.price_as_of,
                "source": holding.price_source,
                "stale": holding.price_stale,
            },
            "rate": rate_shown(currency, target, rate, today),
            "portfolio_market_value": valued.summary.market_value,
        },
        "steps": steps,
        "intermediate": {"average_rate_paid": _average_rate_paid(holding)},
        "numbers": numbers,
    }
    return Explanation(body, page.next_after)


def _carried_from(rows: Iterable[LedgerEntry]) -> list[dict[str, object]]:
    """Show the holdings from which costs came in, whose explanations lead back to the purchases.

    No query without such costs, else one.
    """
    groups = {row.group_id for row in rows if isinstance(row.carried, Brought)}
    if not groups:
        return []
    legs = Transaction.objects.filter(group__in=groups, type__in=TYPES_OUT).order_by("date")
    columns = ("group_id", "group__kind", "date", "holding_id", "holding__stock__ticker")
    names = ("group_id", "kind", "date", "holding_id", "ticker")
    return [dict(zip(names, values, strict=True)) for values in legs.values_list(*columns)]


def _average_rate_paid(holding: ValuedHolding) -> Decimal | None:
    average = holding.average_cost_per_share
    cost_c = average and average * holding.current_quantity
    if not cost_c:
        return holding.exchange_rate
    return round_for_storage(holding.cost_basis / cost_c)


def _step(row: LedgerEntry, position: Position) -> dict[str, object]:
    return {
        "transaction_id": row.pk,
        "quantity": round_for_display(position.quantity),
        "cost": round_for_display(position.cost_c),
        "cost_in_portfolio_currency": round_for_display(position.cost_p),
        "average_cost_per_share": rounded(position.average_c),
        "realised_gain": round_for_display(position.realised_p),
        "income": round_for_display(position.income_p),
        "charges": round_for_display(position.charges_p),
    }
