"""What a workbook says: headings, sheet names and the words for codes, in Chinese and English."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from matcher.wording import Text

Style = Literal["text", "id", "long", "integer", "decimal", "money", "percent", "rate", "ratio"]


@dataclass(frozen=True)
class Heading:
    """One column of a sheet.

    Attributes
    ----------
    column : str
        Column of the frame.
    head, about : Text
        What stands over it, and what it means.
    style : Style
        How its cells are written.
    width : int
        In characters of a sheet's default font.
    """

    column: str
    head: Text
    style: Style
    width: int
    about: Text


_ENDS = (
    ("p50", Text("", ""), Text("中位数", "median")),
    (
        "p10",
        Text("（低）", ", low"),
        Text("十分之九的情形高于此值", "nine in ten futures lie above"),
    ),
    (
        "p90",
        Text("（高）", ", high"),
        Text("十分之一的情形高于此值", "one in ten futures lies above"),
    ),
)
"""Quantiles of a figure: the usual one first, then the ends."""


def _quantiles(name: str, head: Text, style: Style, about: Text) -> tuple[Heading, ...]:
    """Return the three columns of an uncertain figure."""
    return tuple(
        Heading(
            f"{name}_{end}",
            Text(head.zh + which.zh, head.en + which.en),
            style,
            12,
            Text(f"{about.zh}（{told.zh}）", f"{about.en} ({told.en})"),
        )
        for end, which, told in _ENDS
    )


MATCHES = (
    Heading(
        "brief_id", Text("需求编号", "Brief ID"), "id", 14, Text("需求的编号", "Id of the brief")
    ),
    Heading(
        "title", Text("需求标题", "Brief"), "text", 24, Text("需求的标题", "Title of the brief")
    ),
    Heading("brand_name", Text("品牌", "Brand"), "text", 14, Text("品牌名称", "Brand that asks")),
    Heading(
        "rank",
        Text("排名", "Rank"),
        "integer",
        6,
        Text("在该需求内的名次，1 为最匹配", "Place within the brief; 1 is the best match"),
    ),
    Heading(
        "display_name",
        Text("达人昵称", "KOL"),
        "text",
        18,
        Text("达人在平台上的昵称", "Name of the KOL on the platform"),
    ),
    Heading(
        "platform", Text("平台", "Platform"), "text", 12, Text("所在平台", "Where they publish")
    ),
    Heading(
        "tier",
        Text("达人量级", "Tier"),
        "text",
        10,
        Text(
            "按粉丝数：素人 <1万，尾部 <10万，腰部 <50万，头部 <100万，超头部 ≥100万",
            "By followers: nano <10k, micro <100k, mid <500k, macro <1M, mega 1M and more",
        ),
    ),
    Heading(
        "followers",
        Text("粉丝数", "Followers"),
        "integer",
        12,
        Text("最近一次采集的粉丝数", "Followers when last observed"),
    ),
    Heading(
        "fit",
        Text("匹配度", "Fit"),
        "percent",
        10,
        Text(
            "校准后的概率：合作效果进入同类合作前一半的可能性（依据为人工评分时：评为 3 分及以上的"
            "可能性），可跨需求比较；仅内容时为空",
            "Calibrated chance that the collaboration lands in the upper half of comparable ones "
            "(on judgments: that a judge grades it 3 or 4); comparable between briefs; empty where "
            "content is all there is",
        ),
    ),
    Heading(
        "accept",
        Text("接受概率", "Says yes"),
        "percent",
        10,
        Text(
            "校准后的概率：联系后达人接受合作的可能性；数据不足时为空",
            "Calibrated chance that the KOL accepts when asked; empty where unknown",
        ),
    ),
    Heading(
        "mode",
        Text("合作形式", "Mode"),
        "text",
        14,
        Text("报价对应的合作形式", "Form of collaboration that the price is for"),
    ),
    Heading(
        "price",
        Text("报价", "Price"),
        "money",
        12,
        Text("该合作形式的有效刊例价，币种见下一列", "Quote in force, in the currency beside it"),
    ),
    Heading(
        "currency", Text("币种", "Currency"), "text", 8, Text("报价的币种", "Currency of the price")
    ),
    Heading(
        "price_low",
        Text("同类报价下限", "Peers from"),
        "money",
        12,
        Text(
            "同平台同量级达人同一合作形式报价的四分之一分位；人数不足时取全部平台",
            "A quarter of similar KOLs (tier, mode and platform; any platform where those are "
            "few) ask less",
        ),
    ),
    Heading(
        "price_high",
        Text("同类报价上限", "Peers to"),
        "money",
        12,
        Text(
            "同平台同量级达人同一合作形式报价的四分之三分位；人数不足时取全部平台",
            "A quarter of similar KOLs (tier, mode and platform; any platform where those are "
            "few) ask more",
        ),
    ),
    Heading(
        "median_views",
        Text("播放中位数", "Median views"),
        "integer",
        13,
        Text("近期作品播放量的中位数", "Median of the views of recent posts"),
    ),
    *_quantiles(
        "views",
        Text("预估播放量", "Views"),
        "integer",
        Text("本次合作预计带来的播放量", "Views that this collaboration would bring"),
    ),
    *_quantiles(
        "roi",
        Text("ROI", "ROI"),
        "ratio",
        Text(
            "（销售额×（1−退款率）×毛利率−报价）÷报价",
            "(sales less refunds, times the margin, less the price) over the price",
        ),
    ),
    Heading(
        "risk",
        Text("风险", "Risk"),
        "percent",
        8,
        Text(
            "0 为无已知风险，100% 为最高",
            "0 is none known, 100% the highest",
        ),
    ),
    Heading(
        "reasons",
        Text("推荐理由", "Reasons"),
        "long",
        60,
        Text("最能支持该达人的依据", "What speaks most for this KOL"),
    ),
    Heading(
        "engagement_rate",
        Text("预估互动率", "Engagement rate"),
        "rate",
        12,
        Text("预计互动量与播放量之比", "Engagements expected per view"),
    ),
    *_quantiles(
        "engagements",
        Text("预估互动量", "Engagements"),
        "integer",
        Text("预计点赞、评论、分享、收藏之和", "Likes, comments, shares and saves expected"),
    ),
    Heading(
        "ctr",
        Text("预估点击率", "Click-through"),
        "rate",
        11,
        Text("预计点击量与播放量之比", "Clicks expected per view"),
    ),
    Heading(
        "clicks_p50",
        Text("预估点击量", "Clicks"),
        "integer",
        11,
        Text("预计点击量的中位数", "Median of the clicks expected"),
    ),
    Heading(
        "cvr",
        Text("预估转化率", "Conversion"),
        "rate",
        11,
        Text(
            "预计点击到下单的比例；数据不足时为空", "Orders expected per click; empty where unknown"
        ),
    ),
    *_quantiles(
        "orders",
        Text("预估订单量", "Orders"),
        "integer",
        Text("预计带来的订单数", "Orders that this collaboration would bring"),
    ),
    *_quantiles(
        "gmv",
        Text("预估销售额", "Sales"),
        "money",
        Text("预计销售额，未扣退款，币种同报价", "Sales expected before refunds, in the currency"),
    ),
    Heading(
        "refund_rate",
        Text("预估退款率", "Refunds"),
        "rate",
        10,
        Text("预计退款占销售额的比例", "Share of sales expected to be sent back"),
    ),
    *_quantiles(
        "cpm",
        Text("CPM", "CPM"),
        "money",
        Text("千次播放成本", "Price of 1,000 views"),
    ),
    Heading(
        "cpe_p50",
        Text("CPE", "CPE"),
        "money",
        10,
        Text("单次互动成本的中位数", "Median price of an engagement"),
    ),
    Heading(
        "cpa_p50",
        Text("CPA", "CPA"),
        "money",
        10,
        Text(
            "单个订单成本的中位数；多数情形下无订单时为空",
            "Median price of an order; empty where most futures bring none",
        ),
    ),
    Heading(
        "evidence",
        Text("数据依据", "Evidence"),
        "long",
        40,
        Text("推荐理由所依据的指标与数值", "The signals behind the reasons, with their values"),
    ),
    Heading(
        "basis",
        Text("排序依据", "Basis"),
        "text",
        12,
        Text(
            "历史成效：从以往合作结果学习；人工评分：从人工评分学习；仅内容：仅按内容与受众相似度",
            "outcomes: learned from past results; judgments: learned from people's grades; "
            "content only: likeness of content and audience",
        ),
    ),
    Heading(
        "score",
        Text("排序分", "Score"),
        "decimal",
        10,
        Text(
            "只用于同一需求内排序，不可跨需求比较",
            "Orders KOLs within one brief; means nothing between briefs",
        ),
    ),
    Heading(
        "explored",
        Text("随机抽取", "Drawn"),
        "text",
        10,
        Text(
            "是：该名次由随机抽取产生，用于了解较少被选的达人",
            "yes: this place was drawn by chance, to learn about KOLs that are seldom chosen",
        ),
    ),
    Heading(
        "list_chance",
        Text("入选概率", "Chance"),
        "percent",
        10,
        Text(
            "该达人进入本名单的概率；非抽取的名次为 100%",
            "Chance of this KOL to be on this list; 100% for places that were not drawn",
        ),
    ),
    Heading("kol_id", Text("达人ID", "KOL ID"), "id", 22, Text("达人的编号", "Id of the KOL")),
)

EXCLUDED = (
    MATCHES[0],
    MATCHES[1],
    MATCHES[2],
    Heading(
        "text",
        Text("原因", "Reason"),
        "text",
        52,
        Text("达人被第一条不满足的条件排除", "A KOL is refused by the first filter that it fails"),
    ),
    Heading("kols", Text("达人数", "KOLs"), "integer", 10, Text("涉及的达人数", "How many KOLs")),
    Heading(
        "share",
        Text("占比", "Share"),
        "percent",
        10,
        Text("占全部达人的比例", "Of all KOLs that were looked at"),
    ),
    Heading(
        "listed",
        Text("推荐人数", "Listed"),
        "integer",
        10,
        Text("该需求在“匹配结果”中的达人数", "How many KOLs the brief has in the sheet Matches"),
    ),
)

SHEET_MATCHES = Text("匹配结果", "Matches")
SHEET_EXCLUDED = Text("排除情况", "Excluded")
SHEET_ABOUT = Text("说明", "About")

NO_MATCHES = Text(
    "本次没有符合条件的达人，原因见“排除情况”",
    "No KOL may serve these briefs; see the sheet Excluded",
)
CONTENT_ONLY = Text(
    "注意：没有可学习的历史成效，本次仅按内容与受众相似度排序，不预测效果。",
    "Note: without past outcomes to learn from, KOLs are ranked by likeness of content and "
    "audience only; nothing here predicts results.",
)
FROM_OUTCOMES = Text(
    "排序由模型从以往合作的实际结果中学习得到。",
    "The ranking was learned from what past collaborations really brought.",
)
FROM_JUDGMENTS = Text(
    "排序由模型从人工评分中学习得到，不预测合作效果。",
    "The ranking was learned from the grades that people gave; nothing here predicts results.",
)
RESTS_ON = {
    "outcomes": FROM_OUTCOMES,
    "judgments": FROM_JUDGMENTS,
    "content": CONTENT_ONLY,
}
"""What a run says of its basis."""
RUN = {
    "run_id": Text("批次", "Run"),
    "as_of": Text("数据截至（UTC）", "Known before (UTC)"),
    "created_at": Text("生成时间（UTC）", "Made at (UTC)"),
    "model_version": Text("模型版本", "Model version"),
    "model_hash": Text("模型指纹", "Model digest"),
    "encoder_id": Text("文本编码器", "Text encoder"),
    "config_hash": Text("配置指纹", "Settings digest"),
    "seed": Text("随机种子", "Seed"),
    "top": Text("每个需求最多推荐", "Matches per brief, at most"),
    "data_versions": Text("数据版本", "Data versions"),
}
NO_MODEL = Text("无模型", "none")
COLUMN, MEANING = Text("列", "Column"), Text("含义", "Meaning")

WORDS = {
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
    "explored": {"true": Text("是", "yes"), "false": Text("否", "no")},
    "basis": {
        "outcomes": Text("历史成效", "outcomes"),
        "judgments": Text("人工评分", "judgments"),
        "content": Text("仅内容", "content only"),
    },
}
"""Words for the codes of a column."""
