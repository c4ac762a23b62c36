"""Faults that no single option shows."""

import pytest

from gateway.config.checks import find_faults, is_loopback
from gateway.config.schema import Auth, Key, Profile, Routing, Server, Tables
from gateway.secret import Secret


def faults(config: Tables, *, keys_given: bool = True) -> list[str]:
    """The faults of a configuration as text."""
    return [str(each) for each in find_faults(config, keys_given=keys_given)]


def test_a_sound_configuration_has_no_faults() -> None:
    assert faults(Tables(), keys_given=False) == []


def test_a_key_and_a_name_may_stand_once() -> None:
    keys = [Key(key=Secret("k"), name="n"), Key(key=Secret("k"), name="n"), Key(key=Secret("l"))]
    assert faults(Tables(auth=Auth(keys=keys))) == [
        "auth.keys[1].name: the same name stands in [auth] keys twice",
        "auth.keys[1].key: the same key stands in [auth] keys twice",
    ]


def test_a_profile_is_named_by_one_name_alone() -> None:
    profiles = {"code": Profile(), "Code": Profile(), "echo": Profile()}
    routing = Routing(default_profile="cod")
    assert faults(Tables(profiles=profiles, providers={"Echo": {}}, routing=routing)) == [
        'profiles.echo: a provider is called "Echo" too: "echo:model" could mean either',
        "profiles.Code: stands here twice: case is not seen",
        'routing.default_profile: there is no profile "cod" (did you mean "Code"?)',
    ]


@pytest.mark.parametrize(("keys_given", "insecure"), [(True, False), (False, True)])
def test_a_public_address_needs_a_key_or_the_option(keys_given: bool, insecure: bool) -> None:
    server = Server(host="0.0.0.0", insecure_no_auth=insecure)
    assert faults(Tables(server=server), keys_given=keys_given) == []
    assert len(faults(Tables(server=Server(host="0.0.0.0")), keys_given=False)) == 1


def test_loopback_is_this_machine_alone() -> None:
    assert [is_loopback(each) for each in ("[::1]", "localhost", "10.0.0.1", "a")] == [
        True, True, False, False,
    ]  # fmt: skip
