"""Equal calls have equal keys, and only they have."""

from typing import Any

import msgspec
import pytest

from gateway.call import Call, Caller, Headers
from gateway.dialect import Dialect
from gateway.dialects.chat import CHAT
from gateway.dialects.messages import MESSAGES
from gateway.secret import Secret
from gateway.wire.raw_json import split_object
from middleware.cache.key import CacheKey, CacheKeys, has_opted_out, is_storable
from tests.fakes import calls


class Headed(calls.NamedProvider):
    """A provider that sends some of the client's headers on."""

    base_url: str = ""
    api_key: Secret | None = None
    forwarded = (b"openai-beta", b"idempotency-key")


SITE = calls.runtime("up", "other", providers={"headed": Headed()})
KEYS = CacheKeys(SITE, shared=False)
UP = calls.make_target("up")
HEADED = calls.make_target("headed")


def call(
    body: dict[str, Any] | None = None,
    *,
    caller: Caller = Caller("a"),
    dialect: Dialect = CHAT,
    headers: Headers | None = None,
) -> Call:
    made = calls.make_call({"max_tokens": 5} | (body or {}), dialect=dialect, headers=headers)
    return made.with_targets((UP,)).with_caller(caller)


def key(body: dict[str, Any] | None = None, **rest: Any) -> CacheKey:
    return KEYS.make_key(call(body, **rest))


BASE = key()


def test_the_same_call_has_the_same_key_whatever_the_order_of_its_members() -> None:
    turned = call()
    fields = dict(reversed(turned.fields.items()))
    assert KEYS.make_key(msgspec.structs.replace(turned, fields=fields)) == BASE


@pytest.mark.parametrize("way", [{"stream": True}, {"stream_options": {"include_usage": True}}])
def test_how_the_answer_is_sent_is_not_in_it(way: dict[str, object]) -> None:
    assert key(way) == BASE


@pytest.mark.parametrize(
    "change",
    [
        {"max_tokens": 6}, {"max_tokens": 5.0}, {"seed": 1}, {"metadata": {"a": 1}}, {"unknown": 0},
        {"messages": [{"role": "user", "content": "hi "}]}, {"model": "n"}, {"stop": None},
        {"messages": [{"role": "user", "content": "hi", "cache_control": {"type": "ephemeral"}}]},
        {"response_format": {"type": "json_object"}}, {"temperature": 0},
    ],
)  # fmt: skip
def test_everything_else_of_the_request_is(change: dict[str, object]) -> None:
    assert key(change) != BASE


def test_values_count_as_they_were_sent() -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens": 5}'
    spaced = body.replace(b'"role":"user"', b'"role": "user"')
    one, other = (msgspec.structs.replace(call(), fields=split_object(b)) for b in (body, spaced))
    assert KEYS.make_key(one) == BASE
    assert KEYS.make_key(other) != BASE


def test_members_do_not_run_into_one_another() -> None:
    assert key({"ab": "c"}) != key({"a": "bc"})
    assert key({"a": [1], "b": [2]}) != key({"a": [1, 2]})


def test_callers_are_apart_by_name_and_by_the_whole_of_their_own_credential() -> None:
    long = "sk-" + "x" * 200
    seen = [
        key(caller=Caller("a")), key(caller=Caller("b")),
        key(caller=Caller("a", Secret(long + "1"))), key(caller=Caller("a", Secret(long + "2"))),
        key(caller=Caller("b", Secret(long + "1"))),
    ]  # fmt: skip
    assert len({each.digest for each in seen}) == len(seen)
    assert seen[0].tenant == seen[2].tenant != seen[1].tenant


def test_shared_means_by_name_but_never_another_credentials_answers() -> None:
    shared = CacheKeys(SITE, shared=True)
    one, other = call(caller=Caller("a")), call(caller=Caller("b"))
    assert shared.make_key(one) == shared.make_key(other)
    assert shared.make_key(one) != shared.make_key(call(caller=Caller("a", Secret("own"))))
    assert shared.make_key(one).digest != KEYS.make_key(one).digest


def test_every_target_and_their_order_are_in_it() -> None:
    other = calls.make_target("other")
    made = [(UP,), (UP, other), (other, UP), (other,), (calls.make_target("up", "n"),)]
    assert len({KEYS.make_key(call().with_targets(targets)).digest for targets in made}) == len(
        made
    )


def test_an_upstream_that_is_configured_otherwise_is_another() -> None:
    def of(provider: Headed) -> CacheKey:
        keys = CacheKeys(calls.runtime(providers={"headed": provider}), shared=False)
        return keys.make_key(call().with_targets((HEADED,)))

    assert of(Headed(base_url="http://a")) != of(Headed(base_url="http://b"))
    assert of(Headed(api_key=Secret("one"))) == of(Headed(api_key=Secret("two")))


def test_headers_count_where_the_upstream_gets_them() -> None:
    def of(*headers: tuple[bytes, bytes]) -> CacheKey:
        return KEYS.make_key(call(headers=list(headers)).with_targets((HEADED,)))

    assert of((b"openai-beta", b"x")) != of()
    assert of((b"user-agent", b"x")) == of((b"idempotency-key", b"1")) == of()


class TestAcrossDialects:
    def test_a_request_that_all_dialects_read_alike_has_one_key(self) -> None:
        assert key(dialect=MESSAGES) == BASE

    @pytest.mark.parametrize(
        "body",
        [
            {"system": "be brief"}, {"stop": ["x"]}, {"stop_sequences": ["x"]}, {"tools": []},
            {"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": "x"}]},
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]},
            {"messages": [{"role": "user", "content": "x", "name": "n"}]},
            {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]},
        ],
    )  # fmt: skip
    def test_any_other_has_one_in_each(self, body: dict[str, object]) -> None:
        assert key(body, dialect=MESSAGES) != key(body)


@pytest.mark.parametrize(
    ("name", "value", "out"),
    [
        (b"cache-control", b"no-store", True), (b"cache-control", b"max-age=0, No-Cache", True),
        (b"x-gateway-cache", b"Bypass", True), (b"cache-control", b"max-age=0", False),
        (b"x-gateway-cache", b"on", False), (b"pragma", b"no-cache", False),
    ],
)  # fmt: skip
def test_opting_out(name: bytes, value: bytes, out: bool) -> None:
    assert has_opted_out([(b"accept", b"*/*"), (name, value)]) is out


@pytest.mark.parametrize(
    ("body", "without", "with_tools"),
    [
        ({}, True, True), ({"tools": []}, True, True), ({"n": 1, "logprobs": False}, True, True),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, False, True),
        ({"tools": [{"name": "f", "input_schema": {}}]}, False, True),
        ({"functions": [{"name": "f"}]}, False, True),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, False, False),
        ({"tools": "none"}, False, False), ({"web_search_options": {"a": 1}}, False, False),
        ({"n": 2}, False, False), ({"logprobs": True}, False, False),
        ({"modalities": ["text"]}, True, True), ({"modalities": ["text", "audio"]}, False, False),
        ({"mcp_servers": [{}]}, False, False), ({"n": True}, False, False),
    ],
)  # fmt: skip
def test_which_requests_have_answers_that_can_be_kept(
    body: dict[str, object], without: bool, with_tools: bool
) -> None:
    fields = calls.make_call(body).fields
    assert is_storable(fields, tools=False) is without
    assert is_storable(fields, tools=True) is with_tools
