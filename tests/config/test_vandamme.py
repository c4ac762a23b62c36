"""Files of vandamme-proxy: providers, aliases, profiles; what they say and we do not know."""

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from gateway.assemble import try_assemble
from gateway.config.load import Config, load_config, read_config, reload_config, with_positions
from gateway.config.vandamme import FILE, looked_up, read_files
from middleware.alias import Alias
from tests.configs import written

KEYS = {"POE_API_KEY": "k1", "KIMI_API_KEY": "k2", "OPENAI_API_KEY": "k3"}
TEXT = """\
[defaults]
default-target = "main"
timeout = 50
[defaults.aliases]
haiku = "kimi:haiku"
lone = "zai2:glm"
[profiles.main]
timeout = 100
[profiles.main.aliases]
Sonnet = "poe:gemini-flash"
haiku = "kimi:haiku"
[poe]
base-url = "https://poe.example/v1"
timeout = 30
[poe.aliases]
gemini-flash = "gemini-3-flash"
[kimi]
base-url = "https://kimi.example/coding"
api-format = "anthropic"
api-version = "1"
[kimi.aliases]
haiku = "kimi-turbo"
[nokey]
base-url = "https://nokey.example/v1"
[nokey.aliases]
a = "b"
["#old"]
timeout = 7
["#old".aliases]
fast = "openai:gpt-5-mini"
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def kept(text: str, folder: Path | None = None) -> Path:
    """A file of vandamme-proxy."""
    path = (folder or Path()) / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text))
    return path


def made(env: dict[str, str], own: str = "") -> Config:
    """The effective configuration beside such a file."""
    path = written(Path(), own) if own else None
    config, faults = read_config(path, env)
    assembly = try_assemble(config)
    assert not [*faults, *assembly.faults]
    return assembly.runtime.config


def said(env: dict[str, str], own: str = "") -> tuple[list[str], list[str]]:
    """The faults and the warnings."""
    config, faults = read_config(written(Path(), own) if own else None, env)
    assembly = try_assemble(config)
    found = [*faults, *assembly.faults]
    return (
        [str(each) for each in with_positions(found, config.source)],
        [str(each) for each in with_positions(assembly.warnings, config.source)],
    )


def way(config: Config, model: str) -> list[tuple[str, float | None]]:
    """Where a model goes, and the time that it has."""
    alias = Alias()
    alias.bind(try_assemble(config).runtime)
    return [(str(target), target.timeout) for target in alias.resolve(model).targets]


class TestReading:
    def test_tables_become_providers_aliases_and_profiles(self) -> None:
        kept(TEXT)
        config = made(KEYS)
        assert config.providers["poe"] == {
            "use": "poe",
            "api_key": "env:POE_API_KEY",
            "base_url": "https://poe.example/v1",
            "aliases": {"gemini-flash": "gemini-3-flash"},
            "timeouts": {"first_byte": 30.0, "idle": 30.0},
        }
        assert config.providers["kimi"]["use"] == "anthropic"
        assert config.providers["kimi"]["base_url"] == "https://kimi.example/coding/v1"
        assert "nokey" not in config.providers
        assert config.aliases["haiku"] == ["kimi:haiku"]
        assert (config.timeouts.first_byte, config.timeouts.idle) == (50, 50)
        assert config.profiles["main"].timeout == 100
        assert config.profiles["main"].aliases["sonnet"] == ["poe:gemini-flash"]
        assert config.profiles["old"].timeout == 7
        assert config.routing.default_profile == "main"

    def test_aliases_lead_on_to_aliases_of_providers(self) -> None:
        kept(TEXT)
        config = made(KEYS)
        assert way(config, "main:sonnet") == [("poe:gemini-3-flash", 100)]
        assert way(config, "MAIN:Haiku") == [("kimi:kimi-turbo", 100)]
        assert way(config, "sonnet") == [("poe:gemini-3-flash", 100)]  # the default profile
        assert way(config, "old:haiku") == [("kimi:kimi-turbo", 7)]  # not its own alias
        assert way(config, "old:kimi:x") == [("kimi:x", 7)]
        assert way(config, "poe:gpt-5") == [("poe:gpt-5", None)]

    def test_a_variable_beats_the_file(self) -> None:
        kept(TEXT)
        env = KEYS | {
            "POE_BASE_URL": "https://env.example/v1",
            "POE_ALIAS_GEMINI-FLASH": "other",
            "REQUEST_TIMEOUT": "9",
            "VDM_DEFAULT_TARGET": "kimi",
        }
        config = made(env)
        assert config.providers["poe"]["base_url"] == "https://env.example/v1"
        assert config.providers["poe"]["aliases"] == {"gemini-flash": "other"}
        assert "timeouts" not in config.providers["poe"]
        assert (config.timeouts.first_byte, config.timeouts.idle) == (9, 9)
        assert config.routing.default_provider == "kimi"
        assert config.routing.default_profile == ""

    def test_config_toml_beats_the_file(self) -> None:
        kept(TEXT)
        own = """
        [routing]
        default_provider = "poe"
        [timeouts]
        idle = 3
        [aliases]
        haiku = "poe:h"
        [profiles.Main]
        aliases = { haiku = "poe:p" }
        [providers.poe]
        use = "compatible"
        base_url = "https://own.example/v1"
        """
        config = made(KEYS, own)
        assert config.providers["poe"]["base_url"] == "https://own.example/v1"
        assert config.aliases["haiku"] == ["poe:h"]
        assert list(config.profiles) == ["Main", "old"]
        assert config.profiles["Main"].aliases == {"haiku": ["poe:p"]}
        assert (config.timeouts.first_byte, config.timeouts.idle) == (50, 3)
        assert config.routing.default_provider == "poe"

    def test_the_folder_beats_the_home(self, tmp_path: Path) -> None:
        home = tmp_path / "home"
        deep = kept(
            """
            [poe]
            base-url = "https://home.example/v1"
            [poe.aliases]
            a = "home-a"
            b = "home-b"
            """,
            home / ".config" / "vandamme-proxy",
        )
        kept('[poe.aliases]\na = "here-a"\n')
        env = KEYS | {"HOME": str(home)}
        assert looked_up(env) == [Path(FILE), deep]
        assert made(env).providers["poe"]["aliases"] == {"a": "here-a", "b": "home-b"}
        assert made(env).providers["poe"]["base_url"] == "https://home.example/v1"

    def test_a_named_file_is_read_alone(self, tmp_path: Path) -> None:
        kept('[poe.aliases]\na = "here"\n')
        path = kept('[poe.aliases]\na = "named"\n', tmp_path / "else")
        own = f'[server]\ndiscover = false\nvandamme_config = "{path}"\n'
        config = made(KEYS, own)
        assert list(config.providers) == ["poe"]
        assert config.providers["poe"]["aliases"] == {"a": "named"}
        (fault,), _ = said({}, '[server]\nvandamme_config = "gone.toml"\n')
        assert fault == "gone.toml: cannot be read: No such file or directory"

    def test_without_discovery_none_is_looked_up(self) -> None:
        kept(TEXT)
        assert list(made(KEYS, "[server]\ndiscover = false\n").profiles) == []

    def test_keys_may_stand_in_it_and_are_hidden(self) -> None:
        kept('[acme-eu]\napi-key = "sk-1 sk-2"\nbase-url = "https://acme.example"\n')
        config = load_config(None, {})
        provider: Any = try_assemble(config).runtime.providers["acme-eu"]
        assert [key.reveal() for key in provider.api_key] == ["sk-1", "sk-2"]
        assert "sk-1" not in repr(config)
        path = "vandamme-config.toml:2: providers.acme-eu.api_key"
        assert any(each.startswith(path) for each in said({})[1])

    def test_clients_keys_are_passed_on(self) -> None:
        kept('[cursor]\nbase-url = "http://127.0.0.1:8766"\nauth-mode = "passthrough"\n')
        assert made({}).providers["cursor"]["api_key"] == "!PASSTHRU"

    def test_retries_are_kept(self) -> None:
        kept("""\
        [poe]
        base-url = "https://poe.example/v1"
        max-retries = 2
        [profiles.p]
        max-retries = 0
        """)
        config = made({"POE_API_KEY": "k"})
        assert config.providers["poe"]["max_retries"] == 2
        assert config.profiles["p"].max_retries == 0
        assert config.source.origins["providers.poe.max_retries"] == f"{FILE}:3"
        runtime = try_assemble(config).runtime
        assert runtime.target("poe", "m").retries == 2


class TestWhatIsWrong:
    @pytest.mark.parametrize("value", ["-1", "21", "true", '"2"', "1.5"])
    def test_retries_that_are_none(self, value: str) -> None:
        kept(f'[poe]\nbase-url = "https://poe.example/v1"\nmax-retries = {value}\n')
        (fault,), _ = said({"POE_API_KEY": "k"})
        assert fault.startswith("vandamme-config.toml:3:1: poe.max-retries: expected 0 to 20, got")

    def test_what_has_no_meaning_is_a_warning_that_names_it(self) -> None:
        kept("""\
        top = 1
        [poe]
        base-url = "https://poe.example/v1"
        max-tries = 2
        models-url = "https://poe.example"
        api-format = 3
        [poe.aliases]
        x = 1
        [profiles]
        odd = 1
        [profiles.p]
        max-tries = 1
        [defaults]
        default-target = "nobody"
        """)
        faults, warnings = said({"POE_API_KEY": "k"})
        assert faults == []
        assert warnings == [
            "vandamme-config.toml:1:1: top: has no meaning here",
            "vandamme-config.toml:4:1: poe.max-tries: has no meaning here",
            "vandamme-config.toml:5:1: poe.models-url: has no meaning here",
            "vandamme-config.toml:6:1: poe.api-format: expected text; not used",
            "vandamme-config.toml:8:1: poe.aliases.x: expected the name of a model; not used",
            "vandamme-config.toml:10:1: profiles.odd: expected a table; not used",
            "vandamme-config.toml:12:1: profiles.p.max-tries: has no meaning here",
            'vandamme-config.toml:14: defaults: not used: there is no provider or profile "nobody"',
        ]

    def test_providers_that_cannot_be_are_left_out_with_what_leads_to_them(self) -> None:
        kept("""\
        [nokey]
        base-url = "https://a.example"
        [signin]
        api-key = "!OAUTH"
        base-url = "https://b.example"
        [profiles.p.aliases]
        a = "nokey:x"
        b = "gone:x"
        """)
        faults, warnings = said({})
        assert faults == []
        for line in (
            (
                "vandamme-config.toml:1: nokey: not used: the environment variable NOKEY_API_KEY "
                "is not set"
            ),
            "vandamme-config.toml:4: not used: a provider is used with a key",
            'vandamme-config.toml:7: profiles.p.aliases.a: not used: there is no provider "nokey"',
            'vandamme-config.toml:8: profiles.p.aliases.b: not used: there is no provider "gone"',
        ):
            assert line in warnings

    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            (
                "[poe]\na = \n",
                "vandamme-config.toml:2:5: no valid TOML: invalid value",
            ),
            (
                "[poe]\ntimeout = -1\n",
                "vandamme-config.toml:2:1: poe.timeout: expected seconds, 0 or more, got -1",
            ),
            (
                '[profiles.p]\ntimeout = "soon"\n',
                "vandamme-config.toml:2: profiles.p.timeout: expected a number, got text",
            ),
            (
                "[profiles.openai.aliases]\n",
                (
                    'vandamme-config.toml:1: profiles.openai: a provider is called "openai" too: '
                    '"openai:model" could mean either'
                ),
            ),
            (
                '[openai.aliases]\na = "b"\nb = "a"\n',
                (
                    "vandamme-config.toml:2: providers.openai.aliases.a: leads in a circle: "
                    "openai:a -> openai:b -> openai:a"
                ),
            ),
        ],
    )
    def test_a_fault_names_the_file_and_the_line(self, text: str, fault: str) -> None:
        kept(text)
        assert said(KEYS)[0] == [fault]

    def test_any_text_is_read_or_refused(self) -> None:
        for text in ("defaults = 1", "profiles = 1", "[defaults]\naliases = 1", "[a]\n[a.aliases]"):
            kept(text)
            assert said({})[0] == []
        assert read_files([kept("\ufeff[poe]\n")]).providers == {"poe": f"{FILE}:1"}

    @pytest.mark.parametrize(
        "own",
        [
            "profiles = 1",
            "aliases = 1",
            "timeouts = 1",
            "routing = 1",
            "providers = 1",
            "[routing]\ndefault_provider = [1]",
            "[providers]\npoe = 1",
            "[providers.openai]\naliases = 1",
            "[profiles]\np = 1",
            "[server]\nvandamme_config = 1",
        ],
    )
    def test_a_bad_file_of_our_own_beside_it_is_told_of(self, own: str) -> None:
        kept(TEXT)
        faults, _ = said(KEYS, own)
        assert any(each.startswith("config.toml:") for each in faults)

    def test_a_general_alias_stands_behind_the_default_providers_own(self) -> None:
        kept("""\
        [openai.aliases]
        haiku = "gpt-5-mini"
        [defaults.aliases]
        haiku = "poe:haiku"
        opus = "!poe:Opus"
        [poe.aliases]
        opus = "x"
        """)
        config = made(KEYS)
        assert "haiku" not in config.aliases
        assert way(config, "haiku") == [("openai:gpt-5-mini", None)]
        assert way(config, "opus") == [("poe:Opus", None)]

    def test_the_default_provider_may_be_that_of_the_file_itself(self) -> None:
        kept("""\
        [defaults]
        default-provider = "poe"
        [defaults.aliases]
        haiku = "kimi:haiku"
        opus = "kimi:opus"
        [poe]
        base-url = "https://poe.example/v1"
        [poe.aliases]
        opus = "x"
        [kimi]
        base-url = "https://kimi.example"
        [openai.aliases]
        haiku = "y"
        """)
        config = made(KEYS)
        assert config.routing.default_provider == "poe"
        assert "opus" not in config.aliases
        assert config.aliases["haiku"] == ["kimi:haiku"]

    def test_a_reload_reads_it_anew(self) -> None:
        kept("[profiles.a]\n")
        config = load_config(None, {})
        kept("[profiles.b]\n")
        assert list(config.profiles) == ["a"]
        assert list(reload_config(config, {}).profiles) == ["b"]
