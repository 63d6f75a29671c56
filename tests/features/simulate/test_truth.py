import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from features.simulate import World
from features.simulate.truth import BEST_FIT, audience_effect, audience_match, fit, fit_effect

Pairs = pd.DataFrame


@pytest.fixture(scope="module")
def pairs(world: World) -> Pairs:
    """KOLs that could serve a brief: an allowed mode and platform, a price, and the truth of it."""
    tables = world.tables
    briefs = tables.briefs.sample(80, random_state=0)[["brief_id", "goal", "modes", "platforms"]]
    offers = tables.rates.drop_duplicates(["kol_id", "mode"])[["kol_id", "mode", "currency"]]
    kols = tables.kols.drop_duplicates("kol_id", keep="last")
    offers = offers.merge(kols[["kol_id", "platform", "followers", "verticals"]])
    offers = offers.sample(frac=0.3, random_state=0)
    crossed = briefs.merge(tables.briefs[["brief_id", "currency", "vertical"]]).merge(
        offers, on="currency"
    )
    allowed = [
        mode in modes and (not platforms or platform in platforms)
        for mode, modes, platform, platforms in zip(
            crossed["mode"],
            crossed["modes"],
            crossed["platform"],
            crossed["platforms"],
            strict=True,
        )
    ]
    found = crossed[allowed].drop_duplicates(["brief_id", "kol_id"]).reset_index(drop=True)
    found = found.join(world.truth(found))
    found = found[found["price"].notna()].reset_index(drop=True)
    return _with_causes(world, found)


def _with_causes(world: World, found: Pairs) -> Pairs:
    brief = pd.Index(world._demand.brief_id).get_indexer(found["brief_id"])
    kol = pd.Index(world._market.kol_id).get_indexer(found["kol_id"])
    match = fit(world._market, world._demand, brief, kol)
    reach = audience_match(world._market, world._demand, brief, kol)
    return found.assign(
        fit=match,
        fit_effect=fit_effect(match),
        audience_effect=audience_effect(reach),
        log_value=np.log(found["value_per_cost"]),
        log_followers=np.log(found["followers"]),
        price_per_view=world._market.log_views[kol, -1] - np.log(found["price"]),
    )


def _within_briefs(found: Pairs, columns: list[str]) -> NDArray[np.float64]:
    centred = found[columns] - found.groupby("brief_id")[columns].transform("mean")
    return centred.to_numpy()


def _explained(found: Pairs, columns: list[str]) -> float:
    """Share of the variance of log value per cost inside briefs that columns explain linearly."""
    x, y = _within_briefs(found, columns), _within_briefs(found, ["log_value"])[:, 0]
    rest = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    return float(1 - rest.var() / y.var())


def test_fit_is_an_inverted_u():
    match = np.linspace(0, 1, 101)
    effect = fit_effect(match)
    peak = int(effect.argmax())
    assert match[peak] == pytest.approx(BEST_FIT)
    assert (np.diff(effect[: peak + 1]) > 0).all()
    assert (np.diff(effect[peak:]) < 0).all()
    assert 4 <= np.exp(effect.max() - effect[0]) <= 6
    assert effect[-1] < -0.2


def test_value_rises_with_fit_and_falls_when_it_is_perfect(pairs: Pairs):
    rest = _within_briefs(pairs, ["log_value", "price_per_view", "audience_effect"])
    others = np.linalg.lstsq(rest[:, 1:], rest[:, 0], rcond=None)[0]
    residual = pd.Series(rest[:, 0] - rest[:, 1:] @ others)
    edges = [-0.01, 0.1, 0.3, 0.6, 0.9, 1.01]
    by_fit = residual.groupby(pd.cut(pairs["fit"], edges).cat.codes.to_numpy()).mean()
    assert by_fit.iloc[:4].is_monotonic_increasing
    assert by_fit.iloc[4] < by_fit.iloc[3]


def test_smaller_creators_return_more_for_what_they_cost(pairs: Pairs):
    tier = pd.cut(pairs["followers"], [0, 1e4, 1e5, 5e5, np.inf], labels=False)
    for goal, rows in pairs.groupby("goal"):
        medians = rows["value_per_cost"].groupby(tier).median()
        assert medians.is_monotonic_decreasing, goal


def test_no_simple_rule_tells_half_of_the_value(pairs: Pairs):
    for rule in ("price_per_view", "log_followers", "fit_effect", "fit", "audience_effect"):
        assert _explained(pairs, [rule]) < 0.5, rule


def test_topic_and_audience_matter(pairs: Pairs):
    assert _explained(pairs, ["fit_effect"]) > 0.1
    assert _explained(pairs, ["audience_effect"]) > 0.1


def test_topic_matters_inside_a_vertical(pairs: Pairs):
    inside = pairs[[b in k[:1] for b, k in zip(pairs["vertical"], pairs["verticals"], strict=True)]]
    assert inside["fit_effect"].std() > 0.2


def test_answers_and_deliveries_come_as_often_as_the_truth_says(world: World):
    log = world.tables.collaborations
    log = log[log["status"].isin(["declined", "signed", "delivered", "cancelled"])]
    truth = world.truth(log)
    accepted = log["status"] != "declined"
    assert accepted.mean() == pytest.approx(truth["accept"].mean(), abs=0.02)
    likely = truth["accept"] > truth["accept"].median()
    assert accepted[likely].mean() > accepted[~likely].mean() + 0.1
    ended = log["status"].isin(["delivered", "cancelled"])
    kept = (log["status"] == "delivered")[ended]
    assert kept.mean() == pytest.approx(truth.loc[ended, "deliver"].mean(), abs=0.01)


def test_what_is_foreseeable_lacks_the_chemistry_alone(world: World):
    log = world.tables.collaborations.head(4000)
    truth, told = world.truth(log), world.truth(log, foreseeable=True)
    surprise = np.log(truth["views"] / told["views"])
    assert surprise.mean() == pytest.approx(0.0, abs=0.02)
    assert surprise.std() == pytest.approx(0.2, abs=0.01)
    assert told["price"].equals(truth["price"])
    assert told["accept"].equals(truth["accept"])
