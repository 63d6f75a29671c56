"""What codes of the data contract are called, in Chinese and English."""

from __future__ import annotations

from features.cells import vocabulary
from matcher.wording import Text

NAMES = {
    "platform": {
        "douyin": Text("抖音", "Douyin"),
        "kuaishou": Text("快手", "Kuaishou"),
        "xiaohongshu": Text("小红书", "Xiaohongshu"),
        "bilibili": Text("B站", "Bilibili"),
        "weibo": Text("微博", "Weibo"),
        "wechat_channels": Text("视频号", "WeChat Channels"),
        "wechat_mp": Text("公众号", "WeChat Official Account"),
        "tiktok": Text("TikTok", "TikTok"),
        "instagram": Text("Instagram", "Instagram"),
        "youtube": Text("YouTube", "YouTube"),
    },
    "mode": {
        "ad_placement": Text("广告植入", "ad placement"),
        "sponsorship": Text("赞助", "sponsorship"),
        "co_creation": Text("内容共创", "co-creation"),
        "live_commerce": Text("直播带货", "live commerce"),
        "q_and_a": Text("问答", "Q&A"),
        "social_interaction": Text("社交互动", "social interaction"),
        "offline_event": Text("线下活动", "offline event"),
        "product_co_design": Text("参与产品设计", "product co-design"),
        "joint_development": Text("共同研发", "joint development"),
    },
    "tier": {
        "nano": Text("素人", "nano"),
        "micro": Text("尾部", "micro"),
        "mid": Text("腰部", "mid"),
        "macro": Text("头部", "macro"),
        "mega": Text("超头部", "mega"),
    },
}


def name_of(dimension: str, code: str) -> Text:
    """Return what a platform, mode, tier or vertical is called; unknown codes are their own names.

    Examples
    --------
    >>> name_of("platform", "douyin").zh, name_of("tier", "mid").zh, name_of("mode", "q_and_a").en
    ('抖音', '腰部', 'Q&A')
    """
    if (text := NAMES.get(dimension, {}).get(code)) is not None:
        return text
    words = vocabulary().words["vertical"]
    own = (word for word, name in words.items() if name == code and not word.isascii())
    return Text(next(own, code), code.replace("_", " "))
