"""The page and the card: whole, harmless, and made of nothing but the run's own numbers."""

import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from features.history import History
from features.pipeline import FeaturePipeline
from features.simulate import World
from matcher.config import Config
from training.artifacts import report_tables
from training.card import render_card
from training.evaluate import MODEL
from training.fit import plans_by_brand, plans_by_time
from training.page import render_page, report_figures
from training.report import Report, Subject
from training.rounds import play

EVIL = "<script>alert('x')</script> | \"><img src=//evil.example/x onerror=1> $y$ `z` [a](b)"
SUBJECT = Subject(
    command="kolmatch train 'my data' && rm",
    split="time",
    data_versions={"briefs": "3", "outcomes": "7"},
    encoder="words",
    kolmatch="0.1.0",
)


@pytest.fixture(scope="module")
def report(world: World, history: History, pipeline: FeaturePipeline, config: Config) -> Report:
    """Return what two origins found."""
    made = plans_by_time(world.tables, config, 2)
    rounds = tuple(play(plan, history, pipeline, config) for plan in made)
    return Report(SUBJECT, rounds, world.tables)


@pytest.fixture(scope="module")
def judged(world: World, pipeline: FeaturePipeline, config: Config) -> Report:
    """Return what a fold of a world without outcomes found."""
    tables = world.tables.replace(outcomes=world.tables.outcomes.head(0))
    plan = plans_by_brand(tables, config)[0]
    round_ = play(plan, History(tables), pipeline, config)
    return Report(replace(SUBJECT, split="brand"), (round_,), tables)


@pytest.fixture(scope="module")
def evil(report: Report) -> Report:
    """Return the same of data in which every name was given by an enemy."""
    briefs, kols = report.tables.briefs, report.tables.kols
    tables = report.tables.replace(
        briefs=briefs.assign(title=EVIL, brand_name=EVIL, goal=EVIL, vertical=EVIL),
        kols=kols.assign(display_name=EVIL, platform=EVIL),
    )
    rounds = []
    for each in report.rounds:
        table = each.evaluation.per_brief
        named = table["slice"].str.replace(r"^(goal|platform): .*", rf"\1: {EVIL}", regex=True)
        table = table.assign(slice=named).drop_duplicates(["view", "slice", "ranker", "brief_id"])
        rounds.append(replace(each, evaluation=replace(each.evaluation, per_brief=table)))
    return Report(replace(SUBJECT, command=EVIL, encoder=EVIL), tuple(rounds), tables)


class Reader(HTMLParser):
    """Reads a page as a browser would, keeping its elements, and checks that they nest."""

    VOID = ("meta", "img", "br", "hr", "link", "input")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, name: str) -> list[str]:
        return [str(attrs[name]) for _, attrs in self.elements if name in attrs]


def page_of(report: Report) -> str:
    return render_page(report, report_figures(report), "3")


@pytest.fixture(scope="module", params=["report", "judged", "evil"])
def page(request: pytest.FixtureRequest) -> str:
    return page_of(request.getfixturevalue(request.param))


def test_a_page_is_whole_and_asks_for_nothing(page: str) -> None:
    read = Reader(page)
    assert read.open == []
    tags = {tag for tag, _ in read.elements}
    assert not tags & {"script", "img", "link", "iframe", "object", "form", "base"}
    assert not [name for _, attrs in read.elements for name in attrs if name.startswith("on")]
    ids = Counter(read.all("id"))
    assert [name for name, count in ids.items() if count > 1] == []
    links = [*read.all("href"), *read.all("xlink:href")]
    assert all(link.startswith("#") for link in links)
    assert {link[1:] for link in links} <= set(ids)
    assert "default-src 'none'" in page
    assert not re.search(r"@import|url\((?!#)", page)


def test_nothing_is_left_unsaid_or_half_said(page: str) -> None:
    words = " ".join(Reader(page).words)
    assert not re.search(r"\bnan\b|\bNaN\b|\bNone\b|\bNaT\b|\{\{|\}\}|Undefined", words)


