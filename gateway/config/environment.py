"""Providers discovered from variables of the environment.

`{NAME}_API_KEY` makes a provider, and `{NAME}_BASE_URL`, `_API_FORMAT`, `_API_VERSION`,
`_AUTH_MODE`, `_ALIAS_*` and `_CUSTOM_HEADER_*` are its options. The name's own class and address
are used where the gateway knows it; any other name needs a `_BASE_URL`.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct, field

from gateway.config.decode import join
from gateway.config.faults import Fault
from gateway.config.layers import Layer, Rank, merge
from gateway.config.messages import listed, nearest
from gateway.config.options import PREFIX
from gateway.secret import PASSTHROUGH

CLIENT_KEY = "PROXY_API_KEY"
WORDS = {"big": "ANTHROPIC_MODEL", "small": "ANTHROPIC_SMALL_FAST_MODEL"}
"""Built-in aliases, and the variables that replace their built-in targets."""

_FORMATS = ("openai", "anthropic", "responses")
_OTHER_NAMES = {"google": "gemini"}
"""Other prefixes for the keys of known providers."""
_OPENAI_FORMS = {"gemini": "gemini-openai"}
"""The OpenAI-compatible variants of providers with another format."""


class Discovered(Struct):
    """The layer of the providers found, the variables it is made of, faults and warnings."""

    variables: Layer
    """Variable -> text, those of a vandamme file below those of the environment."""
    names: Collection[str] = ()
    """Providers as a vandamme file spells them."""
    layer: Layer = field(default_factory=lambda: Layer(rank=Rank.DISCOVERED))
    faults: list[Fault] = []
    warnings: list[Fault] = []

    @property
    def providers(self) -> dict[str, dict[str, Any]]:
        """The tables of the providers by name."""
        return self.layer.table("providers")

    def place(self, variable: str) -> str:
        """Return where the variable, or what stands for it in a file, is set."""
        return self.variables.origins[join("", variable)]

    def fault(self, variable: str, path: str, message: str, hint: str = "") -> None:
        """Record a variable whose value cannot be used."""
        place = self.place(variable)
        self.faults.append(Fault(file=place, path=path, message=message, hint=hint))

    def warn(self, variable: str, message: str) -> None:
        """Record a variable that has no effect."""
        self.warnings.append(Fault(file=self.place(variable), message=message))

    def set(self, keys: Sequence[str], value: object, variable: str) -> None:
        """Set an option below [providers]."""
        self.layer.put(("providers", *keys), value, self.place(variable))


def discover(
    env: Mapping[str, str],
    known: Collection[str],
    configured: Collection[str],
    written: Layer | None = None,
    names: Collection[str] = (),
) -> Discovered:
    """Return the providers that variables describe.

    `known` have an address of their own, `configured` are those that have tables already.
    `written` holds what a vandamme file sets, as variables; `names` are the providers in it.
    """
    written = written or Layer(rank=Rank.VANDAMME)
    own = Layer(rank=Rank.DISCOVERED)
    for variable in sorted(env):
        if env[variable].strip():
            own.put((variable,), env[variable].strip(), f"env {variable}")
    found = Discovered(merge(written, own), names)
    variables = dict(sorted(found.variables.values.items()))
    taken = {_fold(name): name for name in configured}
    for variable in variables:
        prefix = variable.removesuffix("_API_KEY")
        if prefix in ("", variable) or variable == CLIENT_KEY or variable.startswith(PREFIX):
            continue
        if _fold(prefix) in taken or _is_there(prefix, variables, {*taken, *found.providers}):
            continue
        _provider(prefix, variables, known, found)
    providers = taken | {_fold(name): name for name in found.providers}
    for variable in variables:
        _alias(variable, variables, providers, found)
    for variable in [name for name in _DEFAULTS if name in variables]:
        _default(variable, variables[variable], providers, found)
    return found


def _is_there(prefix: str, variables: Mapping[str, str], names: Collection[str]) -> bool:
    """Whether the provider of a key is there already under its usual name."""
    return f"{prefix}_BASE_URL" not in variables and _OTHER_NAMES.get(_fold(prefix)) in names


def _provider(
    prefix: str, variables: Mapping[str, str], known: Collection[str], found: Discovered
) -> None:
    spelled = [*known, *found.names]
    name = next((each for each in spelled if _fold(each) == _fold(prefix)), prefix.lower())
    key, address = f"{prefix}_API_KEY", f"{prefix}_BASE_URL"
    if name not in spelled and address not in variables:
        name = _OTHER_NAMES.get(name, name)
    if name not in known and address not in variables:
        # Many programs have such a key: it is no fault that one of theirs stands here.
        found.warn(key, f"not used: {address} must be set too for this to be a provider")
        return
    if _is_beyond(prefix, variables, found):
        return
    use = _use(prefix, name, variables, known, found)
    found.set([name], found.providers.get(name, {}), key)
    found.set([name, "use"], use, key)
    form = f"{prefix}_API_FORMAT"
    if use == "compatible" and variables.get(form, "").lower() == "responses":
        found.set([name, "speaks"], ["responses"], form)
    # A key of the environment by reference; one that a file holds is not in the environment.
    held = variables[key].split()
    held_key: str | list[str] = held if len(held) > 1 else held[0]
    value = f"env:{key}" if found.place(key) == f"env {key}" else held_key
    if variables.get(f"{prefix}_AUTH_MODE", "").lower() == "passthrough":
        value = PASSTHROUGH
    found.set([name, "api_key"], value, key)
    if address in variables:
        found.set([name, "base_url"], _address(variables[address], use), address)
    version = f"{prefix}_API_VERSION"
    if version in variables and use == "azure":
        found.set([name, "api_version"], variables[version], version)
    elif version in variables:
        found.warn(version, f'not used: the provider "{name}" takes no version')
    start = f"{prefix}_CUSTOM_HEADER_"
    headers = {each.removeprefix(start): each for each in variables if each.startswith(start)}
    if headers:
        # By reference: a header may be a credential.
        values = {_header(rest): f"env:{variable}" for rest, variable in headers.items()}
        found.set([name, "headers"], values, next(iter(headers.values())))


def _is_beyond(prefix: str, variables: Mapping[str, str], found: Discovered) -> bool:
    """Whether a provider needs OAuth, which is not supported."""
    mode = f"{prefix}_AUTH_MODE"
    if variables.get(mode, "").lower() == "oauth":
        found.warn(mode, "not used: a provider is used with a key, nobody signs in here")
    elif variables[f"{prefix}_API_KEY"] == "!OAUTH":
        found.warn(f"{prefix}_API_KEY", "not used: a provider is used with a key")
    else:
        return False
    return True


def _use(
    prefix: str,
    name: str,
    variables: Mapping[str, str],
    known: Collection[str],
    found: Discovered,
) -> str:
    """Return the `use` of a provider, from its format, its version and its name."""
    variable = f"{prefix}_API_FORMAT"
    form = variables.get(variable, "").lower()
    path = join("providers", name)
    if form not in ("", *_FORMATS):
        message = f'expected one of {listed(_FORMATS)}, got "{form}"'
        found.fault(variable, path, message, nearest(form, _FORMATS))
        form = ""
    base = variables.get(f"{prefix}_BASE_URL", "").rstrip("/")
    if name in _OPENAI_FORMS and (form == "openai" or base.endswith("/openai")):
        return _OPENAI_FORMS[name]
    if not base:
        if form and form != _own_format(name):
            found.fault(variable, path, f"{prefix}_BASE_URL must be set for another format")
        return name
    if form == "anthropic":
        return "anthropic"
    if name == "azure" or (f"{prefix}_API_VERSION" in variables and name != "anthropic"):
        return "azure"
    return "compatible" if name not in known or (form and form != _own_format(name)) else name


def _alias(
    variable: str, variables: Mapping[str, str], names: Mapping[str, str], found: Discovered
) -> None:
    prefix, mark, alias = variable.partition("_ALIAS_")
    if not prefix or not mark or not alias or variable.startswith(PREFIX):
        return
    name = names.get(_fold(prefix))
    if name is None:
        found.warn(variable, f'not used: there is no provider "{prefix.lower()}"')
        return
    found.set([name, "aliases", alias.lower()], variables[variable], variable)


def _default(variable: str, text: str, names: Mapping[str, str], found: Discovered) -> None:
    parse, expected = _DEFAULTS[variable]
    provider, _, parameter = variable.lower().partition("_")
    name = names.get(provider)
    try:
        value = parse(text)
    except ValueError:
        path = f"providers.{name or provider}.defaults.{parameter}"
        found.fault(variable, path, f'expected {expected}, got "{text}"')
        return
    if name is None:
        found.warn(variable, f'not used: there is no provider "{provider}"')
    else:
        found.set([name, "defaults", parameter], value, variable)


def _between(least: float, most: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = float(text)
        if not least <= value <= most:
            raise ValueError(text)
        return value

    return number


def _preference(text: str) -> dict[str, Any]:
    """Parse OpenRouter's `provider` object: JSON, or names in order of preference."""
    if text.startswith("{"):
        return msgspec.json.decode(text, type=dict[str, Any])
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise ValueError(text)
    return {"order": names}


