"""Variables of the environment that make providers, options and default parameters."""

from pathlib import Path
from typing import Any, ClassVar

import pytest

from gateway.assemble import try_assemble
from gateway.config.environment import Discovered, discover
from gateway.config.load import Config, load_config, read_config, with_positions

KNOWN = ["openai", "anthropic", "openrouter", "groq"]


def found(env: dict[str, str], configured: list[str] | None = None) -> Discovered:
    """What the environment says, with a few known providers."""
    return discover(env, KNOWN, configured or [])


def made(env: dict[str, str], text: str = "", folder: Path | None = None) -> Config:
    """The configuration of an environment, and perhaps a file."""
    if folder is None:
        return load_config(None, env)
    path = folder / "config.toml"
    path.write_text(text)
    return load_config(path, env)


def said(env: dict[str, str]) -> list[str]:
    """What is wrong with an environment."""
    config, faults = read_config(None, env)
    return [str(fault) for fault in with_positions(faults, config.source)]


class TestProviders:
    def test_a_known_name_needs_its_key_alone(self) -> None:
        assert found({"OPENAI_API_KEY": "sk", "GROQ_API_KEY": "!PASSTHRU"}).providers == {
            "openai": {"use": "openai", "api_key": "env:OPENAI_API_KEY"},
            "groq": {"use": "groq", "api_key": "env:GROQ_API_KEY"},
        }

    def test_an_unknown_name_needs_an_address(self) -> None:
        env = {"ACME_API_KEY": "k", "ACME_BASE_URL": "https://acme.example/v1/"}
        assert found(env).providers == {
            "acme": {
                "use": "compatible",
                "api_key": "env:ACME_API_KEY",
                "base_url": "https://acme.example/v1",
            }
        }
        lone = found({"DATADOG_API_KEY": "k"})
        assert lone.providers == {}
        assert [str(each) for each in lone.warnings] == [
            (
                "env DATADOG_API_KEY: not used: DATADOG_BASE_URL must be set too for this to be a "
                "provider"
            )
        ]

    def test_a_format_chooses_the_dialect(self) -> None:
        env = {
            "KIMI_API_KEY": "k",
            "KIMI_BASE_URL": "https://kimi.example/anthropic",
            "KIMI_API_FORMAT": "Anthropic",
        }
        assert found(env).providers["kimi"]["use"] == "anthropic"
        assert found(env).providers["kimi"]["base_url"] == "https://kimi.example/anthropic/v1"
        env |= {"KIMI_API_FORMAT": "openai"}
        assert found(env).providers["kimi"]["use"] == "compatible"
        assert "speaks" not in found(env).providers["kimi"]
        env |= {"KIMI_API_FORMAT": "Responses"}
        assert found(env).providers["kimi"]["use"] == "compatible"
        assert found(env).providers["kimi"]["speaks"] == ["responses"]

    @pytest.mark.parametrize(
        ("form", "message"),
        [
            ("gemini", 'expected one of "openai", "anthropic", "responses", got "gemini"'),
            ("antropic", '"antropic" (did you mean "anthropic"?)'),
            ("anthropic", "OPENAI_BASE_URL must be set for another format"),
        ],
    )
    def test_a_format_that_cannot_be_is_a_fault(self, form: str, message: str) -> None:
        faults = [
            str(each) for each in found({"OPENAI_API_KEY": "k", "OPENAI_API_FORMAT": form}).faults
        ]
        assert len(faults) == 1
        assert faults[0].startswith("env OPENAI_API_FORMAT: providers.openai: ")
        assert message in faults[0]

    @pytest.mark.parametrize(
        ("env", "expected"),
        [
            ({"GEMINI_API_KEY": "k"}, {"use": "gemini", "api_key": "env:GEMINI_API_KEY"}),
            ({"GOOGLE_API_KEY": "k"}, {"use": "gemini", "api_key": "env:GOOGLE_API_KEY"}),
            (
                {"GOOGLE_API_KEY": "k", "GEMINI_API_KEY": "l"},
                {"use": "gemini", "api_key": "env:GEMINI_API_KEY"},
            ),
            (
                {"GEMINI_API_KEY": "k", "GEMINI_BASE_URL": "https://gemini.example/"},
                {
                    "use": "gemini",
                    "api_key": "env:GEMINI_API_KEY",
                    "base_url": "https://gemini.example/v1beta",
                },
            ),
            (
                {"GEMINI_API_KEY": "k", "GEMINI_BASE_URL": "https://gemini.example/v1beta/openai"},
                {
                    "use": "gemini-openai",
                    "api_key": "env:GEMINI_API_KEY",
                    "base_url": "https://gemini.example/v1beta/openai",
                },
            ),
            (
                {"GEMINI_API_KEY": "k", "GEMINI_API_FORMAT": "openai"},
                {"use": "gemini-openai", "api_key": "env:GEMINI_API_KEY"},
            ),
        ],
    )
    def test_gemini_goes_by_two_names_and_two_forms(
        self, env: dict[str, str], expected: dict[str, str]
    ) -> None:
        assert discover(env, [*KNOWN, "gemini"], []).providers == {"gemini": expected}

    def test_another_google_has_its_own_address(self) -> None:
        env = {
            "GEMINI_API_KEY": "k",
            "GOOGLE_API_KEY": "k",
            "GOOGLE_BASE_URL": "https://google.example/v1",
        }
        found = discover(env, [*KNOWN, "gemini"], []).providers
        assert found.keys() == {"gemini", "google"}
        assert found["google"]["use"] == "compatible"
        assert not discover({"GOOGLE_API_KEY": "k"}, [*KNOWN, "gemini"], ["gemini"]).providers

    def test_a_version_makes_it_azure(self) -> None:
        env = {
            "AZURE_API_KEY": "k",
            "AZURE_BASE_URL": "https://r.openai.azure.com",
            "AZURE_API_VERSION": "2024-10-21",
        }
        assert found(env).providers["azure"] == {
            "use": "azure",
            "api_key": "env:AZURE_API_KEY",
            "base_url": "https://r.openai.azure.com",
            "api_version": "2024-10-21",
        }

    def test_headers_and_aliases_belong_to_their_provider(self) -> None:
        env = {
            "GROQ_API_KEY": "k",
            "GROQ_CUSTOM_HEADER_X_TITLE": "secret title",
            "GROQ_ALIAS_HAIKU": "llama-3.1-8b",
            "GROQ_ALIAS_MY_FAST": "!literal",
            "NOBODY_ALIAS_X": "y",
        }
        groq = found(env).providers["groq"]
        assert groq["headers"] == {"x-title": "env:GROQ_CUSTOM_HEADER_X_TITLE"}
        assert groq["aliases"] == {"haiku": "llama-3.1-8b", "my_fast": "!literal"}
        assert [str(each) for each in found(env).warnings] == [
            'env NOBODY_ALIAS_X: not used: there is no provider "nobody"'
        ]

    def test_the_client_key_is_never_a_provider(self) -> None:
        config = made({"PROXY_API_KEY": "secret", "PROXY_BASE_URL": "https://proxy.example"})
        assert list(config.providers) == ["echo"]
        assert [key.key.reveal() for key in config.auth.keys] == ["secret"]

    def test_an_empty_variable_is_none(self) -> None:
        assert found({"OPENAI_API_KEY": "  ", "_API_KEY": "k"}).providers == {}
        assert made({"PROXY_API_KEY": "", "PORT": " "}).auth.keys == []

    def test_without_any_provider_echo_answers(self) -> None:
        assert made({}).providers == {"echo": {"use": "echo"}}

    def test_no_key_is_copied_into_the_configuration(self) -> None:
        assert "sk-secret" not in str(found({"OPENAI_API_KEY": "sk-secret"}).providers)


