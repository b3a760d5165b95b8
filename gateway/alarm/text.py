"""What a text message says of an alarm, in the resident's language. Pure. Short: 70 characters are one message."""

from gateway.alarm.rules import Rules
from gateway.model.alarm import Alarm
from gateway.model.finding import FindingKind

SHORT = 13
"""Characters of an alarm's id that stand for it: of a UUID of version 7 those are its milliseconds (RFC 9562, 5.7)."""

SAID: dict[str, dict[FindingKind, str]] = {
    "zh": {
        FindingKind.SOS: "有人按了求助按钮",
        FindingKind.FALL: "有人跌倒",
        FindingKind.SMOKE: "烟雾报警",
        FindingKind.CO: "一氧化碳报警",
        FindingKind.GAS: "燃气报警",
        FindingKind.WATER: "漏水报警",
        FindingKind.INACTIVITY: "很久没有看到老人活动",
        FindingKind.NOT_RETURNED: "老人出门很久没有回来",
        FindingKind.NOT_UP: "早上没有看到老人起床",
        FindingKind.NIGHT_EXIT: "夜里有人出门",
        FindingKind.BATHROOM_OVERSTAY: "老人在卫生间很久",
        FindingKind.BED_EXIT: "老人下床很久没有回来",
        FindingKind.LEFT_ON: "有电器忘了关",
        FindingKind.VITAL_SIGN: "健康测量值异常",
        FindingKind.TEST: "测试短信",
    },
    "en": {
        FindingKind.SOS: "the SOS button was pressed",
        FindingKind.FALL: "a fall",
        FindingKind.SMOKE: "smoke alarm",
        FindingKind.CO: "carbon monoxide alarm",
        FindingKind.GAS: "gas alarm",
        FindingKind.WATER: "water leak",
        FindingKind.INACTIVITY: "no movement seen for long",
        FindingKind.NOT_RETURNED: "out for long, not back",
        FindingKind.NOT_UP: "not seen getting up",
        FindingKind.NIGHT_EXIT: "somebody went out in the night",
        FindingKind.BATHROOM_OVERSTAY: "in the bathroom for long",
        FindingKind.BED_EXIT: "left the bed, not back for long",
        FindingKind.LEFT_ON: "something was left on",
        FindingKind.VITAL_SIGN: "a vital sign is beyond its limit",
        FindingKind.TEST: "a test",
    },
}
_FORM = {
    "zh": ("安居 {gateway}：{what}{room}。{do}编号 {short}", "（{}）",
           "服务中心没有应答，请打电话或上门查看。", "不用处理。"),
    "en": ("Anju {gateway}: {what}{room}. {do} Ref {short}", " ({})",
           "The care centre has not answered: please call or go there.", "Nothing to do."),
}


def short(alarm: str) -> str:
    """The id by which people and the city tell alarms apart: the beginning of the alarm's own."""
    return alarm[:SHORT]


def words(alarm: Alarm, rules: Rules) -> str:
    """The whole text."""
    texting, kind = rules.texting, alarm.finding.kind
    form, in_room, call, nothing = _FORM[texting.language]
    room = rules.rooms.get(alarm.finding.device, "")
    return form.format(gateway=texting.gateway, what=SAID[texting.language][kind], short=short(alarm.id),
                       room=in_room.format(room) if room else "",
                       do=nothing if kind is FindingKind.TEST else call)
