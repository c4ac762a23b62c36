"""Configuration: the file, variables and flags; every fault in one pass, with its line."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta, Struct

from gateway.assemble import assemble, assembled
from gateway.config import (
    Config,
    ConfigError,
    Fault,
    Key,
    Server,
    Size,
    load_config,
    located,
    read_config,
    reload_config,
)
from gateway.options import Auth, Tables
from gateway.secret import Secret
from gateway.validate import Reading

PLUGINS = Path(__file__).parent / "plugins"
SHIPPED = Path(__file__).parent.parent / "config.toml"
CLOUD = '[providers.cloud]\nuse = "acme.plugins:Cloud"\n'
LINKS = '[[middleware]]\nuse = "acme.plugins:Limit"\n'


@pytest.fixture(autouse=True)
def _plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PLUGINS))


def written(folder: Path, text: str) -> Path:
    """A config.toml with that text."""
    path = folder / "config.toml"
    path.write_text(dedent(text), encoding="utf-8")
    return path


def loaded(
    folder: Path,
    text: str,
    env: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Config:
    """The configuration that a text makes."""
    return load_config(written(folder, text), env or {}, overrides)


def faults(folder: Path, text: str, env: Mapping[str, str] | None = None) -> list[str]:
    """All that is wrong with a text, plugins included, without the folder."""
    config, found = read_config(written(folder, text), env or {})
    every = located([*found, *assembled(config).faults], config.source)
    return [str(fault).removeprefix(f"{folder}/") for fault in every]


def warnings(folder: Path, text: str, env: Mapping[str, str] | None = None) -> list[str]:
    """All that is odd with a text."""
    config = loaded(folder, text, env)
    every = located(assembled(config).warnings, config.source)
    return [str(fault).removeprefix(f"{folder}/") for fault in every]


class TestLoading:
    def test_without_a_file_the_defaults_hold(self) -> None:
        config = load_config(None, {})
        assert (config.server.host, config.server.port) == ("127.0.0.1", 8082)
        assert config.server.body_limit == 64 * 1024 * 1024
        assert [table["use"] for table in config.middleware] == [
            "auth",
            "alias",
            "fallback",
            "convert",
        ]
        assert config.providers == {"echo": {"use": "echo"}}

    def test_a_flag_beats_a_variable_beats_the_file_beats_a_default(self, tmp_path: Path) -> None:
        file, env = "[server]\nport = 1\n", {"PORT": "2"}
        assert loaded(tmp_path, "").server.port == 8082
        assert loaded(tmp_path, file).server.port == 1
        assert loaded(tmp_path, file, env).server.port == 2
        assert loaded(tmp_path, file, env, {"server.port": 3}).server.port == 3

    def test_reload_reads_the_file_anew_and_keeps_the_flags(self, tmp_path: Path) -> None:
        config = loaded(tmp_path, "[server]\nping = 1\n", {}, {"server.port": 3})
        written(tmp_path, "[server]\nping = 2\n")
        again = reload_config(config, {})
        assert (again.server.ping, again.server.port) == (2, 3)

    def test_any_option_can_be_a_variable(self, tmp_path: Path) -> None:
        env = {
            "INTERLINGUA__SERVER__STRICT": "true",
            "INTERLINGUA__SERVER__CORS_ORIGINS": "https://a.example, https://b.example",
            "INTERLINGUA__TIMEOUTS__IDLE": "7.5",
            "INTERLINGUA__AUTH__KEYS": '["env:A", {name="b", key="env:B"}]',
            "INTERLINGUA__PROVIDERS__CLOUD__BASE_URL": "https://x.example",
            "A": "ka",
            "B": "kb",
        }
        config = loaded(tmp_path, CLOUD, env)
        assert config.server.strict is True
        assert config.server.cors_origins == ["https://a.example", "https://b.example"]
        assert config.timeouts.idle == 7.5
        assert [(key.name, key.key.reveal()) for key in config.auth.keys] == [
            ("", "ka"),
            ("b", "kb"),
        ]
        assert config.providers["cloud"]["base_url"] == "https://x.example"

    def test_a_client_key_may_be_a_text_or_a_table(self, tmp_path: Path) -> None:
        (tmp_path / "key").write_text("from-file\n")
        config = loaded(
            tmp_path,
            f"""
            [auth]
            keys = ["env:A", {{ name = "ci", key = "${{B}}" }}, "file:{tmp_path}/key"]
            """,
            {"A": "a1", "B": "b1"},
        )
        assert [(key.name, key.key.reveal()) for key in config.auth.keys] == [
            ("", "a1"),
            ("ci", "b1"),
            ("", "from-file"),
        ]

    def test_an_alias_may_be_one_target_or_several(self, tmp_path: Path) -> None:
        config = loaded(tmp_path, '[aliases]\na = "x"\nb = ["y", "z"]\n')
        assert config.aliases == {"a": ["x"], "b": ["y", "z"]}

    def test_a_byte_order_mark_is_no_fault(self, tmp_path: Path) -> None:
        path = tmp_path / "config.toml"
        path.write_bytes(b"\xef\xbb\xbf[server]\nport = 1\n")
        assert load_config(path, {}).server.port == 1

    @pytest.mark.parametrize("key", ["sk-literal-1", "!PASSTHRU"])
    def test_no_repr_holds_a_key_that_stands_in_the_file(self, tmp_path: Path, key: str) -> None:
        config = loaded(
            tmp_path, f'[auth]\nkeys = ["sk-literal-2"]\n{CLOUD}api_key = "{key}"\n', {"X": key}
        )
        assert "sk-literal" not in repr(config)
        assert "sk-literal" not in repr(assembled(config).site.providers)


class TestFaults:
    def test_ten_faults_are_found_at_once_each_with_its_line(self, tmp_path: Path) -> None:
        text = """\
        [server]
        prot = 8082
        port = "eighty"
        body_limit = "64 lightyears"
        strict = "yes"
        [log]
        level = "inof"
        [timeouts]
        idle = -1
        [aliases]
        fast = "clod:gpt-5"
        [[middleware]]
        use = "acme.plugins:Limit"
        max_attempts = 0
        rules = [{ per_minute = 5 }]
        [providers.cloud]
        use = "acme.plugins:Cloud"
        timeout = 30
        weight = "heavy"
        """
        assert faults(tmp_path, text) == [
            'config.toml:2:1: server.prot: there is no such option (did you mean "port"?)',
            "config.toml:3:1: server.port: expected a whole number, got text",
            "config.toml:4:1: server.body_limit: expected a size, in bytes or as a text such as "
            '"64MiB", got "64 lightyears"',
            "config.toml:5:1: server.strict: expected true or false, got text",
            'config.toml:7:1: log.level: expected one of "debug", "info", "warning", "error" '
            '(did you mean "info"?)',
            "config.toml:9:1: timeouts.idle: expected a number of at least 0",
            'config.toml:11:1: aliases.fast[0]: there is no provider "clod" '
            '(did you mean "cloud"?)',
            "config.toml:14:1: middleware[0].max_attempts: expected a whole number of at least 1",
            'config.toml:15:10: middleware[0].rules[0]: "model" is missing; it must be given',
            "config.toml:18:1: providers.cloud.timeout: there is no such option",
            "config.toml:19:1: providers.cloud.weight: expected a whole number, got text",
        ]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("[server\n", "config.toml:1:8: no valid TOML: expected ']' at the end of a table"),
            ("[log]\n[server]\n[log]\n", "config.toml:3:1: this table or key stands twice"),
            ("port = 1\n", 'config.toml:1:1: port: there is no such option here; "port" belongs'),
            ("server = 1\n", "config.toml:1:1: server: expected a table, got a whole number"),
            ("providers = 1\n", "config.toml:1:1: providers: expected a table, got a whole"),
            (
                "[middleware]\n",
                "config.toml:1:1: middleware: expected tables, written [[middleware]]",
            ),
            ("[servre]\n", 'config.toml:1:1: servre: there is no such option (did you mean "s'),
            ("[server]\nport = 70000\n", "config.toml:2:1: server.port: expected a whole number "),
            ("[timeouts]\nidle = inf\n", "config.toml:2:1: timeouts.idle: expected a finite"),
            ("[server]\ncors_origins = [1]\n", "config.toml:2:17: server.cors_origins[0]: expe"),
            ('[auth]\nkeys = ["env:K"]\n', "config.toml:2:9: auth.keys[0].key: the environment "),
            ('[auth]\nkeys = [""]\n', "config.toml:2:9: auth.keys[0].key: a key is written as"),
            ('[auth]\nkeys = ["a b"]\n', "config.toml:2:9: auth.keys[0].key: the key holds a sp"),
            ('[auth]\nkeys = ["a", "a"]\n', "config.toml:2:14: auth.keys[1].key: the same key"),
            ('[auth]\nkeys = [{name = "x"}]\n', 'config.toml:2:9: auth.keys[0]: "key" is miss'),
            ("[aliases]\nx = 3\n", "config.toml:2:1: aliases.x: expected a list, got a whole"),
            ("[aliases]\nx = []\n", "config.toml:2:1: aliases.x: names no model"),
            ('[aliases]\nx = ""\n', "config.toml:2:1: aliases.x[0]: names no model"),
            ('[aliases]\nx = ["m", "m"]\n', 'config.toml:2:11: aliases.x[1]: "m" stands here tw'),
            (
                '[aliases]\na = "b"\nb = "c"\nc = "a"\n',
                "config.toml:2:1: aliases.a: leads in a circle: a -> b -> c -> a",
            ),
            (
                "[aliases]\n" + "".join(f'a{n} = "a{n + 1}"\n' for n in range(12)),
                "config.toml:2:1: aliases.a0: leads over more than 10 aliases: a0 -> a1",
            ),
            ("[routing]\ndefault_provider = 'ech'\n", "config.toml:2:1: routing.default_provider"),
            ("[providers.'a.b']\nuse='echo'\n", 'config.toml:1:1: providers."a.b": no name for'),
            ("[providers.acme]\n", 'config.toml:1:1: providers.acme: "use" is missing: one of'),
            ("[providers.x]\nuse='opnai'\n", 'config.toml:2:1: providers.x.use: there is no "op'),
            ("[providers.x]\nuse=3\n", 'config.toml:2:1: providers.x.use: expected one of "ope'),
            ("[[middleware]]\n", 'config.toml:1:1: middleware[0]: "use" is missing: one of "auth'),
            (
                "[[middleware]]\nuse='acme.nowhere:Limit'\n",
                'config.toml:2:1: middleware[0].use: no module named "acme.nowhere"',
            ),
            (
                "[[middleware]]\nuse='acme.plugins:Limmit'\n",
                'config.toml:2:1: middleware[0].use: "acme.plugins" has no class "Limmit"',
            ),
            (
                "[[middleware]]\nuse='acme.broken:Limit'\n",
                'config.toml:2:1: middleware[0].use: importing "acme.broken" failed: RuntimeErr',
            ),
            (
                "[[middleware]]\nuse='acme.plugins:Cloud'\n",
                'config.toml:2:1: middleware[0].use: "acme.plugins:Cloud" is not derived from g',
            ),
            (
                f'{LINKS}token = "env:NOWHERE"\n',
                "config.toml:3:1: middleware[0].token: the environment variable NOWHERE is not",
            ),
            (f"{LINKS}window = 0\n", "config.toml:3:1: middleware[0].window: must be more than 0"),
            (f"{LINKS}mode='q'\n", 'config.toml:3:1: middleware[0].mode: expected one of "refu'),
            (
                f"{CLOUD}base_url = 'ftp://x'\n",
                "config.toml:1:1: providers.cloud: its address is no URL",
            ),
            (
                f"{CLOUD}base_url = 'http://localhost:8082/v1'\n",
                "config.toml:3:1: providers.cloud.base_url: is the address of this gateway",
            ),
            (f"{CLOUD}retries = {{a = 'x'}}\n", "config.toml:3:12: providers.cloud.retries.a: e"),
            (
                f"{CLOUD}aliases = {{a = 'b', b = 'a'}}\n",
                "config.toml:3:12: providers.cloud.aliases.a: leads in a circle: cloud:a -> ",
            ),
            (
                f"[auth]\nkeys = ['k']\n{LINKS}",
                'config.toml:2:1: auth.keys: keys are given, but no link "auth" of the chain',
            ),
        ],
    )
    def test_a_fault_says_where_it_is_and_what(self, tmp_path: Path, text: str, said: str) -> None:
        base = "" if "providers" in text else f"\n{CLOUD}"
        found = faults(tmp_path, text + base)
        assert [each for each in found if each.startswith(said)], found
        assert len(found) == 1, found

    def test_a_file_that_cannot_be_read_says_so(self, tmp_path: Path) -> None:
        for path, said in (
            (tmp_path / "none.toml", "cannot be read: No such file or directory"),
            (tmp_path, "cannot be read: Is a directory"),
        ):
            with pytest.raises(ConfigError, match=said):
                load_config(path, {})

    def test_a_file_that_is_no_text_says_so(self, tmp_path: Path) -> None:
        path = tmp_path / "config.toml"
        path.write_bytes(b"[server]\nhost = '\xff'\n")
        with pytest.raises(ConfigError, match="is not UTF-8 text: byte 17"):
            load_config(path, {})

    def test_deep_nesting_is_a_fault_and_no_crash(self, tmp_path: Path) -> None:
        path = tmp_path / "config.toml"
        path.write_text("a = " + "[" * 5000 + "]" * 5000)
        with pytest.raises(ConfigError):
            load_config(path, {})

    def test_a_fault_of_a_variable_names_the_variable(self, tmp_path: Path) -> None:
        env = {
            "PORT": "http",
            "INTERLINGUA__SERVER__PROT": "1",
            "INTERLINGUA__SERVER": "1",
            "INTERLINGUA__MIDDLEWARE__0__USE": "x",
        }
        assert faults(tmp_path, CLOUD + LINKS, env) == [
            'env INTERLINGUA__MIDDLEWARE__0__USE: "middleware.0.use" lies below what is no table',
            "env INTERLINGUA__SERVER: names no option; the form is INTERLINGUA__SECTION__KEY",
            "env INTERLINGUA__SERVER__PROT: server.prot: there is no such option "
            '(did you mean "port"?)',
            "env PORT: server.port: expected a whole number, got text",
        ]

    def test_a_fault_of_a_flag_names_the_flag(self) -> None:
        with pytest.raises(ConfigError, match="^flag --port: server.port: expected a whole num"):
            load_config(None, {}, {"server.port": 70000})

    def test_no_message_holds_a_key(self, tmp_path: Path) -> None:
        text = f'[auth]\nkeys = ["sk hidden"]\n{CLOUD}api_key = ["sk hidden\\n"]\nweight = -1\n'
        found = faults(tmp_path, text)
        assert len(found) == 3
        assert "hidden" not in "".join(found)


class TestPublicAddress:
    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "gateway.example", ""])
    def test_without_a_client_key_it_is_refused(self, host: str) -> None:
        with pytest.raises(ConfigError, match="no client needs a key: set PROXY_API_KEY or"):
            load_config(None, {}, {"server.host": host})

    @pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"])
    def test_loopback_is_not_public(self, host: str) -> None:
        assert load_config(None, {"HOST": host}).server.host == host

    def test_with_a_key_or_on_demand_it_is_taken(self) -> None:
        env = {"HOST": "0.0.0.0"}
        assert load_config(None, env | {"PROXY_API_KEY": "k"}).auth.keys == [Key(key=Secret("k"))]
        assert load_config(None, env, {"server.insecure_no_auth": True}).server.host == "0.0.0.0"


class TestProviders:
    def test_one_without_its_key_is_disabled_and_the_others_serve(self, tmp_path: Path) -> None:
        text = CLOUD + 'api_key = "env:NONE"\n' + CLOUD.replace("cloud", "other")
        text += '[aliases]\nfast = ["cloud:m", "other:m"]\nslow = "cloud:m"\n'
        config = loaded(tmp_path, text)
        site, _ = assemble(msgspec_chain(config))
        assert list(site.providers) == ["other"]
        assert site.config.aliases == {"fast": ["other:m"]}
        assert site.config.routing.default_provider == "other"
        assert warnings(tmp_path, text)[0] == (
            "config.toml:1:1: providers.cloud: disabled: the environment variable NONE is not set"
        )

    def test_a_missing_key_among_several_is_left_out(self, tmp_path: Path) -> None:
        text = CLOUD + 'api_key = ["env:NONE", "env:TWO"]\n'
        config = loaded(tmp_path, text, {"TWO": "k1 k2"})
        cloud: Any = assembled(config).site.providers["cloud"]
        assert [key.reveal() for key in cloud.api_key] == ["k1", "k2"]
        assert warnings(tmp_path, text, {"TWO": "k"}) == [
            "config.toml:3:12: providers.cloud.api_key[0]: the environment variable NONE is not set"
        ]

    def test_calls_of_a_disabled_default_go_nowhere_else(self, tmp_path: Path) -> None:
        text = CLOUD + 'api_key = "env:NONE"\n' + CLOUD.replace("cloud", "other")
        config = loaded(tmp_path, text + "[routing]\ndefault_provider = 'cloud'\n")
        assert assembled(config).site.config.routing.default_provider == ""

    def test_a_key_in_the_file_is_taken_with_a_warning(self, tmp_path: Path) -> None:
        assert warnings(tmp_path, CLOUD + 'api_key = "sk-1"\n') == [
            "config.toml:3:1: providers.cloud.api_key: a key stands in the file; use env:NAME"
        ]

    def test_a_text_may_stand_in_a_variable(self, tmp_path: Path) -> None:
        config = loaded(tmp_path, CLOUD + 'base_url = "${URL}"\n', {"URL": "https://u.example"})
        cloud: Any = assembled(config).site.providers["cloud"]
        assert cloud.base_url == "https://u.example"

    def test_big_and_small_are_models_of_the_default_provider(self) -> None:
        config = assembled(load_config(None, {})).site.config
        assert config.aliases == {"big": ["echo:big"], "small": ["echo:small"]}
        env = {"OPENROUTER_API_KEY": "k", "ANTHROPIC_API_KEY": "k"}
        env["VDM_DEFAULT_PROVIDER"] = "openrouter"
        config = assembled(load_config(None, env)).site.config
        assert config.aliases["big"] == ["openrouter:anthropic/claude-sonnet-4"]


def msgspec_chain(config: Config) -> Config:
    """The configuration with a chain of third-party links alone."""
    import msgspec

    return msgspec.structs.replace(config, middleware=[{"use": "acme.plugins:Limit"}])


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

    def test_a_link_gets_its_options(self, tmp_path: Path) -> None:
        text = f'{CLOUD}{LINKS}largest = "2MiB"\nrules = [{{ model = "m" }}]\n'
        _, links = assemble(loaded(tmp_path, text))
        link: Any = links[0]
        assert (link.largest, link.rules[0].per_minute) == (2 * 1024 * 1024, 60)


class TestShippedFile:
    def test_it_starts_without_any_key_and_serves_echo(self) -> None:
        config = load_config(SHIPPED, {})
        site, links = assemble(config)
        assert list(site.providers) == ["echo"]
        assert len(links) == 4
        assert not assembled(config).warnings

    def test_every_option_in_it_is_valid_when_uncommented(self, tmp_path: Path) -> None:
        env = {
            name: "k"
            for name in (
                "SEAL_KEY PROXY_API_KEY CI_KEY OPENAI_API_KEY ANTHROPIC_API_KEY "
                "OPENROUTER_API_KEY AZURE_API_KEY GROQ_API_KEY"
            ).split()
        }
        env["CI_KEY"] = "k2"
        config, found = read_config(written(tmp_path, uncommented()), env)
        made = assembled(config)
        assert [str(fault) for fault in [*found, *made.faults]] == []
        assert set(made.site.providers) == {
            "openai", "anthropic", "openrouter", "azure", "ollama", "groq", "local",
        }  # fmt: skip

    def test_what_it_shows_as_defaults_are_the_defaults(self) -> None:
        shown = tomllib.loads(uncommented())
        examples = {("server", "seal_key"), ("routing", "default_provider"), ("auth", "keys")}
        for section in ("server", "auth", "log", "timeouts", "routing"):
            for name, value in shown[section].items():
                default = getattr(getattr(Tables(), section), name)
                assert (section, name) in examples or type(default)(value) == default, name

    def test_it_shows_every_option_of_the_core(self) -> None:
        shown = tomllib.loads(uncommented())
        for section in ("server", "auth", "log", "timeouts", "routing"):
            fields = getattr(Tables(), section).__struct_fields__
            assert sorted(shown[section]) == sorted(fields)


def uncommented() -> str:
    """The shipped file with every option in it put to use."""
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    return "\n".join(
        line[1:] if line.startswith("#") and line[1:2].strip() and line[1] != "#" else line
        for line in lines
    )


class Nested(Struct):
    """A struct that allows what it does not know; the walk does not."""

    size: Size = Size(1)


class Options(Struct):
    """All kinds of fields."""

    one: Literal["a", "b"] = "a"
    some: Annotated[list[int], Meta(max_length=2)] = []
    places: tuple[int, ...] = ()
    pair: tuple[int, str] = (1, "x")
    tags: set[str] = set()
    maybe: Nested | None = None
    inner: dict[str, Nested] = {}
    either: int | str = 0
    secrets: dict[str, Secret] = {}

    def __post_init__(self) -> None:
        if self.either == 13:
            raise ValueError("either must not be 13")


class TestReading:
    def test_it_reads_every_kind_of_field(self) -> None:
        raw = {
            "some": [1],
            "places": [1, 2],
            "pair": [1, "y"],
            "tags": ["a", "a"],
            "maybe": {"size": "2k"},
            "inner": {"x": {"size": 3}},
            "either": "t",
            "secrets": {"a": "env:A"},
        }
        reading = Reading({"A": "s"})
        made = reading.struct(raw, Options, "")
        assert not reading.faults
        assert made == Options(
            some=[1],
            places=(1, 2),
            pair=(1, "y"),
            tags={"a"},
            maybe=Nested(size=Size(2048)),
            inner={"x": Nested(size=Size(3))},
            either="t",
            secrets={"a": Secret("s")},
        )

    def test_it_finds_a_fault_in_every_kind_of_field(self) -> None:
        raw: dict[str, Any] = {
            "one": "c",
            "some": [1, 2, 3],
            "places": ["x", 2, "y"],
            "pair": [1],
            "tags": 5,
            "maybe": {"sise": 1},
            "inner": {"x": {"size": -3}, "y.z": 4},
            "either": 1.5,
            "secrets": {"a": 1},
        }
        reading = Reading({})
        reading.struct(raw, Options, "top")
        assert [str(fault) for fault in reading.faults] == [
            'top.one: expected one of "a", "b"',
            "top.some: expected a list of a length of at most 2",
            "top.places[0]: expected a whole number, got text",
            "top.places[2]: expected a whole number, got text",
            "top.pair: expected a list of length 2, got 1",
            "top.tags: expected a list, got a whole number",
            'top.maybe.sise: there is no such option (did you mean "size"?)',
            'top.inner.x.size: expected a size, in bytes or as a text such as "64MiB", '
            "got a negative number",
            'top.inner."y.z": expected a table, got a whole number',
            "top.either: expected a whole number or text, got a number",
            "top.secrets.a: expected a key as text",
        ]

    def test_what_a_struct_says_of_itself_is_a_fault(self) -> None:
        reading = Reading({})
        assert reading.struct({"either": 13}, Options, "top") is None
        assert [str(fault) for fault in reading.faults] == ["top: either must not be 13"]

    @pytest.mark.parametrize(
        ("text", "size"), [("1", 1), ("64MiB", 2**26), ("1.5 kB", 1500), ("2G", 2**31)]
    )
    def test_a_size_is_written_in_many_ways(self, text: str, size: int) -> None:
        assert Size(text) == size

    def test_a_fault_reads_as_a_line(self) -> None:
        fault = Fault(file="f", line=2, column=3, path="a.b", message="no", hint="yes")
        assert str(fault) == 'f:2:3: a.b: no (did you mean "yes"?)'
        assert str(ConfigError("no")) == "no"

    def test_structs_can_be_made_by_hand(self) -> None:
        config = Config(server=Server(port=0), auth=Auth(keys=[Key(key=Secret("k"))]))
        assert config.server.port == 0
