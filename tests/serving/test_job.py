from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features.contract import BRIEFS, SPECS
from features.simulate import World
from features.tables import Tables
from features.vectors import Embeddings
from matcher.config import Config, ServingConfig
from matcher.model import Matcher
from matcher.registry import Loaded
from serving.job import Served, open_briefs, serve
from serving.publish import latest_run, read_run, runs

NOW = pd.Timestamp("2026-07-01", tz="UTC")


def _serve(home: Path, world: World, embeddings: Embeddings, **changes: Any) -> Served:
    told: dict[str, Any] = {
        "tables": world.tables,
        "versions": {"briefs": "1"},
        "home": home,
        "loaded": None,
        "config": Config(),
        "embeddings": embeddings,
        "as_of": world.as_of,
        "created_at": NOW,
    }
    return serve(**told | changes)


def test_a_brief_is_open_until_it_is_decided_or_over() -> None:
    told = {
        "undecided": (None, None),
        "decided later": ("2026-03-01", None),
        "decided just now": ("2026-02-01", None),
        "decided": ("2026-01-31", None),
        "ends later": (None, "2026-03-01"),
        "over": (None, "2026-01-31"),
    }
    rows = [
        {
            "brief_id": i,
            "brand_id": "x",
            "text": "t",
            "goal": "seeding",
            "decided_at": d,
            "ends_at": e,
        }
        for i, (d, e) in told.items()
    ]
    tables = Tables(
        **{name: spec.empty() for name, spec in SPECS.items()}
        | {"briefs": BRIEFS.conform(pd.DataFrame(rows))}
    )
    found = open_briefs(tables, pd.Timestamp("2026-02-01", tz="UTC"))
    assert found == sorted(["undecided", "decided later", "decided just now", "ends later"])


def test_open_briefs_are_matched_and_published_whole(
    tmp_path: Path, world: World, word_embeddings: Embeddings
) -> None:
    served = _serve(tmp_path, world, word_embeddings)
    assert served.run.run_id.startswith(f"{world.as_of:%Y%m%dT%H%M%SZ}-content-")
    assert served.run.model_version is None
    assert (served.run.basis, served.stale) == ("content", "")
    published = read_run(tmp_path, served.run.run_id)
    assert published.run == served.run == latest_run(tmp_path)
    matcher = Matcher(Config().with_spaces(world.tables), word_embeddings.encoder.id)
    ids = open_briefs(world.tables, world.as_of)
    expected = matcher.match(world.tables, ids, world.as_of, word_embeddings).matches
    columns = ["brief_id", "rank", "kol_id", "reasons_zh"]
    pd.testing.assert_frame_equal(published.matches[columns], expected[columns], check_dtype=False)
    assert set(published.exclusions["brief_id"]) == set(open_briefs(world.tables, world.as_of))


def test_the_same_run_twice_is_one_run_with_its_first_time(
    tmp_path: Path, world: World, word_embeddings: Embeddings
) -> None:
    first = _serve(tmp_path, world, word_embeddings, run_id="night")
    later = _serve(
        tmp_path, world, word_embeddings, run_id="night", created_at=NOW + NOW.resolution
    )
    assert later.run == first.run
    assert [run.run_id for run in runs(tmp_path)] == ["night"]


def test_the_model_of_a_run_is_on_record(
    tmp_path: Path, world: World, word_embeddings: Embeddings
) -> None:
    config = Config(seed=5)
    loaded = Loaded(Matcher(config, "words"), "7", stale="no network")
    served = _serve(tmp_path, world, word_embeddings, loaded=loaded, top=1)
    assert served.stale == "no network"
    assert "-v7-" in served.run.run_id
    assert (served.run.model_version, served.run.seed, served.run.top) == ("7", 5, 1)
    assert served.run.model_hash == loaded.matcher.hash
    assert served.run.config_hash == config.hash
    first = served.published.matches.drop_duplicates("brief_id")
    assert first["rank"].eq(1).all()
    booked = served.published.details["planned"].query("chosen").groupby("brief_id")["kol_id"]
    for brief_id, rest in served.published.matches.query("rank > 1").groupby("brief_id")["kol_id"]:
        assert set(rest) <= set(booked.get_group(brief_id))


def test_chosen_briefs_are_matched_once_each_even_when_decided(
    tmp_path: Path, world: World, word_embeddings: Embeddings
) -> None:
    decided = world.tables.briefs["brief_id"].iloc[0]
    chosen = _serve(tmp_path, world, word_embeddings, brief_ids=[decided, decided])
    assert set(chosen.published.exclusions["brief_id"]) == {decided}


