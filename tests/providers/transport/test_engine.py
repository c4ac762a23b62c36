"""What goes into a request."""

import pytest

from gateway.errors import InvalidRequest
from providers.transport.engine import (
    check_target,
    make_header_block,
    parse_base_url,
    parse_header_block,
    pool_timeout,
)


@pytest.mark.parametrize(
    ("url", "origin", "authority", "path"),
    [
        ("https://api.example.com/v1/", "api.example.com:443", "api.example.com", b"/v1"),
        ("http://localhost:11434", "localhost:11434", "localhost:11434", b""),
        ("http://[::1]:80/x%20y", "[::1]:80", "[::1]", b"/x%20y"),
        ("https://b\u00fccher.example", "xn--bcher-kva.example:443", "xn--bcher-kva.example", b""),
        ("https://h:80", "h:80", "h:80", b""),
    ],
)
def test_base(url: str, origin: str, authority: str, path: bytes) -> None:
    parts = parse_base_url(url)
    assert (parts.origin, parts.authority, parts.path) == (origin, authority, path)
    assert parts.tls == url.startswith("https")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://secret",
        "secret",
        "http://",
        "http://user:secret@host",
        "http://host/?key=secret",
        "http://host/#secret",
        "http://host:secret/",
        "http://host:99999/",
        "http://[secret/",
        "http://ho st/secret",
        "http://host/sec ret",
        "http://host/\u00e9secret",
        "http://" + "\u00e9" * 300 + ".secret",
    ],
)
def test_base_refuses_and_repeats_nothing(url: str) -> None:
    with pytest.raises(ValueError, match="base URL") as raised:
        parse_base_url(url)
    assert "secret" not in str(raised.value)


def test_block_and_back() -> None:
    headers = [(b"authorization", b"Bearer a: b"), (b"x", b"")]
    assert make_header_block(headers) == b"authorization: Bearer a: b\r\nx: \r\n"
    assert parse_header_block(make_header_block(headers)) == headers
    assert parse_header_block(make_header_block([])) == []


def test_block_names_the_header_and_not_its_value() -> None:
    with pytest.raises(InvalidRequest) as raised:
        make_header_block([(b"authorization", b"Bearer secret\r\n")])
    assert "authorization" in raised.value.message
    assert "secret" not in raised.value.message


def test_target() -> None:
    assert check_target(b"/a?b=%20") == b"/a?b=%20"
    with pytest.raises(InvalidRequest):
        check_target(b"//x\r\n")


def test_full_pool_says_to_come_again() -> None:
    error = pool_timeout("h:1", 2.0)
    assert (error.status, error.should_retry, error.code) == (503, True, "pool_timeout")
