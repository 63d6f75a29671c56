from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.significance import (
    chance_of_no_harm,
    holm,
    minimum_detectable_effect,
    paired_bootstrap,
    paired_permutation,
)


def simulated(
    clusters: int, per_cluster: int, seed: int, *, shift: float = 0.0, alike: float = 0.1
) -> tuple[pd.Series, pd.Series, pd.Series]:
    """Two models over brands whose briefs share an effect of standard deviation `alike`."""
    rng = np.random.default_rng(seed)
    n = clusters * per_cluster
    briefs = [f"b{i:04d}" for i in range(n)]
    brand = np.repeat(np.arange(clusters), per_cluster)
    b = rng.uniform(0.3, 0.7, n)
    difference = shift + rng.normal(0, alike, clusters)[brand] + rng.normal(0, 0.1, n)
    names = pd.Series([f"brand{i:03d}" for i in brand], index=briefs)
    return pd.Series(b + difference, index=briefs), pd.Series(b, index=briefs), names


def test_a_known_shift_is_found_and_its_sign_is_a_minus_b():
    a, b, brands = simulated(40, 5, seed=0, shift=0.2)
    found = paired_bootstrap(a, b, brands)
    assert found.low < (a - b).mean() < found.high
    assert found.mean == pytest.approx((a - b).mean())
    assert found.low > 0
    assert (found.n, found.clusters, found.dropped) == (200, 40, 0)
    assert paired_permutation(a, b, brands) == pytest.approx(1 / 2001)
    assert paired_bootstrap(b, a, brands).high < 0


@pytest.mark.parametrize("clusters", [8, 30])
def test_the_interval_covers_the_truth_as_often_as_it_says(clusters: int):
    covered = 0
    for seed in range(300):
        a, b, brands = simulated(clusters, 4, seed=seed, shift=0.05)
        found = paired_bootstrap(a, b, brands, draws=500, seed=seed)
        covered += found.low <= 0.05 <= found.high
    assert 0.91 <= covered / 300 <= 0.985  # 0.95 within three standard errors, and its small bias


def test_p_is_uniform_when_nothing_differs():
    ps = np.sort(
        [
            paired_permutation(*simulated(20, 4, seed=seed), draws=400, seed=seed)
            for seed in range(400)
        ]
    )
    distance = np.abs(ps - np.arange(1, 401) / 400).max()
    assert distance < 1.63 / math.sqrt(400)  # Kolmogorov-Smirnov at 1%


def test_briefs_alike_within_brands_widen_the_interval():
    a, b, brands = simulated(20, 10, seed=1, alike=0.2)
    alone = pd.Series(brands.index, index=brands.index)
    clustered, independent = paired_bootstrap(a, b, brands), paired_bootstrap(a, b, alone)
    assert clustered.mean == pytest.approx(independent.mean)
    assert clustered.high - clustered.low > 2 * (independent.high - independent.low)
    assert paired_permutation(a, b, brands) > paired_permutation(a, b, alone)


def test_a_brand_weighs_by_its_briefs():
    briefs = [f"b{i}" for i in range(10)]
    difference = pd.Series([1.0] * 8 + [0.0] * 2, index=briefs)
    brands = pd.Series(["big"] * 8 + ["x", "y"], index=briefs)
    assert paired_bootstrap(difference, difference * 0, brands).mean == pytest.approx(0.8)


def test_nan_pairs_are_dropped_and_counted():
    a, b, brands = simulated(20, 2, seed=2)
    a.iloc[0] = math.nan
    b.iloc[1] = math.nan
    b.iloc[2] = math.nan
    found = paired_bootstrap(a, b, brands)
    assert (found.n, found.clusters, found.dropped) == (37, 19, 3)
    rest = a.index[3:]
    assert found == replace(paired_bootstrap(a[rest], b[rest], brands), dropped=3)
    assert paired_permutation(a, b, brands) == paired_permutation(a[rest], b[rest], brands)


def test_the_order_of_briefs_is_irrelevant_and_the_seed_is_not():
    a, b, brands = simulated(20, 3, seed=3)
    shuffled = a.sample(frac=1, random_state=0)
    assert paired_bootstrap(a, b, brands) == paired_bootstrap(shuffled, b, brands[::-1])
    assert paired_permutation(a, b, brands) == paired_permutation(shuffled, b, brands[::-1])
    assert paired_bootstrap(a, b, brands, seed=0) != paired_bootstrap(a, b, brands, seed=1)


