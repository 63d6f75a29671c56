import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.projection import Projection, Spread
from features.timeline import Floats


def normal(seed: int, *shape: int) -> Floats:
    return np.random.default_rng(seed).normal(size=shape)


def fitted(seed: int = 0, width: int = 6, rank: int = 6) -> Projection:
    return Spread.of("s", normal(seed, 30, width), normal(seed + 1, 200, width)).projection(rank)


def cosine_order(projection: Projection, brief: Floats, kols: Floats) -> list[int]:
    near = projection.kols(kols) @ projection.briefs(brief[None])[0]
    return list(np.argsort(-near, kind="stable"))


def test_what_all_vectors_share_is_taken_away() -> None:
    """Raw cosines call all KOLs alike; without what they share, the right one is first."""
    common = np.array([50.0, 0, 0, 0])
    kols = common + normal(0, 100, 4)
    briefs = common[::-1] + normal(1, 40, 4)  # briefs share another direction
    projection = Spread.of("s", briefs, kols).projection(4)
    brief = common[::-1] + np.array([0, 2.0, 0, 0])
    near, far = common + np.array([0, 2.0, 0, 0]), common - np.array([0, 2.0, 0, 0])
    assert cosine_order(projection, brief, np.array([far, near]))[0] == 1
    left, right = projection.briefs(brief[None])[0], projection.kols(np.array([far, near]))
    assert right[1] @ left > 0.5 > -0.5 > right[0] @ left


def test_loud_axes_no_longer_drown_the_others() -> None:
    loud = np.array([3.0, 1.0, 1.0])
    kols, briefs = normal(0, 500, 3) * loud, normal(1, 100, 3) * loud

    def unevenness(rows: Floats) -> float:
        variance = np.var(rows / np.linalg.norm(rows, axis=1)[:, None], axis=0)
        return float(variance.max() / variance.min())

    even = Spread.of("s", briefs, kols).projection(3).kols(kols)
    assert unevenness(kols) > 3
    assert unevenness(even) < 2


def test_shares_are_rooted_and_signed_numbers_are_not() -> None:
    shares = np.random.default_rng(0).dirichlet(np.ones(5), size=60)
    assert Spread.of("s", shares[:20], shares[20:]).rooted
    assert not Spread.of("s", normal(0, 20, 5), shares).rooted


def test_only_leading_axes_are_kept() -> None:
    projection = fitted(width=6, rank=2)
    assert projection.briefs(normal(5, 3, 6)).shape == (3, 2)
    assert fitted(width=6, rank=99).briefs(normal(5, 3, 6)).shape == (3, 6)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), chosen=st.lists(st.integers(0, 39), min_size=1, max_size=9))
def test_a_row_is_mapped_the_same_alone_as_in_any_batch(seed: int, chosen: list[int]) -> None:
    projection = fitted(seed, width=33, rank=17)
    vectors = normal(seed + 2, 40, 33).astype(np.float32)
    whole = projection.kols(vectors)
    np.testing.assert_array_equal(projection.kols(vectors[chosen]), whole[chosen])
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1, atol=1e-5)


def test_zeros_point_nowhere() -> None:
    spread = Spread.of("s", np.vstack([normal(0, 9, 3), np.zeros((1, 3))]), normal(1, 40, 3))
    projection = spread.projection(3).seen_from(np.vstack([normal(0, 9, 3), np.zeros((1, 3))]))
    assert np.isnan(projection.kols(np.zeros((1, 3)))).all()
    assert len(projection.landmarks) == 9


def test_past_pairs_turn_the_kols_towards_the_briefs_they_fit() -> None:
    """In this world briefs of one corner want KOLs of another, which no cosine could know."""
    briefs, kols = normal(0, 300, 4), normal(1, 300, 4)
    fits = briefs[:, 0] * kols[:, 1]
    plain = Spread.of("s", briefs, kols).projection(4)
    turned = plain.corrected(briefs, kols, np.sign(fits) - np.sign(fits).mean(), strength=1.0)
    asked = np.array([3.0, 0, 0, 0])
    offered = np.array([[0, 3.0, 0, 0], [0, -3.0, 0, 0]])
    before = plain.kols(offered) @ plain.briefs(asked[None])[0]
    after = turned.kols(offered) @ turned.briefs(asked[None])[0]
    assert abs(before[0] - before[1]) < 0.3
    assert after[0] - after[1] > 0.6


def test_no_strength_or_nothing_in_common_changes_nothing() -> None:
    projection = fitted()
    briefs, kols, pull = normal(3, 9, 6), normal(4, 9, 6), normal(5, 9)
    assert projection.corrected(briefs, kols, pull, strength=0.0) == projection
    assert projection.corrected(briefs, kols, np.zeros(9), strength=1.0) == projection
    assert projection.corrected(briefs, kols, pull, strength=1.0) != projection


def test_vectors_of_another_width_are_refused() -> None:
    with pytest.raises(ValueError, match="Got vectors of length 5 in the space s but expected 6"):
        fitted(width=6).briefs(normal(0, 2, 5))


@pytest.mark.parametrize("rooted", [False, True])
def test_a_projected_cosine_is_a_product_with_the_vector_itself(rooted: bool) -> None:
    rng = np.random.default_rng(4)
    draw = (lambda n: rng.dirichlet(np.ones(6), size=n)) if rooted else (lambda n: normal(n, n, 6))
    projection = Spread.of("s", draw(30), draw(200)).projection(4)
    assert projection.rooted == rooted
    briefs, kols = draw(5), draw(40)
    briefs[0], kols[0] = 0, 0
    query, size, offset = projection.seen(briefs)
    grid, norm = projection.laid_out(kols)
    near = (query @ projection.placed(kols).T.astype(float)) * size[:, None] - offset[:, None]
    expected = projection.briefs(briefs) @ projection.kols(kols).T
    np.testing.assert_allclose(near[1:, 1:] / norm[1:], expected[1:, 1:], rtol=0, atol=1e-5)
    assert np.isnan(near[0]).all()
    assert norm[0] == 0 and not grid[0].any()
    np.testing.assert_allclose(grid[1:] / 2**20, projection.kols(kols)[1:], rtol=0, atol=1e-6)
    # The query is on a grid on which the product does not round, whatever is beside it.
    alone = projection.seen(briefs[3:4])
    np.testing.assert_array_equal(alone[0][0], query[3])
    assert (alone[1][0], alone[2][0]) == (size[3], offset[3])
