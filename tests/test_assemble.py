"""Plugins made from a configuration: disabled, defaulted, ordered."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.assemble import assemble, try_assemble
from gateway.config.load import Config, load_config
from gateway.neutral.seal import Sealed
from tests.configs import CLOUD, LINKS, PLUGINS, faults, loaded, warnings


@pytest.fixture(autouse=True)
def _plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PLUGINS))


def own_links(config: Config) -> Config:
    """The configuration with a chain of third-party links alone."""
    return msgspec.structs.replace(config, middleware=[{"use": "acme.plugins:Limit"}])


class TestProviders:
    def test_one_without_its_key_is_disabled_and_the_others_serve(self, tmp_path: Path) -> None:
        text = CLOUD + 'api_key = "env:NONE"\n' + CLOUD.replace("cloud", "other")
        text += '[aliases]\nfast = ["cloud:m", "other:m"]\nslow = "cloud:m"\n'
        config = loaded(tmp_path, text)
        runtime, _ = assemble(own_links(config))
        assert list(runtime.providers) == ["other"]
        assert runtime.config.aliases == {"fast": ["other:m"]}
        assert runtime.config.routing.default_provider == "other"
        assert warnings(tmp_path, text)[0] == (
            "config.toml:1:1: providers.cloud: disabled: the environment variable NONE is not set"
        )

    def test_a_missing_key_among_several_is_left_out(self, tmp_path: Path) -> None:
        text = CLOUD + 'api_key = ["env:NONE", "env:TWO"]\n'
        config = loaded(tmp_path, text, {"TWO": "k1 k2"})
        cloud: Any = try_assemble(config).runtime.providers["cloud"]
        assert [key.reveal() for key in cloud.api_key] == ["k1", "k2"]
        assert warnings(tmp_path, text, {"TWO": "k"}) == [
            "config.toml:3:12: providers.cloud.api_key[0]: the environment variable NONE is not set"
        ]

    def test_calls_of_a_disabled_default_go_nowhere_else(self, tmp_path: Path) -> None:
        text = CLOUD + 'api_key = "env:NONE"\n' + CLOUD.replace("cloud", "other")
        config = loaded(tmp_path, text + "[routing]\ndefault_provider = 'cloud'\n")
        assert try_assemble(config).runtime.config.routing.default_provider == ""

    def test_a_key_in_the_file_is_taken_with_a_warning(self, tmp_path: Path) -> None:
        assert warnings(tmp_path, CLOUD + 'api_key = "sk-1"\n') == [
            "config.toml:3:1: providers.cloud.api_key: a key stands in the file; use env:NAME"
        ]

    def test_a_text_may_stand_in_a_variable(self, tmp_path: Path) -> None:
        config = loaded(tmp_path, CLOUD + 'base_url = "${URL}"\n', {"URL": "https://u.example"})
        cloud: Any = try_assemble(config).runtime.providers["cloud"]
        assert cloud.base_url == "https://u.example"

    def test_big_and_small_are_models_of_the_default_provider(self) -> None:
        config = try_assemble(load_config(None, {})).runtime.config
        assert config.aliases == {"big": ["echo:big"], "small": ["echo:small"]}
        env = {"OPENROUTER_API_KEY": "k", "ANTHROPIC_API_KEY": "k"}
        env["VDM_DEFAULT_PROVIDER"] = "openrouter"
        config = try_assemble(load_config(None, env)).runtime.config
        assert config.aliases["big"] == ["openrouter:anthropic/claude-sonnet-4"]

    def test_a_provider_that_is_not_the_default_gives_no_big(self) -> None:
        env = {"OPENAI_API_KEY": "k", "MISTRAL_API_KEY": "k", "VDM_DEFAULT_PROVIDER": "mistral"}
        assert try_assemble(load_config(None, env)).runtime.config.aliases == {}

    def test_echo_answers_where_none_is_left(self, tmp_path: Path) -> None:
        text = CLOUD + 'api_key = "env:NONE"\n[routing]\ndefault_provider = "cloud"\n'
        assembly = try_assemble(loaded(tmp_path, text))
        assert list(assembly.runtime.providers) == ["echo"]
        assert assembly.runtime.config.routing.default_provider == "echo"
        assert any('"echo" answers in their place' in each for each in warnings(tmp_path, text))

    def test_bad_options_of_a_shipped_provider_have_a_line(self, tmp_path: Path) -> None:
        text = '[providers.openai]\nuse = "openai"\ntimeouts = { idel = 3 }\n'
        assert faults(tmp_path, text)[0].startswith("config.toml:3:14: providers.openai.timeouts")

    def test_the_seal_is_that_of_the_key(self, tmp_path: Path) -> None:
        text = CLOUD + LINKS + '[server]\nseal_key = "env:SEAL"\n'
        sealed = Sealed("p", "m", "text", "d")
        sites = [assemble(loaded(tmp_path, text, {"SEAL": key}))[0] for key in ("a", "a", "b")]
        blob = sites[0].seal.seal(sealed)
        assert [runtime.seal.unseal(blob) for runtime in sites] == [sealed, sealed, None]


class TestChain:
    @pytest.mark.parametrize(
        ("uses", "said"),
        [
            (["alias", "auth"], 'middleware[1]: "auth" must stand before "alias"'),
            (["alias", "alias"], 'middleware[1]: "alias" stands in the chain twice'),
            (["auth", "convert"], 'middleware: no link "alias": nothing in the chain says which'),
            ([], 'middleware: no link "alias"'),
        ],
    )
    def test_an_order_that_cannot_work_is_a_fault(
        self, tmp_path: Path, uses: list[str], said: str
    ) -> None:
        text = "".join(f'[[middleware]]\nuse = "{use}"\n' for use in uses)
        found = faults(tmp_path, (text or "middleware = []\n") + CLOUD)
        assert any(said in each for each in found), found

    def test_without_convert_there_is_a_warning(self, tmp_path: Path) -> None:
        found = warnings(tmp_path, '[[middleware]]\nuse = "alias"\n' + CLOUD)
        assert 'no link "convert"' in found[0]

    def test_what_comes_after_convert_is_told_of(self, tmp_path: Path) -> None:
        text = "".join(f'[[middleware]]\nuse = "{use}"\n' for use in ("alias", "convert"))
        found = warnings(tmp_path, text + LINKS + CLOUD)
        assert found == [
            (
                "config.toml:3:1: middleware[1]: "
                "the links after \"convert\" see the provider's dialect, not the client's"
            )
        ]

    def test_a_link_gets_its_options(self, tmp_path: Path) -> None:
        text = f'{CLOUD}{LINKS}largest = "2MiB"\nrules = [{{ model = "m" }}]\n'
        _, links = assemble(loaded(tmp_path, text))
        link: Any = links[0]
        assert (link.largest, link.rules[0].per_minute) == (2 * 1024 * 1024, 60)


class TestProfiles:
    def test_targets_at_disabled_providers_are_left_out(self, tmp_path: Path) -> None:
        text = CLOUD + 'api_key = "env:NONE"\n' + CLOUD.replace("cloud", "other")
        text += '[profiles.code]\ntimeout = 3\naliases = { a = ["cloud:m", "other:m"] }\n'
        runtime, _ = assemble(own_links(loaded(tmp_path, text)))
        assert runtime.config.profiles["code"].aliases == {"a": ["other:m"]}
        assert runtime.config.profiles["code"].timeout == 3
        assert any(
            "profiles.code.aliases.a: leaves out" in each for each in warnings(tmp_path, text)
        )

    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            ("timeout = -1", "profiles.code.timeout: expected a number of at least 0"),
            ("odd = 1", "profiles.code.odd: there is no such option"),
            (
                'aliases = { a = "clod:m" }',
                'profiles.code.aliases.a[0]: there is no provider "clod" (did you mean "cloud"?)',
            ),
            (
                'aliases = { a = "b", b = "code:a" }',
                "profiles.code.aliases.a: leads in a circle: code:a -> code:b -> code:a",
            ),
            ("aliases = { a = [] }", "profiles.code.aliases.a: names no model"),
        ],
    )
    def test_what_is_wrong_is_told_with_its_line(
        self, text: str, fault: str, tmp_path: Path
    ) -> None:
        found = faults(tmp_path, f"{CLOUD}[profiles.code]\n{text}\n")
        assert [each.partition(": ")[2] for each in found] == [fault]
        assert found[0].startswith("config.toml:4:")

    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            (
                "[profiles.CLOUD]",
                'a provider is called "cloud" too: "CLOUD:model" could mean either',
            ),
            (
                '[profiles."a b"]',
                "no name for a profile: letters, digits, - and _ are; env and file",
            ),
            ("[profiles.a]\n[profiles.A]", "stands here twice: case is not seen"),
            ("[routing]\ndefault_profile = 'x'", 'there is no profile "x"'),
        ],
    )
    def test_a_name_stands_for_one_thing(self, text: str, fault: str, tmp_path: Path) -> None:
        found = faults(tmp_path, f"{CLOUD}{text}\n")
        assert len(found) == 1
        assert fault in found[0]

    def test_aliases_may_lead_to_profiles(self, tmp_path: Path) -> None:
        text = f'{CLOUD}[aliases]\nfast = "code:a"\n[profiles.code.aliases]\na = "cloud:m"\n'
        assert faults(tmp_path, text) == []
        back = text.replace('a = "cloud:m"', 'a = "fast"')
        assert "leads in a circle: fast -> code:a -> fast" in faults(tmp_path, back)[0]


def test_an_engine_for_batches_that_is_none_is_found_without_starting_it() -> None:
    faults = try_assemble(load_config(None, {"INTERLINGUA__BATCH__ENGINE": "mysql://x"})).faults
    assert [(fault.path, fault.message) for fault in faults] == [
        ("batch.engine", 'expected "off", "embedded" or a URL that begins with postgresql://')
    ]
