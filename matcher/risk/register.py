"""The risk register: each named risk of a match, with what it rests on.

What is written here can be looked up: a post by its id, an incident, a collaboration, a figure, a
date. Scores are those of `matcher.risk.parts`, so that the register adds up to the total that is
shown. Words that KOLs wrote are quoted through `features.evidence.excerpt` alone.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from features.config import FeatureConfig
from features.history import History
from matcher.candidates import Candidates
from matcher.risk.advice import KINDS
from matcher.risk.evidence import EVIDENCE
from matcher.risk.files import Files
from matcher.risk.parts import CAUSES, WEIGHTS, causes, risk_parts
from matcher.wording import Text

MOST_EVIDENCE = 5
"""Sentences a risk shows at most."""


def risk_register(found: Candidates, history: History, config: FeatureConfig) -> pd.DataFrame:
    """Return the named risks above 0 of each match.

    Parameters
    ----------
    found : Candidates
        The matches.
    history : History
        The tables; only what was known strictly before each pair's ``as_of`` is told.
    config : FeatureConfig
        How many posts are recent.

    Returns
    -------
    DataFrame
        `serving.results.RISKS`: brief_id, kol_id, kind, score, weight, evidence_en and evidence_zh
        (tuples of str), in the order of the matches and then of weight times score.
    """
    parts = risk_parts(found.signals)
    by_cause = causes(found.signals)
    files = Files(found, history, config)
    rows = []
    scores = parts.to_numpy(dtype=np.float64)
    for place, (brief_id, kol_id) in enumerate(
        zip(found.pairs["brief_id"], found.pairs["kol_id"], strict=True)
    ):
        kinds = [(KINDS[i], float(scores[place, i])) for i in np.flatnonzero(scores[place] > 0)]
        for kind, score in sorted(kinds, key=lambda told: -WEIGHTS[told[0]] * told[1]):
            said: list[Text] = []
            for cause in CAUSES[kind]:
                if by_cause[cause][place] > 0:
                    said += EVIDENCE[cause](files, place)
            said = said[:MOST_EVIDENCE]
            en, zh = tuple(text.en for text in said), tuple(text.zh for text in said)
            rows.append((brief_id, kol_id, kind, score, WEIGHTS[kind], en, zh))
    columns = ["brief_id", "kol_id", "kind", "score", "weight", "evidence_en", "evidence_zh"]
    return pd.DataFrame(rows, columns=columns)
