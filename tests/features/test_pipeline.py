from collections.abc import Callable
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from features.config import FeatureConfig
from features.contract import RESERVED_SPACES, SPECS
from features.history import QUOTED_MODES, History
from features.offers import current_offers, quotes
from features.pipeline import FeaturePipeline
from features.projection import Spread
from features.signals import FAMILIES, Family
from features.signals.affinity import TEXT
from features.signals.vectors import VECTORS
from features.tables import Tables
from features.vectors import Embeddings

CONFIG = FeatureConfig(recent_posts=4, spaces=("topic", "video"))
SEEDS = st.integers(0, 10_000)
DAYS = st.integers(1, 70)
Day = Callable[[float], pd.Timestamp]
Maker = Callable[[int], Tables]


@pytest.fixture(scope="module")
def pipeline(embeddings: Embeddings) -> FeaturePipeline:
    """Return one that knows a projection of every space, so that what holds, holds of all."""
    rng = np.random.default_rng(0)
    projections = []
    for space, width in (("posts", 8), ("topic", 4), ("video", 3)):
        briefs, kols = rng.normal(size=(12, width)), rng.normal(size=(40, width))
        plain = Spread.of(space, briefs, kols).projection(rank=3).seen_from(briefs)
        pull = rng.normal(size=12)
        projections.append(plain.corrected(briefs, kols[:12], pull, strength=0.5))
    return FeaturePipeline(CONFIG, embeddings, projections=tuple(projections))


@pytest.mark.parametrize("space", RESERVED_SPACES)
def test_no_space_may_bear_the_name_of_our_own_signals(space: str) -> None:
    with pytest.raises(ValidationError, match=f"{space} name kolmatch's own signals"):
        FeatureConfig(spaces=("topic", space))
    # One column for two things, or one space for two kinds of vectors.
    assert f"{space}_cosine" in VECTORS or space == TEXT


def all_pairs(tables: Tables, *times: pd.Timestamp) -> pd.DataFrame:
    rows = product(tables.briefs["brief_id"], tables.kols["kol_id"].unique(), times)
    return pd.DataFrame(rows, columns=["brief_id", "kol_id", "as_of"])


def assert_identical(left: pd.DataFrame, right: pd.DataFrame) -> None:
    """Assert equality to the last bit."""
    pd.testing.assert_frame_equal(left, right, check_exact=True)


def assert_blind_to_the_future(pipeline: FeaturePipeline, tables: Tables, at: pd.Timestamp) -> None:
    pairs = all_pairs(tables, at)
    assert_identical(pipeline.transform(pairs, tables), pipeline.transform(pairs, tables.as_of(at)))


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, days=DAYS)
def test_features_equal_those_of_tables_cut_at_the_time(
    pipeline: FeaturePipeline, random_tables: Maker, day: Day, seed: int, days: int
) -> None:
    assert_blind_to_the_future(pipeline, random_tables(seed), day(days))


@settings(max_examples=10, deadline=None)
@given(seed=SEEDS, days=DAYS)
def test_other_rows_from_the_time_on_change_nothing(
    pipeline: FeaturePipeline, random_tables: Maker, day: Day, seed: int, days: int
) -> None:
    tables, other, at = random_tables(seed), random_tables(seed + 1), day(days)
    changed = {
        name: pd.concat([frame[frame[known] < at], fresh[fresh[known] >= at]])
        .drop_duplicates(list(SPECS[name].key))
        .reset_index(drop=True)
        for (name, frame), (_, fresh) in zip(tables, other, strict=True)
        # Rows that tell more later are cut by the contract itself, and tested above.
        if (known := SPECS[name].known_at) and name not in ("collaborations", "outcomes")
    }
    pairs = all_pairs(tables, at)
    assert_identical(
        pipeline.transform(pairs, tables), pipeline.transform(pairs, tables.replace(**changed))
    )


