"""Lines over time as inline SVG for the admin: no script and no style, as the policy wants it."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from django.utils.html import format_html
from django.utils.safestring import SafeString

from financeproj.core.money import strip_zeros

WIDTH, HEIGHT = 640, 190
SPARK_WIDTH, SPARK_HEIGHT, MARGIN = 160, 32, 2
LEFT, RIGHT, TOP, BOTTOM = 6, 92, 12, 26  # the values stand to the right, the dates below


def line_chart(points: Sequence[tuple[date, Decimal]], unit: str) -> SafeString | str:
    """The SVG of `points`, oldest first, in `unit`; a dash for fewer than two. Days and values are
    to scale.
    """
    if len(points) < 2:
        return "–"
    (first, _), (last, latest) = points[0], points[-1]
    amounts = [float(value) for _, value in points]
    low, high = (
        min(points, key=lambda point: point[1])[1],
        max(points, key=lambda point: point[1])[1],
    )
    span, days = float(high - low) or 1.0, (last - first).days or 1
    inner_width, inner_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def y_of(amount: float) -> str:
        return f"{TOP + inner_height * (1 - (amount - float(low)) / span):.1f}"

    line = " ".join(
        f"{LEFT + inner_width * (day - first).days / days:.1f},{y_of(amount)}"
        for (day, _), amount in zip(points, amounts, strict=True)
    )
    label = (
        f"{strip_zeros(latest):f} {unit} on {last}; "
        f"between {strip_zeros(low):f} and {strip_zeros(high):f} since {first}"
    )
    return format_html(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'role="img" aria-label="{label}" font-size="11" fill="currentColor"><title>{label}</title>'
        '<g stroke="currentColor" stroke-opacity=".2"><path d="M{left} {top}H{end}M{left} {bottom}H{end}"/></g>'
        '<polyline points="{line}" fill="none" stroke="currentColor" stroke-width="1.5"/>'
        '<text x="{text}" y="{top}" dy="4">{high}</text><text x="{text}" y="{bottom}" dy="4">{low}</text>'
        '<text x="{left}" y="{under}">{first}</text><text x="{end}" y="{under}" text-anchor="end">{last}</text></svg>',
        width=WIDTH,
        height=HEIGHT,
        label=label,
        left=LEFT,
        end=WIDTH - RIGHT,
        top=TOP,
        bottom=HEIGHT - BOTTOM,
        text=WIDTH - RIGHT + 8,
        under=HEIGHT - 6,
        line=line,
        high=f"{strip_zeros(high):f} {unit}",
        low=f"{strip_zeros(low):f} {unit}",
        first=first.isoformat(),
        last=last.isoformat(),
    )


def sparkline(values: Sequence[tuple[date, Decimal]]) -> SafeString | str:
    """The SVG of `values`, oldest first; a dash for fewer than two. Days are to scale, the line
    fills the height.
    """
    if len(values) < 2:
        return "–"
    (first_day, first), (last_day, last) = values[0], values[-1]
    amounts = [float(value) for _, value in values]
    low, span = min(amounts), max(amounts) - min(amounts)
    days = (last_day - first_day).days
    points = " ".join(
        f"{MARGIN + (SPARK_WIDTH - 2 * MARGIN) * (day - first_day).days / days:.1f},"
        f"{SPARK_HEIGHT - MARGIN - (SPARK_HEIGHT - 2 * MARGIN) * ((amount - low) / span if span else 0.5):.1f}"
        for (day, _), amount in zip(values, amounts, strict=True)
    )
    label = f"From {strip_zeros(first)} on {first_day} to {strip_zeros(last)} on {last_day}"
    return format_html(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" width="{}" height="{}" role="img" '
        'aria-label="{}"><title>{}</title>'
        '<polyline points="{}" fill="none" stroke="currentColor" stroke-width="1.5"/></svg>',
        SPARK_WIDTH,
        SPARK_HEIGHT,
        SPARK_WIDTH,
        SPARK_HEIGHT,
        label,
        label,
        points,
    )
