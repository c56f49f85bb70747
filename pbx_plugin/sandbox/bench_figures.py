"""Figures and what can honestly be said of them: medians, percentiles, ranges, ratios. Nothing here measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Spread:
    """Several measurements of one thing."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Take the measurements. Raises ValueError when there are none: an empty figure is no figure."""
        if not values:
            raise ValueError("nothing was measured")
        return cls(tuple(sorted(values)))

    def percentile(self, percent: float) -> float:
        """Return the value that `percent` of the measurements do not exceed, interpolated between neighbours."""
        if not 0 <= percent <= 100:
            raise ValueError(f"{percent} is no percentage")
        place = (len(self.values) - 1) * percent / 100
        below = int(place)
        above = min(below + 1, len(self.values) - 1)
        return self.values[below] + (self.values[above] - self.values[below]) * (place - below)

    @property
    def median(self) -> float:
        return self.percentile(50)

    @property
    def low(self) -> float:
        return self.values[0]

    @property
    def high(self) -> float:
        return self.values[-1]

    def __len__(self) -> int:
        return len(self.values)


def ratios(of: Sequence[float], to: Sequence[float]) -> Spread:
    """Compare runs pairwise, each with the one of its own round, so that what slows a whole round cancels out.

    Raises ValueError when the runs do not pair, or a run to compare with measured nothing.
    """
    if len(of) != len(to):
        raise ValueError(f"{len(of)} runs cannot be paired with {len(to)}")
    if any(value <= 0 for value in to):
        raise ValueError("a ratio to nothing")
    return Spread.of([one / other for one, other in zip(of, to, strict=True)])


def number(value: float) -> str:
    """Write a figure with three digits that count, and no more zeros than it needs."""
    if value != 0 and abs(value) < 0.0995:
        return f"{value:.3f}"
    if abs(value) < 9.95:
        return f"{value:.2f}"
    if abs(value) < 99.5:
        return f"{value:.1f}"
    return f"{value:,.0f}"


def ranged(spread: Spread) -> str:
    """Write the median with its range: `5.93 (5.40-6.12)`; one measurement has none."""
    if len(spread) == 1:
        return number(spread.median)
    return f"{number(spread.median)} ({number(spread.low)}-{number(spread.high)})"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under a heading; the first column names the row."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.head):
                raise ValueError(f"{row} does not fit under {self.head}")


@dataclass(frozen=True, slots=True)
class Aim:
    """What is to be reached, what was reached, and whether that is enough."""

    wanted: str
    reached: str
    met: bool


@dataclass(frozen=True, slots=True)
class Result:
    """What one benchmark found. `method` says what was measured and how; `figures` are plain, for programs."""

    name: str
    title: str
    method: str
    runs: str
    tables: tuple[Table, ...]
    aims: tuple[Aim, ...] = ()
    remarks: tuple[str, ...] = ()
    figures: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0


def delays(rows: Sequence[tuple[str, Sequence[float]]], unit: str = "ms") -> Table:
    """Return a table of delays: how many, median, 99th percentile, longest."""
    lines = []
    for name, values in rows:
        spread = Spread.of(values)
        shown = (spread.median, spread.percentile(99), spread.high)
        lines.append((name, str(len(spread)), *(number(value) for value in shown)))
    return Table(("", "n", f"p50 {unit}", f"p99 {unit}", f"longest {unit}"), tuple(lines))
