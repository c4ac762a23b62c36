"""Where a link keeps what it keeps: in this process's memory, or in a Redis server."""

from collections.abc import Callable
from typing import TypeVar

from gateway.config.faults import ConfigError, Fault
from gateway.secret import Secret

S = TypeVar("S")

_SCHEMES = ("redis://", "rediss://", "unix://")


def open_store(store: Secret, memory: Callable[[], S], remote: Callable[[str], S]) -> S:
    """The store that an option `store` names; ConfigError where it leads to none.

    `remote` imports the client of Redis, which only those need who keep something there.
    """
    url = store.reveal()
    if url == "memory":
        return memory()
    if not url.startswith(_SCHEMES):
        message = 'is neither "memory" nor a URL such as "redis://host:6379/0"'
        raise ConfigError([Fault(path="store", message=message)])
    try:
        return remote(url)
    except ModuleNotFoundError:
        message = "needs the client of Redis: pip install 'interlingua[redis]'"
        raise ConfigError([Fault(path="store", message=message)]) from None
    except ValueError:  # its text may quote the URL
        message = "is no URL of a Redis server"
        raise ConfigError([Fault(path="store", message=message)]) from None