class TestBesideAFile:
    FILE = '[providers.OpenAI]\nuse = "openai"\napi_key = "env:OTHER"\ndefaults = {seed = 1}\n'

    def test_the_file_wins_name_by_name(self, tmp_path: Path) -> None:
        env = {"OPENAI_API_KEY": "k", "GROQ_API_KEY": "k"}
        config = made(env, self.FILE, tmp_path)
        assert set(config.providers) == {"OpenAI", "groq"}
        assert config.providers["OpenAI"]["api_key"] == "env:OTHER"

    def test_aliases_and_defaults_are_added_to_what_the_file_has(self, tmp_path: Path) -> None:
        env = {"OPENAI_SEED": "7", "OPENAI_USER": "u", "OPENAI_ALIAS_FAST": "gpt-5-mini"}
        table = made(env, self.FILE, tmp_path).providers["OpenAI"]
        assert table["defaults"] == {"seed": 1, "user": "u"}
        assert table["aliases"] == {"fast": "gpt-5-mini"}

    @pytest.mark.parametrize("env", [{}, {"INTERLINGUA__SERVER__DISCOVER": "false"}])
    def test_discovery_can_be_switched_off(self, tmp_path: Path, env: dict[str, str]) -> None:
        text = "" if env else "[server]\ndiscover = false\n"
        config = made(env | {"GROQ_API_KEY": "k"}, text, tmp_path)
        assert list(config.providers) == ["echo"]

    def test_an_unused_client_key_is_told_of(self, tmp_path: Path) -> None:
        config = made({"PROXY_API_KEY": "a", "K": "b"}, "[auth]\nkeys = ['env:K']\n", tmp_path)
        assert [key.key.reveal() for key in config.auth.keys] == ["b"]
        assert "PROXY_API_KEY: not used" in str(config.source.warnings[0])


