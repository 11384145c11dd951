"""The figures of a release as today's definitions have them."""

import json
from decimal import ROUND_HALF_EVEN, Context
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"
TWELVE_DIGITS = Context(prec=12, rounding=ROUND_HALF_EVEN)

# What MYCO cost in SEK: it is worth as much until its first price, entered for 4 January 2023.
PAID_FOR_MYCO = 0.0152415787517146  # 12345.6789012345 shares at 0.00000123456789
# With it, in NOK at each month's rate: 30 June 2022 to 31 December.
NET_WORTH_WITH_MYCO = (
    31816.8896284,
    32118.95828,
    33025.4755278,
    31888.2544722,
    27771.3379722,
    26968.773677,
    27054.2673119,
)


def expected_figures(version: str) -> dict[str, Any]:
    """Return the figures of a release, changed where the definitions have changed since.

    Since 0.1.0, an instrument without a price is worth what was last paid for it. So kari's MYCO
    has a value and a cost before its first price, and ola's, which has no price, has them at all.
    Numbers of series have 12 significant digits.
    """
    expected: dict[str, Any] = json.loads((DATA / f"figures-{version}.json").read_text())
    if version == "0.1.0":
        _value_myco_of_kari(expected["kari"])
        _value_myco_of_ola(expected["ola"])
    for figures_of_user in expected.values():
        points = list(figures_of_user["net_worth"])
        for portfolio in figures_of_user["portfolios"]:
            points += portfolio["timeline"]
        for point in points:
            _round_numbers(point)
    return expected


def _value_myco_of_kari(kari: dict[str, Any]) -> None:
    timeline = kari["portfolios"][1]["timeline"]
    for number, net_worth in enumerate(NET_WORTH_WITH_MYCO):
        kari["net_worth"][number]["net_worth"] = net_worth
        timeline[number]["market_value"] += PAID_FOR_MYCO
        timeline[number]["cost_basis"] += PAID_FOR_MYCO


def _value_myco_of_ola(ola: dict[str, Any]) -> None:
    """Add 3 shares at 7 USD, bought on 7 June 2024, to what was counted without them."""
    wall_street = ola["portfolios"][0]
    wall_street["missing"].remove("MYCO")
    [myco] = [one for one in wall_street["holdings"] if one["ticker"] == "MYCO"]
    myco.update(price=7, price_source="trade", market_value=21)
    dashboard = ola["dashboard"]
    for figures_now, name in (
        (wall_street, "market_value"),
        (wall_street, "net_value"),
        (dashboard, "portfolios_value"),
        (dashboard, "net_worth"),
    ):
        figures_now[name] += 21
    for point in ola["net_worth"]:
        if point["date"] >= "2024-06-07":
            point["net_worth"] += 21
    for point in wall_street["timeline"]:
        if point["date"] >= "2024-06-07":
            point["market_value"] += 21
            point["cost_basis"] += 21


def _round_numbers(point: dict[str, Any]) -> None:
    for name, value in point.items():
        if isinstance(value, float):
            point[name] = float(TWELVE_DIGITS.create_decimal(repr(value)))
