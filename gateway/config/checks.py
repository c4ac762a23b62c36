"""Faults in a configuration whose options are each of the right type."""

import ipaddress
from collections.abc import Iterator

from gateway.config.decode import join
from gateway.config.faults import Fault
from gateway.config.messages import nearest
from gateway.config.names import fold
from gateway.config.schema import Tables


def find_faults(config: Tables, *, keys_given: bool) -> list[Fault]:
    """Return the faults in names, keys and address.

    `keys_given` says whether [auth] keys were written, although they may not be readable.
    """
    return [*_name_faults(config), *_key_faults(config), *_address_faults(config, keys_given)]


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to the address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _name_faults(config: Tables) -> Iterator[Fault]:
    """Names of providers and profiles that stand for nothing, or for two things."""
    providers = {fold(name): name for name in config.providers}
    for kind, names in (("provider", config.providers), ("profile", config.profiles)):
        for name in names:
            path = join(f"{kind}s", name)
            if not name.replace("-", "").replace("_", "").isalnum() or name in ("env", "file"):
                message = f"no name for a {kind}: letters, digits, - and _ are"
                yield Fault(path=path, message=f"{message}; env and file are taken")
            elif kind == "profile" and fold(name) in providers:
                message = f'a provider is called "{providers[fold(name)]}" too'
                yield Fault(path=path, message=f'{message}: "{name}:model" could mean either')
    folded = [fold(name) for name in config.profiles]
    for place, name in enumerate(config.profiles):
        if folded[place] in folded[:place]:
            yield Fault(path=join("profiles", name), message="stands here twice: case is not seen")
    default = config.routing.default_profile
    if default and fold(default) not in folded:
        message = f'there is no profile "{default}"'
        hint = nearest(default, config.profiles)
        yield Fault(path="routing.default_profile", message=message, hint=hint)


def _key_faults(config: Tables) -> Iterator[Fault]:
    """Client keys, and names of them, that are given twice."""
    for kind in ("name", "key"):
        values = [getattr(key, kind) for key in config.auth.keys if getattr(key, kind)]
        for place, value in enumerate(values):
            if value in values[:place]:
                message = f"the same {kind} stands in [auth] keys twice"
                yield Fault(path=f"auth.keys[{place}].{kind}", message=message)


def _address_faults(config: Tables, keys_given: bool) -> Iterator[Fault]:
    """An address that other machines can reach while no client needs a key."""
    server = config.server
    if keys_given or server.insecure_no_auth or is_loopback(server.host):
        return
    message = (
        f'"{server.host}" can be reached from other machines, and no client needs a key: set '
        "PROXY_API_KEY or [auth] keys, or listen on 127.0.0.1; "
        "--insecure-no-auth serves whoever can connect, at your expense"
    )
    yield Fault(path="server.host", message=message)