def test_many_clusters_are_drawn_in_blocks():
    a, b, brands = simulated(5000, 1, seed=4, shift=0.02)
    found = paired_bootstrap(a, b, brands, draws=1000)
    error = (a - b).std() / math.sqrt(5000)
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_no_difference_is_certain():
    a, _, brands = simulated(10, 2, seed=5)
    found = paired_bootstrap(a, a, brands)
    assert (found.mean, found.low, found.high) == (0, 0, 0)
    assert paired_permutation(a, a, brands) == 1


def test_one_brand_has_no_interval_and_no_briefs_have_no_mean():
    a, b, brands = simulated(1, 5, seed=6)
    found = paired_bootstrap(a, b, brands)
    assert found.mean == pytest.approx((a - b).mean())
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert paired_permutation(a, b, brands) == 1
    none = paired_bootstrap(a * math.nan, b, brands)
    assert math.isnan(none.mean)
    assert (none.n, none.clusters, none.dropped) == (0, 0, 5)
    assert paired_permutation(a * math.nan, b, brands) == 1


def test_refuses_what_is_not_paired():
    a, b, brands = simulated(3, 2, seed=7)
    with pytest.raises(ValueError, match="Got 1 briefs only in a and 0 only in b"):
        paired_bootstrap(a, b.iloc[1:], brands)
    with pytest.raises(ValueError, match="Got a brief twice in b"):
        paired_bootstrap(a, pd.concat([b, b]), brands)
    with pytest.raises(ValueError, match="Got no cluster for brief 'b0000'"):
        paired_permutation(a, b, brands.iloc[1:])
    with pytest.raises(ValueError, match="Got level=95"):
        paired_bootstrap(a, b, brands, level=95)
    with pytest.raises(ValueError, match="Got draws=0"):
        paired_permutation(a, b, brands, draws=0)


def test_the_detectable_effect_is_found_as_often_as_it_says():
    found = 0
    for seed in range(400):
        a, b, brands = simulated(20, 4, seed=seed)
        # Of the same spread whatever the shift: what these briefs could have shown.
        shift = minimum_detectable_effect(a - b, brands)
        found += paired_bootstrap(a + shift, b, brands, draws=400, seed=seed).low > 0
    assert 0.74 <= found / 400 <= 0.88


def test_the_detectable_effect_shrinks_with_more_brands_and_grows_with_what_is_asked():
    a, b, brands = simulated(20, 4, seed=0)
    many = simulated(80, 4, seed=0)
    usual = minimum_detectable_effect(a - b, brands)
    assert minimum_detectable_effect(many[0] - many[1], many[2]) == pytest.approx(
        usual / 2, rel=0.3
    )
    assert minimum_detectable_effect(a - b, brands, power=0.9) > usual
    assert minimum_detectable_effect(a - b, brands, confidence=0.99) > usual
    alike = brands.where(brands == "", "one brand")
    assert minimum_detectable_effect(a - b, alike) == math.inf
    assert minimum_detectable_effect((a - b).head(0), brands) == math.inf
    with pytest.raises(ValueError, match=r"Got power=1 but expected a share"):
        minimum_detectable_effect(a - b, brands, power=1)


def test_harm_is_seen_even_in_a_slice_of_few_brands():
    index = [f"b{i}" for i in range(5)]
    brands = pd.Series(list("vwxyz"), index=index)
    worse = pd.Series([-0.3, -0.25, -0.35, -0.28, None], index=index)
    assert chance_of_no_harm(worse, brands) < 0.001
    assert chance_of_no_harm(-worse, brands) > 0.999
    assert chance_of_no_harm(worse, brands, harm=0.3) > 0.5
    assert chance_of_no_harm(worse.head(1), brands) == 1.0
    same = pd.Series(-0.1, index=index)
    assert (chance_of_no_harm(same, brands), chance_of_no_harm(same * 0, brands)) == (0.0, 1.0)


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_keeps_order_never_lowers_and_asks_most_of_the_smallest(values: list[float]):
    p = pd.Series([*values, float("nan")], dtype=float)
    found = holm(p)
    told = found.dropna()
    assert len(told) == len(values)
    assert (told >= p[told.index]).all()
    assert (told <= 1).all()
    if values:
        order = p.dropna().argsort()
        assert told.iloc[order].is_monotonic_increasing
        assert told.iloc[order.iloc[0]] == min(1.0, len(values) * min(values))


def test_a_p_outside_its_range_is_refused():
    with pytest.raises(ValueError, match="p-value outside 0-1"):
        holm(pd.Series([0.1, 1.2]))
