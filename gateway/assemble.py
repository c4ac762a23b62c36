"""Makes the plugins of a configuration: loads, configures, checks and binds them."""

from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from gateway.aliases import alias_faults, reachable, with_shipped
from gateway.config.builtins import MIDDLEWARES, ORDER, PROVIDERS, provider_names, short_name
from gateway.config.decode import Decoder, join
from gateway.config.load import Config, ConfigError, Fault, Tables, is_loopback, with_positions
from gateway.config.messages import listed, nearest
from gateway.config.schema import Profile, Routing
from gateway.neutral.seal import Seal
from gateway.plugin import LoadError, Middleware, Provider, Runtime, load

P = TypeVar("P", bound=Struct)


class Assembly(Struct):
    """The plugins of a configuration that could be made, with faults and warnings."""

    runtime: Runtime
    links: list[Middleware]
    faults: list[Fault]
    warnings: list[Fault]
    disabled: dict[str, str]
    """Providers without a required key or variable -> the reason."""


def assemble(config: Config) -> tuple[Runtime, list[Middleware]]:
    """Build the bound runtime, with the effective `config`, and the links of the chain.

    Raises ConfigError with every fault.
    """
    assembly = try_assemble(config)
    if assembly.faults:
        raise ConfigError(with_positions(assembly.faults, config.source))
    return assembly.runtime, assembly.links


def try_assemble(config: Config) -> Assembly:
    """Make what can be made of a configuration, and find every fault in it."""
    maker = _Maker(config)
    providers = maker.providers()
    links = maker.links()
    effective = maker.effective(providers)
    seal_key = config.server.seal_key
    seal = Seal(seal_key.reveal().encode()) if seal_key else Seal()
    runtime = Runtime(effective, providers, seal)
    maker.faults += alias_faults(effective, providers, known=[*providers, *maker.disabled])
    maker.faults += _chain_faults(config, links)
    maker.faults += _batch_faults(config)
    maker.warnings += _chain_warnings(links)
    maker.faults += [fault for name in providers for fault in _own_address(config, name, providers)]
    maker.bind(runtime, [link for link in links if link is not None])
    kept = [link for link in links if link is not None]
    return Assembly(runtime, kept, maker.faults, maker.warnings, maker.disabled)


class _Maker:
    """Makes plugins from tables and collects faults and warnings."""

    def __init__(self, config: Config) -> None:
        self.faults: list[Fault] = []
        self.warnings: list[Fault] = list(config.source.warnings)
        self.disabled: dict[str, str] = {}
        self._config = config
        self._uses: dict[str, str] = {}

    def providers(self) -> dict[str, Provider]:
        """Return the usable providers by name; `echo` if none is left."""
        made = {}
        for name, table in self._config.providers.items():
            provider = self._provider(name, table)
            if provider is not None:
                made[name] = provider
        if not made and self.disabled and not self.faults:
            message = 'no provider is left, so the built-in "echo" answers in their place'
            self.warnings.append(Fault(path="providers", message=message))
            provider = self._provider("echo", {"use": "echo"})
            return {"echo": provider} if provider else {}
        return made

    def _provider(self, name: str, table: Mapping[str, Any]) -> Provider | None:
        at = join("providers", name)
        use = table.get("use", name if name in provider_names() else None)
        if use in provider_names() and use not in PROVIDERS:
            table = {"family": use} | dict(table)
            dotted: str | None = PROVIDERS["compatible"]
        else:
            dotted = self._dotted(use, PROVIDERS, provider_names(), at)
        kind = self._loaded(dotted, Provider, at) if dotted else None
        if kind is None:
            return None
        reading = Decoder(self._config.source.env)
        made = reading.struct(table, kind, at, skip="use")
        self.faults += reading.faults
        self.warnings += reading.warnings
        if reading.lost or (made is None and reading.missing):
            why = "; ".join(fault.message for fault in reading.missing)
            self.disabled[name] = why
            self.warnings.append(Fault(path=at, message=f"disabled: {why}"))
            return None
        self.warnings += reading.missing
        self._uses[name] = use
        return made

    def links(self) -> list[Middleware | None]:
        """Return the middlewares in order; None for one that could not be made."""
        return [
            self._link(table, join("middleware", place))
            for place, table in enumerate(self._config.middleware)
        ]

    def _link(self, table: Mapping[str, Any], at: str) -> Middleware | None:
        dotted = self._dotted(table.get("use"), MIDDLEWARES, list(MIDDLEWARES), at)
        kind = self._loaded(dotted, Middleware, at) if dotted else None
        if kind is None:
            return None
        reading = Decoder(self._config.source.env)
        made = reading.struct(table, kind, at, skip="use")
        self.faults += reading.faults + reading.missing
        self.warnings += reading.warnings
        return None if reading.missing else made

    def _dotted(
        self, use: object, names: Mapping[str, str], valid: list[str], at: str
    ) -> str | None:
        """Return the dotted path of a `use`; None if it is a fault."""
        if isinstance(use, str) and (use in names or ":" in use):
            return names.get(use, use)
        form = f'one of {listed(valid)}, or "package.module:Class"'
        if use is None:
            self.faults.append(Fault(path=at, message=f'"use" is missing: {form}'))
        else:
            hint = nearest(use, valid) if isinstance(use, str) else ""
            message = f"expected {form}" if not hint else f'there is no "{use}"'
            self.faults.append(Fault(path=join(at, "use"), message=message, hint=hint))
        return None

    def _loaded(self, dotted: str, base: type[P], at: str) -> type[P] | None:
        try:
            found = load(dotted)
        except LoadError as fault:
            message = str(fault)
        except Exception as fault:  # noqa: BLE001 - what foreign code raises when it is imported
            module = dotted.partition(":")[0]
            message = f'importing "{module}" failed: {type(fault).__name__}: {fault}'
        else:
            if issubclass(found, base):
                return found
            message = f'"{dotted}" is not derived from gateway.{base.__name__}'
        self.faults.append(Fault(path=join(at, "use"), message=message))
        return None

    def effective(self, providers: Mapping[str, Provider]) -> Config:
        """Return the configuration with the default provider and the aliases resolved."""
        config, disabled = self._config, self.disabled
        default = config.routing.default_provider
        if default and default not in providers and default not in config.providers:
            message = f'there is no provider "{default}"'
            hint = nearest(default, providers)
            path = "routing.default_provider"
            self.faults.append(Fault(path=path, message=message, hint=hint))
        elif default in disabled:
            # Its calls do not go to another provider instead: nobody chose that one for them.
            message = f'"{default}" is disabled: models that name no provider are unknown'
            self.warnings.append(Fault(path="routing.default_provider", message=message))
            default = "echo" if list(providers) == ["echo"] else ""
        elif not default:
            default = "openai" if "openai" in providers else next(iter(providers), "")
        aliases, warnings = reachable(config.aliases, disabled)
        self.warnings += warnings
        profile = config.routing.default_profile
        return msgspec.structs.replace(
            config,
            routing=Routing(default_provider=default, default_profile=profile),
            aliases=with_shipped(aliases, self._uses.get(default, ""), default),
            profiles=self._profiles(),
        )

    def _profiles(self) -> dict[str, Profile]:
        """Return the profiles without targets at disabled providers."""
        kept = {}
        for name, profile in self._config.profiles.items():
            at = f"{join('profiles', name)}.aliases"
            aliases, warnings = reachable(profile.aliases, self.disabled, at)
            self.warnings += warnings
            kept[name] = msgspec.structs.replace(profile, aliases=aliases)
        return kept

    def bind(self, runtime: Runtime, links: list[Middleware]) -> None:
        """Bind the providers, and the middlewares as long as there is no fault."""
        for name, provider in runtime.providers.items():
            try:
                provider.bind(name, runtime)
            except ConfigError as error:
                self._refused(error, provider, join("providers", name))
        for place, link in enumerate(links):
            if self.faults:
                return
            try:
                link.bind(runtime)
            except ConfigError as error:
                self._refused(error, link, join("middleware", place))

    def _refused(self, error: ConfigError, plugin: Struct, at: str) -> None:
        """Record faults of a plugin, whose paths start at its table or at the top of the file."""
        for fault in error.faults:
            top = fault.path.replace("[", ".").partition(".")[0]
            if top not in Tables.__struct_fields__ or top in plugin.__struct_fields__:
                path = f"{at}.{fault.path}" if fault.path else at
                fault = msgspec.structs.replace(fault, path=path)
            self.faults.append(fault)


