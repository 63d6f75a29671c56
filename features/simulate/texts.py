"""Words for the simulated world: posts, bios, briefs, in Chinese and English.

A brief and a post about the same subtopic seldom share words: each side draws from its own pool of
phrases (phrases_zh.toml, phrases_en.toml), wrapped in sentences and hashtags that every vertical
uses (filler.toml), and posts stray into other subjects. Words alone tell little; meaning does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from features.simulate.topics import Bools, Floats, Ints, Topics

_CHINESE_GIVEN = "小大阿老林苏沈陆江夏安乔白叶秦顾"
_CHINESE_NAMES = ("鹿", "桃子", "不困", "在路上", "一一", "栗子", "同学", "的日常", "可可", "豆包")
_ENGLISH_FIRST = ("mia", "leo", "nora", "kai", "ruby", "theo", "ivy", "max", "luna", "sam", "zoe")
_ENGLISH_LAST = ("daily", "loves", "lane", "onair", "diaries", "in.town", "works", "stories")

_BRAND_START = (("Lu", "露"), ("Mo", "墨"), ("An", "安"), ("Vi", "薇"), ("Ha", "禾"), ("Tai", "泰"))
_BRAND_MIDDLE = (("no", "诺"), ("ra", "然"), ("li", "丽"), ("yo", "悠"), ("se", "瑟"), ("ke", "可"))
_BRAND_END = (("va", "华"), ("ne", "妮"), ("to", "拓"), ("ly", "里"), ("mi", "米"), ("sa", "莎"))


@dataclass(frozen=True)
class PostPlan:
    """What each of ``n`` posts is about and how it is told.

    Attributes
    ----------
    zh : ndarray of bool, shape (n,)
        Chinese, else English.
    subtopic, second : ndarray of int, shape (n,)
        Subtopics; ``subtopic`` -1 is daily life, ``second`` -1 nothing more.
    vertical : ndarray of int, shape (n,)
        Whose hashtags it carries.
    draws : ndarray of int, shape (n, DRAWS)
        Which hook, phrases, filler, emoji and tags; equal draws make equal wording.
    tone : ndarray of int, shape (n,)
        0 positive, 1 plain, 2 critical.
    brands : sequence of (str or None)
        Name of the paying brand.
    sells : ndarray of bool, shape (n,)
        Whether it calls for a purchase.
    """

    zh: Bools
    subtopic: Ints
    second: Ints
    vertical: Ints
    draws: Ints
    tone: Ints
    brands: Sequence[str | None]
    sells: Bools


class Writer:
    """Write text from topics, reproducibly.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of all choices that a plan leaves open.
    topics : Topics
        Phrases and filler.
    """

    DRAWS = 9

    def __init__(self, rng: np.random.Generator, topics: Topics) -> None:
        self._rng = rng
        self._topics = topics
        facts = [topics.facts[v] for v in topics.verticals]
        self._vertical = {
            "zh": [f["zh"] for f in facts],
            "en": list(topics.verticals),
        }
        self._tags = {"zh": [f["tags_zh"] for f in facts], "en": [f["tags_en"] for f in facts]}

    def posts(self, plan: PostPlan) -> tuple[list[str], list[tuple[str, ...]]]:
        """Return text and tags of each post."""
        texts, tags = [], []
        rows = zip(
            np.where(plan.zh, "zh", "en").tolist(),
            plan.subtopic.tolist(),
            plan.second.tolist(),
            plan.vertical.tolist(),
            plan.draws.tolist(),
            plan.tone.tolist(),
            plan.brands,
            plan.sells.tolist(),
            strict=True,
        )
        for language, subtopic, second, vertical, draw, tone, brand, sells in rows:
            text, labels = self._post(
                language, subtopic, second, vertical, draw, tone, brand, sells
            )
            texts.append(text)
            tags.append(labels)
        return texts, tags

    def _post(
        self,
        language: str,
        subtopic: int,
        second: int,
        vertical: int,
        draw: list[int],
        tone: int,
        brand: str | None,
        sells: bool,
    ) -> tuple[str, tuple[str, ...]]:
        filler = self._topics.filler[language]
        stop = "，" if language == "zh" else ". "
        parts = [_pick(filler["hooks"], draw[0] // 8)] if draw[0] % 8 < 4 else []
        if subtopic < 0:
            parts.append(_pick(filler["daily"], draw[1]))
        else:
            phrases = self._topics.phrases[language][subtopic]
            # One phrase in sixty is what a brand would say: the pools are not quite apart.
            pool = phrases.brief if draw[1] % 60 == 0 else phrases.post
            parts.append(_pick(pool, draw[1] // 60))
            if draw[7] % 4 < 3:
                parts.append(_pick(phrases.post, draw[1] // 60 + 1 + draw[7] // 4 % 4))
        if second >= 0:
            parts.append(_pick(self._topics.phrases[language][second].post, draw[2]))
        if draw[3] % 8 < 5:
            parts.append(_pick(filler[("positive", "plain", "critical")[tone]], draw[3] // 8))
        if brand is not None:
            parts.insert(0, _pick(filler["sponsored"], draw[4]).format(brand=brand))
        if sells:
            parts.append(_pick(filler["buy"], draw[4]))
        labels = {_pick(filler["tags"], draw[5]), _pick(self._tags[language][vertical], draw[6])}
        if subtopic >= 0 and draw[7] % 5 < 2:
            labels.add(_pick(self._topics.phrases[language][subtopic].tags, draw[7] // 5))
        tags = tuple(sorted(labels))
        text = stop.join(parts) + _pick(filler["emoji"], draw[8])
        return text + "".join(f" #{tag}" for tag in tags), tags

    def names(self, zh: Bools, persons: Any) -> list[str]:
        """Return display names; accounts of one person have the same."""
        ids = [int(str(person)[1:]) for person in persons]
        return [
            f"{_pick(_CHINESE_GIVEN, i * 7)}{_pick(_CHINESE_NAMES, i // 16)}{i % 97:02d}"
            if chinese
            else f"{_pick(_ENGLISH_FIRST, i * 5)}.{_pick(_ENGLISH_LAST, i // 11)}{i % 97:02d}"
            for i, chinese in zip(ids, zh.tolist(), strict=True)
        ]

    def bios(self, zh: Bools, vertical: Ints, weights: Floats, sells: Bools) -> list[str | None]:
        """Return what KOLs say of themselves; some say nothing, sellers often show it."""
        draws = self._rng.integers(0, 1 << 30, (len(zh), 4)).tolist()
        main = np.argmax(weights, axis=1).tolist()
        languages = np.where(zh, "zh", "en").tolist()
        bios: list[str | None] = []
        for language, v, s, sell, draw in zip(
            languages, vertical.tolist(), main, sells.tolist(), draws, strict=True
        ):
            filler = self._topics.filler[language]
            parts = [
                _pick(filler["bios"], draw[0]).format(vertical=self._vertical[language][v]),
                _pick(filler["bio_extra"], draw[1]),
            ]
            if draw[2] % 3 == 0:
                parts.insert(1, _pick(self._topics.phrases[language][s].post, draw[2] // 3))
            if sell and draw[3] % 10 < 7:
                parts.append(_pick(filler["seller"], draw[3] // 10))
            empty = draw[0] // 64 % 16 == 0
            bios.append(
                None if empty else "｜".join(parts) if language == "zh" else " | ".join(parts)
            )
        return bios

    def brands(self, count: int) -> tuple[list[str], list[str]]:
        """Return names of brands in Chinese and in English."""
        grid = [
            (a[0] + b[0] + c[0], a[1] + b[1] + c[1])
            for a in _BRAND_START
            for b in _BRAND_MIDDLE
            for c in _BRAND_END
        ]
        order = self._rng.permutation(len(grid))
        chosen = [grid[order[i % len(grid)]] for i in range(count)]
        turns = [f" {i // len(grid) + 1}" if i >= len(grid) else "" for i in range(count)]
        return (
            [zh + turn for (_, zh), turn in zip(chosen, turns, strict=True)],
            [en + turn for (en, _), turn in zip(chosen, turns, strict=True)],
        )

    def briefs(
        self,
        zh: Bools,
        brands: Sequence[str],
        goals: Sequence[str],
        vertical: Ints,
        subtopics: Sequence[Sequence[int]],
    ) -> tuple[list[str], list[str]]:
        """Return title and text of each brief.

        Parameters
        ----------
        zh : ndarray of bool, shape (n,)
            Chinese, else English.
        brands, goals : sequence of str, length n
            Brand names, and goals of the contract.
        vertical : ndarray of int, shape (n,)
            Position of the vertical.
        subtopics : sequence of sequence of int, length n
            What the brief is about, the most important first.
        """
        titles, texts = [], []
        for i, language in enumerate(np.where(zh, "zh", "en").tolist()):
            filler, brand = self._topics.filler[language], brands[i]
            draw = self._rng.integers(0, 1 << 30, 6).tolist()
            name = self._vertical[language][vertical[i]]
            titles.append(_pick(filler["titles"], draw[0]).format(brand=brand, vertical=name))
            parts = [_pick(filler["openings"], draw[1]).format(brand=brand)]
            needs = self._needs(language, subtopics[i])
            for k, need in enumerate(needs):
                parts.append(_pick(filler["needs"], draw[2] + k).format(need=need))
            parts.append(_pick(filler["goals"][goals[i]], draw[3]))
            parts += [_pick(filler["asks"], draw[4] + k) for k in range(1 + draw[5] % 2)]
            texts.append("。".join(parts) + "。" if language == "zh" else ". ".join(parts) + ".")
        return titles, texts

    def _needs(self, language: str, subtopics: Sequence[int]) -> list[str]:
        """Pick three phrases of the main subtopic, one of each other."""
        phrases = self._topics.phrases[language]
        wanted = [3, *(1 for _ in subtopics[1:])]
        return [
            phrases[s].brief[k]
            for s, count in zip(subtopics, wanted, strict=True)
            for k in self._rng.permutation(len(phrases[s].brief))[:count]
        ]


def _pick(options: Sequence[str], draw: int) -> str:
    return options[draw % len(options)]
