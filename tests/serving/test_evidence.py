"""Figures behind reasons, in words."""

import math

import pytest

from features.config import FeatureConfig
from features.signals import FAMILIES, Family
from serving.evidence import NAMES, STYLES, in_words


def test_figures_are_told_in_both_languages_as_people_write_them() -> None:
    told = {"price.cpm": 56.1234, "reach.percentile": 0.834, "reach.median_views": 12345.0}
    assert in_words(told, "en") == (
        "CPM at recent reach 56.12; views above this share of peers 83.4%; median views 12,345"
    )
    assert in_words(told, "zh") == (
        "按近期播放的 CPM 56.12；播放量高于同平台同量级达人的比例 83.4%；近期播放中位数 12,345"
    )
    assert in_words({"rivalry.days_since": 12.0}, "zh") == "距上次竞品合作 12 天"
    assert in_words({"content.post_1": "p9", "style.gap_days": None}, "en") == (
        "closest post p9; mean gap between posts –"
    )


def test_a_standing_among_candidates_is_told() -> None:
    assert in_words({"growth.followers_90_above": 0.9}, "zh").endswith(
        "：优于本需求候选达人的比例 90.0%"
    )


def test_a_figure_without_words_is_told_by_its_family_and_name() -> None:
    assert in_words({"reach.new_thing": 0.25}, "zh") == "触达规模 new thing 0.25"
    assert in_words({"weird": math.nan}, "en") == "weird –"
    assert in_words(None, "en") == in_words({}, "en") == ""


def test_every_name_is_written_in_a_style_there_is() -> None:
    for words, style in NAMES.values():
        assert style in STYLES
        assert words.zh and words.en


SILENT = ("brief", "mode", "conduct")
"""Families that are never a reason."""


@pytest.mark.parametrize(
    "family", [f for f in FAMILIES if f.name not in SILENT], ids=lambda f: f.name
)
def test_most_of_each_family_has_words_of_its_own(family: Family) -> None:
    signals = [f"{family.name}.{signal}" for signal in family.meanings(FeatureConfig())]
    assert sum(name in NAMES for name in signals) >= len(signals) / 3