def test_without_a_model_the_users_own_vectors_count(
    tmp_path: Path, world: World, word_embeddings: Embeddings
) -> None:
    vectors = pd.DataFrame(
        [("brief", b, "v") for b in world.tables.briefs["brief_id"]]
        + [("kol", k, "v") for k in world.tables.kols["kol_id"].unique()],
        columns=["owner", "id", "space"],
    ).assign(observed_at="1970-01-01", vector=[[1.0, 0.0]] * (len(world.tables.briefs) + 40))
    tables = world.tables.replace(vectors=SPECS["vectors"].conform(vectors))
    told = _serve(tmp_path, world, word_embeddings, tables=tables).published.matches["reasons_en"]
    assert told.map(lambda lines: any("your own profiles" in line for line in lines)).any()


def test_a_run_made_in_many_parts_is_the_run_made_at_once(
    tmp_path: Path, world: World, word_embeddings: Embeddings
) -> None:
    whole, parted = (
        _serve(
            tmp_path / name,
            world,
            word_embeddings,
            config=Config(serving=ServingConfig(chunk_pairs=pairs)),
        ).published
        for name, pairs in (("whole", 25_000), ("parted", 1))
    )
    for name, frame in whole.details.items():
        pd.testing.assert_frame_equal(parted.details[name], frame, obj=name)
    pd.testing.assert_frame_equal(parted.matches, whole.matches)
    pd.testing.assert_frame_equal(parted.exclusions, whole.exclusions)
    staging = tmp_path / "parted" / "results" / ".staging"
    assert not list(staging.iterdir())


def test_without_plans_lists_are_those_by_rank_alone(
    tmp_path: Path, world: World, word_embeddings: Embeddings
) -> None:
    planned = _serve(tmp_path, world, word_embeddings, top=5).published
    plain = _serve(tmp_path, world, word_embeddings, top=5, plan=False).published
    assert plain.run.run_id != planned.run.run_id
    assert plain.details["plans"].empty
    assert plain.details["planned"].empty
    first = planned.matches[planned.matches["rank"] <= 5].reset_index(drop=True)
    columns = ["brief_id", "rank", "kol_id", "score"]
    pd.testing.assert_frame_equal(plain.matches[columns], first[columns])


def test_a_run_that_is_cut_off_publishes_nothing(
    tmp_path: Path, world: World, word_embeddings: Embeddings, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Matcher.match_at

    def cut_off(*given: Any, **told: Any) -> Any:
        yield next(made(*given, **told))
        raise KeyboardInterrupt

    monkeypatch.setattr(Matcher, "match_at", cut_off)
    with pytest.raises(KeyboardInterrupt):
        _serve(tmp_path, world, word_embeddings)
    assert runs(tmp_path) == []
    monkeypatch.undo()
    assert _serve(tmp_path, world, word_embeddings).run == latest_run(tmp_path)


def test_no_open_brief_is_told_with_what_to_do(
    tmp_path: Path, world: World, word_embeddings: Embeddings
) -> None:
    late = world.as_of + pd.Timedelta(days=3650)
    with pytest.raises(ValueError, match=r"no brief that is open at 2036.*earlier --as-of"):
        _serve(tmp_path, world, word_embeddings, as_of=late)
    assert runs(tmp_path) == []


@pytest.mark.parametrize("run_id", ["a/b", "../x", "", ".", "a b"])
def test_a_bad_run_id_is_refused_before_the_work(
    tmp_path: Path, world: World, word_embeddings: Embeddings, run_id: str
) -> None:
    told: list[str] = []
    with pytest.raises(ValueError, match="Got run id"):
        _serve(
            tmp_path,
            world,
            word_embeddings,
            run_id=run_id,
            progress=lambda what, done, total: told.append(what),
        )
    assert told == []


def test_lists_with_drawn_places_are_another_run(
    tmp_path: Path, world: World, word_embeddings: Embeddings
) -> None:
    plain = _serve(tmp_path, world, word_embeddings, top=4)
    drawn = _serve(tmp_path, world, word_embeddings, top=4, explore_share=0.5)
    again = _serve(tmp_path, world, word_embeddings, top=4, explore_share=0.5)
    assert plain.run.run_id != drawn.run.run_id == again.run.run_id
    published = read_run(tmp_path, drawn.run.run_id).matches
    assert published["explored"].any()
    assert (published["list_chance"].lt(1) == published["explored"]).all()
