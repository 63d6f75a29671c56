"""What experts and other models say: grades of fit, and embeddings made elsewhere."""

from __future__ import annotations

import numpy as np
import pandas as pd

from features.columns import EPOCH
from features.simulate.clock import DAYS, to_time
from features.simulate.demand import Demand
from features.simulate.market import Market
from features.simulate.policy import Log
from features.simulate.topics import Ints, Topics
from features.simulate.truth import audience_effect, audience_match, fit, fit_effect

_JUDGED_BRIEFS = 0.25
_JUDGED_OF_LIST, _JUDGED_AT_RANDOM = 8, 4
_WIDTH = 16
_SPACE = "image"


def judgments_table(
    rng: np.random.Generator, market: Market, demand: Demand, log: Log
) -> pd.DataFrame:
    """Return the JUDGMENTS table: experts see topic and audience well, but not perfectly."""
    none = np.zeros(0, dtype=np.int64)
    briefs: list[Ints] = [none]
    kols: list[Ints] = [none]
    starts = np.searchsorted(log.brief, np.arange(len(demand) + 1))
    for row in np.flatnonzero(~demand.is_open & (rng.random(len(demand)) < _JUDGED_BRIEFS)):
        listed = log.kol[starts[row] : starts[row + 1]]
        some = rng.choice(listed, min(_JUDGED_OF_LIST, len(listed)), replace=False)
        others = rng.integers(0, len(market), _JUDGED_AT_RANDOM)
        chosen = np.unique(np.concatenate([some, others]))
        kols.append(chosen)
        briefs.append(np.full(len(chosen), row))
    brief, kol = np.concatenate(briefs), np.concatenate(kols)
    effect = fit_effect(fit(market, demand, brief, kol))
    effect = effect + 0.8 * audience_effect(audience_match(market, demand, brief, kol))
    grade = 4.3 + 1.6 * effect + rng.normal(0, 0.6, len(kol))
    day = demand.day[brief] + rng.uniform(0.1, 4, len(kol))
    frame = pd.DataFrame(
        {
            "brief_id": demand.brief_id[brief],
            "kol_id": market.kol_id[kol],
            "judge": np.array(["expert1", "expert2", "expert3"])[rng.integers(0, 3, len(kol))],
            "grade": np.clip(np.round(grade), 0, 4),
            "judged_at": to_time(day),
        }
    )
    return frame.loc[day < DAYS]


def vectors_table(
    rng: np.random.Generator, topics: Topics, market: Market, demand: Demand
) -> pd.DataFrame:
    """Return the VECTORS table: a blurred picture of the topics of some KOLs and briefs."""
    view = rng.normal(size=(len(topics.subtopics), _WIDTH)) / np.sqrt(_WIDTH)
    parts = []
    for owner, ids, embedding in (
        ("brief", demand.brief_id, demand.topic),
        ("kol", market.kol_id, market.topic),
    ):
        keep = np.flatnonzero(rng.random(len(ids)) < 0.6)
        blurred = embedding[keep] @ view + rng.normal(0, 0.15, (len(keep), _WIDTH))
        vectors = list(np.round(blurred, 4).astype(np.float32))
        parts.append(pd.DataFrame({"owner": owner, "id": ids[keep], "vector": vectors}))
    return pd.concat(parts, ignore_index=True).assign(space=_SPACE, observed_at=EPOCH)