def test_names_from_data_are_words_and_nothing_else(evil: Report) -> None:
    page = page_of(evil)
    assert EVIL in " ".join(Reader(page).words)
    assert "<script" not in page
    assert "<img" not in page
    card = render_card(evil, "3")
    assert "<script" not in card.split("## Made by")[0]
    head = next(line for line in card.splitlines() if line.startswith("| goal |"))
    rows = [line for line in card.splitlines() if "script" in line and line.startswith("|")]
    assert rows
    # A bar in a name is no cell.
    counts = {len(re.findall(r"(?<!\\)\|", line)) for line in rows if "text encoder" not in line}
    assert len(re.findall(r"(?<!\\)\|", head)) in counts
    assert all("&lt;script&gt;" in line for line in rows)


def test_a_page_tells_the_verdict_and_how_to_get_there(report: Report) -> None:
    words = " ".join(" ".join(Reader(page_of(report)).words).split())
    for told in (
        report.lead.sentence,
        "Evaluation of kolmatch model version 3",
        SUBJECT.command,
        "briefs 3, outcomes 7",
        report.matcher.hash,
        report.config.hash,
        "origin 1 of 2",
        *report.evaluation.summary(report.view).index,
        f"{report.lead.detectable:.3f}",
    ):
        assert told in words
    assert report.reliability is not None
    assert f"{report.reliability.ece_noise_floor:.3f}" in words
    for brief_id in (*report.briefs["brief_id"].head(5), *report.briefs["brief_id"].tail(5)):
        assert brief_id in words


def test_what_choices_would_have_earned_is_told_or_why_not(report: Report) -> None:
    names = [f"policy_{name}{end}" for name in ("dr", "snips") for end in ("", "_low", "_high")]
    policy = dict(zip(names, (1.2, 1.1, 1.3, 1.4, 1.0, 1.8), strict=True)) | {"policy_ess": 321.0}
    told = Report(report.subject, report.rounds[:1], report.tables, policy)
    untold = Report(report.subject, report.rounds[:1], report.tables, {}, "no <propensities>")
    for words in (" ".join(Reader(page_of(told)).words), render_card(told)):
        assert "1.20 (1.10 to 1.30) times" in words
        assert "1.40 (1.00 to 1.80) by SNIPS" in words
        assert "321 contacts" in words
    assert "The log cannot tell: no <propensities>" in " ".join(Reader(page_of(untold)).words)
    assert told.metrics()["policy_dr"] == 1.2


def test_a_page_is_the_same_each_time(report: Report) -> None:
    again = Report(report.subject, report.rounds, report.tables)
    assert page_of(again) == page_of(report)


def test_judgments_alone_have_no_money_to_tell_of(judged: Report) -> None:
    assert judged.judged
    assert judged.regret.empty
    words = " ".join(Reader(page_of(judged)).words)
    assert "No test brief tells both" in words
    assert "a grade of 3 or 4" in words
    assert "Brands were dealt into 3 folds" in words


# -- the report --------------------------------------------------------------------------------


def test_metrics_are_numbers_with_their_limits(report: Report) -> None:
    found = report.metrics()
    assert all(isinstance(value, float) for value in found.values())
    assert found["headline"] == report.lead.model
    assert found["headline_lead_low"] == report.lead.low
    for name in ("outcomes_ndcg_at_10", "roster_recall_at_50", "regret"):
        assert found[f"{name}_low"] <= found[name] <= found[f"{name}_high"]
    verdicts = [found[f"slices_{word}"] for word in ("better", "worse", "not_sure")]
    assert sum(verdicts) + found["slices_too_few_to_tell"] == len(report.slices[report.view])