@settings(max_examples=10, deadline=None)
@given(seed=SEEDS, days=st.lists(DAYS, min_size=2, max_size=3, unique=True))
def test_order_of_rows_and_pairs_is_irrelevant(
    pipeline: FeaturePipeline, random_tables: Maker, day: Day, seed: int, days: list[int]
) -> None:
    tables = random_tables(seed)
    pairs = all_pairs(tables, *map(day, days))
    mixed = tables.replace(
        **{name: frame.sample(frac=1, random_state=seed) for name, frame in tables}
    )
    shuffled = pairs.sample(frac=1, random_state=seed)
    expected = pipeline.transform(pairs, tables)
    assert_identical(pipeline.transform(shuffled, mixed), expected.loc[shuffled.index])


@settings(max_examples=10, deadline=None)
@given(seed=SEEDS, days=DAYS)
def test_the_mode_of_the_offer_named_changes_nothing(
    pipeline: FeaturePipeline, random_tables: Maker, day: Day, seed: int, days: int
) -> None:
    history = History(random_tables(seed))
    pairs = all_pairs(history.tables, day(days))
    plain = pipeline.transform(pairs, history)
    offered = current_offers(pairs, history)["mode"]
    assert_identical(pipeline.transform(pairs.assign(mode=offered), history), plain)
    assert_identical(pipeline.transform(pairs.assign(mode=None), history), plain)


@settings(max_examples=10, deadline=None)
@given(seed=SEEDS, days=DAYS)
def test_pairs_seen_in_other_modes_are_as_if_asked_so_from_the_start(
    pipeline: FeaturePipeline, random_tables: Maker, day: Day, seed: int, days: int
) -> None:
    history = History(random_tables(seed))
    options = quotes(all_pairs(history.tables, day(days)), history)
    plain = pipeline.transform(options.drop(columns="mode"), history)
    asked = pipeline.transform(options, history)
    assert_identical(pipeline.in_mode(plain, options, history), asked)
    fixed = [f"{f.name}." for f in pipeline.families if not f.by_mode]
    same = [name for name in plain if name.startswith(tuple(fixed))]
    assert_identical(asked[same], plain[same])
    told = (asked["mode.kind"].astype(int)).map(dict(enumerate(QUOTED_MODES)))
    assert told.tolist() == options["mode"].tolist()


@settings(max_examples=5, deadline=None)
@given(seed=SEEDS, days=st.lists(DAYS, min_size=2, max_size=2, unique=True))
def test_a_pair_alone_is_as_in_a_batch(
    pipeline: FeaturePipeline, random_tables: Maker, day: Day, seed: int, days: list[int]
) -> None:
    history = History(random_tables(seed))
    pairs = all_pairs(history.tables, *map(day, days))
    whole = pipeline.transform(pairs, history)
    for row in range(0, len(pairs), 7):
        assert_identical(pipeline.transform(pairs.iloc[[row]], history), whole.iloc[[row]])


@pytest.mark.parametrize("seed", range(3))
def test_a_pair_is_not_set_against_peers_of_another_time(
    pipeline: FeaturePipeline, random_tables: Maker, day: Day, seed: int
) -> None:
    """At some times of a batch nobody is known yet: the others' peers must not move up."""
    tables = random_tables(seed)
    late = tables.kols.assign(observed_at=tables.kols["observed_at"] + pd.Timedelta(days=15))
    history = History(tables.replace(kols=late))
    pairs = all_pairs(history.tables, day(5), day(20), day(38))
    whole = pipeline.transform(pairs, history)
    assert whole["reach.percentile"].notna().any()
    assert whole["price.relative"].notna().any()
    for row in range(0, len(pairs), 5):
        assert_identical(pipeline.transform(pairs.iloc[[row]], history), whole.iloc[[row]])


def test_a_signal_that_sees_the_future_is_caught(
    embeddings: Embeddings, random_tables: Maker, day: Day
) -> None:
    def leak(view, embeddings, config):  # type: ignore[no-untyped-def]
        followers = view.history.tables.kols.groupby("kol_id")["followers"].last()
        return {"followers": followers.reindex(view.history.kol_ids).to_numpy()[view.kol]}

    leaky = FeaturePipeline(
        CONFIG, embeddings, (Family("leak", leak, {"followers": "of all times"}, "leak", "泄漏"),)
    )
    with pytest.raises(AssertionError):
        for seed in range(5):
            assert_blind_to_the_future(leaky, random_tables(seed), day(20))


