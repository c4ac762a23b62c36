"""What variables of the environment say: single options, and whole providers.

`{NAME}_API_KEY` makes a provider, and `{NAME}_BASE_URL`, `_API_FORMAT`, `_API_VERSION`,
`_ALIAS_*` and `_CUSTOM_HEADER_*` are its options. The name's own class and address are used where
the gateway knows it; any other name needs a `_BASE_URL`.
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from gateway.faults import Fault
from gateway.validate import join
from gateway.words import listed, nearest

PREFIX = "INTERLINGUA__"
CLIENT_KEY = "PROXY_API_KEY"
OPTIONS = {
    "HOST": ("server.host",),
    "PORT": ("server.port",),
    "REQUEST_TIMEOUT": ("timeouts.first_byte", "timeouts.idle"),
    "VDM_DEFAULT_PROVIDER": ("routing.default_provider",),
}
"""Variables that stand for options of the file."""

_FORMATS = ("openai", "anthropic")


class Discovered(Struct):
    """Providers found, the variable each of their options came from, and what is wrong or odd."""

    providers: dict[str, dict[str, Any]] = {}
    origins: dict[str, str] = {}
    faults: list[Fault] = []
    warnings: list[Fault] = []

    def fault(self, variable: str, path: str, message: str, hint: str = "") -> None:
        """Notes a variable whose value cannot be used."""
        self.faults.append(Fault(file=f"env {variable}", path=path, message=message, hint=hint))

    def warn(self, variable: str, message: str) -> None:
        """Notes a variable that has no effect."""
        self.warnings.append(Fault(file=f"env {variable}", message=message))

    def set(self, name: str, option: str, value: object, variable: str) -> None:
        """Sets an option of a provider."""
        self.providers.setdefault(name, {})[option] = value
        self.origins[join(join("providers", name), option)] = f"env {variable}"

    def add(self, name: str, option: str, key: str, value: object, variable: str) -> None:
        """Sets one key of an option that is a table."""
        self.providers.setdefault(name, {}).setdefault(option, {})[key] = value
        path = join(join(join("providers", name), option), key)
        self.origins[path] = f"env {variable}"


def discover(
    env: Mapping[str, str], known: Collection[str], configured: Collection[str]
) -> Discovered:
    """What the environment says of providers; `known` have addresses, `configured` keys."""
    found = Discovered()
    variables = {name: value.strip() for name, value in sorted(env.items()) if value.strip()}
    taken = {_fold(name): name for name in configured}
    for variable in variables:
        prefix = variable.removesuffix("_API_KEY")
        if prefix in ("", variable) or variable == CLIENT_KEY or variable.startswith(PREFIX):
            continue
        if _fold(prefix) not in taken:
            _provider(prefix, variables, known, found)
    names = taken | {_fold(name): name for name in found.providers}
    for variable in variables:
        _alias(variable, variables, names, found)
    for variable in [name for name in _DEFAULTS if name in variables]:
        _default(variable, variables[variable], names, found)
    return found


def _provider(
    prefix: str, variables: Mapping[str, str], known: Collection[str], found: Discovered
) -> None:
    name = next((each for each in known if _fold(each) == _fold(prefix)), prefix.lower())
    key, address = f"{prefix}_API_KEY", f"{prefix}_BASE_URL"
    if name not in known and address not in variables:
        # Many programs have such a key: it is no fault that one of theirs stands here.
        found.warn(key, f"not used: {address} must be set too for this to be a provider")
        return
    found.origins[join("providers", name)] = f"env {key}"
    use = _use(prefix, name, variables, known, found)
    found.set(name, "use", use, key)
    found.set(name, "api_key", f"env:{key}", key)
    if address in variables:
        found.set(name, "base_url", _address(variables[address], use), address)
    version = f"{prefix}_API_VERSION"
    if version in variables and use == "azure":
        found.set(name, "api_version", variables[version], version)
    elif version in variables:
        found.warn(version, f'not used: the provider "{name}" takes no version')
    start = f"{prefix}_CUSTOM_HEADER_"
    headers = {each.removeprefix(start): each for each in variables if each.startswith(start)}
    if headers:
        # By reference: a header may be a credential.
        values = {_header(rest): f"env:{variable}" for rest, variable in headers.items()}
        found.set(name, "headers", values, next(iter(headers.values())))


def _use(
    prefix: str,
    name: str,
    variables: Mapping[str, str],
    known: Collection[str],
    found: Discovered,
) -> str:
    """The class of a provider, from its format, its version and its name."""
    variable = f"{prefix}_API_FORMAT"
    form = variables.get(variable, "").lower()
    path = join("providers", name)
    if form not in ("", *_FORMATS):
        message = f'expected one of {listed(_FORMATS)}, got "{form}"'
        found.fault(variable, path, message, nearest(form, _FORMATS))
        form = ""
    if f"{prefix}_BASE_URL" not in variables:
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
    found.add(name, "aliases", alias.lower(), variables[variable], variable)


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
        found.add(name, "defaults", parameter, value, variable)


def _between(least: float, most: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = float(text)
        if not least <= value <= most:
            raise ValueError(text)
        return value

    return number


def _preference(text: str) -> dict[str, Any]:
    """OpenRouter's `provider` object: as JSON, or the names in the order they are tried."""
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
"""Variables that are default parameters of a provider, how they are read, what is expected."""


def _address(url: str, use: str) -> str:
    # Clients of the Messages API are given its address without the version, so operators are too.
    url = url.rstrip("/")
    return f"{url}/v1" if use == "anthropic" and not re.search(r"/v\d+$", url) else url


def _own_format(name: str) -> str:
    return "anthropic" if name == "anthropic" else "openai"


def _header(rest: str) -> str:
    return rest.lower().replace("_", "-")


def _fold(name: str) -> str:
    return name.lower().replace("-", "_")
