"""Dates and times as people write them, year first, read as UTC or refused."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from features.cells import RefusedError, Style, half_width

_CLOCK = r"(?P<h>\d{1,2}):(?P<m>\d{2})(?::(?P<s>\d{2})(?:[.,](?P<f>\d{1,9}))?)?"
_CLOCK_ZH = r"(?P<h>\d{1,2})[时点](?:(?P<m>\d{1,2})分)?(?:(?P<s>\d{1,2})秒)?"
_OFFSET = r"\s*(?P<zone>z|utc|gmt|[+-]\d{2}(?::?\d{2})?)?"
_DATE = r"(?P<Y>\d{4})(?P<sep>[-/.])(?P<M>\d{1,2})(?P=sep)(?P<D>\d{1,2})"
_DATE_ZH = r"(?P<Y>\d{4})\s*年\s*(?P<M>\d{1,2})\s*月\s*(?P<D>\d{1,2})\s*[日号]?"
_COMPACT = r"(?P<Y>\d{4})(?P<M>\d{2})(?P<D>\d{2})"
_FORMS = tuple(
    re.compile(form, re.ASCII | re.IGNORECASE)
    for form in (
        rf"{_DATE}(?:(?:\s*t\s*|\s+){_CLOCK}{_OFFSET})?",
        rf"{_DATE_ZH}(?:\s*{_CLOCK}{_OFFSET})?",
        rf"{_DATE_ZH}\s*{_CLOCK_ZH}{_OFFSET}",
        rf"{_COMPACT}(?:(?:\s*t\s*|\s+){_CLOCK}{_OFFSET})?",
        rf"{_COMPACT}t?(?P<h>\d{{2}})(?P<m>\d{{2}})(?P<s>\d{{2}}){_OFFSET}",
    )
)
_YEARS = range(1900, 2200)
_A_TIME = "a date or time such as 2025-04-12, 2025年4月12日 or 2025-04-12 18:30"
_YEAR_FIRST = "a date with its year first, such as 2025-04-12; which number is the month is unsaid"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_time(text: str, style: Style, *, closes: bool = False) -> datetime:
    """Read one date or time.

    Parameters
    ----------
    text : str
        Year first: ``2025/4/12``, ``2025-04-12 18:30``, ``2025年4月12日``, ``20250412`` or ISO
        8601 with or without an offset. A date alone is its first moment.
    style : Style
        ``timezone`` is that of times without an offset. ``unit`` ``"s"`` or ``"ms"`` reads
        numbers since 1970-01-01 UTC instead, and nothing else.
    closes : bool
        Whether a date alone is its last moment instead.

    Returns
    -------
    datetime
        In UTC.

    Raises
    ------
    RefusedError
        If the text could be several days, is not a day that exists, or is a clock time that the
        zone skips or repeats.
    """
    plain = half_width(text)
    if style.unit in ("s", "ms"):
        return _since_1970(plain, style.unit)
    match = next((m for form in _FORMS if (m := form.fullmatch(plain))), None)
    if match is None:
        day_first = re.match(r"\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}(?!\d)", plain, re.ASCII)
        if re.fullmatch(r"\d{10}(\.\d+)?|\d{13}", plain, re.ASCII):
            raise RefusedError(
                f'{_A_TIME}; for seconds since 1970 say unit = "s" or "ms" in the mapping'
            )
        raise RefusedError(_YEAR_FIRST if day_first else _A_TIME)
    part = match.groupdict()
    fraction = (part.get("f") or "").ljust(6, "0")[:6]
    year, month, day, hour, minute, second = (int(part.get(name) or 0) for name in "YMDhms")
    try:
        told = datetime(year, month, day, hour, minute, second, int(fraction))
    except ValueError as error:
        raise RefusedError(f"a day and time that exist ({error})") from error
    if told.year not in _YEARS:
        raise RefusedError(f"a year from {_YEARS[0]} to {_YEARS[-1]}")
    if closes and part.get("h") is None:
        told += timedelta(days=1, microseconds=-1)
    return _to_utc(told, part.get("zone"), style.timezone)


def _to_utc(told: datetime, offset: str | None, name: str) -> datetime:
    if offset is None:
        zone: tzinfo = UTC if name == "UTC" else ZoneInfo(name)
    elif offset[0] in "+-":
        digits = offset[1:].replace(":", "").ljust(4, "0")
        shift = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        if shift >= timedelta(hours=24):
            raise RefusedError("an offset from UTC of less than a day")
        zone = timezone(-shift if offset[0] == "-" else shift)
    else:
        zone = UTC
    time = told.replace(tzinfo=zone)
    if time.utcoffset() != time.replace(fold=1).utcoffset():
        # Where clocks go back an hour is told twice, where they go forward one is never told.
        raise RefusedError(f"a time with its offset, such as +08:00: clocks in {name} change then")
    return time.astimezone(UTC)


def _since_1970(plain: str, unit: str) -> datetime:
    words = {"s": "seconds", "ms": "milliseconds"}[unit]
    expected = f"whole {words} since 1970-01-01, in a year from {_YEARS[0]} to {_YEARS[-1]}"
    if not re.fullmatch(r"\d{1,16}(\.0*)?", plain, re.ASCII):
        raise RefusedError(expected)
    count = int(plain.partition(".")[0])
    try:
        time = _EPOCH + (
            timedelta(milliseconds=count) if unit == "ms" else timedelta(seconds=count)
        )
    except OverflowError as error:
        raise RefusedError(expected) from error
    if time.year not in _YEARS:
        raise RefusedError(expected)
    return time
