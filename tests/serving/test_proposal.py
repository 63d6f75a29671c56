"""What pages tell of a run: plain JSON, what is unknown left out, and nothing lost."""

import json
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from features.tables import Tables
from matcher.reasons.contrast import contrast
from serving.proposal import Proposal, proposals
from serving.publish import Published
from tests.hostile import HOSTILE
from tests.serving.sample import AS_OF, BARE, BRIEF, NOBODY, bare, sample

Made = tuple[Published, Tables]


@pytest.fixture(scope="module")
def made() -> Made:
    return sample()


@pytest.fixture(scope="module")
def told(made: Made) -> dict[str, Proposal]:
    return {one.brief_id: one for one in proposals(*made)}


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for one in value.values() for text in strings(one)]
    if isinstance(value, list):
        return [text for one in value for text in strings(one)]
    return [value] if isinstance(value, str) else []


def test_every_brief_has_one_also_where_nobody_matches(told: dict[str, Proposal]) -> None:
    assert list(told) == [BRIEF, NOBODY]
    assert told[NOBODY].data["kols"] == []
    assert told[NOBODY].plan is None
    assert len(told[NOBODY].data["funnel"]) == 5


def test_it_is_json_without_anything_unknown(told: dict[str, Proposal]) -> None:
    for one in told.values():
        assert json.loads(json.dumps(one.data, allow_nan=False)) == one.data
    for kol in told[BRIEF].data["kols"]:
        assert None not in kol.values()


def test_figures_are_those_of_the_run(made: Made, told: dict[str, Proposal]) -> None:
    matches, kols = made[0].matches, told[BRIEF].data["kols"]
    assert [kol["rank"] for kol in kols] == list(range(1, 31))
    assert [kol["price"] for kol in kols] == matches["price"].tolist()
    assert [kol["views"][1] for kol in kols] == pytest.approx(matches["views_p50"], rel=1e-3)
    assert kols[0]["reasons"]["zh"] == list(matches["reasons_zh"][0])
    assert kols[0]["caution"] == {"zh": matches["caution_zh"][0], "en": matches["caution_en"][0]}
    assert [post["id"] for post in kols[4]["posts"]] == ["k004-p0", "k004-p1"]
    assert [len(kol["options"]) for kol in kols] == [3] * 30
    assert kols[2]["risks"][0]["score"] >= kols[2]["risks"][-1]["score"]


def test_plans_name_kols_by_their_place(made: Made, told: dict[str, Proposal]) -> None:
    data, planned = told[BRIEF].data, made[0].details["planned"]
    assert [plan["step"] for plan in data["plans"]] == sorted(set(planned["step"]))
    plan = told[BRIEF].plan
    assert plan is not None
    own = planned[planned["step"] == 1]
    ids = [data["kols"][member["kol"]]["id"] for member in plan["chosen"]]
    assert sorted(ids) == sorted(own.loc[own["chosen"], "kol_id"])
    values = [member["value"] for member in plan["chosen"]]
    assert values == sorted(values, reverse=True)
    cuts = [member["entry"] / member["price"] for member in plan["left"]]
    assert cuts == sorted(cuts, reverse=True)
    assert len(plan["chosen"]) + len(plan["left"]) == 30


def test_the_kinds_of_risk_that_are_named_come_with_their_advice(told: dict[str, Proposal]) -> None:
    data = told[BRIEF].data
    named = {risk["kind"] for kol in data["kols"] for risk in kol.get("risks", ())}
    assert set(data["advice"]) == named
    assert all(
        set(words) == {"zh", "en"} for one in data["advice"].values() for words in one.values()
    )


def test_regions_and_verticals_have_names_in_both_languages(told: dict[str, Proposal]) -> None:
    names = told[BRIEF].data["names"]
    assert names["region"]["CN-SH"] == {"zh": "上海", "en": "Shanghai"}
    assert names["vertical"]["skincare"] == {"zh": "护肤", "en": "skincare"}


def test_two_matches_can_be_told_apart(told: dict[str, Proposal]) -> None:
    one, other = (told[BRIEF].data["kols"][place]["side"] for place in (0, 7))
    assert len(contrast(one, other, "zh")) >= 2


def test_nothing_of_the_moment_itself_or_later_is_told(made: Made) -> None:
    published, tables = made
    late = tables.kols.assign(observed_at=AS_OF, bio="later", followers=1.0)
    posts = tables.posts.assign(observed_at=AS_OF, text="later")
    more = tables.replace(
        kols=pd.concat([tables.kols, late]), posts=pd.concat([tables.posts, posts])
    )
    assert proposals(published, more) == proposals(published, tables)


def test_a_run_of_which_nothing_else_is_known_is_told_too() -> None:
    (one,) = proposals(*bare())
    assert one.brief_id == BARE
    assert one.plan is None
    assert one.data["run"]["basis"] == "content"
    assert "model_version" not in one.data["run"]
    assert one.data["brief"] == {"id": "../b3 <i>"}
    assert [set(kol) for kol in one.data["kols"]] == [{"id", "hue", "rank", "basis", "side"}] * 2


def test_plans_and_members_of_strangers_are_left_out(made: Made) -> None:
    published, tables = made
    planned = published.details["planned"].assign(kol_id="somebody")
    changed = replace(published, details={**published.details, "planned": planned})
    plan = proposals(changed, tables)[0].plan
    assert plan is not None
    assert (plan["chosen"], plan["left"]) == ([], [])


def test_what_others_wrote_is_clipped_and_visible() -> None:
    for one in proposals(*sample(hostile=True)):
        for text in strings({name: one.data[name] for name in ("brief", "kols", "plans")}):
            assert len(text) <= 4_000
            assert text.replace("\n", "").isprintable()
            assert text not in (HOSTILE["right_to_left"], HOSTILE["zero_width"], HOSTILE["control"])