class TestOptions:
    def test_variables_that_stand_for_options(self) -> None:
        env = {"HOST": "127.0.0.2", "PORT": "9", "REQUEST_TIMEOUT": "90"}
        env |= {"VDM_DEFAULT_PROVIDER": "groq", "GROQ_API_KEY": "k"}
        config = made(env)
        assert (config.server.host, config.server.port) == ("127.0.0.2", 9)
        assert (config.timeouts.first_byte, config.timeouts.idle) == (90, 90)
        assert config.routing.default_provider == "groq"
        assert config.source.origins["timeouts.idle"] == "env REQUEST_TIMEOUT"

    def test_default_parameters(self) -> None:
        env = {"OPENROUTER_API_KEY": "k", "OPENAI_API_KEY": "k"}
        env |= {"OPENROUTER_MIN_P": "0.01", "OPENROUTER_TOP_A": "0.1"}
        env |= {"OPENROUTER_REPETITION_PENALTY": "1.1", "OPENROUTER_PROVIDER": "anthropic, azure"}
        env |= {"OPENAI_FREQUENCY_PENALTY": "-0.1", "OPENAI_PRESENCE_PENALTY": "2"}
        env |= {"OPENAI_SEED": "12345", "OPENAI_USER": "user_123"}
        providers = found(env).providers
        assert providers["openrouter"]["defaults"] == {
            "min_p": 0.01,
            "top_a": 0.1,
            "repetition_penalty": 1.1,
            "provider": {"order": ["anthropic", "azure"]},
        }
        assert providers["openai"]["defaults"] == {
            "frequency_penalty": -0.1,
            "presence_penalty": 2.0,
            "seed": 12345,
            "user": "user_123",
        }

    def test_a_provider_preference_may_be_an_object(self) -> None:
        env = {"OPENROUTER_API_KEY": "k", "OPENROUTER_PROVIDER": '{"sort": "price"}'}
        assert found(env).providers["openrouter"]["defaults"] == {"provider": {"sort": "price"}}

    @pytest.mark.parametrize(
        ("name", "text", "message"),
        [
            ("OPENROUTER_MIN_P", "2", 'expected a number from 0 to 1, got "2"'),
            ("OPENROUTER_TOP_A", "x", 'expected a number from 0 to 1, got "x"'),
            ("OPENROUTER_REPETITION_PENALTY", "nan", 'expected a number from 0 to 2, got "nan"'),
            ("OPENROUTER_PROVIDER", "{oops", "expected names with commas between, or a JSON obj"),
            ("OPENROUTER_PROVIDER", "a,,b", "expected names with commas between, or a JSON obj"),
        ],
    )
    def test_a_bad_one_is_refused_by_name(self, name: str, text: str, message: str) -> None:
        faults = said({"OPENROUTER_API_KEY": "k", name: text})
        parameter = name.partition("_")[2].lower()
        assert len(faults) == 1
        assert faults[0].startswith(f"env {name}: providers.openrouter.defaults.{parameter}: ")
        assert message in faults[0]

    def test_one_for_a_provider_that_is_not_there_is_told_of(self) -> None:
        assert [str(each) for each in found({"OPENAI_SEED": "1"}).warnings] == [
            'env OPENAI_SEED: not used: there is no provider "openai"'
        ]


