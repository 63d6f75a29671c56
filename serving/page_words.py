"""What pages say, in Chinese and English: every label, unit and note in one place.

``{name}`` in a label is filled in on the page.
"""

from __future__ import annotations

from matcher.wording import Text
from serving.headings import REDACTED

LABELS: dict[str, Text] = {
    # -- the frame ---------------------------------------------------------------------------
    "doc.proposal": Text("达人投放建议书", "KOL campaign proposal"),
    "nav.skip": Text("跳到正文", "Skip to content"),
    "nav.index": Text("全部需求", "All briefs"),
    "nav.sections": Text("页内导航", "Sections"),
    "nav.plan": Text("投放组合", "Plan"),
    "nav.matches": Text("推荐达人", "Matches"),
    "nav.insight": Text("数据洞察", "Insight"),
    "nav.method": Text("筛选与口径", "Method"),
    "action.language": Text("语言", "Language"),
    "action.print": Text("导出 PDF", "Save as PDF"),
    "action.close": Text("关闭", "Close"),
    "action.next": Text("下一位", "Next"),
    "action.previous": Text("上一位", "Previous"),
    "action.reset": Text("清空筛选", "Clear filters"),
    "action.more": Text("展开全文", "Read it all"),
    "action.less": Text("收起", "Show less"),
    "unknown": Text("暂无数据", "unknown"),
    # -- the head ----------------------------------------------------------------------------
    "brief.goal": Text("投放目标", "Goal"),
    "brief.budget": Text("总预算", "Budget"),
    "brief.platforms": Text("投放平台", "Platforms"),
    "brief.modes": Text("合作形式", "Modes"),
    "brief.vertical": Text("品类", "Category"),
    "brief.period": Text("投放档期", "Flight"),
    "brief.wanted": Text("达人数量", "KOLs wanted"),
    "brief.max_price": Text("单个达人上限", "Cap per KOL"),
    "brief.min_followers": Text("粉丝门槛", "Followers, at least"),
    "brief.product_price": Text("产品客单价", "Product price"),
    "brief.margin": Text("毛利率", "Gross margin"),
    "brief.max_risk": Text("风险上限", "Risk, at most"),
    "brief.audience": Text("目标受众", "Target audience"),
    "brief.blocked": Text("禁用词", "Words to avoid"),
    "brief.any": Text("不限", "any"),
    "brief.id": Text("需求编号", "Brief"),
    "until": Text("{from} 至 {to}", "{from} to {to}"),
    "from": Text("{from} 起", "from {from}"),
    "to": Text("{to} 前", "until {to}"),
    "as_of": Text("数据截至 {time} UTC", "Data before {time} UTC"),
    "redacted": REDACTED,
    "model": Text("模型 v{version}", "Model v{version}"),
    "model.none": Text("未使用模型", "No model"),
    "model.age": Text("{days} 天前训练", "{days} days old"),
    "model.stale": Text(
        "模型库无法提供现任模型：本次使用本机保存的最近一份完好副本（模型 v{version}，"
        "训练于 {time}，距今 {days} 天）。",
        "The registry could not give the champion: the last good copy served, model v{version}, "
        "trained on {time}, {days} days before.",
    ),
    "basis.outcomes": Text("依据历史合作成效", "Learned from past results"),
    "basis.judgments": Text("依据人工评分", "Learned from people’s grades"),
    "basis.content": Text("仅依据内容与受众", "Content and audience only"),
    "basis.outcomes.about": Text(
        "排序由模型从以往合作的实际成效中学得。",
        "The ranking was learned from what past collaborations really brought.",
    ),
    "basis.judgments.about": Text(
        "排序由模型从人工评分中学得，不预测合作成效。",
        "The ranking was learned from the grades that people gave; it predicts no results.",
    ),
    "basis.content.about": Text(
        "没有可供学习的历史成效：本次仅按内容与受众的相似度排序，不预测成效。",
        "There were no past results to learn from: KOLs are ranked by likeness of content and "
        "audience only, and nothing here predicts results.",
    ),
    # -- figures -----------------------------------------------------------------------------
    "kpi.title": Text("核心指标", "At a glance"),
    "kpi.spend": Text("计划投放", "Planned spend"),
    "kpi.spend.of": Text("占预算 {budget} 的 {share}", "{share} of {budget}"),
    "kpi.kols": Text("入选达人", "KOLs in the plan"),
    "kpi.platforms": Text("覆盖 {n} 个平台", "on {n} platforms"),
    "kpi.platforms.one": Text("集中于{name}", "all on {name}"),
    "kpi.views": Text("预估总播放", "Expected views"),
    "kpi.reach": Text("去重触达人数", "Unique reach"),
    "kpi.reach.sub": Text("同一人只计一次", "different people"),
    "kpi.cpm": Text("综合 CPM", "Blended CPM"),
    "kpi.cpm.sub": Text("千次播放成本", "cost of 1,000 views"),
    "kpi.risk": Text("组合风险", "Risk of the plan"),
    "kpi.caution": Text(
        "合计为预估值，用于比较方案，不构成效果承诺：从未合作过的达人往往低于预估。",
        "Totals are forecasts to compare plans by, not promises: KOLs whom no campaign has tried "
        "tend to bring less.",
    ),
    "kpi.matched": Text("推荐达人", "KOLs matched"),
    "kpi.matched.sub": Text("从 {n} 位中筛选", "out of {n} screened"),
    "kpi.price": Text("报价中位数", "Median price"),
    "kpi.best": Text("最高匹配度", "Best fit"),
    "kpi.median_views": Text("播放中位数", "Median views"),
    "kpi.median": Text("推荐名单的中位数", "median of the list"),
    "kpi.lowrisk": Text("低风险占比", "Low risk"),
    "kpi.lowrisk.sub": Text("{n} 位中的 {k} 位", "{k} of {n}"),
    "range": Text("{low}–{high}", "{low}–{high}"),
    "interval": Text("八成把握区间 {low}–{high}", "80% interval {low}–{high}"),
    "value": Text("预期价值", "Expected value"),
    "value.awareness": Text("预期播放", "Expected views"),
    "value.seeding": Text("预期收藏+分享", "Expected saves + shares"),
    "value.engagement": Text("预期互动", "Expected engagements"),
    "value.co_creation": Text("预期互动", "Expected engagements"),
    "value.conversion": Text("预期毛利", "Expected gross profit"),
    "value.short.awareness": Text("预期播放", "Views"),
    "value.short.seeding": Text("收藏+分享", "Saves + shares"),
    "value.short.engagement": Text("预期互动", "Engagements"),
    "value.short.co_creation": Text("预期互动", "Engagements"),
    "value.short.conversion": Text("预期毛利", "Gross profit"),
    "value.short": Text("价值", "Value"),
    # -- the plan ----------------------------------------------------------------------------
    "plan.title": Text("投放组合", "The plan"),
    "plan.about": Text(
        "在预算内让预期产出最大、并计入接受概率与风险的一组达人",
        "The set that brings the most within the budget, chances of a yes and risks included",
    ),
    "plan.budget": Text("预算", "Budget"),
    "plan.slider": Text("预算档位", "Budget step"),
    "plan.step": Text("{budget}，原预算的 {share}", "{budget}, {share} of the brief’s"),
    "plan.baseline": Text("原预算", "brief’s budget"),
    "plan.members": Text("入选达人", "Who is in"),
    "plan.total": Text("合计", "Total"),
    "plan.share": Text("费用占比", "Share of spend"),
    "plan.adds": Text("新增触达", "Adds reach"),
    "plan.curve": Text("预算与产出", "What more budget brings"),
    "plan.curve.about": Text(
        "横轴为预算，纵轴为{value}；阴影为八成把握区间，圆点为当前档位",
        "Budget across, {value} up; the band is the 80% interval, the dot this step",
    ),
    "plan.curve.flat": Text(
        "{budget}以上再加预算，产出基本不变：在投放条件内，没有其他达人能明显增加产出",
        "Beyond {budget} more budget brings hardly more: within the brief’s limits nobody else "
        "would add to it",
    ),
    "plan.split": Text("费用分布", "Where the money goes"),
    "plan.notes": Text("要点", "Notes"),
    "plan.left": Text("未入选达人与入选价", "Left out, and the price at which they would enter"),
    "plan.left.about": Text(
        "其他条件不变，报价降到入选价以下即可进入组合",
        "All else the same, below this price they would be in the plan",
    ),
    "plan.asks": Text("报价", "Asks"),
    "plan.entry": Text("入选价", "Enters below"),
    "plan.cut": Text("需让价", "Discount needed"),
    "plan.never": Text("降价亦不入选", "not at any price"),
    "plan.show": Text("查看 {n} 位", "Show {n}"),
    "plan.infeasible": Text(
        "这一档预算没有可行的组合", "No set satisfies the limits at this budget"
    ),
    "plan.status.optimal": Text("已证明为最优", "Proven optimal"),
    "plan.status.time_limit": Text(
        "限时内的最好结果，距最优不超过 {gap}", "Best within the time limit, at most {gap} off"
    ),
    "plan.empty": Text("这一档没有入选达人", "Nobody is in the plan at this step"),
    "plan.in": Text("入选", "In plan"),
    # -- the list ----------------------------------------------------------------------------
    "list.title": Text("推荐达人", "Matches"),
    "list.about": Text(
        "点击任意一行查看理由、预测、风险与条款",
        "Open a row for reasons, forecasts, risks and clauses",
    ),
    "list.search": Text("搜索达人、简介、理由", "Search names, bios, reasons"),
    "list.search.label": Text("搜索", "Search"),
    "list.count": Text("共 {n} 位", "{n} KOLs"),
    "list.count.of": Text("{n} / {all} 位", "{n} of {all} KOLs"),
    "list.none": Text("没有符合筛选条件的达人", "No KOL passes these filters"),
    "list.nobody": Text(
        "没有符合条件的达人，原因见“筛选漏斗”", "No KOL may serve this brief; see the funnel below"
    ),
    "list.all": Text("全部", "All"),
    "list.min": Text("最低报价", "Price from"),
    "list.max": Text("最高报价", "Price to"),
    "list.planned": Text("仅看入选", "In plan only"),
    "list.sort": Text("排序", "Sort by"),
    "list.compare": Text("对比", "Compare"),
    "list.compare.pick": Text("选择{name}参与对比", "Pick {name} to compare"),
    "list.open": Text("查看{name}的详情", "Open {name}"),
    "list.caption": Text("推荐达人，可按列排序", "Matched KOLs; columns can be sorted"),
    "col.rank": Text("名次", "Rank"),
    "col.kol": Text("达人", "KOL"),
    "col.fit": Text("匹配度", "Fit"),
    "col.price": Text("刊例价", "Price"),
    "col.views": Text("预估播放", "Expected views"),
    "col.cpm": Text("CPM", "CPM"),
    "col.cpe": Text("CPE", "CPE"),
    "col.cpa": Text("CPA", "CPA"),
    "col.roi": Text("ROI", "ROI"),
    "col.accept": Text("接受概率", "Says yes"),
    "col.risk": Text("风险", "Risk"),
    "col.mode": Text("合作形式", "Mode"),
    "col.platform": Text("平台", "Platform"),
    "col.tier": Text("量级", "Tier"),
    "col.followers": Text("粉丝数", "Followers"),
    "col.plan": Text("组合", "Plan"),
    "col.why": Text("推荐理由", "Why"),
    "risk.low": Text("低", "Low"),
    "risk.medium": Text("中", "Medium"),
    "risk.high": Text("高", "High"),
    "risk.upto.low": Text("仅低风险", "Low only"),
    "risk.upto.medium": Text("中及以下", "Medium or less"),
    "risk.unknown": Text("未知", "Unknown"),
    # -- one KOL -----------------------------------------------------------------------------
    "kol.followers": Text("{n} 粉丝", "{n} followers"),
    "kol.followers.short": Text("{n}粉", "{n}"),
    "kol.stage": Text("账号阶段", "Stage"),
    "kol.halving": Text("180 天内互动腰斩概率", "Engagement halves in 180 days"),
    "kol.reasons": Text("推荐理由", "Why this KOL"),
    "kol.caution": Text("需要留意", "One caution"),
    "kol.forecast": Text("效果预估", "Forecast"),
    "kol.forecast.about": Text(
        "区间为 P10–P90：十次合作约八次落在其中",
        "P10–P90: about eight collaborations in ten fall inside",
    ),
    "kol.price.band": Text("同平台同量级同形式报价 {low}–{high}", "similar KOLs ask {low}–{high}"),
    "kol.price.within": Text("处于同类区间", "within the usual band"),
    "kol.price.above": Text("高于同类区间", "above the usual band"),
    "kol.price.below": Text("低于同类区间", "below the usual band"),
    "kol.modes": Text("可选合作形式", "Modes on offer"),
    "kol.recommended": Text("推荐", "Recommended"),
    "kol.signed": Text("做过 {n} 次", "{n} done"),
    "kol.risks": Text("风险与应对", "Risks and what to do"),
    "kol.risks.none": Text("未发现具名风险", "No named risk was found"),
    "kol.response": Text("应对策略", "Response"),
    "kol.clause": Text("建议条款", "Clause to ask for"),
    "kol.evidence": Text("证据", "Evidence"),
    "kol.posts": Text("契合的作品", "Posts that show the fit"),
    "kol.sponsored": Text("商单", "sponsored"),
    "kol.growth": Text("增长走势", "Growth"),
    "kol.growth.followers": Text("粉丝数", "Followers"),
    "kol.growth.views": Text("单条播放中位数", "Median views a post"),
    "kol.growth.change": Text("近一年 {share}", "{share} in the past year"),
    "kol.audience": Text("受众画像", "Audience"),
    "kol.audience.target": Text("竖线为品牌目标", "the mark is the brand’s target"),
    "kol.precedents": Text("相似合作案例", "Similar past campaigns"),
    "kol.precedents.own": Text("本人", "this KOL"),
    "kol.precedents.like": Text("同类达人 {name}", "{name}, a look-alike"),
    "kol.successors": Text("潜力替补", "Rising, cheaper look-alikes"),
    "kol.successors.about": Text(
        "内容相近、处于上升期且报价更低", "Alike in content, rising, and cheaper"
    ),
    "kol.similar": Text("内容相似度 {share}", "{share} alike"),
    "kol.monthly": Text("月涨粉 {share}", "{share} followers a month"),
    "kol.explored": Text("随机探索位", "Drawn by chance"),
    "kol.explored.about": Text(
        "该名次以 {share} 的概率随机抽取，用于了解较少被选的达人",
        "This place was drawn with a chance of {share}, to learn about KOLs that are seldom chosen",
    ),
    "kol.active": Text("活跃粉丝 {share}", "{share} active followers"),
    "kol.suspicious": Text("疑似水粉 {share}", "{share} suspicious followers"),
    "kol.mcn": Text("机构 {name}", "MCN {name}"),
    "f.views": Text("播放量", "Views"),
    "f.engagements": Text("互动量", "Engagements"),
    "f.orders": Text("订单量", "Orders"),
    "f.gmv": Text("销售额", "Sales"),
    "f.cpm": Text("CPM", "CPM"),
    "f.roi": Text("ROI", "ROI"),
    "f.er": Text("互动率", "Engagement rate"),
    "f.ctr": Text("点击率", "Click-through"),
    "f.cvr": Text("转化率", "Conversion"),
    "f.clicks": Text("点击量", "Clicks"),
    "f.refunds": Text("退款率", "Refunds"),
    "post.views": Text("播放", "views"),
    "post.likes": Text("赞", "likes"),
    "post.comments": Text("评", "comments"),
    "post.shares": Text("转", "shares"),
    "post.saves": Text("藏", "saves"),
    "f.completion": Text("完播率", "completion"),
    "f.median_views": Text("近期播放中位数", "Recent median views"),
    # -- comparing ---------------------------------------------------------------------------
    "compare.title": Text("达人对比", "Side by side"),
    "compare.go": Text("对比所选", "Compare"),
    "compare.hint": Text("再选一位达人即可对比", "Pick one more KOL to compare"),
    "compare.ready": Text("{a} 与 {b}", "{a} and {b}"),
    "compare.clear": Text("取消选择", "Clear"),
    "compare.figure": Text("指标", "Figure"),
    "compare.better": Text("更优", "better"),
    "compare.why": Text("名次差在哪里", "What sets them apart"),
    # -- charts ------------------------------------------------------------------------------
    "chart.scatter": Text("产出与价格", "Value against price"),
    "chart.scatter.about": Text(
        "越靠左上越划算；实心为入选达人，斜线为组合的平均性价比",
        "Up and left is better value; filled are in the plan, the line is the plan’s average",
    ),
    "chart.scatter.list": Text("越靠左上越划算", "Up and left is better value"),
    "chart.scatter.desc": Text(
        "{n} 位达人，横轴报价，纵轴{value}，两轴均为对数。入选 {k} 位。",
        "{n} KOLs by price (across) and {value} (up), both logarithmic; {k} are in the plan.",
    ),
    "chart.reach": Text("触达人群", "Who is reached"),
    "chart.reach.about": Text(
        "组合覆盖人群的构成，按预估触达加权；竖线为品牌目标",
        "The plan’s audience, weighted by expected reach; the mark is the brand’s target",
    ),
    "chart.reach.list": Text(
        "推荐名单的受众构成，按预估播放加权；竖线为品牌目标",
        "The list’s audience, weighted by expected views; the mark is the brand’s target",
    ),
    "chart.growth": Text("增长走势", "Growth"),
    "chart.growth.about": Text(
        "近一年粉丝数，右侧为涨跌幅", "Followers over the past year, and how much they changed"
    ),
    "chart.growth.desc": Text(
        "{name}的粉丝数从 {from} 变为 {to}", "{name}’s followers went from {from} to {to}"
    ),
    "chart.price": Text("报价", "Price"),
    "dim.gender": Text("性别", "Gender"),
    "dim.age": Text("年龄", "Age"),
    "dim.region": Text("地域", "Region"),
    "dim.city_tier": Text("城市线级", "City tier"),
    "dim.interest": Text("兴趣", "Interest"),
    "by.platform": Text("平台", "Platform"),
    "by.tier": Text("量级", "Tier"),
    "by.mode": Text("形式", "Mode"),
    "by.kol": Text("达人", "KOL"),
    # -- whom the filters refused, and how it was made ---------------------------------------
    "funnel.title": Text("筛选漏斗", "Who was left out, and why"),
    "funnel.about": Text(
        "共扫描 {n} 位达人，每位按第一条不满足的条件计入",
        "Of {n} KOLs, each counted at the first filter that it fails",
    ),
    "funnel.people": Text("{n} 位", "{n}"),
    "method.title": Text("口径说明", "How to read this"),
    "method.made": Text("生成信息", "How it was made"),
    "foot": Text(
        "预测基于历史数据，不构成效果承诺。", "Forecasts rest on past data and promise nothing."
    ),
    "run.id": Text("批次", "Run"),
    "run.as_of": Text("数据截至", "Data before"),
    "run.created_at": Text("生成时间", "Made at"),
    "run.model_version": Text("模型版本", "Model version"),
    "run.trained_at": Text("模型训练于", "Model trained at"),
    "run.stale": Text("使用旧副本的原因", "Why an older copy served"),
    "run.model_hash": Text("模型指纹", "Model digest"),
    "run.encoder_id": Text("文本编码器", "Text encoder"),
    "run.config_hash": Text("配置指纹", "Settings digest"),
    "run.seed": Text("随机种子", "Seed"),
    "run.top": Text("每个需求最多推荐", "Matches a brief, at most"),
    "run.data": Text("数据版本", "Data versions"),
    # -- print -------------------------------------------------------------------------------
    "print.for": Text("致", "Prepared for"),
    "print.list": Text("推荐名单", "The list"),
    "print.list.first": Text("推荐名单（前 {n} 位）", "The list (first {n})"),
    # -- the index ---------------------------------------------------------------------------
    "index.title": Text("达人投放建议", "KOL proposals"),
    "index.about": Text("{n} 个需求", "{n} briefs"),
    "index.about.one": Text("1 个需求", "1 brief"),
    "index.search": Text("搜索品牌、标题、目标", "Search brand, title, goal"),
    "index.total": Text("计划投放合计", "Planned spend in all"),
    "index.with_plan": Text("有投放组合的需求", "Briefs with a plan"),
    "index.seats": Text("入选达人次", "Places in plans"),
    "index.brief": Text("需求", "Brief"),
    "index.goal": Text("目标", "Goal"),
    "index.budget": Text("预算", "Budget"),
    "index.matched": Text("推荐达人", "Matched"),
    "index.planned": Text("入选", "In plan"),
    "index.spend": Text("计划投放", "Planned spend"),
    "index.value": Text("预期产出", "Expected value"),
    "index.none": Text("没有符合的需求", "No brief like that"),
    "index.caption": Text("本批次的需求", "Briefs of this run"),
    "index.untitled": Text("未命名需求", "Untitled brief"),
    "index.ends": Text("截止", "Ends"),
}