_DEFAULTS: dict[str, tuple[Callable[[str], Any], str]] = {
    "OPENROUTER_MIN_P": (_between(0, 1), "a number from 0 to 1"),
    "OPENROUTER_TOP_A": (_between(0, 1), "a number from 0 to 1"),
    "OPENROUTER_REPETITION_PENALTY": (_between(0, 2), "a number from 0 to 2"),
    "OPENROUTER_PROVIDER": (_preference, "names with commas between, or a JSON object"),
    "OPENAI_FREQUENCY_PENALTY": (_between(-2, 2), "a number from -2 to 2"),
    "OPENAI_PRESENCE_PENALTY": (_between(-2, 2), "a number from -2 to 2"),
    "OPENAI_SEED": (int, "a whole number"),
    "OPENAI_USER": (str, "text"),
}
"""Variable of a default parameter -> its parser, and what it expects."""


def _address(url: str, use: str) -> str:
    # Clients of the Messages API are given its address without the version, so operators are too.
    url, version = url.rstrip("/"), {"anthropic": "v1", "gemini": "v1beta"}.get(use)
    return f"{url}/{version}" if version and not re.search(r"/v\d+\w*$", url) else url


def _own_format(name: str) -> str:
    return "anthropic" if name == "anthropic" else "openai"


def _header(rest: str) -> str:
    return rest.lower().replace("_", "-")


def _fold(name: str) -> str:
    return name.lower().replace("-", "_")
