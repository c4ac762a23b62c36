import msgspec
import pytest

from gateway.dialects.messages import MESSAGES
from providers.bedrock.errors import translate_error


@pytest.mark.parametrize(
    ("name", "status", "meant", "kind"),
    [
        ("ThrottlingException", 429, 429, "rate_limit_error"),
        ("ServiceQuotaExceededException", 400, 429, "rate_limit_error"),
        ("ValidationException", 400, 400, "invalid_request_error"),
        ("AccessDeniedException", 403, 403, "permission_error"),
        ("ExpiredTokenException", 403, 403, "authentication_error"),
        ("ResourceNotFoundException", 404, 404, "not_found_error"),
        ("ModelTimeoutException", 408, 504, "timeout_error"),
        ("ModelErrorException", 424, 502, "api_error"),
        ("ModelNotReadyException", 429, 529, "overloaded_error"),
        ("ServiceUnavailableException", 503, 503, "api_error"),
        ("InternalServerException", 500, 500, "api_error"),
        ("SomethingNewException", 418, 418, "invalid_request_error"),
        ("SomethingNewException", 505, 505, "api_error"),
    ],
)
def test_a_name_means_a_status_and_a_word(name: str, status: int, meant: int, kind: str) -> None:
    found = translate_error(name, status, b'{"message":"so it is"}')
    assert found is not None
    assert found.name == name.lower()
    assert found.status == meant
    assert msgspec.json.decode(found.body) == {
        "type": "error", "error": {"type": kind, "message": "so it is"},
    }  # fmt: skip
    assert MESSAGES.read_error(found.status, found.body).kind == kind


@pytest.mark.parametrize(
    "named",
    [
        "ThrottlingException:http://internal.amazon.com/coral/com.amazon.bedrock/",
        "com.amazon.coral.service#ThrottlingException",
        "throttlingException",
    ],
)
def test_a_name_may_come_with_a_namespace_and_an_address(named: str) -> None:
    found = translate_error(named, 400, b"{}")
    assert found is not None
    assert (found.name, found.status) == ("throttlingexception", 429)


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b'{"message":"a"}', "a"),
        (b'{"Message":"a"}', "a"),
        (b'{"message":null,"Message":"a"}', "a"),
        (b'{"message":7}', "by the way"),
        (b"<html>", "by the way"),
        (b"", "by the way"),
    ],
)
def test_the_words_are_where_they_are(payload: bytes, words: str) -> None:
    found = translate_error("ValidationException", 400, payload, "by the way")
    assert found is not None
    assert msgspec.json.decode(found.body)["error"]["message"] == words


def test_the_name_may_stand_in_the_payload() -> None:
    found = translate_error(
        "", 400, b'{"__type":"com.amazon#ThrottlingException","message":"slow"}'
    )
    assert found is not None
    assert found.status == 429


@pytest.mark.parametrize("body", [b"", b"<html>bad gateway</html>", b"[1]", b"{}"])
def test_a_body_that_says_nothing_is_left_alone(body: bytes) -> None:
    assert translate_error("", 502, body) is None


def test_an_error_of_the_messages_api_is_told_already() -> None:
    body = b'{"type":"error","error":{"type":"overloaded_error","message":"busy"}}'
    found = translate_error("ExpiredTokenException", 403, body)
    assert found is not None
    assert (found.name, found.status, found.body) == ("expiredtokenexception", 403, body)
