"""How numbers are written for people: 812, 7.662, 123,457, 7.941 · 10⁶."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

DIGITS = 4
MOST_DIGITS = 8
"""Of values that agree in so many digits none needs to be told from the other."""
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number_text(value: float, digits: int = DIGITS) -> str:
    """``value`` to ``digits`` significant digits, below a million at least all before the point.

    Powers of ten take over from a million on and below a thousandth; integers keep all digits.
    """
    if not math.isfinite(value):
        return str(value)
    sign = "−" if value < 0 else ""
    if isinstance(value, int):
        return f"{sign}{abs(value):,}"
    mantissa, exponent = f"{abs(value):.{digits - 1}e}".split("e")
    power = int(exponent)
    if value and not -3 <= power < 6:
        return f"{sign}{_trimmed(mantissa)}\u00a0·\u00a010{str(power).translate(_RAISED)}"
    return sign + _trimmed(f"{abs(value):,.{max(digits - 1 - power, 0)}f}")


def told_apart(values: Sequence[float | None]) -> list[str]:
    """The texts of a sequence, each with as many digits as it takes to tell it from its neighbours; "" for None."""
    known = [value for value in values if value is not None]
    digits = dict.fromkeys(known, DIGITS)  # by value: the same one is written alike wherever it stands
    for pair in pairwise(known):
        needed = _digits_apart(*pair)
        digits |= {value: max(digits[value], needed) for value in pair}
    return ["" if value is None else number_text(value, digits[value]) for value in values]


def adding_up(whole: float, parts: Sequence[float], digits: int = DIGITS) -> list[str]:
    """The texts of a number and of the ``parts`` it is the sum of, rounded so that what is written adds up as well.

    All are written in the unit of the whole's last digit, which the largest remainders fill up (Hamilton's method).
    """
    mantissa, exponent = f"{abs(whole):.{digits - 1}e}".split("e")  # rounded first, as ``number_text`` does
    power = int(exponent)
    is_scientific = bool(whole) and not -3 <= power < 6
    decimals = digits - 1 - power if is_scientific else max(digits - 1 - power, 0)
    written = mantissa if is_scientific else f"{abs(whole):.{decimals}f}"
    total = int(written.replace(".", "")) * (-1 if whole < 0 else 1)
    floors = [math.floor(part * 10.0**decimals) for part in parts]
    order = sorted(range(len(parts)), key=lambda k: floors[k] - parts[k] * 10.0**decimals)
    counts = [floor + (order.index(k) < total - sum(floors)) for k, floor in enumerate(floors)]

    def text(count: int) -> str:
        value, sign = abs(count) * 10.0**-decimals, "−" if count < 0 else ""
        if is_scientific:
            return f"{sign}{_trimmed(f'{value * 10.0**-power:.{digits - 1}f}')}\u00a0·\u00a010{str(power).translate(_RAISED)}"
        return sign + _trimmed(f"{value:,.{decimals}f}")

    return [text(count) for count in (total, *counts)]


def digits_of(text: str, value: float) -> int:
    """The digits with which ``number_text`` writes ``value`` as ``text``; ``DIGITS`` if it never does."""
    return next((d for d in range(DIGITS, MOST_DIGITS + 1) if number_text(value, d) == text), DIGITS)


def _digits_apart(first: float, second: float) -> int:
    """The fewest digits in which two numbers look different; ``DIGITS`` where they are as good as equal."""
    enough = (d for d in range(DIGITS, MOST_DIGITS + 1) if number_text(first, d) != number_text(second, d))
    return next(enough, DIGITS)


def _trimmed(text: str) -> str:
    """Without zeros at the end of a fraction."""
    return text.rstrip("0").rstrip(".") if "." in text else text
