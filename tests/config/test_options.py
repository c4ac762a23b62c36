"""Options of variables and flags as layers."""

from gateway.config.layers import Layer, Rank
from gateway.config.options import environment_layer, flag_layer, option_text, unused_variables

FILE = Layer(rank=Rank.FILE, values={"providers": {"My-Own": {}}, "server": {"port": 1}})


def test_keys_are_spelled_as_the_file_spells_them() -> None:
    layer, faults = environment_layer({"INTERLINGUA__PROVIDERS__MY_OWN__PROXY": "p"}, FILE)
    assert (layer.values, faults) == ({"providers": {"My-Own": {"proxy": "p"}}}, [])
    assert layer.origins == {"providers.My-Own.proxy": "env INTERLINGUA__PROVIDERS__MY_OWN__PROXY"}


def test_the_full_name_of_an_option_beats_its_short_one() -> None:
    layer, _ = environment_layer({"PORT": "2", "INTERLINGUA__SERVER__PORT": "3"}, FILE)
    assert layer.values == {"server": {"port": "3"}}
    assert layer.origins == {"server.port": "env INTERLINGUA__SERVER__PORT"}


def test_an_option_below_a_value_is_a_fault() -> None:
    layer, faults = flag_layer({"server.port.x": 1}, [FILE])
    assert layer.values == {}
    assert [str(each) for each in faults] == [
        'flag --x: "server.port.x" lies below what is no table'
    ]


def test_retries_reach_each_fallback_of_the_chain() -> None:
    links = Layer(rank=Rank.FILE, values={"middleware": [{"use": "alias"}, {"use": "fallback"}]})
    layer, _ = environment_layer({"MAX_RETRIES": "2"}, links)
    assert layer.values == {"middleware": {1: {"attempts": 3}}}
    assert layer.origins == {"middleware[1].attempts": "env MAX_RETRIES"}


def test_a_variable_in_hours_is_an_option_in_seconds() -> None:
    assert option_text("MODELS_CACHE_TTL_HOURS", {"MODELS_CACHE_TTL_HOURS": "2"}) == "7200.0"


def test_a_variable_without_effect_is_a_warning() -> None:
    (warning,) = unused_variables({"MIN_TOKENS_LIMIT": "1", "MAX_TOKENS_LIMIT": " "})
    assert str(warning) == "env MIN_TOKENS_LIMIT: not used: nothing here answers to it"
