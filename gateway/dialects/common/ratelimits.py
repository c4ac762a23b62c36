"""Rate-limit headers of one dialect converted to those of another.

Messages: `anthropic-ratelimit-requests-limit|-remaining|-reset`, resets as RFC 3339 times.
Chat: `x-ratelimit-limit-requests|...`, resets as durations such as `6m0s` or `12ms`.
"""

import re
from datetime import UTC, datetime, timedelta

from gateway.call import Headers

_MESSAGES = re.compile(
    rb"anthropic-ratelimit-(requests|tokens|input-tokens|output-tokens)-(limit|remaining|reset)"
)
_CHAT = re.compile(rb"x-ratelimit-(limit|remaining|reset)-(requests|tokens)")
_LIMITS = (b"x-ratelimit-", b"anthropic-ratelimit-")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def translated(headers: Headers, dialect: str, now: datetime | None = None) -> Headers:
    """The headers with their rate limits in the names and units of `dialect`."""
    if not [1 for name, _ in headers if name.startswith(_LIMITS)]:
        return headers
    if dialect == "messages":
        return [_to_messages(name, value, now) for name, value in headers]
    out: Headers = []
    limits: dict[tuple[bytes, bytes], bytes] = {}
    for name, value in headers:
        found = _MESSAGES.fullmatch(name) if name.startswith(_LIMITS) else None
        if found is None:
            out.append((name, value))
            continue
        what, which = found[1], found[2]
        if what == b"requests" or what == b"tokens":
            limits[what, which] = value
        elif which == b"remaining" and _tighter(value, limits.get((b"tokens", which))):
            limits[b"tokens", which] = value
        else:
            limits.setdefault((b"tokens", which), value)
    for (what, which), value in limits.items():
        chat = _duration(value, now) if which == b"reset" else value
        out.append((b"x-ratelimit-" + which + b"-" + what, chat))
    return out


def _to_messages(name: bytes, value: bytes, now: datetime | None) -> tuple[bytes, bytes]:
    found = _CHAT.fullmatch(name) if name.startswith(_LIMITS) else None
    if found is None:
        return name, value
    if found[1] == b"reset":
        value = _time(value, now)
    return b"anthropic-ratelimit-" + found[2] + b"-" + found[1], value


def _tighter(value: bytes, other: bytes | None) -> bool:
    return other is None or (value.isdigit() and other.isdigit() and int(value) < int(other))


def _duration(value: bytes, now: datetime | None) -> bytes:
    """Milliseconds until an RFC 3339 time, rounded up; the value itself if it does not parse."""
    try:
        at = datetime.fromisoformat(value.decode())
    except ValueError:
        return value
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    ms = max(0.0, (at - (now or datetime.now(UTC))).total_seconds() * 1000)
    return b"%dms" % -int(-ms // 1)


def _time(value: bytes, now: datetime | None) -> bytes:
    """The RFC 3339 time after a duration, rounded up; the value itself if it does not parse."""
    pieces = _DURATION.findall(value.decode("latin-1"))
    if not pieces:
        return value
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in pieces)
    try:
        at = (now or datetime.now(UTC)) + timedelta(milliseconds=-int(-seconds * 1000 // 1))
    except (OverflowError, ValueError):
        return value
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z").encode()
