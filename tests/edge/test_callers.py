import pytest

from gateway.edge.callers import Callers
from gateway.errors import Unauthenticated
from tests.fakes import calls


def test_without_keys_everybody_is_anonymous() -> None:
    callers = Callers([])
    assert len(callers) == 0
    assert callers.caller([]).name == "anonymous"


def test_a_key_has_the_name_it_was_given_or_its_place() -> None:
    callers = Callers([calls.make_key("one"), calls.make_key("two", "ci")])
    assert callers.caller([(b"api-key", b"one")]).name == "client1"
    assert callers.caller([(b"authorization", b"Bearer two")]).name == "ci"


def test_the_other_credential_is_the_clients_own() -> None:
    shown = [(b"x-gateway-key", b"one"), (b"x-api-key", b"mine")]
    own = Callers([calls.make_key("one")]).caller(shown).credential
    assert own is not None
    assert own.reveal() == "mine"


@pytest.mark.parametrize("key", [b"", b"on", b"one ,", b"ONE"])
def test_no_other_key_will_do(key: bytes) -> None:
    with pytest.raises(Unauthenticated):
        Callers([calls.make_key("one")]).caller([(b"x-api-key", key)])
