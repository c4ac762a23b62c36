"""The command line, run in process and as an operator runs it."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.app import build
from gateway.assemble import Assembly
from gateway.cli.commands import main
from gateway.config.load import Config
from tests.configs import PLUGINS

ROOT = Path(__file__).parents[2]
FILE = """\
[server]
port = 9000
[auth]
keys = ["sk-client-secret"]
[aliases]
fast = ["cloud:swift-1", "echo:swift"]
[[middleware]]
use = "auth"
[[middleware]]
use = "acme.plugins:Limit"
token = "sk-link-secret"
[[middleware]]
use = "alias"
[[middleware]]
use = "convert"
[providers.cloud]
use = "acme.plugins:Cloud"
api_key = ["env:CLOUD_KEY", "sk-file-secret"]
headers = { Authorization = "sk-header-secret", x-title = "shown" }
[providers.echo]
[providers.gone]
use = "acme.plugins:Cloud"
api_key = "env:NOT_SET"
"""

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in a folder of its own with an environment of its own."""
    monkeypatch.syspath_prepend(str(PLUGINS))
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name in ("HOST", "PORT") or "_API_KEY" in name or name.startswith("INTERLINGUA"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CLOUD_KEY", "sk-variable-secret")

    def invoke(*words: str, text: str | None = None) -> Result:
        if text is not None:
            (tmp_path / "config.toml").write_text(text)
        return CliRunner().invoke(main, words)

    return invoke


class TestCheck:
    def test_a_sound_file_is_summed_up(self, run: Run) -> None:
        result = run("check", text=FILE)
        assert result.exit_code == 0, result.output
        assert result.stdout == (
            "config.toml: sound\n"
            "listen      127.0.0.1:9000, 1 client key\n"
            "chain       auth > acme.plugins:Limit > alias > convert\n"
            "providers   cloud (acme.plugins:Cloud) speaks nothing at https://cloud.example/v1\n"
            "            echo speaks chat+messages\n"
            "default     cloud\n"
            "aliases     fast -> cloud:swift-1, echo:swift\n"
            "warning: config.toml:4:9: auth.keys[0].key: a key stands in the file; use env:NAME\n"
            "warning: config.toml:11:1: middleware[1].token: a key stands in the file; "
            "use env:NAME\n"
            "warning: config.toml:18:29: providers.cloud.api_key[1]: a key stands in the file; "
            "use env:NAME\n"
            "warning: config.toml:21:1: providers.gone: disabled: "
            "the environment variable NOT_SET is not set\n"
        )

    def test_faults_go_to_stderr_one_a_line(self, run: Run) -> None:
        result = run("check", text='[server]\nprot = 1\n[providers.echo]\nprefx = "x"\n')
        assert result.exit_code == 1
        assert result.stdout == ""
        assert result.stderr.splitlines() == [
            'config.toml:2:1: server.prot: there is no such option (did you mean "port"?)',
            (
                "config.toml:4:1: providers.echo.prefx: there is no such option "
                '(did you mean "prefix"?)'
            ),
        ]

    def test_a_file_that_is_not_there_is_one_line(self, run: Run) -> None:
        result = run("check", "--config", "none.toml")
        assert result.exit_code == 1
        assert result.stderr == "none.toml: cannot be read: No such file or directory\n"

    def test_without_a_file_the_defaults_hold(self, run: Run) -> None:
        result = run("check")
        assert result.exit_code == 0
        assert result.stdout.startswith("defaults and environment: sound\n")

    def test_the_file_is_that_of_the_variable(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        other = tmp_path / "other.toml"
        other.write_text("[server]\nport = 7000\n")
        monkeypatch.setenv("INTERLINGUA_CONFIG", str(other))
        assert "127.0.0.1:7000" in run("check", text=FILE).stdout

    def test_a_public_address_without_a_key_is_refused(self, run: Run) -> None:
        refused = run("check", "--host", "0.0.0.0")
        assert refused.exit_code == 1
        assert refused.stderr.startswith('flag --host: server.host: "0.0.0.0" can be reached')
        assert run("check", "--host", "0.0.0.0", "--insecure-no-auth").exit_code == 0


class TestShow:
    @pytest.mark.parametrize(
        "words", [("check",), ("chain",), ("config", "show"), ("config", "show", "--effective")]
    )
    def test_no_command_shows_a_secret(self, run: Run, words: tuple[str, ...]) -> None:
        result = run(*words, text=FILE)
        assert result.exit_code == 0, result.output
        assert "secret" not in result.output

    def test_each_value_comes_with_its_origin(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REQUEST_TIMEOUT", "90")
        shown = run("config", "show", "--effective", "--host", "127.0.0.2", text=FILE).stdout
        lines = {" ".join(line.split()) for line in shown.splitlines()}
        assert {
            'host = "127.0.0.2" # flag --host',
            "port = 9000 # config.toml:2",
            "ping = 15.0 # default",
            "idle = 90.0 # env REQUEST_TIMEOUT",
            'fast = ["cloud:swift-1", "echo:swift"] # config.toml:6',
            'api_key = ["***", "***"] # config.toml:18',
            'headers = { Authorization = "***", x-title = "shown" } # config.toml:19',
            "max_attempts = 3 # default",
        } <= lines

    def test_profiles_are_shown_wherever_they_come_from(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "vandamme-config.toml").write_text("[profiles.old]\ntimeout = 7\n")
        text = f'{FILE}[profiles.code]\naliases = {{ fast = "cloud:swift-1" }}\n'
        shown = run("config", "show", text=text).stdout
        assert tomllib.loads(shown)["profiles"] == {
            "code": {"aliases": {"fast": ["cloud:swift-1"]}},
            "old": {"timeout": 7},
        }
        assert "timeout = 7.0  # vandamme-config.toml:2" in shown
        assert '"fast" is asked of profile "code"' in run("explain", "code:fast", text=text).stdout

    def test_it_is_toml(self, run: Run) -> None:
        shown = tomllib.loads(run("config", "show", "--effective", text=FILE).stdout)
        assert shown["server"]["port"] == 9000
        assert [link["use"] for link in shown["middleware"]][1] == "acme.plugins:Limit"
        assert shown["providers"]["echo"]["prefix"] == "echo: "

    def test_without_effective_it_shows_what_is_set(self, run: Run) -> None:
        shown = tomllib.loads(run("config", "show", text=FILE).stdout)
        assert shown["server"] == {"port": 9000}
        assert "timeouts" not in shown

    def test_the_chain_is_shown_with_what_each_link_does(self, run: Run) -> None:
        lines = run("chain", text=FILE).stdout.splitlines()
        assert lines[0] == "1. auth  (middleware.auth:Auth)"
        assert lines[3:6] == [
            "2. acme.plugins:Limit  (acme.plugins:Limit)",
            "   Holds callers to so many calls a minute.",
            (
                '   max_attempts = 3, mode = "refuse", window = 60.0, largest = 1048576, '
                'rules = [], token = "***"'
            ),
        ]
        assert lines[-1] == "5. the provider: cloud, echo"

    def test_where_a_link_keeps_things_is_shown_unless_it_was_set(self, run: Run) -> None:
        assert ', store = "memory"\n' in run("chain", text="").stdout
        link = '[[middleware]]\nuse = "{}"\n'.format
        kept = link("history") + 'store = "redis://:hidden@127.0.0.1"\n'
        file = link("alias") + kept + link("convert")
        result = run("chain", text=file)
        assert ', store = "***"\n' in result.stdout, result.stderr


class TestExplain:
    def test_it_shows_every_step_and_target(self, run: Run) -> None:
        result = run("explain", "fast", text=FILE)
        assert result.exit_code == 0, result.output
        assert '"fast" is alias "fast" for cloud:swift-1, echo:swift' in result.stdout
        assert "1. cloud:swift-1\n" in result.stdout
        assert "2. echo:swift\n   speaks chat, messages\n" in result.stdout

    def test_a_model_that_leads_nowhere_is_an_error(self, run: Run) -> None:
        result = run("explain", "nobody:x", text=FILE)
        assert result.exit_code == 1
        assert 'Unknown provider "nobody"' in result.stderr

    def test_a_chain_that_cannot_explain_says_so(self, run: Run) -> None:
        text = '[[middleware]]\nuse = "acme.plugins:Limit"\n'
        result = run("explain", "x", text=text)
        assert result.exit_code == 1
        assert "no link of the chain can explain" in result.stderr


class TestServe:
    def test_it_serves_what_check_finds_sound(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        served: list[tuple[Config, Path | None, Assembly]] = []

        def serve(config: Config, path: Path | None, made: Assembly) -> int:
            served.append((config, path, made))
            return 3

        monkeypatch.setattr("gateway.server.serve.serve", serve)
        result = run("serve", "--port", "9001", text=FILE)
        assert result.exit_code == 3
        (config, path, made), *_ = served
        assert (config.server.port, path) == (9001, Path("config.toml"))
        assert build(config, made=made).state.runtime is made.runtime  # none of it is made twice
        assert "warning: config.toml:21:1: providers.gone: disabled" in result.stderr

    def test_it_does_not_start_with_a_fault(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gateway.server.serve.serve", lambda *_: pytest.fail("started"))
        result = run("serve", text="[server]\nport = true\n")
        assert result.exit_code == 1
        assert result.stderr == (
            "config.toml:2:1: server.port: expected a whole number, got true or false\n"
        )


class TestProcess:
    def command(
        self, *words: str, folder: Path, env: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """`python -m gateway` in that folder, with nothing but that environment."""
        path = os.pathsep.join([str(ROOT), env.pop("PYTHONPATH", "")])
        return subprocess.run(
            [sys.executable, "-m", "gateway", *words],
            cwd=folder,
            env={"PYTHONPATH": path, "PATH": os.environ["PATH"]} | env,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    def test_a_plugin_is_found_on_pythonpath(self, tmp_path: Path) -> None:
        (tmp_path / "config.toml").write_text(FILE)
        lost = self.command("check", folder=tmp_path, env={"CLOUD_KEY": "k"})
        assert lost.returncode == 1
        assert 'config.toml:10:1: middleware[1].use: no module named "acme"' in lost.stderr
        found = self.command(
            "check", folder=tmp_path, env={"CLOUD_KEY": "k", "PYTHONPATH": str(PLUGINS)}
        )
        assert found.returncode == 0, found.stderr

    def test_the_shipped_file_is_sound_with_an_empty_environment(self) -> None:
        result = self.command("check", folder=ROOT, env={})
        assert (result.returncode, result.stderr) == (0, "")
        assert "providers   echo" in result.stdout

    def test_version_and_help(self, tmp_path: Path) -> None:
        version = self.command("--version", folder=tmp_path, env={})
        assert version.stdout.startswith("interlingua ")
        helped = self.command("--help", folder=tmp_path, env={})
        assert all(f"\n  {name} " in helped.stdout for name in ("serve", "check", "chain"))

    def test_no_traceback_for_a_wrong_word(self, tmp_path: Path) -> None:
        result = self.command("sevre", folder=tmp_path, env={})
        assert result.returncode == 2
        assert "Traceback" not in result.stderr
