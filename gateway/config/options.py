"""Single options given by variables of the environment and by flags, as layers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateway.config.builtins import CHAIN
from gateway.config.decode import EnvText
from gateway.config.faults import Fault
from gateway.config.layers import Layer, Rank

PREFIX = "INTERLINGUA__"
OPTIONS = {
    "HOST": ("server.host",),
    "PORT": ("server.port",),
    "LOG_LEVEL": ("log.level",),
    "REQUEST_TIMEOUT": ("timeouts.first_byte", "timeouts.idle"),
    "STREAMING_CONNECT_TIMEOUT_SECONDS": ("timeouts.connect",),
    "STREAMING_READ_TIMEOUT_SECONDS": ("timeouts.idle",),
    "CACHE_DIR": ("catalogue.folder",),
    "MODELS_CACHE_TTL_HOURS": ("catalogue.ttl",),
    "TOP_MODELS_SOURCE": ("catalogue.top_models",),
    "VDM_DEFAULT_PROVIDER": ("routing.default_provider",),
    "VDM_DEFAULT_TARGET": ("routing.default_provider",),
}
"""Variables that stand for options of the file; the last of several for one option is used."""
RETRIES = "MAX_RETRIES"
UNUSED = (
    "MAX_TOKENS_LIMIT",
    "MIN_TOKENS_LIMIT",
    "MODELS_CACHE_ENABLED",
    "ALIAS_MAX_CHAIN_LENGTH",
    "LOG_REQUEST_METRICS",
    "TOP_MODELS_EXCLUDE",
    "TOP_MODELS_RANKINGS_FILE",
    "TOP_MODELS_TIMEOUT_SECONDS",
)
"""Variables of vandamme-proxy that have no counterpart here."""


def environment_layer(env: Mapping[str, str], file: Layer) -> tuple[Layer, list[Fault]]:
    """Return the options that variables set, named as `file` spells them, and the faults."""
    layer = Layer(rank=Rank.ENVIRONMENT)
    faults = []
    for path, text, variable in _variables(env):
        if not path:
            message = f"names no option; the form is {PREFIX}SECTION__KEY"
            faults.append(Fault(file=f"env {variable}", message=message))
        else:
            faults += _put(layer, [file], path, EnvText(text), f"env {variable}")
    _put_retries(layer, env, file)
    return layer, faults


def flag_layer(
    overrides: Mapping[str, object], below: Sequence[Layer]
) -> tuple[Layer, list[Fault]]:
    """Return the options that flags set, by the paths in `overrides`, and the faults."""
    layer = Layer(rank=Rank.FLAGS)
    faults = []
    for path, value in overrides.items():
        flag = path.rpartition(".")[2].replace("_", "-")
        given = EnvText(value) if isinstance(value, str) else value
        faults += _put(layer, below, path.split("."), given, f"flag --{flag}")
    return layer, faults


def unused_variables(env: Mapping[str, str]) -> list[Fault]:
    """Return a warning for each variable of vandamme-proxy that has no effect here."""
    unused = [name for name in UNUSED if env.get(name, "").strip()]
    return [
        Fault(file=f"env {name}", message="not used: nothing here answers to it") for name in unused
    ]


def option_text(name: str, env: Mapping[str, str]) -> str:
    """Return the text of an option's variable as the file would have it."""
    text = env[name].strip()
    if name == "LOG_LEVEL":
        word = text.split()[0].lower()
        return {"critical": "error", "fatal": "error", "warn": "warning"}.get(word, word)
    if name == "TOP_MODELS_SOURCE":
        return {"manual_rankings": "manual"}.get(text, text)
    if name == "CACHE_DIR" and text.startswith("~/") and env.get("HOME"):
        return env["HOME"] + text[1:]
    if name == "MODELS_CACHE_TTL_HOURS":
        try:
            return str(float(text) * 3600)
        except ValueError:
            return text
    return text


def _variables(env: Mapping[str, str]) -> Iterator[tuple[list[str], str, str]]:
    """Yield path, text and variable of each option; the path is empty where none is named."""
    for name, paths in OPTIONS.items():
        if env.get(name, "").strip():
            for path in paths:
                yield path.split("."), option_text(name, env), name
    for name in sorted(env):
        if name.startswith(PREFIX):
            parts = name.removeprefix(PREFIX).lower().split("__")
            yield parts if len(parts) > 1 and all(parts) else [], env[name], name


def _put(
    layer: Layer, below: Sequence[Layer], parts: list[str], value: object, origin: str
) -> list[Fault]:
    keys = _spell(parts, [*(each.values for each in below), layer.values])
    if keys is None:
        return [Fault(file=origin, message=f'"{".".join(parts)}" lies below what is no table')]
    layer.put(keys, value, origin)
    return []


def _spell(parts: Sequence[str], tables: Sequence[Any]) -> list[str] | None:
    """Return the keys as the tables spell them; None where one of them has no table there."""
    keys = []
    for part in parts:
        if not all(isinstance(table, dict) for table in tables):
            return None
        names = (name for table in tables for name in table)
        key = next((each for each in names if each.lower().replace("-", "_") == part), part)
        keys.append(key)
        tables = [table[key] for table in tables if key in table]
    return keys


def _put_retries(layer: Layer, env: Mapping[str, str], file: Layer) -> None:
    """Set the attempts of each "fallback" in the chain: one more than the retries."""
    text = env.get(RETRIES, "").strip()
    links = (file.values | layer.values).get("middleware", [{"use": name} for name in CHAIN])
    if not text or not isinstance(links, list):
        return
    attempts = int(text) + 1 if text.isdecimal() else EnvText(text)
    for place, link in enumerate(links):
        if isinstance(link, dict) and link.get("use") == "fallback":
            layer.put(("middleware", place, "attempts"), attempts, f"env {RETRIES}")
