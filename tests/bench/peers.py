"""Other gateways before the same upstream, installed by `make bench-peers` into .peers/.

Each is set up as its documentation says for one process in production: no database, no log of each
request. A peer that is not there is named as absent.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from tests.bench import script
from tests.bench.cases import NAMED as OURS, PREFIXES, Case, Form, Server, alias
from tests.bench.configs import Upstreams

FOLDER = Path(__file__).parents[2] / ".peers"
BESIDE = ("chat", "messages-chat", "stream", "stream-messages-chat")
"""Our cases that peers are asked too."""
_FORMS: tuple[Form, ...] = ("json", "burst")
_LITELLM = """\
model_list:
{models}
litellm_settings:
  use_chat_completions_url_for_anthropic_messages: true
  num_retries: 0
general_settings:
  master_key: {key}
"""
_LITELLM_MODEL = """\
  - model_name: {name}
    litellm_params:
      model: openai/{model}
      api_base: {url}/v1
      api_key: {key}"""


class Setup(Struct, frozen=True):
    """How a peer is started, and what its clients send."""

    command: list[str]
    env: dict[str, str] = {}
    headers: dict[Form, tuple[str, ...]] = {}
    ready: str = "/"
    """A path that is answered with 200 once it serves."""


class Peer(Struct, frozen=True):
    """Another gateway."""

    name: Server
    title: str
    program: Path
    """Its file, where it is installed."""
    package: str
    """Where its version stands: a dist-info folder or a package.json."""
    setup: Callable[[int, Upstreams, Path], Setup]
    models: dict[Form, str]
    """What its clients ask for."""
    key: str = script.KEY

    @property
    def there(self) -> bool:
        """Whether it is installed."""
        return (FOLDER / self.program).exists()

    @property
    def version(self) -> str:
        """The version that is installed; empty where none is."""
        found = next(FOLDER.glob(self.package), None)
        if found is None:
            return ""
        if found.name == "package.json":
            return str(msgspec.json.decode(found.read_bytes())["version"])
        return found.name.removesuffix(".dist-info").rpartition("-")[2]

    def cases(self) -> list[Case]:
        """What it is asked, beside the same of ours."""
        return [
            Case(
                name=f"{self.name}-{case.name}",
                title=f"{self.title} {self.version}".rstrip() + f", {case.title}",
                server=self.name, client=case.client, upstream=case.upstream, form=case.form,
                asked=self.models[case.form], key=self.key, ours_beside=case.name,
            )
            for case in (OURS[name] for name in BESIDE)
        ]  # fmt: skip


def _litellm(port: int, upstreams: Upstreams, folder: Path) -> Setup:
    models = [
        _LITELLM_MODEL.format(
            name=alias("chat", form), model=script.MODEL, key=script.UPSTREAM_KEY,
            url=f"http://127.0.0.1:{upstreams.port}{PREFIXES[form]}",
        )
        for form in _FORMS
    ]  # fmt: skip
    config = folder / "litellm.yaml"
    config.write_text(_LITELLM.format(models="\n".join(models), key=script.KEY))
    program = str(FOLDER / PEERS[0].program)
    command = [program, "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    env = {
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOG": "ERROR",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_USE_CHAT_COMPLETIONS_URL_FOR_ANTHROPIC_MESSAGES": "true",
    }
    return Setup([*command, "--num_workers", "1", "--telemetry", "False"], env,
                 ready="/health/liveliness")  # fmt: skip


def _portkey(port: int, upstreams: Upstreams, folder: Path) -> Setup:
    program = str(FOLDER / PEERS[1].program)
    command = ["node", program, f"--port={port}", "--headless"]
    host = f"x-portkey-custom-host: http://127.0.0.1:{upstreams.port}"
    headers: dict[Form, tuple[str, ...]] = {
        form: ("x-portkey-provider: openai", f"{host}{PREFIXES[form]}/v1") for form in _FORMS
    }
    env = {"NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "127.0.0.1"}
    return Setup(command, env, headers)


def _vandamme(port: int, upstreams: Upstreams, folder: Path) -> Setup:
    env = {
        "PROXY_API_KEY": script.KEY,
        "LOG_LEVEL": "ERROR",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "HOME": str(folder),
        "VDM_DEFAULT_PROVIDER": "openai",
        "VDM_STRICT_PROFILE_VALIDATION": "false",
    }
    for form, name in zip(_FORMS, ("OPENAI", "BURST"), strict=True):
        env[f"{name}_API_KEY"] = script.UPSTREAM_KEY
        env[f"{name}_BASE_URL"] = f"http://127.0.0.1:{upstreams.port}{PREFIXES[form]}/v1"
    program = str(FOLDER / PEERS[2].program)
    command = [program, "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    return Setup(command, env, ready="/health")


_ALIASES: dict[Form, str] = {form: alias("chat", form) for form in _FORMS}
_NODE = "portkey/node_modules/@portkey-ai/gateway"
PEERS = (
    Peer("litellm", "LiteLLM", Path("litellm/bin/litellm"),
         "litellm/lib/*/site-packages/litellm-[0-9]*.dist-info", _litellm, _ALIASES),
    Peer("portkey", "Portkey", Path(_NODE) / "build/start-server.js", f"{_NODE}/package.json",
         _portkey, dict.fromkeys(_FORMS, script.MODEL), script.UPSTREAM_KEY),
    Peer("vandamme", "Vandamme", Path("vandamme/bin/vdm"),
         "vandamme/lib/*/site-packages/vandamme_proxy-*.dist-info", _vandamme,
         {"json": f"openai:{script.MODEL}", "burst": f"burst:{script.MODEL}"}),
)  # fmt: skip
NAMED = {case.name: case for peer in PEERS for case in peer.cases()}