def test_rounds_are_added_up(report: Report) -> None:
    tested = [set(each.plan.briefs("test")) for each in report.rounds]
    assert not tested[0] & tested[1]
    assert set(report.evaluation.per_brief["brief_id"]) <= tested[0] | tested[1]
    assert report.by_round["round"].tolist() == ["origin 2 of 2", "origin 1 of 2"]
    parts = [len(each.forecasts) for each in report.rounds]
    assert len(report.forecasts) == sum(parts)
    places = [each.evaluation.exposure.places["briefs"].sum() for each in report.rounds]
    assert report.evaluation.exposure.places["briefs"].sum() == sum(places)


def test_lists_are_in_the_models_order(report: Report) -> None:
    lists = report.lists
    assert not lists.duplicated(["brief_id", "kol_id"]).any()
    for _, own in lists.groupby("brief_id"):
        assert own["rank"].tolist() == list(range(1, len(own) + 1))
        assert own["score"].is_monotonic_decreasing
    told = lists.dropna(subset=["value"])
    assert len(told) == len(report.evaluation.choices)


def test_the_worst_brief_comes_first(report: Report) -> None:
    briefs = report.briefs
    assert briefs["lead"].is_monotonic_increasing
    assert np.allclose(briefs["lead"], briefs["model"] - briefs["rule"])
    assert briefs["lead"].mean() == pytest.approx(report.lead.difference)


def test_tables_are_what_the_report_holds(report: Report, judged: Report) -> None:
    tables = report_tables(report)
    assert all(len(table) for table in tables.values())
    assert {"per_brief", "lists", "outcomes_slices", "regret", "calibration"} <= set(tables)
    assert not {"regret", "outcomes"} & set(report_tables(judged))
    pd.testing.assert_frame_equal(tables["per_brief"], report.evaluation.per_brief)


# -- the card ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["report", "judged"])
def test_a_card_is_made_of_the_runs_own_numbers(name: str, request: pytest.FixtureRequest) -> None:
    told: Report = request.getfixturevalue(name)
    card = render_card(told, "3")
    assert card.startswith("# Model card: kolmatch version 3\n")
    for heading in ("What it is", "What taught it", "How good it is", "Where it is weak", "Limits"):
        assert f"\n## {heading}" in card
    assert not re.search(r"\bnan\b|\bNone\b|\bNaT\b|\{\{|\{%", card)
    assert told.lead.sentence in card
    assert told.reliability is not None
    for number in (told.reliability.ece, told.reliability.ece_noise_floor):
        assert f"{number:.3f}" in card
    for hashed in (told.matcher.hash, told.config.hash, "Apache-2.0", SUBJECT.command):
        assert hashed in card
    # Tables end before anything else begins: a line after them would be one more row.
    lines = card.splitlines()
    for line, after in pairwise(lines):
        assert not line.startswith("|") or after.startswith("|") or not after


def test_cards_differ_where_models_do(report: Report, judged: Report) -> None:
    of_outcomes, of_grades = render_card(report), render_card(judged)
    assert "learned from what past collaborations brought" in of_outcomes
    assert "Selection bias" in of_outcomes
    assert f"{report.regret.set_index('ranker')['regret'][MODEL]:.1%}" in of_outcomes
    assert "learned from the grades that people gave" in of_grades
    assert "Selection bias" not in of_grades
    assert "Not for forecasting ctr, cvr, views" in of_grades
    assert "learned likeness" in of_grades


def test_a_card_tells_where_the_model_is_weak(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.leads.LEAST_BRANDS", 2)  # the small world has few
    table = report.evaluation.per_brief
    worse = table["slice"].str.startswith("goal: ") & (table["ranker"] == MODEL)
    hurt = table.assign(**{"ndcg@10": table["ndcg@10"].where(~worse, 0.0)})
    hurt["slice"] = hurt["slice"].str.replace(r"^goal: .*", "goal: every", regex=True)
    first = replace(report.rounds[0], evaluation=replace(report.evaluation, per_brief=hurt))
    weak = Report(report.subject, (first,), report.tables)
    assert "| goal: every |" in render_card(weak)
    row = next(line for line in render_card(weak).splitlines() if line.startswith("| goal: every"))
    assert row.endswith("| worse |")
    assert "| goal: every |" not in render_card(report)
