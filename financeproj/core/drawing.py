"""Line charts as inline SVG for the admin, without script or style (content security policy)."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from django.utils.html import format_html
from django.utils.safestring import SafeString

from financeproj.core.money import strip_zeros

WIDTH, HEIGHT = 640, 190
SPARK_WIDTH, SPARK_HEIGHT, MARGIN = 160, 32, 2
LEFT, RIGHT, TOP, BOTTOM = 6, 92, 12, 26  # values are to the right, dates below


def line_chart(points: Sequence[tuple[date, Decimal]], unit: str) -> SafeString | str:
    """Draw `points`, oldest first, in `unit`; days and values to scale.

    Return a dash for fewer than two points.
    """
    if len(points) < 2:
        return "–"
    (first, _), (last, latest) = points[0], points[-1]
    values = [value for _, value in points]
    low, high = min(values), max(values)
    span = float(high - low) or 1.0
    days = (last - first).days or 1
    inner_width, inner_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    coordinates = []
    for day, value in points:
        x = LEFT + inner_width * (day - first).days / days
        y = TOP + inner_height * (1 - (float(value) - float(low)) / span)
        coordinates.append(f"{x:.1f},{y:.1f}")
    label = (
        f"{strip_zeros(latest):f} {unit} on {last}; "
        f"between {strip_zeros(low):f} and {strip_zeros(high):f} since {first}"
    )
    return format_html(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        ' width="{width}" height="{height}" role="img" aria-label="{label}"'
        ' font-size="11" fill="currentColor"><title>{label}</title>'
        '<g stroke="currentColor" stroke-opacity=".2">'
        '<path d="M{left} {top}H{end}M{left} {bottom}H{end}"/></g>'
        '<polyline points="{line}" fill="none" stroke="currentColor" stroke-width="1.5"/>'
        '<text x="{text}" y="{top}" dy="4">{high}</text>'
        '<text x="{text}" y="{bottom}" dy="4">{low}</text>'
        '<text x="{left}" y="{under}">{first}</text>'
        '<text x="{end}" y="{under}" text-anchor="end">{last}</text></svg>',
        width=WIDTH,
        height=HEIGHT,
        label=label,
        left=LEFT,
        end=WIDTH - RIGHT,
        top=TOP,
        bottom=HEIGHT - BOTTOM,
        text=WIDTH - RIGHT + 8,
        under=HEIGHT - 6,
        line=" ".join(coordinates),
        high=f"{strip_zeros(high):f} {unit}",
        low=f"{strip_zeros(low):f} {unit}",
        first=first.isoformat(),
        last=last.isoformat(),
    )


def sparkline(values: Sequence[tuple[date, Decimal]]) -> SafeString | str:
    """Draw `values`, oldest first; days to scale, the line fills the height.

    Return a dash for fewer than two values.
    """
    if len(values) < 2:
        return "–"
    (first_day, first), (last_day, last) = values[0], values[-1]
    amounts = [float(value) for _, value in values]
    low, span = min(amounts), max(amounts) - min(amounts)
    days = (last_day - first_day).days
    inner_width, inner_height = SPARK_WIDTH - 2 * MARGIN, SPARK_HEIGHT - 2 * MARGIN
    coordinates = []
    for (day, _), amount in zip(values, amounts, strict=True):
        height = (amount - low) / span if span else 0.5
        x = MARGIN + inner_width * (day - first_day).days / days
        y = SPARK_HEIGHT - MARGIN - inner_height * height
        coordinates.append(f"{x:.1f},{y:.1f}")
    label = f"From {strip_zeros(first)} on {first_day} to {strip_zeros(last)} on {last_day}"
    return format_html(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        ' width="{width}" height="{height}" role="img" aria-label="{label}">'
        "<title>{label}</title>"
        '<polyline points="{line}" fill="none" stroke="currentColor" stroke-width="1.5"/></svg>',
        width=SPARK_WIDTH,
        height=SPARK_HEIGHT,
        label=label,
        line=" ".join(coordinates),
    )
