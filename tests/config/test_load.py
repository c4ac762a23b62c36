"""Configuration: the file, variables and flags; every fault in one pass, with its line."""

import tomllib
from pathlib import Path

import pytest

from gateway.assemble import assemble, try_assemble
from gateway.config.load import ConfigError, Key, find_file, load_config, read_config, reload_config
from gateway.config.schema import Tables
from gateway.secret import Secret
from tests.configs import CLOUD, LINKS, PLUGINS, SHIPPED, faults, loaded, written


@pytest.fixture(autouse=True)
def _plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PLUGINS))


class TestLoading:
    def test_without_a_file_the_defaults_hold(self) -> None:
        config = load_config(None, {})
        assert (config.server.host, config.server.port) == ("127.0.0.1", 8082)
        assert config.server.body_limit == 64 * 1024 * 1024
        assert [table["use"] for table in config.middleware] == [
            "auth",
            "batch",
            "alias",
            "history",
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
        assert "sk-literal" not in repr(try_assemble(config).runtime.providers)


class TestFinding:
    def test_the_variable_comes_before_the_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert find_file({}) in (None, Path("/etc/interlingua/config.toml"))
        written(tmp_path, "")
        assert find_file({"INTERLINGUA_CONFIG": ""}) == Path("config.toml")
        assert find_file({"INTERLINGUA_CONFIG": "other.toml"}) == Path("other.toml")


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
            (
                "config.toml:4:1: server.body_limit: expected a size, in bytes or as a text "
                'such as "64MiB", got "64 lightyears"'
            ),
            "config.toml:5:1: server.strict: expected true or false, got text",
            (
                'config.toml:7:1: log.level: expected one of "debug", "info", "warning", "error" '
                '(did you mean "info"?)'
            ),
            "config.toml:9:1: timeouts.idle: expected a number of at least 0",
            (
                'config.toml:11:1: aliases.fast[0]: there is no provider "clod" '
                '(did you mean "cloud"?)'
            ),
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
            (
                "env INTERLINGUA__SERVER__PROT: server.prot: there is no such option "
                '(did you mean "port"?)'
            ),
            "env PORT: server.port: expected a whole number, got text",
        ]

    def test_a_fault_in_a_list_of_a_variable_names_the_variable(self, tmp_path: Path) -> None:
        env = {"INTERLINGUA__AUTH__KEYS": '["env:NONE"]'}
        assert faults(tmp_path, f'[auth]\nkeys = ["a"]\n{CLOUD}', env) == [
            (
                "env INTERLINGUA__AUTH__KEYS: auth.keys[0].key: "
                "the environment variable NONE is not set"
            )
        ]

    def test_a_fault_of_a_flag_names_the_flag(self) -> None:
        with pytest.raises(ConfigError, match=r"^flag --port: server\.port: expected a whole num"):
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


class TestShippedFile:
    def test_it_starts_without_any_key_and_serves_echo(self) -> None:
        config = load_config(SHIPPED, {})
        runtime, links = assemble(config)
        assert list(runtime.providers) == ["echo"]
        assert [type(link).__name__ for link in links] == [
            "Auth", "Batch", "Alias", "History", "Fallback", "Convert",
        ]  # fmt: skip
        assert not try_assemble(config).warnings

    def test_every_option_in_it_is_valid_when_uncommented(self, tmp_path: Path) -> None:
        vendors = ("OPENAI", "ANTHROPIC", "OPENROUTER", "AZURE", "GROQ", "PROXY")
        env = {f"{vendor}_API_KEY": "k" for vendor in vendors} | {"SEAL_KEY": "k"}
        env["CI_KEY"] = "k2"
        aws = ("MY_ACCESS_KEY_ID", "MY_SECRET_ACCESS_KEY", "MY_SESSION_TOKEN")
        env |= dict.fromkeys(("AWS_BEARER_TOKEN_BEDROCK", *aws), "k")
        config, found = read_config(written(tmp_path, uncommented()), env)
        made = try_assemble(config)
        assert [str(fault) for fault in [*found, *made.faults]] == []
        assert set(made.runtime.providers) == {
            "openai", "anthropic", "openrouter", "azure", "bedrock", "vertex", "ollama", "groq",
            "local",
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
