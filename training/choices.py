"""A ranking that was learned but never saw an outcome: it tells whom the agency would have tried.

It is what remains of learning when nobody looks at what collaborations brought, and so tells how
much of the model's lead is owed to outcomes. Its signals compare texts, audiences and categories;
those of learned projections are left out, for past outcomes turn them.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from matcher.likeness import Likeness

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.evaluate import Score
    from training.examples import Examples

LEARNED = "learned from choices"
ARTIFACT = "baselines/choices.json"
"""Name under which a training run keeps it, so that it can be measured again."""
_PROJECTED = "affinity."


def learn_choices(train: Examples) -> Likeness | None:
    """Learn by whom the agency tried, against whom it could have had.

    Parameters
    ----------
    train : Examples
        Of training briefs.

    Returns
    -------
    Likeness or None
        ``None`` where no brief has both: nothing tells a choice.
    """
    pairs = train.pairs
    tried = pairs["known"] & ~pairs["judged"]
    choice = tried.where(tried | ~pairs["known"]).astype(np.float64).groupby(pairs["brief_id"])
    told = ((choice.transform("nunique") > 1) & (tried | ~pairs["known"])).to_numpy()
    if not told.any():
        return None
    share = tried / choice.transform("sum")
    signals = train.signals[told]
    plain = signals.drop(columns=[name for name in signals.columns if name.startswith(_PROJECTED)])
    codes = pd.factorize(pairs["brief_id"][told], sort=True)[0].astype(np.int64)
    return Likeness.fit(plain, share[told].to_numpy(dtype=np.float64), codes)


def as_ranker(learned: Likeness | None) -> dict[str, Score]:
    """Return it as a further ranker to compare with, by name; nothing where it is ``None``."""
    if learned is None:
        return {}

    def score(pairs: pd.DataFrame, signals: pd.DataFrame) -> NDArray[np.float64]:
        return learned(signals)

    return {LEARNED: score}


def to_json(learned: Likeness) -> str:
    """Write it as JSON."""
    return json.dumps(asdict(learned), sort_keys=True)


def from_json(text: str | None) -> Likeness | None:
    """Read what `to_json` wrote; ``None`` where there is nothing."""
    return None if text is None else Likeness(**json.loads(text))