def _batch_faults(config: Config) -> list[Fault]:
    engine = config.batch.engine.reveal()
    if engine in ("off", "embedded") or engine.startswith(
        ("postgres://", "postgresql://", "postgresql+psycopg://")
    ):
        return []
    message = 'expected "off", "embedded" or a URL that begins with postgresql://'
    return [Fault(path="batch.engine", message=message)]


def _chain_faults(config: Config, links: list[Middleware | None]) -> list[Fault]:
    if None in links:
        return []  # the position of the missing link is unknown
    names = [short_name(link) for link in links]
    faults = []
    for place, name in enumerate(names):
        at = join("middleware", place)
        if name and name in names[:place]:
            faults.append(Fault(path=at, message=f'"{name}" stands in the chain twice'))
        late = [each for each in names[:place] if name and each in ORDER[ORDER.index(name) + 1 :]]
        if late:
            faults.append(Fault(path=at, message=f'"{name}" must stand before "{late[0]}"'))
    if config.auth.keys and "auth" not in names:
        message = 'keys are given, but no link "auth" of the chain asks for them'
        faults.append(Fault(path="auth.keys", message=message))
    if all(names) and "alias" not in names:
        message = 'no link "alias": nothing in the chain says which provider a call goes to'
        faults.append(Fault(path="middleware", message=message))
    return faults


def _chain_warnings(links: list[Middleware | None]) -> list[Fault]:
    names = [short_name(link) for link in links]
    if None in links:
        return []
    if "convert" not in names:
        message = 'no link "convert": a client and its provider must speak the same dialect'
        return [Fault(path="middleware", message=message)]
    if names[-1] != "convert":
        path = join("middleware", names.index("convert"))
        message = "the links after \"convert\" see the provider's dialect, not the client's"
        return [Fault(path=path, message=message)]
    return []


def _own_address(config: Config, name: str, providers: Mapping[str, Provider]) -> list[Fault]:
    """Find a provider that is this gateway: a client's variable is easily set here too."""
    url = getattr(providers[name], "base_url", None)
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        host, port = (
            parts.hostname or "",
            parts.port or {"http": 80, "https": 443}.get(parts.scheme),
        )
    except ValueError:
        return []  # the provider says so itself
    server = config.server
    here = host == server.host or (is_loopback(host) and _takes_loopback(server.host))
    if not here or port != server.port:
        return []
    message = "is the address of this gateway: it would call itself"
    return [Fault(path=join(join("providers", name), "base_url"), message=message)]


def _takes_loopback(host: str) -> bool:
    return is_loopback(host) or host.strip("[]") in _ANY


_ANY = ("0.0.0.0", "::")  # noqa: S104 - compared with, not listened on
