"""Opaque reasoning sealed for the client to carry."""

import base64

import pytest
from hypothesis import given, strategies as st

from gateway.neutral.seal import PREFIX, Seal, Sealed, sealed_in

SEAL = Seal(b"key")
SEALED = st.builds(Sealed, st.text(), st.text(), st.text(), st.text())


@given(SEALED)
def test_what_is_sealed_comes_back(sealed: Sealed) -> None:
    blob = SEAL.seal(sealed)
    assert blob.startswith(PREFIX)
    assert blob.isascii()
    assert "=" not in blob
    assert Seal(b"key").unseal(blob) == sealed


@given(SEALED, st.data())
def test_a_changed_blob_yields_nothing_else(sealed: Sealed, data: st.DataObject) -> None:
    blob = SEAL.seal(sealed)
    at = data.draw(st.integers(0, len(blob) - 1))
    other = data.draw(st.characters())
    # the last character of base64 may hold bits that do not count
    assert SEAL.unseal(blob[:at] + other + blob[at + 1 :]) in (None, sealed)
    assert SEAL.unseal(blob[:at]) is None


@given(st.text(), st.binary())
def test_no_blob_breaks_it(text: str, packed: bytes) -> None:
    assert SEAL.unseal(text) is None
    assert SEAL.unseal(PREFIX + text) is None
    assert SEAL.unseal(PREFIX + base64.urlsafe_b64encode(packed).decode()) is None


@pytest.mark.parametrize("packed", [b"\x91" * 100_000, b"\x81\xa1x" + b"\x91" * 100_000])
def test_a_deep_blob_yields_nothing(packed: bytes) -> None:
    assert SEAL.unseal(PREFIX + base64.urlsafe_b64encode(packed).decode()) is None


def test_another_key_does_not_open_it() -> None:
    sealed = Sealed("openrouter", "m", "signature", "data")
    assert Seal(b"other").unseal(SEAL.seal(sealed)) is None
    assert Seal().unseal(Seal().seal(sealed)) is None
    own = Seal()
    assert own.unseal(own.seal(sealed)) == sealed


def test_members_do_not_run_into_each_other() -> None:
    assert SEAL.seal(Sealed("ab", "c", "k", "d")) != SEAL.seal(Sealed("a", "bc", "k", "d"))


@given(st.lists(st.sampled_from([b"~", b"~gw", b"gw01.", b"~gw01.", b"a" * 9]), max_size=9))
def test_a_seal_is_seen_wherever_it_stands(parts: list[bytes]) -> None:
    text = b"".join(parts)
    assert sealed_in(text) is (PREFIX.encode() in text)


@pytest.mark.parametrize("end", [b"", b"~", PREFIX.encode(), b"x" + PREFIX.encode() + b"x"])
def test_many_letters_of_its_kind_hide_no_seal(end: bytes) -> None:
    for count in (1, 63, 64, 65, 500):
        text = b"~ " * count + end
        assert sealed_in(text) is (PREFIX.encode() in text)