NOTES: dict[str, Text] = {
    "fit": Text(
        "匹配度：校准后的概率，即合作成效进入同类合作前一半的可能性（依据为人工评分时，为评到 3 分"
        "及以上的可能性），可跨需求比较。",
        "Fit is a calibrated chance that the collaboration lands in the upper half of comparable "
        "ones (on judgments: that a judge grades it 3 or 4). It may be compared between briefs.",
    ),
    "interval": Text(
        "预估以 P10 / P50 / P90 表示：十次合作约一次低于 P10，一次高于 P90。区间宽窄即把握大小。",
        "Forecasts are P10, P50 and P90: about one collaboration in ten falls below P10, and one "
        "above P90. How wide the interval is tells how sure the forecast is.",
    ),
    "chosen": Text(
        "预估学自过往实际合作过的达人；从未合作过的达人往往低于预估，组合合计宜用于比较方案，"
        "不宜作为效果承诺。复盘对账会给出偏差。",
        "Forecasts are learned from KOLs whom past campaigns chose. Those never chosen tend to "
        "bring less: use the plan’s totals to compare plans, not as a promise. `reconcile` tells "
        "how far off they were.",
    ),
    "price": Text(
        "刊例价为数据截至时仍有效的报价；同类区间为同平台、同量级、同形式报价的四分位区间。",
        "The price is the quote in force before the data’s end; the usual band holds the middle "
        "half of what KOLs of the same platform, tier and mode ask.",
    ),
    "value": Text(
        "产出按投放目标计：曝光看播放，种草看收藏与分享，互动与共创看互动量，转化看"
        "扣除退款后的销售毛利。组合产出另计入接受概率与风险。",
        "Value is in the unit of the goal: views for awareness, saves and shares for seeding, "
        "engagements for engagement and co-creation, gross profit after refunds for conversion. "
        "The plan’s value also counts the chance of a yes and the risk.",
    ),
    "roi": Text(
        "ROI =（销售额 ×（1 − 退款率）× 毛利率 − 费用）÷ 费用；0% 为保本。",
        "ROI is (sales less refunds, times the margin, less the price) over the price; 0% breaks "
        "even.",
    ),
    "accept": Text(
        "接受概率：联系后达人愿意接单的可能性，由以往邀约结果学得并校准。",
        "Says yes is the chance that the KOL accepts when asked, learned from past offers and "
        "calibrated.",
    ),
    "risk": Text(
        "风险 = 1 − Π（1 − 权重 × 得分），各类风险视为相互独立；硬性红线在筛选漏斗中直接排除。",
        "Risk is 1 − Π(1 − weight × score) over named risks, taken as independent. Hard limits "
        "exclude a KOL beforehand; see the funnel.",
    ),
    "reach": Text(
        "去重触达按受众重合度估算，同一人在多位达人处只计一次；多平台同一达人按一人计。",
        "Unique reach allows for shared audiences: a person who follows several of the set counts "
        "once. One human with several accounts counts as one KOL.",
    ),
    "time": Text(
        "所有数字只使用数据截至时刻之前已知的信息。",
        "Every figure uses only what was known before the data’s end.",
    ),
}
"""How to read the figures, in the order of telling."""

CODES: dict[str, dict[str, Text]] = {
    "gender": {
        "female": Text("女性", "women"),
        "male": Text("男性", "men"),
        "other": Text("其他", "other"),
    },
    "city_tier": {
        "tier1": Text("一线", "tier 1"),
        "new_tier1": Text("新一线", "new tier 1"),
        "tier2": Text("二线", "tier 2"),
        "tier3": Text("三线", "tier 3"),
        "tier4": Text("四线", "tier 4"),
        "tier3+": Text("三线及以下", "tier 3 and below"),
        "tier5": Text("五线及以下", "tier 5"),
        "overseas": Text("海外", "overseas"),
    },
}
"""Words for codes that no list has; the others are in `matcher.names`."""

LOW_RISK, MEDIUM_RISK = 0.2, 0.4
"""Total risk up to which it is called low, and medium."""
