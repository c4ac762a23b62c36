import msgspec
import pytest
from msgspec import Raw

from gateway.call import Call, Headers, Target
from gateway.capability.record import Capability
from gateway.dialects.messages import MESSAGES
from gateway.errors import InvalidRequest
from providers.transport.cloud_messages import (
    HostedRequest,
    adapt_to_host,
    add_api_version,
    parse_betas,
    report_dropped,
    write_error_body,
)
from tests.fakes import calls

BETA = b"anthropic-beta"


def call(body: dict[str, object], *betas: bytes, known: tuple[str, ...] | None) -> Call:
    """A call with those betas to a host that knows these."""
    made = calls.make_call(body, dialect=MESSAGES, headers=[(BETA, each) for each in betas])
    return made.with_targets((Target("up", "m", (MESSAGES,), Capability(betas=known)),))


@pytest.mark.parametrize(
    ("headers", "betas"),
    [
        ([], []),
        ([(BETA, b"a-2025-01-01, b-2025-01-01"), (BETA, b"c,a-2025-01-01,,")],
         ["a-2025-01-01", "b-2025-01-01", "c"]),
        ([(b"other", b"a")], []),
    ],
)  # fmt: skip
def test_betas_come_in_any_number_of_headers(headers: Headers, betas: list[str]) -> None:
    assert parse_betas(headers) == betas


def test_only_what_the_host_knows_goes_on_by_the_hosts_name() -> None:
    known = ("one-2025-01-01", "two-2025-01-01=deux-2025-02-02")
    ours = adapt_to_host(call({}, b"two-2025-01-01,new-2026-01-01,one-2025-01-01", known=known), ())
    assert ours.betas == ["deux-2025-02-02", "one-2025-01-01"]
    assert ours.dropped == ["anthropic-beta:new-2026-01-01_unknown_to_host"]


def test_two_names_for_one_beta_are_one() -> None:
    known = ("a-2025-01-01=x", "b-2025-01-01=x")
    assert adapt_to_host(call({}, b"a-2025-01-01,b-2025-01-01", known=known), ()).betas == ["x"]


def test_a_host_that_says_nothing_of_betas_gets_them_all() -> None:
    assert adapt_to_host(call({}, b"any-2030-01-01", known=None), ()).betas == ["any-2030-01-01"]


def test_the_half_in_the_body_stays_behind_with_its_beta() -> None:
    body: dict[str, object] = {"mcp_servers": [], "container": {}, "context_management": {}}
    ours = adapt_to_host(
        call(body, b"mcp-client-2025-11-20,context-management-2025-06-27",
             known=("context-management-2025-06-27",)), (),
    )  # fmt: skip
    assert "mcp_servers" not in ours.fields
    assert {"container", "context_management"} <= ours.fields.keys()
    assert ours.dropped == [
        "anthropic-beta:mcp-client-2025-11-20_unknown_to_host", "mcp_servers:unknown_to_host",
    ]  # fmt: skip


def test_members_of_the_path_and_of_anthropics_own_are_left_out() -> None:
    ours = adapt_to_host(call({"service_tier": "auto", "max_tokens": 1}, known=()), ("model",))
    assert ours.fields == {"max_tokens": Raw(b"1"), **_messages(ours.fields)}
    assert (ours.dropped, ours.dropped_harmless) == ([], ["service_tier:unknown_to_host"])


def test_a_beta_that_asks_for_nothing_goes_in_silence() -> None:
    ours = adapt_to_host(call({}, b"claude-code-20250219,oauth-2025-04-20", known=()), ())
    assert (ours.betas, ours.dropped, ours.dropped_harmless) == ([], [], [])


def test_a_beta_without_which_the_answer_is_the_same_is_noted() -> None:
    mark = {"type": "ephemeral", "scope": "global"}
    body: dict[str, object] = {"system": [{"type": "text", "text": "x", "cache_control": mark}]}
    ours = adapt_to_host(call(body, b"prompt-caching-scope-2026-01-05", known=()), ())
    assert ours.dropped == []
    assert ours.dropped_harmless == [
        "anthropic-beta:prompt-caching-scope-2026-01-05_unknown_to_host",
        "cache_control.scope:unknown_to_host",
    ]
    assert b"scope" not in bytes(ours.fields["system"])


def _messages(fields: dict[str, Raw]) -> dict[str, Raw]:
    return {"messages": fields["messages"]} if "messages" in fields else {}


def test_each_loss_is_told_once_and_refused_where_nothing_may_be_lost() -> None:
    made = call({}, known=())
    made.record.warnings = ["before:it"]
    lost = HostedRequest({}, [], ["anthropic-beta:x_unknown_to_host"], ["c:d"])
    for _ in range(2):
        report_dropped(made, lost, strict=False)
    assert made.record.warnings == ["before:it", *lost.dropped, *lost.dropped_harmless]
    report_dropped(made, HostedRequest({}, [], [], ["e:f"]), strict=True)
    assert made.record.warnings[-1] == "e:f"
    with pytest.raises(InvalidRequest) as caught:
        report_dropped(made, lost, strict=True)
    assert caught.value.param == "anthropic-beta"


def test_a_version_is_added_where_the_client_gave_none() -> None:
    assert add_api_version({"a": Raw(b"1")}, "v") == {
        "anthropic_version": Raw(b'"v"'),
        "a": Raw(b"1"),
    }
    own = {"anthropic_version": Raw(b'"own"')}
    assert add_api_version(own, "v") == own


def test_an_error_is_one_of_the_messages_api() -> None:
    error = MESSAGES.read_error(429, write_error_body("rate_limit_error", "slow"))
    assert (error.kind, error.message) == ("rate_limit_error", "slow")
    assert msgspec.json.decode(write_error_body("a", "b"))["type"] == "error"
