from datetime import UTC, datetime

import pytest

from gateway.dialects.common.ratelimits import translated

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)


def chat(*headers: tuple[bytes, bytes]) -> dict[bytes, bytes]:
    return dict(translated(list(headers), "chat", NOW))


def messages(*headers: tuple[bytes, bytes]) -> dict[bytes, bytes]:
    return dict(translated(list(headers), "messages", NOW))


@pytest.mark.parametrize("what", [b"requests", b"tokens"])
@pytest.mark.parametrize("which", [b"limit", b"remaining"])
def test_counts_change_their_name_only(what: bytes, which: bytes) -> None:
    theirs = b"anthropic-ratelimit-" + what + b"-" + which
    ours = b"x-ratelimit-" + which + b"-" + what
    assert chat((theirs, b"7")) == {ours: b"7"}
    assert messages((ours, b"7")) == {theirs: b"7"}


@pytest.mark.parametrize(
    ("time", "duration"),
    [
        (b"2026-01-02T03:04:06.678Z", b"1000ms"),
        (b"2026-01-02T03:10:05.678Z", b"360000ms"),
        (b"2026-01-02T03:04:05.679Z", b"1ms"),
        (b"2026-01-02T03:04:05.6781Z", b"1ms"),
        (b"2026-01-02T04:04:05.678+01:00", b"0ms"),
        (b"2026-01-02T03:04:05Z", b"0ms"),
        (b"soon", b"soon"),
        (b"\xff", b"\xff"),
    ],
)
def test_a_time_becomes_milliseconds_from_now_rounded_up(time: bytes, duration: bytes) -> None:
    assert chat((b"anthropic-ratelimit-requests-reset", time)) == {
        b"x-ratelimit-reset-requests": duration
    }


@pytest.mark.parametrize(
    ("time", "duration"), [(b"2026-01-02T03:04:06", b"322ms"), (b"2026-01-02", b"0ms")]
)
def test_a_time_without_a_zone_is_universal(time: bytes, duration: bytes) -> None:
    assert chat((b"anthropic-ratelimit-requests-reset", time)) == {
        b"x-ratelimit-reset-requests": duration
    }


@pytest.mark.parametrize(
    ("duration", "time"),
    [
        (b"6m0s", b"2026-01-02T03:10:05.678Z"),
        (b"12ms", b"2026-01-02T03:04:05.690Z"),
        (b"1.5s", b"2026-01-02T03:04:07.178Z"),
        (b"1h2m3.004s", b"2026-01-02T04:06:08.682Z"),
        (b"0.5ms", b"2026-01-02T03:04:05.679Z"),
        (b"soon", b"soon"),
        (b"", b""),
        (b"9" * 400 + b"h", b"9" * 400 + b"h"),
        (b"99999999999999h", b"99999999999999h"),
    ],
)
def test_a_duration_becomes_a_time_rounded_up(duration: bytes, time: bytes) -> None:
    assert messages((b"x-ratelimit-reset-tokens", duration)) == {
        b"anthropic-ratelimit-tokens-reset": time
    }


def test_tokens_are_the_tighter_of_input_and_output_where_no_sum_is_told() -> None:
    found = chat(
        (b"anthropic-ratelimit-input-tokens-remaining", b"50"),
        (b"anthropic-ratelimit-output-tokens-remaining", b"8"),
    )
    assert found == {b"x-ratelimit-remaining-tokens": b"8"}
    found = chat(
        (b"anthropic-ratelimit-output-tokens-remaining", b"8"),
        (b"anthropic-ratelimit-input-tokens-remaining", b"50"),
    )
    assert found == {b"x-ratelimit-remaining-tokens": b"8"}


def test_other_headers_pass_in_order() -> None:
    headers = [(b"retry-after", b"1"), (b"x-ratelimit-limit-other", b"2"), (b"x", b"3")]
    assert translated(headers, "chat", NOW) == headers
    assert translated(headers, "messages", NOW) == headers
    assert translated([], "messages") == []
