"""What each cause of a risk rests on, in sentences of both languages.

One function a cause of `matcher.risk.parts.CAUSES`, called only where the cause is above 0.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from features.contract import AUDIENCE
from features.evidence import excerpt
from features.history import LATE_DAYS
from features.signals.conduct import IDENTITY, JUMP_DAYS, changed_facts, earlier_profile
from features.wordlists import wordlist
from matcher.names import name_of
from matcher.reasons.phrases import short, wan
from matcher.risk.files import Files, Post
from matcher.wording import Text

MOST = 3
"""Posts, incidents or collaborations that a cause names at most."""
INCIDENTS: Mapping[str, str] = {
    "false_advertising": "虚假宣传",
    "inappropriate_speech": "不当言论",
    "product_quality_complaint": "产品质量投诉",
    "fake_engagement": "数据造假",
    "contract_breach": "违约",
    "tax_irregularity": "税务问题",
    "plagiarism": "抄袭",
    "misconduct": "失德行为",
}
"""What usual kinds of incidents are called in Chinese; others as they are written."""
FACTS: Mapping[str, Text] = {
    "display_name": Text("昵称", "name"),
    "language": Text("语言", "language"),
    "region": Text("地区", "region"),
    "verticals": Text("首要垂类", "first vertical"),
    "mcn": Text("所属 MCN", "MCN"),
}
TONGUES: Mapping[str, Text] = {
    "zh": Text("中文", "Chinese"),
    "en": Text("英文", "English"),
    "ja": Text("日文", "Japanese"),
    "ko": Text("韩文", "Korean"),
    "th": Text("泰文", "Thai"),
    "vi": Text("越南文", "Vietnamese"),
    "id": Text("印尼文", "Indonesian"),
    "es": Text("西班牙文", "Spanish"),
}
DIMENSIONS: Mapping[str, Text] = {
    "gender": Text("性别", "gender"),
    "age": Text("年龄", "age"),
    "region": Text("地域", "region"),
    "city_tier": Text("城市线级", "city tier"),
    "interest": Text("兴趣", "interest"),
}


def _day(time: Any) -> str:
    return "" if pd.isna(time) else f"{time:%Y-%m-%d}"


def _said(words: Iterable[str]) -> Text:
    quoted = [excerpt(word) for word in list(words)[:MOST]]
    return Text("".join(f"「{word}」" for word in quoted), ", ".join(f"“{w}”" for w in quoted))


# -- reputation ------------------------------------------------------------------------------


def _incidents(files: Files, place: int, *, unresolved: bool) -> list[Text]:
    known, now = files.known(files.history.incidents, place), files.as_of(place)
    open_ = known["resolved_at"].isna() | (known["resolved_at"] >= now)
    told = known[open_ if unresolved else ~open_].iloc[::-1]
    told = told.sort_values("severity", ascending=False, kind="stable").head(MOST)
    return [_incident(row, unresolved) for row in told.itertuples(index=False)]


def _incident(row: Any, unresolved: bool) -> Text:
    kind, report = excerpt(str(row.kind)), excerpt(row.evidence) if _text(row.evidence) else ""
    since, done = _day(row.known_at), _day(row.resolved_at)
    end = (
        Text("尚未了结", "not resolved") if unresolved else Text(f"{done} 了结", f"resolved {done}")
    )
    return Text(
        f"事件 {row.incident_id}（{INCIDENTS.get(kind, kind)}）：严重度 {row.severity:.2f}，"
        f"{since} 获知，{end.zh}{f'：「{report}」' if report else ''}",
        f"Incident {row.incident_id} ({kind.replace('_', ' ')}): severity {row.severity:.2f}, "
        f"known {since}, {end.en}{f': “{report}”' if report else ''}",
    )


def _burden(files: Files, place: int) -> list[Text]:
    return _incidents(files, place, unresolved=False)


def _open(files: Files, place: int) -> list[Text]:
    return _incidents(files, place, unresolved=True)


# -- posts -----------------------------------------------------------------------------------


def _claims_paid(files: Files, place: int) -> list[Text]:
    return _claims_of([post for post in files.posts(place) if post.paid], "商单", "Paid post")


def _claims(files: Files, place: int) -> list[Text]:
    return _claims_of([post for post in files.posts(place) if not post.paid], "作品", "Post")


def _claims_of(posts: Sequence[Post], zh: str, en: str) -> list[Text]:
    told = []
    for post in [post for post in posts if post.claims][:MOST]:
        words = _said(wordlist("claims").found(post.text))
        told.append(
            Text(f"{zh} {post.quote.zh}含{words.zh}", f"{en} {post.quote.en}, says {words.en}")
        )
    return told


def _undisclosed(files: Files, place: int) -> list[Text]:
    paid = [post for post in files.posts(place) if post.paid]
    hidden = [post for post in paid if not post.disclosed]
    shown = [post.quote for post in hidden[:MOST]]
    return [
        Text(
            f"近期 {len(paid)} 条商单中 {len(hidden)} 条未见广告或合作标识："
            f"{'、'.join(quote.zh for quote in shown)}",
            f"{len(hidden)} of {_counted(len(paid), 'recent paid post')} bear no mark of it: "
            f"{'; '.join(quote.en for quote in shown)}",
        )
    ]


def _copied(files: Files, place: int) -> list[Text]:
    told = []
    for post in [post for post in files.posts(place) if post.copied][:MOST]:
        words = _said(wordlist("copied").found(post.text))
        told.append(
            Text(
                f"作品 {post.quote.zh}带有非原创标记{words.zh}",
                f"Post {post.quote.en}, is marked as others' work: {words.en}",
            )
        )
    return told


def _paid_share(files: Files, place: int) -> list[Text]:
    share = files.number(place, "sponsored.share")
    count = files.number(place, "sponsored.posts")
    of = round(count / share)
    return [
        Text(
            f"近期 {of} 条作品中有 {count:.0f} 条商单，占 {share:.0%}",
            f"{count:.0f} of {_counted(of, 'recent post')} are sponsored, {share:.0%}",
        )
    ]


def _spread(files: Files, place: int) -> list[Text]:
    times = math.exp(files.number(place, "reach.spread"))
    views = math.expm1(files.number(place, "reach.median_views"))
    return [
        Text(
            f"近期播放量波动大：P90 是 P10 的 {times:,.0f} 倍，中位数 {wan(views)}",
            f"Views vary: the ninetieth percentile is {times:,.0f} times the tenth, median "
            f"{short(views)}",
        )
    ]


def _completion(files: Files, place: int) -> list[Text]:
    rate = files.number(place, "engagement.completion")
    return [
        Text(
            f"近期作品平均完播率仅 {rate:.1%}",
            f"Mean completion rate of recent posts is {rate:.1%}",
        )
    ]


# -- the record ------------------------------------------------------------------------------


def _cancelled(files: Files, place: int) -> list[Text]:
    ended = files.known(files.history.statuses, place)
    gone, done = ended[ended["cancelled"] == 1], int((ended["delivered"] == 1).sum())
    latest = gone.iloc[-1]
    total, day = len(gone) + done, _day(latest["known_at"])
    return [
        Text(
            f"已知 {total} 次合作中取消 {len(gone)} 次，"
            f"最近一次 {latest['collaboration_id']}（{day}）",
            f"{len(gone)} of {_counted(total, 'finished collaboration')} cancelled, the latest "
            f"{latest['collaboration_id']} ({day})",
        )
    ]


def _late(files: Files, place: int) -> list[Text]:
    known = files.known(files.history.deliveries, place)
    late = known[known["late"] == 1].iloc[::-1].head(MOST)
    return [_delivery(row) for row in late.itertuples(index=False)]


def _delivery(row: Any) -> Text:
    zh, en = [f"{_day(row.published_at)} 发布"], [f"published {_day(row.published_at)}"]
    if row.published_at > row.ends_at:
        zh.append(f"晚于需求截止日 {_day(row.ends_at)}")
        en.append(f"after the brief's last day {_day(row.ends_at)}")
    days = (row.published_at - row.signed_at).days if pd.notna(row.signed_at) else -1
    if days >= LATE_DAYS:
        zh.append(f"距签约 {days} 天")
        en.append(f"{days} days after signing")
    return Text(
        f"合作 {row.collaboration_id}：{'，'.join(zh)}",
        f"Collaboration {row.collaboration_id}: {', '.join(en)}",
    )


def _rival(files: Files, place: int) -> list[Text]:
    called = files.history.brand_names
    told = []
    for row in files.rival_work(place).iloc[::-1].head(MOST).itertuples(index=False):
        name = excerpt(str(called.get(row.brand_id, row.brand_id)))
        zh, en = ("商单", "paid post") if row.kind == "post" else ("合作", "collaboration")
        told.append(
            Text(
                f"{_day(row.worked_at)} 为竞品「{name}」做过{zh} {row.event_id}",
                f"Worked for the competitor {name} on {_day(row.worked_at)} ({en} {row.event_id})",
            )
        )
    return told


# -- the audience ----------------------------------------------------------------------------


def _finest(files: Files, place: int) -> list[Text]:
    profile = files.profile(place)
    share, name, label = min(
        (share, name, str(label))
        for name in AUDIENCE
        for label, share in (profile[f"audience_{name}"] or {}).items()
        if share > 0
    )
    people, told, said = (
        math.exp(files.number(place, "conduct.finest")),
        DIMENSIONS[name],
        excerpt(label),
    )
    return [
        Text(
            f"受众画像细到约 {people:,.0f} 人：{told.zh}「{said}」占 {share:.2%}",
            f"The audience is told down to about {people:,.0f} people: {told.en} “{said}”, "
            f"{share:.2%}",
        )
    ]


def _suspicious(files: Files, place: int) -> list[Text]:
    share, day = (
        files.number(place, "reach.suspicious_share"),
        _day(files.profile(place)["observed_at"]),
    )
    return [
        Text(
            f"可疑粉丝占 {share:.0%}（{day} 数据）",
            f"{share:.0%} of followers look fake (as of {day})",
        )
    ]


def _jump(files: Files, place: int) -> list[Text]:
    known = files.profiles(place)
    followers = np.log1p(known["followers"].to_numpy(dtype=np.float64))
    days = known["observed_at"].diff().dt.total_seconds().to_numpy() / 86_400
    pace = np.diff(followers, prepend=np.nan) / np.where(days > 0, days, np.nan)
    usual = float(np.nanmedian(pace))
    beyond = (pace - usual) * days
    recent = (known["observed_at"] >= files.as_of(place) - pd.Timedelta(days=JUMP_DAYS)).to_numpy()
    at = int(np.nanargmax(np.where(recent, beyond, np.nan)))
    before, after = (float(known["followers"].iloc[i]) for i in (at - 1, at))
    since, until = (_day(known["observed_at"].iloc[i]) for i in (at - 1, at))
    rise, month = after / max(before, 1.0) - 1, math.expm1(usual * 30)
    return [
        Text(
            f"{since} 至 {until} 粉丝由 {wan(before)} 增至 {wan(after)}（{rise:+.0%}），"
            f"平时每月约 {month:+.1%}",
            f"Followers went from {short(before)} ({since}) to {short(after)} ({until}), "
            f"{rise:+.0%}; usual is {month:+.1%} a month",
        )
    ]


def _band(files: Files, place: int) -> list[Text]:
    away, rate = files.number(place, "conduct.out_of_band"), files.number(place, "engagement.rate")
    zh, en = ("高", "above") if away > 0 else ("低", "below")
    return [
        Text(
            f"互动率 {rate:.1%}，比同平台同量级达人的中位水平{zh} {abs(away):.1f} 个标准差"
            "（稳健估计）",
            f"Engagement rate {rate:.1%}, {abs(away):.1f} robust standard deviations {en} the "
            "median of the same platform and tier",
        )
    ]


# -- fit to the brief ------------------------------------------------------------------------


def _blocked(files: Files, place: int) -> list[Text]:
    terms = [term for term in files.brief(place)["blocked_terms"] if term.strip()]
    told: list[Text] = []
    for post in files.posts(place):
        held = [term for term in terms if term.lower() in post.text.lower()]
        if held and len(told) < MOST:
            words = _said(held)
            told.append(
                Text(
                    f"作品 {post.quote.zh}含需求禁用词{words.zh}",
                    f"Post {post.quote.en}, holds what the brief blocks: {words.en}",
                )
            )
    return told


def _language(files: Files, place: int) -> list[Text]:
    ours = _tongue(str(files.brief(place)["language"]))
    theirs = _tongue(str(files.profile(place)["language"]))
    return [
        Text(
            f"达人使用{theirs.zh}，需求为{ours.zh}",
            f"The KOL's language is {theirs.en}, the brief's {ours.en}",
        )
    ]


def _tongue(code: str) -> Text:
    told = TONGUES.get(code.lower().partition("-")[0].partition("_")[0])
    return told or Text(f"「{excerpt(code)}」", f"“{excerpt(code)}”")


def _beside(files: Files, place: int) -> list[Text]:
    wanted = name_of("vertical", str(files.brief(place)["vertical"]))
    own = [name_of("vertical", excerpt(name)) for name in files.profile(place)["verticals"]]
    share = files.number(place, "category.vertical_posts")
    few = (
        Text(f"仅 {share:.0%} 的", f"{share:.0%} of")
        if share > 0.005
        else Text("没有", "none of the")
    )
    return [
        Text(
            f"达人垂类为{'、'.join(name.zh for name in own)}，"
            f"近期{few.zh}作品带有{wanted.zh}类标签",
            f"The KOL's verticals are {', '.join(name.en for name in own)}, and {few.en} recent "
            f"posts are tagged as {wanted.en}",
        )
    ]


def _turned(files: Files, place: int) -> list[Text]:
    sides = {
        half: Counter(post.vertical for post in files.posts(place) if post.half == half)
        for half in (1, -1)
    }
    newer, older = sides[1], sides[-1]
    gained = max(sorted(newer), key=lambda name: newer[name] - older[name])
    lost = max(sorted(older), key=lambda name: older[name] - newer[name])
    to, of = name_of("vertical", gained), name_of("vertical", lost)
    size = newer.total()
    return [
        Text(
            f"账号内容由{of.zh}转向{to.zh}：带垂类标签的近期作品中，较新的 {size} 条有 "
            f"{newer[gained]} 条属{to.zh}、{newer[lost]} 条属{of.zh}，较早的 {size} 条则为 "
            f"{older[gained]} 条和 {older[lost]} 条",
            f"Posts turned from {of.en} to {to.en}: of the {size} newer ones with a vertical in "
            f"their tags {newer[gained]} are {to.en} and {newer[lost]} {of.en}, of the {size} "
            f"older ones {older[gained]} and {older[lost]}",
        )
    ]


def _changed(files: Files, place: int) -> list[Text]:
    cell = files.view.cell[place]
    changed = files.view.cells.whole(changed_facts)[cell]
    before = files.history.kols.frame.iloc[int(files.view.cells.whole(earlier_profile)[cell])]
    now = files.profile(place)
    moves = [
        (FACTS[name], _fact(before[name]), _fact(now[name]))
        for name, moved in zip(IDENTITY, changed, strict=True)
        if moved
    ]
    since = _day(before["observed_at"])
    return [
        Text(
            f"自 {since} 以来账号资料有变："
            + "；".join(f"{name.zh}「{old}」改为「{new}」" for name, old, new in moves),
            f"The profile changed since {since}: "
            + "; ".join(f"{name.en} from “{old}” to “{new}”" for name, old, new in moves),
        )
    ]


def _unlicensed(files: Files, place: int) -> list[Text]:
    vertical = name_of("vertical", str(files.brief(place)["vertical"]))
    profile = files.profile(place)
    platform = name_of("platform", str(profile["platform"]))
    held = [excerpt(name) for name in profile["credentials"]]
    return [
        Text(
            f"{platform.zh}对{vertical.zh}类内容要求相应认证或资质，档案中未见"
            f"（现有：{'、'.join(held) or '无'}）",
            f"{platform.en} asks for a credential for {vertical.en}, and none is on file "
            f"(held: {', '.join(held) or 'none'})",
        )
    ]


def _limited(files: Files, place: int) -> list[Text]:
    platform = name_of("platform", str(files.profile(place)["platform"]))
    modes = [name_of("mode", mode) for mode in files.brief(place)["modes"]]
    return [
        Text(
            f"需求只允许{'、'.join(mode.zh for mode in modes)}，而{platform.zh}不支持或限制该形式",
            f"The brief allows only {', '.join(mode.en for mode in modes)}, which {platform.en} "
            "does not carry or limits",
        )
    ]


def _fact(value: Any) -> str:
    return excerpt(value[0] if isinstance(value, tuple) else str(value))


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


EVIDENCE: Mapping[str, Callable[[Files, int], list[Text]]] = {
    "burden": _burden,
    "open": _open,
    "claims_paid": _claims_paid,
    "claims": _claims,
    "undisclosed": _undisclosed,
    "spread": _spread,
    "completion": _completion,
    "cancelled": _cancelled,
    "late": _late,
    "copied": _copied,
    "rival": _rival,
    "finest": _finest,
    "suspicious": _suspicious,
    "jump": _jump,
    "band": _band,
    "blocked": _blocked,
    "language": _language,
    "beside": _beside,
    "turned": _turned,
    "changed": _changed,
    "unlicensed": _unlicensed,
    "limited": _limited,
    "paid_share": _paid_share,
}
"""The evidence of each cause."""
