"""How long somebody was on hold in a recording."""

from datetime import UTC, datetime, timedelta

import pytest

from pbx_plugin.domain.holding_times import held_ms

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def steps(*told: tuple[float, str, str]) -> list[tuple[datetime, str, str]]:
    return [(NOON + timedelta(seconds=after), leg, what) for after, leg, what in told]


@pytest.mark.parametrize(
    ("told", "held"),
    [
        ((), 0),
        (((2, "a", "hold"), (5.5, "a", "unhold")), 3500),
        (((2, "a", "hold"), (4, "b", "hold"), (5, "a", "unhold"), (6, "b", "unhold")), 4000),
        (((2, "a", "hold"), (3, "b", "hold"), (4, "b", "unhold"), (6, "a", "unhold")), 4000),
        (((-5, "a", "hold"), (1, "a", "unhold")), 1000),
        (((8, "a", "hold"),), 2000),
        (((8, "a", "hold"), (9, "a", "left")), 1000),
        (((1, "a", "unhold"), (2, "b", "left")), 0),
        (((12, "a", "hold"), (15, "a", "unhold")), 0),
    ],
)
def test_only_what_lies_in_the_recording_counts_and_two_at_once_count_once(
    told: tuple[tuple[float, str, str], ...], held: int
) -> None:
    assert held_ms(steps(*told), NOON, NOON + timedelta(seconds=10)) == held
