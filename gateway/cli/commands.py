"""The command line: serve, check, chain, explain, config show."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gateway.version import version

if TYPE_CHECKING:
    from gateway.assemble import Assembly
    from gateway.config.load import Config, Fault

F = TypeVar("F", bound=Callable[..., Any])


class _Group(click.Group):
    """Commands in the order they are written."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of their definition."""
        return list(self.commands)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version(), prog_name="interlingua", message="%(prog)s %(version)s")
def main() -> None:
    """One process between any LLM client and any LLM provider.

    The configuration file is that of --config, else of INTERLINGUA_CONFIG, else ./config.toml,
    else /etc/interlingua/config.toml. Without a file, defaults and the environment are used.
    """


def _with_config(command: F) -> F:
    """Add the flags that select and override the configuration."""
    for option in (
        click.option(
            "--insecure-no-auth",
            is_flag=True,
            help="Listen on a public address without client keys.",
        ),
        click.option("--port", type=int, help="TCP port to listen on."),
        click.option("--host", help="Address to listen on."),
        click.option(
            "-c", "--config", "path", type=click.Path(path_type=Path), help="Configuration file."
        ),
    ):
        command = option(command)
    return command


@main.command()
@click.option("--workers", type=int, help="Worker processes; 0: one for each usable core.")
@_with_config
def serve(
    path: Path | None,
    host: str | None,
    port: int | None,
    insecure_no_auth: bool,
    workers: int | None,
) -> None:
    """Run the gateway until it receives SIGINT or SIGTERM."""
    overrides = _overrides(host, port, insecure_no_auth)
    overrides |= {} if workers is None else {"server.workers": workers}
    config, assembly = _sound(path, overrides)
    _warn(config, assembly)
    from gateway.config.load import ConfigError
    from gateway.server.serve import serve as run

    try:
        sys.exit(run(config, config.source.path, assembly))
    except ConfigError as error:
        _refuse(error.faults)


@main.command()
@_with_config
def check(path: Path | None, host: str | None, port: int | None, insecure_no_auth: bool) -> None:
    """Check the configuration and list every fault and warning."""
    from gateway.cli.show import provider_line

    config, assembly = _sound(path, _overrides(host, port, insecure_no_auth))
    runtime = assembly.runtime
    server, keys = config.server, len(config.auth.keys)
    asked = f"{keys} client key{'s' if keys > 1 else ''}" if keys else "no client key is asked for"
    click.echo(f"{config.source.path or 'defaults and environment'}: sound")
    click.echo(f"listen      {server.host}:{server.port}, {asked}")
    click.echo(f"chain       {' > '.join(str(table.get('use')) for table in config.middleware)}")
    for place, (name, provider) in enumerate(runtime.providers.items()):
        use = str(config.providers.get(name, {}).get("use", name))
        click.echo(f"{'' if place else 'providers':11} {provider_line(name, use, provider)}")
    click.echo(f"default     {runtime.config.routing.default_provider or 'none'}")
    for place, (name, targets) in enumerate(runtime.config.aliases.items()):
        click.echo(f"{'' if place else 'aliases':11} {name} -> {', '.join(targets)}")
    _warn(config, assembly, err=False)


@main.command()
@_with_config
def chain(path: Path | None, host: str | None, port: int | None, insecure_no_auth: bool) -> None:
    """Show the middlewares of the chain and their options."""
    from gateway.cli.show import first_line, options

    config, assembly = _sound(path, _overrides(host, port, insecure_no_auth))
    for place, link in enumerate(assembly.links):
        use = str(config.middleware[place].get("use"))
        kind = type(link)
        click.echo(f"{place + 1}. {use}  ({kind.__module__}:{kind.__name__})")
        click.echo(f"   {first_line(kind)}")
        click.echo(f"   {options(link) or 'no options'}")
    click.echo(f"{len(assembly.links) + 1}. the provider: {', '.join(assembly.runtime.providers)}")


@main.command()
@click.argument("model")
@_with_config
def explain(
    model: str, path: Path | None, host: str | None, port: int | None, insecure_no_auth: bool
) -> None:
    """Show where a call for MODEL would go, without calling an upstream."""
    from gateway.cli.show import highlights
    from gateway.errors import GatewayError
    from gateway.roles import resolve_model

    _, assembly = _sound(path, _overrides(host, port, insecure_no_auth))
    try:
        found = resolve_model(assembly.links, model)
    except GatewayError as error:
        click.echo(error.message, err=True)
        sys.exit(1)
    if found is None:
        click.echo("no link of the chain can explain where a model goes", err=True)
        sys.exit(1)
    for line in found.steps:
        click.echo(line)
    for place, target in enumerate(found.targets, 1):
        spoken = ", ".join(dialect.name for dialect in target.dialects) or "nothing"
        click.echo(f"{place}. {target}")
        click.echo(f"   speaks {spoken}")
        click.echo(f"   {highlights(target.capability) or 'takes what a plain Chat server takes'}")


@main.group(name="config")
def config_group() -> None:
    """Show the configuration."""


@config_group.command(name="show")
@click.option("--effective", is_flag=True, help="Include defaults and derived values.")
@_with_config
def show(
    effective: bool,
    path: Path | None,
    host: str | None,
    port: int | None,
    insecure_no_auth: bool,
) -> None:
    """Print the configuration as TOML with the origin of each value; secrets are masked."""
    from gateway.cli.show import listing, origins

    config, assembly = _sound(path, _overrides(host, port, insecure_no_auth))
    shown = assembly.runtime.config if effective else config
    found = origins(config)
    providers = assembly.runtime.providers
    for line in listing(shown, providers, assembly.links, found, effective=effective):
        click.echo(line)
    for name, why in assembly.disabled.items():
        click.echo(f"# providers.{name} is disabled: {why}")


def _overrides(host: str | None, port: int | None, insecure_no_auth: bool) -> dict[str, object]:
    given = {"server.host": host, "server.port": port}
    given["server.insecure_no_auth"] = insecure_no_auth or None
    return {path: value for path, value in given.items() if value is not None}


def _sound(path: Path | None, overrides: dict[str, object]) -> "tuple[Config, Assembly]":
    """Return the configuration and its plugins; on faults, print them all to stderr and exit."""
    from gateway.assemble import try_assemble
    from gateway.config.load import find_file, read_config, with_positions

    file = find_file(os.environ) if path is None else path
    config, faults = read_config(file, os.environ, overrides)
    assembly = try_assemble(config)
    faults += assembly.faults
    if faults:
        _refuse(with_positions(faults, config.source))
    return config, assembly


def _refuse(faults: "list[Fault]") -> None:
    for fault in faults:
        click.echo(str(fault), err=True)
    sys.exit(1)


def _warn(config: "Config", assembly: "Assembly", *, err: bool = True) -> None:
    if assembly.warnings:
        from gateway.config.load import with_positions

        for warning in with_positions(assembly.warnings, config.source):
            click.echo(f"warning: {warning}", err=err)