def test_names_types_and_order_follow_from_the_settings(
    pipeline: FeaturePipeline, random_tables: Maker, day: Day
) -> None:
    tables = random_tables(1)
    found = pipeline.transform(all_pairs(tables, day(40)), tables)
    assert list(found) == pipeline.names
    assert len(set(pipeline.names)) == len(pipeline.names)
    assert (found.dtypes == "float64").all()
    assert not np.isinf(found.to_numpy()).any()
    assert "vectors.topic_cosine" in pipeline.names
    described = pipeline.describe()
    assert list(described["family"].drop_duplicates()) == [
        *(family.name for family in FAMILIES),
        "affinity",
    ]
    assert described["meaning"].str.len().min() > 5


def test_the_least_data_gives_features_and_no_crash(embeddings: Embeddings, day: Day) -> None:
    tables = Tables.of(
        briefs=pd.DataFrame(
            {"brief_id": ["b"], "brand_id": ["x"], "text": ["serum"], "goal": ["seeding"]}
        ),
        kols=pd.DataFrame({"kol_id": ["k"], "observed_at": [day(0)], "platform": ["douyin"]}),
    )
    pipeline = FeaturePipeline(FeatureConfig(), embeddings)
    found = pipeline.transform(all_pairs(tables, day(1)), tables)
    known = found.columns[found.notna().all()]
    assert {"category.platform", "category.goal", "brief.text_length"} <= set(known)
    # Nobody looked, so nothing is known: not 0.
    assert found.filter(regex="record|reputation|content|audience").isna().all(axis=None)


def test_no_pairs_give_no_rows(pipeline: FeaturePipeline, random_tables: Maker, day: Day) -> None:
    tables = random_tables(1)
    found = pipeline.transform(all_pairs(tables, day(3)).head(0), tables)
    assert found.shape == (0, len(pipeline.names))


def test_the_index_of_the_pairs_is_kept(
    pipeline: FeaturePipeline, random_tables: Maker, day: Day
) -> None:
    tables = random_tables(1)
    pairs = all_pairs(tables, day(40)).head(3).set_axis([9, 9, "z"])
    assert list(pipeline.transform(pairs, tables).index) == [9, 9, "z"]


def test_pairs_that_cannot_be_answered_are_refused(
    pipeline: FeaturePipeline, random_tables: Maker, day: Day
) -> None:
    tables = random_tables(1)
    pairs = all_pairs(tables, day(40))
    with pytest.raises(ValueError, match=r"without \['as_of'\]"):
        pipeline.transform(pairs.drop(columns="as_of"), tables)
    with pytest.raises(ValueError, match="kol_id 'nobody', which the table kols does not hold"):
        pipeline.transform(pairs.assign(kol_id="nobody"), tables)
    with pytest.raises(ValueError, match="brief_id 'none', which the table briefs"):
        pipeline.transform(pairs.assign(brief_id="none"), tables)
    with pytest.raises(ValueError, match="expected times with a zone"):
        pipeline.transform(pairs.assign(as_of=pd.Timestamp("2025-01-01")), tables)
    with pytest.raises(ValueError, match="without as_of"):
        pipeline.transform(pairs.assign(as_of=pairs["as_of"].where(pairs.index > 0)), tables)


def test_a_family_must_keep_its_word(
    embeddings: Embeddings, random_tables: Maker, day: Day
) -> None:
    family = Family("odd", lambda *_: {"b": np.zeros(20)}, {"a": "promised"}, "odd", "怪")
    tables = random_tables(1)
    with pytest.raises(ValueError, match=r"Got signals \['b'\] from family odd but expected"):
        FeaturePipeline(CONFIG, embeddings, (family,)).transform(all_pairs(tables, day(4)), tables)
