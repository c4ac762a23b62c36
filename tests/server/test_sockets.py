"""Sockets that are bound before anything is started."""

import errno
import socket

import pytest

from gateway.server.sockets import Port, url_of


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        number = other.getsockname()[1]
        for workers in (1, 2):
            with pytest.raises(OSError, match="in use") as fault:
                Port("127.0.0.1", number, workers=workers)
            assert fault.value.errno == errno.EADDRINUSE


def test_a_port_of_workers_is_taken_when_one_of_them_listens() -> None:
    port = Port("127.0.0.1", 0, workers=2)
    first, second = (port.sockets()[0] for _ in range(2))
    try:
        first.listen()
        second.listen()
        assert first.getsockname() == second.getsockname()
        with pytest.raises(OSError, match="in use"):
            Port("127.0.0.1", first.getsockname()[1], workers=2)
    finally:
        for each in (first, second):
            each.close()
        port.close()


def test_any_free_port_is_the_same_for_each_address() -> None:
    port = Port("localhost", 0)
    assert len({url.rpartition(":")[2] for url in port.urls}) == 1
    port.close()


def test_one_process_has_the_socket_to_itself() -> None:
    port = Port("127.0.0.1", 0)
    (given,) = port.sockets()
    port.close()
    given.listen()
    address = given.getsockname()
    given.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=1)


def test_an_address_of_another_machine_is_told() -> None:
    with pytest.raises(OSError, match="assign"):
        Port("192.0.2.1", 0)


def test_addresses_are_urls() -> None:
    port = Port("127.0.0.1", 0)
    (given,) = port.sockets()
    assert url_of(given) == f"http://127.0.0.1:{given.getsockname()[1]}"
    given.close()
