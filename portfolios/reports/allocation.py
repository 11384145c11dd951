"""How the market value is spread."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from decimal import Decimal, localcontext

from msgspec import Struct

from financeproj.core.currencies import currencies
from financeproj.core.json_types import DoubleDecimal
from financeproj.core.money import (
    EXACT,
    ONE,
    ZERO,
    round_for_display,
    round_for_storage,
    strip_zeros,
)
from marketdata.models import AssetType, StockMetadata
from marketdata.selectors import rates_now
from portfolios.models import Holding
from portfolios.valuation import ValuedHolding, ValuedPortfolio

UNKNOWN = "unknown"
Part = tuple[str, str]  # key and label


class PartPayload(Struct):
    key: str
    label: str
    market_value: DoubleDecimal
    weight: DoubleDecimal


def _by_text(field: str) -> Callable[[ValuedHolding, StockMetadata, ValuedPortfolio], Part]:
    def part(holding: ValuedHolding, stock: StockMetadata, portfolio: ValuedPortfolio) -> Part:
        text = getattr(stock, field) or UNKNOWN
        return text, text if text != UNKNOWN else "Unknown"

    return part


PARTS: dict[str, Callable[[ValuedHolding, StockMetadata, ValuedPortfolio], Part]] = {
    "holding": lambda holding, stock, portfolio: (str(holding.id), stock.ticker),
    "currency": lambda holding, stock, portfolio: (stock.currency, _currency_name(stock.currency)),
    "exchange": _by_text("exchange"),
    "asset_type": lambda holding, stock, portfolio: (
        stock.asset_type,
        AssetType(stock.asset_type).label,
    ),
    "sector": _by_text("sector"),
    "country": _by_text("country"),
    "portfolio": lambda holding, stock, portfolio: (
        str(portfolio.portfolio.pk),
        portfolio.portfolio.name,
    ),
}
OF_ONE = ("holding", "currency", "exchange", "asset_type", "sector", "country")
OF_ALL = (*OF_ONE, "portfolio")


def _currency_name(code: str) -> str:
    known = currencies().get(code)
    return known.name if known else code


def allocation(
    portfolios: Sequence[ValuedPortfolio], *, by: str, currency: str
) -> list[PartPayload]:
    """The priced holdings by `by`, largest first, in `currency`; the weights add up to exactly 1.

    What has no price or no rate into `currency` is left out.
    """
    rates = rates_now(
        (one.portfolio.currency, currency)
        for one in portfolios
        if one.portfolio.currency != currency
    )
    held = [
        (one, holding) for one in portfolios for holding in one.holdings if holding.current_quantity
    ]
    rows = Holding.objects.filter(pk__in=[holding.id for _, holding in held]).select_related(
        "stock"
    )
    stocks = {row.pk: row.stock for row in rows}
    worth: dict[str, Decimal] = defaultdict(Decimal)
    labels: dict[str, str] = {}
    with localcontext(EXACT):
        for portfolio, holding in held:
            own = portfolio.portfolio.currency
            rate = (
                ONE
                if own == currency
                else rates[own, currency].rate
                if (own, currency) in rates
                else None
            )
            if holding.market_value is None or rate is None or holding.id not in stocks:
                continue  # the last: deleted while this request is under way
            key, label = PARTS[by](holding, stocks[holding.id], portfolio)
            worth[key] += holding.market_value * rate
            labels[key] = label
        return _weighed(worth, labels)


def _weighed(worth: dict[str, Decimal], labels: dict[str, str]) -> list[PartPayload]:
    total = sum(worth.values(), ZERO)
    ordered = sorted(worth, key=lambda key: (-worth[key], labels[key], key))
    weights = {key: round_for_storage(worth[key] / total) if total else ZERO for key in ordered}
    if total:
        weights[ordered[0]] += ONE - sum(
            weights.values(), ZERO
        )  # the rounding goes where it shows least
    return [
        PartPayload(
            key=key,
            label=labels[key],
            market_value=round_for_display(worth[key]),
            weight=strip_zeros(weights[key]),
        )
        for key in ordered
    ]
