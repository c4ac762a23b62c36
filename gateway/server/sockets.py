"""The sockets that a gateway listens on: bound before anything else starts, so that one is told."""

import errno
import os
import socket
import sys

_SHARES = sys.platform == "linux"
"""Whether the kernel deals connections out to sockets of the same port (SO_REUSEPORT)."""
_ABSENT = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


class Port:
    """An address of this machine, taken until `close`. OSError where it cannot be had."""

    def __init__(self, host: str, port: int, *, workers: int = 1) -> None:
        self._workers = workers
        self._reused = workers > 1 and _SHARES
        self._held = _bound(host, port, reused=False)
        if self._reused:
            # Only a socket that does not share shows that nobody else listens.
            taken = [(each.family, each.getsockname()) for each in self._held]
            self.close()
            self._held = [_socket(family, address, reused=True) for family, address in taken]
        self.urls = [url_of(each) for each in self._held]
        """Where clients reach it."""

    def sockets(self) -> list[socket.socket]:
        """Sockets for one worker: its own where the kernel can share a port, else those of all.

        None after `close`.
        """
        if self._workers == 1:  # one that is kept here would go on listening during the drain
            given, self._held = self._held, []
            return given
        if not self._reused:
            return [each.dup() for each in self._held]
        return [_socket(each.family, each.getsockname(), reused=True) for each in self._held]

    def close(self) -> None:
        """Gives the address up; sockets that were given out stay."""
        for each in self._held:
            each.close()
        self._held = []


def url_of(listening: socket.socket) -> str:
    """The address of a socket as a URL."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _bound(host: str, port: int, *, reused: bool) -> list[socket.socket]:
    """A socket for each address that the host has."""
    flags = socket.AI_PASSIVE
    found = socket.getaddrinfo(host.strip("[]") or None, port, type=socket.SOCK_STREAM, flags=flags)
    made: list[socket.socket] = []
    absent: OSError | None = None
    for family, address in dict.fromkeys((each[0], each[4]) for each in found):
        # Any free port: the same one for each address.
        wanted = made[0].getsockname()[1] if made and not port else port
        try:
            made.append(_socket(family, (address[0], wanted, *address[2:]), reused=reused))
        except OSError as fault:
            if fault.errno not in _ABSENT:
                for each in made:
                    each.close()
                raise
            absent = fault
    if not made and absent is not None:
        raise absent
    return made


def _socket(family: int, address: tuple[object, ...], *, reused: bool) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reused:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
    except BaseException:
        made.close()
        raise
    return made
