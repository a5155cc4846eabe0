"""How a report writes numbers, and which of them it puts on axes."""

from __future__ import annotations

import math

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float, decimals: int) -> str:
    """With a real minus sign; what rounds to zero has none."""
    text = f"{value:.{decimals}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def scientific(value: float) -> str:
    """Three digits, or two and a power of ten where that is shorter."""
    if value == 0 or 1e-2 <= abs(value) < 1e3:
        return f"{value:.3g}".replace("-", "−")
    mantissa, power = f"{value:.1e}".split("e")
    return f"{mantissa.replace('-', '−')}·{power_of_ten(int(power))}"


def power_of_ten(power: int) -> str:
    return f"10{str(power).translate(SUPERSCRIPTS)}"


def brief(value: float) -> str:
    """For a cell of a heat map: two digits or all before the point."""
    if 0 < abs(value) < 0.01:
        return "<0.01"
    return number(value, max(0, 1 - math.floor(math.log10(abs(value)))) if value else 0)


def linear_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """About five round values in [low, high] with their labels."""
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = min((m * power for m in (1, 2, 5, 10)), key=lambda s: abs(s - raw))
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [(i * step, number(i * step, decimals)) for i in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Powers of ten, at most six of them; 2 and 5 times those, or round values, where few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    span = math.log10(high / low)
    factors = (1, 2, 5) if span < 2 else (1,)
    stride = max(1, math.ceil(span / 6))
    ticks = []
    for power in powers:
        for factor in factors if power % stride == 0 else ():
            value = factor * 10.0**power
            if low * (1 - 1e-9) <= value <= high * (1 + 1e-9):
                head = "" if factor == 1 else f"{factor}·"
                ticks.append((value, head + power_of_ten(power)))
    if len(ticks) < 2:
        return [(value, scientific(value)) for value, _ in linear_ticks(low, high)]
    return ticks
