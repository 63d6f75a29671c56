import numpy as np
import pandas as pd

from training.choices import LEARNED, as_ranker, from_json, learn_choices, to_json
from training.examples import Examples


def examples(**changed: object) -> Examples:
    """Return lists in which the like were tried and the unlike were not."""
    rng = np.random.default_rng(0)
    n = 300
    tried = np.tile([True, False, False], n // 3)
    pairs = pd.DataFrame(
        {
            "brief_id": np.repeat([f"b{i:02d}" for i in range(n // 6)], 6),
            "kol_id": [f"k{i}" for i in range(n)],
            "known": tried,
            "judged": False,
            "grade": rng.integers(1, 5, n).astype(float),
        }
    ).assign(**changed)
    signals = pd.DataFrame(
        {
            "content.recent": tried + rng.normal(0, 0.3, n),
            "affinity.cosine_text": tried + rng.normal(0, 0.1, n),
            "price.log": rng.normal(size=n),
        }
    )
    return Examples(pairs, signals)


def test_it_learns_by_whom_was_tried_and_by_nothing_that_outcomes_taught() -> None:
    told = examples()
    learned = learn_choices(told)
    assert learned is not None
    assert list(learned.weights) == ["content.recent"]
    score = as_ranker(learned)[LEARNED](told.pairs, told.signals)
    tried = told.pairs["known"].to_numpy()
    assert score[tried].mean() > score[~tried].mean()
    # What collaborations brought changes nothing.
    again = learn_choices(examples(grade=4.0))
    assert again == learned


def test_it_is_the_same_after_it_was_kept() -> None:
    learned = learn_choices(examples())
    assert learned is not None
    assert from_json(to_json(learned)) == learned
    assert from_json(None) is None


def test_where_nobody_was_chosen_there_is_nothing_to_learn() -> None:
    assert learn_choices(examples(judged=True)) is None
    assert learn_choices(examples(known=True)) is None
    assert as_ranker(None) == {}
