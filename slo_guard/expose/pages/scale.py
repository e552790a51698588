"""From instants and values to places in a picture."""

from __future__ import annotations

import numpy as np

from slo_guard.domain.readings import FloatArray


class Scale:
    """Takes instants and values to places within a picture; ``y`` grows downward."""

    def __init__(
        self, times: tuple[float, float], values: tuple[float, float], box: tuple[float, float, float, float]
    ) -> None:
        self.left, self.top, self.right, self.bottom = box
        self._start, self._times = times[0], max(times[1] - times[0], 1e-9)
        self._low, self._high = values

    def x(self, at: float) -> float:
        """Return the place of an instant, within the box."""
        place = self.left + (at - self._start) / self._times * (self.right - self.left)
        return min(max(place, self.left), self.right)

    def y(self, value: float) -> float:
        """Return the place of a value."""
        return float(self._ys(np.asarray(value)))

    def path(self, at: FloatArray, value: FloatArray) -> str:
        """Return the line through points as an SVG path, broken where there is no value."""
        xs = np.clip(self.left + (at - self._start) / self._times * (self.right - self.left), self.left, self.right)
        ys = self._ys(value)
        parts, command = [], "M"
        for x, y in zip(xs.tolist(), ys.tolist(), strict=True):
            if y != y:  # noqa: PLR0124 - not a number
                command = "M"
                continue
            parts.append(f"{command}{x:.1f} {y:.1f}")
            # A point between two gaps is a line of no length, which round caps show.
            if command == "M":
                parts.append("h0")
            command = "L"
        return "".join(parts)

    def _ys(self, value: FloatArray) -> FloatArray:
        # Infinite values, too, have a place: at the edge.
        kept: FloatArray = np.clip(value, self._low, self._high)
        return self.top + (self._high - kept) / (self._high - self._low) * (self.bottom - self.top)
