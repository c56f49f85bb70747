"""Figures that can be believed: percentiles, ratios of pairs, ranges, what a call costs besides its length."""

from __future__ import annotations

import pytest

from pbx_plugin.sandbox.bench_cpu import once_per_call
from pbx_plugin.sandbox.bench_figures import Spread, Table, delays, number, ranged, ratios


def test_the_median_of_an_even_number_of_runs_lies_between_the_middle_two() -> None:
    assert Spread.of([4.0, 1.0, 3.0, 2.0]).median == 2.5


@pytest.mark.parametrize(("percent", "value"), [(0, 0.0), (50, 50.0), (99, 99.0), (100, 100.0)])
def test_a_percentile_is_not_exceeded_by_its_share_of_the_measurements(percent: float, value: float) -> None:
    assert Spread.of([float(n) for n in range(100, -1, -1)]).percentile(percent) == value


def test_one_outlier_in_a_hundred_and_one_shows_as_the_longest_and_not_in_the_99th_percentile() -> None:
    spread = Spread.of([10.0] * 100 + [5000.0])
    assert (spread.percentile(99), spread.high, spread.low) == (10.0, 5000.0, 10.0)


def test_a_single_measurement_is_its_own_percentile() -> None:
    assert Spread.of([7.0]).percentile(99) == 7.0


@pytest.mark.parametrize("percent", [-1, 101])
def test_no_percentage_no_percentile(percent: float) -> None:
    with pytest.raises(ValueError, match="percentage"):
        Spread.of([1.0]).percentile(percent)


def test_nothing_measured_is_no_figure() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        Spread.of([])


def test_runs_are_compared_with_those_of_their_own_round() -> None:
    # The second round was slow for both: the ratio of the medians would say something else.
    assert ratios([2.0, 40.0, 3.0], [1.0, 20.0, 1.0]).values == (2.0, 2.0, 3.0)


@pytest.mark.parametrize(("of", "to"), [([1.0], [1.0, 2.0]), ([1.0], [0.0])])
def test_what_cannot_be_compared_is_refused(of: list[float], to: list[float]) -> None:
    with pytest.raises(ValueError, match=r"cannot be paired|ratio to nothing"):
        ratios(of, to)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.00"),
        (0.0123, "0.012"),
        (0.0996, "0.10"),
        (1.234, "1.23"),
        (9.96, "10.0"),
        (56.78, "56.8"),
        (99.6, "100"),
        (18609.4, "18,609"),
        (-10.0, "-10.0"),
        (-0.01, "-0.010"),
    ],
)
def test_three_digits_count(value: float, text: str) -> None:
    assert number(value) == text


def test_a_range_is_shown_only_where_there_were_several_runs() -> None:
    assert ranged(Spread.of([5.0])) == "5.00"
    assert ranged(Spread.of([6.1, 5.4, 5.9])) == "5.90 (5.40-6.10)"


def test_what_the_length_of_a_call_explains_is_not_counted_once_more() -> None:
    # 10 calls of 20 s at 5 ms a call-second are 1 s; 1.5 s were used in all.
    assert once_per_call(1.5, 5.0, 200.0, 10) == pytest.approx(50.0)
    assert once_per_call(0.9, 5.0, 200.0, 10) == 0.0


def test_delays_are_told_by_number_median_99th_percentile_and_longest() -> None:
    table = delays([("hang-up to stored", [10.0, 20.0, 30.0])])
    assert table.head == ("", "n", "p50 ms", "p99 ms", "longest ms")
    assert table.rows == (("hang-up to stored", "3", "20.0", "29.8", "30.0"),)


def test_a_row_that_does_not_fit_its_heading_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        Table(("a", "b"), (("1",),))
