"""Whether a KOL is what a brief is about, in words: content, audience, category."""

from __future__ import annotations

from matcher.comparisons import HALF, Both, against_candidates, lags
from matcher.figures import ABOVE, Facts, Post, Reason, percent, place

TOPICAL = 0.2
"""Share of recent posts on the brief's vertical, and likeness, that speak for a KOL."""
MATCHING = 0.6
"""Audience match that speaks for a KOL where there is nobody to compare with."""
QUOTED = 2
"""Posts that a reason quotes."""


def content(facts: Facts) -> Reason | None:
    """Name the posts that show the fit, or the bio of who posted nothing."""
    if not (facts.known("content.best") and facts.posts):
        return _bio(facts)
    if facts.get("content.best") < TOPICAL or lags(facts, "content.top3"):
        return None
    shown = _distinct(facts.posts)
    cosines = [f"{post.cosine:.2f}" for post in shown]
    several = len(shown) > 1
    en = f"Post{'s' * several} {' and '.join(_quote(post)[0] for post in shown)} "
    en += f"come{'s' * (not several)} closest to the brief (similarity {' and '.join(cosines)})"
    zh = "".join(_quote(post)[1] for post in shown)
    zh += f"{'两条' if several else '这条'}作品与需求最贴近（相似度 {'、'.join(cosines)}）"
    than = against_candidates(facts, "content.top3", "closer than", "契合度高于")
    return Reason(
        en + than[0],
        zh + than[1],
        facts.evidence("content.best", "content.top3", f"content.top3{ABOVE}"),
    )


def _bio(facts: Facts) -> Reason | None:
    if not facts.get("content.bio") >= TOPICAL or lags(facts, "content.bio"):
        return None
    bio = facts.get("content.bio")
    than = against_candidates(facts, "content.bio", "closer than", "高于")
    return Reason(
        f"The bio is close to the brief (similarity {bio:.2f}){than[0]}",
        f"达人简介与需求相近（相似度 {bio:.2f}）{than[1]}",
        facts.evidence("content.bio", f"content.bio{ABOVE}"),
    )


def _distinct(posts: tuple[Post, ...]) -> list[Post]:
    """Return the closest posts that do not read the same."""
    kept = {post.excerpt or post.post_id: post for post in reversed(posts)}
    return [post for post in posts if kept[post.excerpt or post.post_id] is post][:QUOTED]


def _quote(post: Post) -> Both:
    en, zh = (f"“{post.excerpt}”", f"「{post.excerpt}」") if post.excerpt else (post.post_id,) * 2
    return en + " (sponsored)" * post.sponsored, zh + "（商单）" * post.sponsored


def affinity(facts: Facts) -> Reason | None:
    """Speak of likeness to who suited past briefs."""
    name = "affinity.posts_recent"
    if not facts.above(name) >= HALF:
        return None
    share = place(facts.above(name))
    return Reason(
        f"Judged by who suited past briefs, fits this one better than {share} of the candidates",
        f"参照以往同类需求的选人结果，契合度高于 {share} 的备选达人",
        facts.evidence(name, name + ABOVE),
    )


def vectors(facts: Facts) -> Reason | None:
    """Speak of users' own vectors."""
    name = "vectors.mean_cosine"
    if not facts.get(name) >= TOPICAL or lags(facts, name):
        return None
    than = against_candidates(facts, name, "better than", "高于")
    return Reason(
        f"By your own profiles KOL and brief fit by {facts.get(name):.2f}{than[0]}",
        f"按自有画像数据，与需求的契合度 {facts.get(name):.2f}{than[1]}",
        facts.evidence(name, "vectors.max_cosine", name + ABOVE),
    )


def audience(facts: Facts) -> Reason | None:
    """Speak of an audience that is the target."""
    name = "audience.match"
    match = facts.get(name)
    if not facts.known(name) or lags(facts, name):
        return None
    if not facts.known(name + ABOVE) and match < MATCHING:
        return None
    than = against_candidates(facts, name, "better than", "高于")
    return Reason(
        f"Audience matches the target group by {percent(match)}{than[0]}",
        f"粉丝画像与目标人群匹配度 {percent(match)}{than[1]}",
        facts.evidence(name, name + ABOVE, "audience.target_share"),
    )


def category(facts: Facts) -> Reason | None:
    """Speak of posts on the brief's vertical."""
    name = "category.vertical_posts"
    share = facts.get(name)
    if not (facts.vertical and share >= TOPICAL) or (lags(facts, name) and share < HALF):
        return None
    than = against_candidates(facts, name, "more than", "高于")
    posts = facts.get("style.posts_seen")
    en, zh = (f"the latest {posts:.0f}", f"近 {posts:.0f} 条") if posts >= 1 else ("recent", "近期")
    return Reason(
        f"{percent(share)} of {en} posts are about {facts.vertical.replace('_', ' ')}{than[0]}",
        f"{zh}作品中{facts.vertical_zh}类内容占 {percent(share)}{than[1]}",
        facts.evidence(name, name + ABOVE, "category.vertical"),
    )