class TestOptionsOfOthers:
    @pytest.mark.parametrize(
        ("name", "text", "path", "value"),
        [
            ("LOG_LEVEL", "WARNING", "log.level", "warning"),
            ("LOG_LEVEL", "CRITICAL # loud", "log.level", "error"),
            ("STREAMING_CONNECT_TIMEOUT_SECONDS", "3", "timeouts.connect", 3),
            ("STREAMING_READ_TIMEOUT_SECONDS", "4.5", "timeouts.idle", 4.5),
            ("CACHE_DIR", "~/c", "catalogue.folder", "/home/me/c"),
            ("MODELS_CACHE_TTL_HOURS", "2", "catalogue.ttl", 7200),
            ("TOP_MODELS_SOURCE", "manual_rankings", "catalogue.top_models", "manual"),
            ("VDM_DEFAULT_TARGET", "openai", "routing.default_provider", "openai"),
        ],
    )
    def test_a_variable_stands_for_an_option(
        self, name: str, text: str, path: str, value: object
    ) -> None:
        table, _, option = path.partition(".")
        config = made({name: text, "HOME": "/home/me", "OPENAI_API_KEY": "k"})
        assert getattr(getattr(config, table), option) == value

    def test_the_time_of_streams_beats_that_of_requests(self) -> None:
        config = made({"REQUEST_TIMEOUT": "9", "STREAMING_READ_TIMEOUT_SECONDS": "8"})
        assert (config.timeouts.first_byte, config.timeouts.idle) == (9, 8)

    @pytest.mark.parametrize("name", ["LOG_LEVEL", "MODELS_CACHE_TTL_HOURS", "MAX_RETRIES"])
    def test_a_bad_value_is_told_with_its_variable(self, name: str) -> None:
        config, faults = read_config(None, {name: "loud"})
        every = with_positions([*faults, *try_assemble(config).faults], config.source)
        assert [str(fault).partition(":")[0] for fault in every] == [f"env {name}"]

    def test_retries_are_tries_but_the_first(self, tmp_path: Path) -> None:
        config = made({"MAX_RETRIES": "4"})
        link: Any = try_assemble(config).links[4]
        assert link.attempts == 5
        text = '[[middleware]]\nuse = "alias"\n'
        assert made({"MAX_RETRIES": "4"}, text, tmp_path).middleware == [{"use": "alias"}]

    def test_variables_that_nothing_answers_to_are_told_of(self) -> None:
        said = [str(each) for each in made({"MAX_TOKENS_LIMIT": "1"}).source.warnings]
        assert said == ["env MAX_TOKENS_LIMIT: not used: nothing here answers to it"]

    def test_a_default_may_be_a_profile(self, tmp_path: Path) -> None:
        env = {"VDM_DEFAULT_PROVIDER": "CODE", "OPENAI_API_KEY": "k"}
        config = made(env, "[profiles.code]\n", tmp_path)
        assert config.routing.default_profile == "code"
        assert try_assemble(config).runtime.config.routing.default_provider == "openai"


class TestWords:
    BIG: ClassVar[dict[str, str]] = {"ANTHROPIC_MODEL": "gpt-5-pro", "OPENAI_API_KEY": "k"}

    def test_they_take_the_place_of_the_shipped_models(self) -> None:
        config = try_assemble(made(self.BIG)).runtime.config
        assert config.aliases == {"big": ["gpt-5-pro"], "small": ["openai:gpt-5-mini"]}

    def test_the_file_beats_them(self, tmp_path: Path) -> None:
        config = made(self.BIG, '[aliases]\nBig = "openai:o"\n', tmp_path)
        assert config.aliases == {"Big": ["openai:o"]}

    @pytest.mark.parametrize("model", ["big", "SMALL", "bedrock:claude", " "])
    def test_what_is_meant_for_a_client_does_no_harm(self, model: str) -> None:
        config = made({"ANTHROPIC_MODEL": model})
        assert config.aliases == {}
        assert not try_assemble(config).faults
