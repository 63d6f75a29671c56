"""Compiled loops say what their plain definitions say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import gridkernel
from features.lexicon import Bags
from features.similarity import GRID, cosines, laid_on_grid, on_grid
from features.statistics import row_mean, row_top, where
from features.textkernel import OF_POSTS, Asked, Told, compare, compare_words

WIDTH, TOPICS, WORDS = 5, 3, 12
SEEDS = st.integers(0, 10_000)


def bags(rng: np.random.Generator, texts: int) -> tuple[Bags, np.ndarray, np.ndarray]:
    """Return bags of length 1 and the same as a table; some are empty."""
    sizes = rng.integers(0, 4, texts)
    column = [np.sort(rng.choice(WORDS, size, replace=False)) for size in sizes]
    weight = [rng.uniform(0.1, 1, size) for size in sizes]
    weight = [np.rint(w / np.linalg.norm(w) * GRID) for w in weight]
    table = np.zeros((texts, WORDS))
    for row, (columns, weights) in enumerate(zip(column, weight, strict=True)):
        table[row, columns] = weights
    flat = Bags(
        np.concatenate([*column, []]).astype(np.int32),
        np.concatenate([*weight, []]).astype(np.float32),
    )
    return flat, np.cumsum([0, *sizes]), table


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_pairs_are_compared_as_their_definitions_say(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kols, briefs, texts, slots, size = 4, 3, 9, 6, 20
    vectors = rng.normal(size=(texts, WIDTH)).astype(np.float32)
    vectors[0] = 0  # a text that points nowhere
    own, wide = rng.normal(size=(briefs, WIDTH)), rng.normal(size=(briefs, WIDTH))
    own[0] = 0
    grid, told = laid_on_grid(vectors)
    words, starts, said = bags(rng, briefs)
    store, ends, held = bags(rng, texts)
    place = rng.integers(-1, texts, (kols, slots))
    known = np.append(told, False)[place]
    weight = np.where(known, rng.integers(1, 1024, place.shape), 0)
    paid = rng.random(place.shape) < 0.4
    topic = np.where(known & ~paid, rng.integers(0, TOPICS, place.shape), -1)
    half = rng.integers(-1, 2, place.shape)
    kinds = [*(np.where(topic == k, weight, 0) for k in range(TOPICS))]
    kinds += [np.where(paid, 0, weight), np.where(paid, weight, 0), weight]
    sums = np.stack(kinds, axis=1) @ np.pad(grid, ((0, 1), (0, 0)))[place].astype(np.float64)
    length = np.linalg.norm(sums, axis=2)
    subject = rng.random((kols, TOPICS))
    posts = Told(
        *(grid, told, ends[:-1], ends[1:], place, weight, topic.astype(np.int8)),
        *(half.astype(np.int8), paid, length, subject),
    )
    to, of = rng.integers(0, kols, size), rng.integers(0, briefs, size)
    rows, out = rng.permutation(size), np.empty((len(OF_POSTS), size))
    room = np.zeros(WORDS, dtype=np.float32)
    asked = Asked(on_grid(own), on_grid(wide), starts[:-1], starts[1:])
    compare(posts, store, asked, words, room, (rows, to, of, of), out)
    found = dict(zip(OF_POSTS, out[:, rows], strict=True))
    assert not room.any()

    alike, widened = (cosines(each, vectors, of, place[to]) for each in (own, wide))
    lexical = (said @ held.T / GRID**2)[of[:, None], place[to]]
    both = said.any(axis=1)[of][:, None] & np.append(held.any(axis=1), False)[place[to]]
    lexical = where(both, np.clip(lexical, -1, 1))
    sponsored = where(paid[to], alike)
    expected = {
        "best": row_top(alike, 1),
        "top3": row_top(alike, 3),
        "mean": row_mean(alike),
        "widened_best": row_top(widened, 1),
        "widened_top3": row_top(widened, 3),
        "sponsored_best": row_top(sponsored, 1),
        "sponsored_top3": row_top(sponsored, 3),
        "lexical_best": row_top(lexical, 1),
        "lexical_top3": row_top(lexical, 3),
        "drift_to_brief": row_mean(where(half[to] == 1, alike))
        - row_mean(where(half[to] == -1, alike)),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=0, atol=1e-15, err_msg=name)
    # A centroid's cosine, worked out from the centroid itself.
    flat = sums.reshape(-1, WIDTH)
    near = cosines(own, flat, of, to[:, None] * (TOPICS + 3) + np.arange(TOPICS + 3))
    for at, name in enumerate(("organic", "sponsored", "recent"), start=TOPICS):
        np.testing.assert_allclose(found[name], near[:, at], rtol=0, atol=1e-5, err_msg=name)
    best = np.where(np.isnan(near[:, :TOPICS]), -np.inf, near[:, :TOPICS]).max(axis=1)
    np.testing.assert_allclose(found["topic"], where(np.isfinite(best), best), rtol=0, atol=1e-5)
    shares = where(~np.isnan(near[:, :TOPICS]), subject[to])
    assert all(np.isnan(s) or s in own for s, own in zip(found["topic_share"], shares, strict=True))

    # Alone, a pair is what it is among others, to the last bit.
    for pair in range(0, size, 6):
        alone = np.empty((len(OF_POSTS), 1))
        one = (np.array([0]), to[[pair]], of[[pair]], of[[pair]])
        compare(posts, store, asked, words, room, one, alone)
        np.testing.assert_array_equal(alone[:, 0], out[:, rows[pair]])


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS)
def test_words_in_common_are_products_of_bags(seed: int) -> None:
    rng = np.random.default_rng(seed)
    words, starts, said = bags(rng, 4)
    store, ends, held = bags(rng, 6)
    left, right = rng.integers(0, 4, 15), rng.integers(0, 6, 15)
    out, room = np.empty(15), np.zeros(WORDS, dtype=np.float32)
    asked, told = (starts[:-1], starts[1:]), (ends[:-1], ends[1:])
    compare_words((left, right), asked, words, told, store, room, out)
    known = said.any(axis=1)[left] & held.any(axis=1)[right]
    expected = np.clip((said @ held.T / GRID**2)[left, right], -1, 1)
    np.testing.assert_array_equal(out, where(known, expected))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_half_the_space_holds_the_same_grid(dtype: type) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(30, 11)).astype(dtype)
    vectors[3] = 0
    whole, (half, told) = on_grid(vectors), laid_on_grid(vectors)
    assert np.isnan(whole[3]).all() and not half[3].any() and not told[3]
    np.testing.assert_array_equal(np.nan_to_num(whole), half)
    length = np.linalg.norm(half[told].astype(np.float64), axis=1)
    np.testing.assert_allclose(length, gridkernel.GRID, rtol=1e-5)
