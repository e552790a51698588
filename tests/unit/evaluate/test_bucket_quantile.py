"""Quantiles of classic buckets in worked numbers; Prometheus itself is asked in ``tests/properties``."""

from __future__ import annotations

import numpy as np
import pytest

from slo_guard.evaluate.bucket_quantile import BucketQuantiles, bucket_quantile

INF = np.inf


def of_one(quantile: float, buckets: dict[float, float]) -> BucketQuantiles:
    return bucket_quantile(quantile, np.array(list(buckets)), np.array([list(buckets.values())], dtype=float))


@pytest.mark.parametrize(
    ("buckets", "quantile", "expected"),
    [
        ({0.1: 50, 0.2: 70, 1: 110, INF: 120}, 0.2, 0.048),
        ({0.1: 50, 0.2: 70, 1: 110, INF: 120}, 0.5, 0.15),
        ({0.1: 50, 0.2: 70, 1: 110, INF: 120}, 0.8, 0.72),
        ({-0.2: 10, -0.1: 20, 0.3: 20, INF: 30}, 0.2, -0.2),
        ({-0.2: 10, -0.1: 20, 0.3: 20, INF: 30}, 0.8, 0.3),
    ],
)
def test_the_worked_numbers(buckets: dict[float, float], quantile: float, expected: float):
    """An SRE who checks one p95 by hand must get what the page shows."""
    assert of_one(quantile, buckets).value == pytest.approx([expected])


def test_what_lies_in_the_last_bucket_is_the_highest_bound_and_said_to_be_above_it():
    """1s is all that buckets can say of a request that took a minute; whether it is above is known."""
    found = of_one(0.95, {0.5: 10, 1: 50, INF: 100})

    assert found.value.tolist() == [1.0]
    assert found.above.tolist() == [True]
    assert of_one(0.5, {0.5: 10, 1: 50, INF: 100}).above.tolist() == [False]


def test_buckets_that_are_not_cumulative_are_lifted_and_counted():
    """A scrape that reads buckets one after the other may see the lower one newer than the higher."""
    found = of_one(0.9, {1: 100, 2: 50, 3: 100, INF: 60})

    assert found.value == pytest.approx([0.9])
    assert found.observations.tolist() == [100]
    assert found.lifted.tolist() == [2]


@pytest.mark.parametrize("buckets", [{1: 10, 2: 20, INF: np.nan}, {1: np.nan, INF: 10}, {1: 0, INF: 0}])
def test_without_an_end_without_another_bucket_or_without_observations_there_is_none(buckets: dict[float, float]):
    """No number is better than one that is made up."""
    found = of_one(0.5, buckets)

    assert np.isnan(found.value).all()
    assert found.above.tolist() == [False]


def test_each_histogram_has_its_own_bounds():
    """Services choose their buckets; what one of them lacks must not change the interpolation within another's."""
    bounds = np.array([0.1, 0.5, 1.0, INF])
    counts = np.array([[np.nan, 50, np.nan, 100], [10, 20, 40, 40], [np.nan, np.nan, 40, 80]], dtype=float)

    found = bucket_quantile(0.5, bounds, counts)

    assert found.value == pytest.approx([0.5, 0.5, 1.0])
    assert found.lifted.tolist() == [0, 0, 0]
    assert bucket_quantile(0.25, bounds, counts).value == pytest.approx([0.25, 0.1, 0.5])


def test_no_histograms_are_no_quantiles():
    """The first evaluation comes before the first frame."""
    assert bucket_quantile(0.5, np.array([INF]), np.zeros((0, 1))).value.shape == (0,)
    assert bucket_quantile(0.5, np.array([1.0, INF]), np.zeros((0, 2))).value.shape == (0,)
