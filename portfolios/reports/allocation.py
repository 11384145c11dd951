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
from marketdata.selectors import Conversion
from portfolios.models import Holding
from portfolios.valuation import ValuedHolding, ValuedPortfolio

Part = tuple[str, str]  # key and label


class PartPayload(Struct):
    """A part of the market value; `weight` is a fraction."""

    key: str
    label: str
    market_value: DoubleDecimal
    weight: DoubleDecimal


def _by_holding(holding: ValuedHolding, stock: StockMetadata, valued: ValuedPortfolio) -> Part:
    return str(holding.id), stock.ticker


def _by_currency(holding: ValuedHolding, stock: StockMetadata, valued: ValuedPortfolio) -> Part:
    currency = currencies().get(stock.currency)
    if currency is None:
        return stock.currency, stock.currency
    return stock.currency, currency.name


def _by_asset_type(holding: ValuedHolding, stock: StockMetadata, valued: ValuedPortfolio) -> Part:
    return stock.asset_type, AssetType(stock.asset_type).label


def _by_exchange(holding: ValuedHolding, stock: StockMetadata, valued: ValuedPortfolio) -> Part:
    return _text_part(stock.exchange)


def _by_sector(holding: ValuedHolding, stock: StockMetadata, valued: ValuedPortfolio) -> Part:
    return _text_part(stock.sector)


def _by_country(holding: ValuedHolding, stock: StockMetadata, valued: ValuedPortfolio) -> Part:
    return _text_part(stock.country)


def _by_portfolio(holding: ValuedHolding, stock: StockMetadata, valued: ValuedPortfolio) -> Part:
    return str(valued.portfolio.pk), valued.portfolio.name


def _text_part(text: str) -> Part:
    if not text or text == "unknown":
        return "unknown", "Unknown"
    return text, text


PARTS: dict[str, Callable[[ValuedHolding, StockMetadata, ValuedPortfolio], Part]] = {
    "holding": _by_holding,
    "currency": _by_currency,
    "exchange": _by_exchange,
    "asset_type": _by_asset_type,
    "sector": _by_sector,
    "country": _by_country,
    "portfolio": _by_portfolio,
}
OF_ONE = ("holding", "currency", "exchange", "asset_type", "sector", "country")
OF_ALL = (*OF_ONE, "portfolio")


def allocation(
    portfolios: Sequence[ValuedPortfolio], *, by: str, currency: str
) -> list[PartPayload]:
    """Spread the priced holdings by `by`, largest part first, in `currency`. Two queries.

    The weights add up to exactly 1. Holdings without a price or a rate into `currency` are left
    out.
    """
    rates = Conversion((valued.portfolio.currency for valued in portfolios), currency)
    held: list[tuple[ValuedPortfolio, ValuedHolding]] = []
    for valued in portfolios:
        if rates.knows(valued.portfolio.currency):
            held += [(valued, holding) for holding in valued.holdings if holding.current_quantity]
    stored = Holding.objects.select_related("stock").in_bulk([holding.id for _, holding in held])
    values: dict[str, Decimal] = defaultdict(Decimal)
    labels: dict[str, str] = {}
    with localcontext(EXACT):
        for valued, holding in held:
            row = stored.get(holding.id)  # None if it was deleted since the request began
            if holding.market_value is None or row is None:
                continue
            key, label = PARTS[by](holding, row.stock, valued)
            values[key] += holding.market_value * rates.rate(valued.portfolio.currency)
            labels[key] = label
        return _weighed(values, labels)


def _weighed(values: dict[str, Decimal], labels: dict[str, str]) -> list[PartPayload]:
    total = sum(values.values(), ZERO)
    parts = []
    for key in sorted(values, key=lambda key: (-values[key], labels[key], key)):
        weight = ZERO
        if total:
            weight = round_for_storage(values[key] / total)
        parts.append(PartPayload(key, labels[key], round_for_display(values[key]), weight))
    if total:
        # The largest part takes what rounding leaves, so that the weights add up to 1.
        parts[0].weight += ONE - sum((part.weight for part in parts), ZERO)
    for part in parts:
        part.weight = strip_zeros(part.weight)
    return parts
