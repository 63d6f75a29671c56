import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.config import FeatureConfig
from features.signals import FAMILIES
from matcher.risk.advice import ADVICE, KINDS
from matcher.risk.parts import CAUSES, LADDERS, WEIGHTS, causes, risk_parts, total_risk
from matcher.scout import FAMILIES as LOOKED_UP

WORSE_UP = (
    "reputation.burden",
    "reputation.worst_open",
    "conduct.claims",
    "conduct.claims_paid",
    "conduct.undisclosed",
    "conduct.copied",
    "conduct.jump",
    "conduct.turned",
    "conduct.changed",
    "conduct.late",
    "conduct.unlicensed",
    "conduct.modes_limited",
    "reach.spread",
    "reach.suspicious_share",
    "record.cancelled_rate",
    "rivalry.blocked_posts",
    "sponsored.share",
)
OTHERS = (
    "conduct.out_of_band",
    "conduct.finest",
    "engagement.completion",
    "rivalry.days_since",
    "category.vertical",
    "category.vertical_posts",
    "category.language",
)
SIGNALS = (*WORSE_UP, *OTHERS)
VALUES = st.lists(
    st.one_of(st.floats(-5, 200), st.floats(0, 1), st.just(np.nan)),
    min_size=len(SIGNALS),
    max_size=len(SIGNALS),
)


def signals_of(**told: float) -> pd.DataFrame:
    """Return one pair of which a few signals are known; their names with ``__`` for the dot."""
    known = {name.replace("__", "."): value for name, value in told.items()}
    assert set(known) <= set(SIGNALS)
    return pd.DataFrame([dict.fromkeys(SIGNALS, np.nan) | known])


def _signals(values: list[float]) -> pd.DataFrame:
    return pd.DataFrame([dict(zip(SIGNALS, values, strict=True))])


def _part(kind: str, **told: float) -> float:
    return float(risk_parts(signals_of(**told))[kind].item())


def test_every_kind_has_a_weight_causes_and_advice() -> None:
    assert set(WEIGHTS) == set(CAUSES) == set(ADVICE) == set(KINDS)
    assert all(0 < weight < 1 for weight in WEIGHTS.values())
    told = [cause for names in CAUSES.values() for cause in names]
    assert len(set(told)) == len(told)
    assert set(causes(signals_of())) == set(told)


def test_risk_reads_only_signals_that_are_looked_up() -> None:
    known = {
        f"{family.name}.{name}"
        for family in FAMILIES
        if family.name in LOOKED_UP
        for name in family.meanings(FeatureConfig())
    }
    assert set(SIGNALS) <= known


@settings(deadline=None, max_examples=50)
@given(VALUES)
def test_risk_and_its_parts_are_shares(values: list[float]) -> None:
    parts = risk_parts(_signals(values))
    assert list(parts) == list(KINDS)
    assert ((parts >= 0) & (parts <= 1)).all(axis=None)
    assert 0 <= total_risk(_signals(values)).item() < 1


@settings(deadline=None, max_examples=50)
@given(VALUES, st.sampled_from(range(len(WORSE_UP))), st.floats(0, 3))
def test_more_of_anything_bad_never_lowers_the_risk(
    values: list[float], which: int, more: float
) -> None:
    worse = list(values)
    worse[which] = np.nan_to_num(worse[which]) + more
    if WORSE_UP[which] == "conduct.modes_limited":
        worse[which] = 1.0  # counts only where no allowed mode is left
    assert total_risk(_signals(worse)).item() >= total_risk(_signals(values)).item() - 1e-12


def test_nothing_known_is_no_known_risk() -> None:
    assert total_risk(signals_of()).item() == 0


@settings(deadline=None, max_examples=50)
@given(VALUES)
def test_the_total_is_what_its_parts_add_up_to(values: list[float]) -> None:
    parts = risk_parts(_signals(values)).iloc[0]
    spared = 1.0
    for kind, weight in WEIGHTS.items():
        spared *= 1 - weight * parts[kind]
    assert total_risk(_signals(values)).item() == pytest.approx(1 - spared, abs=1e-12)


@pytest.mark.parametrize(
    ("share", "part"), [(0.0, 0.0), (1 / 3, 0.0), (0.5, 0.5), (2 / 3, 1.0), (1.0, 1.0)]
)
def test_advertising_is_a_risk_from_one_post_in_three_on(share: float, part: float) -> None:
    assert _part("over_advertising", sponsored__share=share) == pytest.approx(part)


def test_an_incident_that_is_not_resolved_does_not_fade() -> None:
    assert _part("reputation", reputation__burden=0.0, reputation__worst_open=0.7) == 0.7
    assert _part("reputation", reputation__burden=0.5, reputation__worst_open=0.5) == 0.75


@pytest.mark.parametrize(("days", "part"), [(10.0, 1.0), (30.0, 1.0), (105.0, 0.5), (180.0, 0.0)])
def test_work_for_a_competitor_fades_within_half_a_year(days: float, part: float) -> None:
    assert _part("exclusivity", rivalry__days_since=days) == pytest.approx(part)


def test_engagement_out_of_band_counts_either_way_and_only_by_half() -> None:
    low, high = (_part("fraud", conduct__out_of_band=away) for away in (-9.0, 9.0))
    assert low == high == 0.5
    assert _part("fraud", conduct__out_of_band=2.5) == 0


def test_a_few_fake_followers_are_usual() -> None:
    assert _part("fraud", reach__suspicious_share=0.08) == 0
    assert _part("fraud", reach__suspicious_share=0.35) == pytest.approx(0.5)


def test_a_kol_is_beside_a_brief_only_where_both_labels_and_posts_say_so() -> None:
    assert _part("inconsistency", category__vertical=0.0, category__vertical_posts=0.0) == 0.5
    assert _part("inconsistency", category__vertical=0.0, category__vertical_posts=0.4) == 0
    assert _part("inconsistency", category__vertical=1.0, category__vertical_posts=0.0) == 0
    assert _part("inconsistency", category__vertical=0.0) == 0


def test_one_usable_mode_is_enough() -> None:
    assert _part("platform_rules", conduct__modes_limited=0.5) == 0
    assert _part("platform_rules", conduct__modes_limited=1.0) > 0.5


def test_every_ladder_climbs_from_somewhere_to_somewhere_else() -> None:
    assert all(start != worst for start, worst in LADDERS.values())
