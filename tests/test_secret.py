"""Secrets that never print."""

import hashlib

from gateway.secret import Secret


def test_a_secret_shows_only_when_asked() -> None:
    secret = Secret("sk-1")
    assert secret.reveal() == "sk-1"
    shown = f"{secret} {secret!r} {[secret]} {secret:}"
    assert "sk-1" not in shown
    assert "***" in shown


def test_the_digest_is_of_the_whole_secret() -> None:
    assert Secret("sk-ü").digest() == hashlib.sha256("sk-ü".encode()).digest()


def test_equality_and_hash_go_by_the_text() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


def test_an_empty_secret_is_none() -> None:
    assert Secret("a")
    assert not Secret("")
