"""How cost grows: with the body, open streams, aliases, providers, entries of the cache.

Each row compares with the one before: a growth of 1 is linear, 0 is none. A figure that grows
faster than what it depends on is marked.
"""

import asyncio
import socket
from collections.abc import Callable, Coroutine, Iterator
from itertools import pairwise
from math import log
from time import perf_counter, process_time_ns

import msgspec

from middleware.cache.key import CacheKey
from middleware.cache.store import MemoryCacheStore
from tests.bench import script
from tests.bench.cases import SLOWLY
from tests.bench.load import Close, Hold, Open, Rest
from tests.bench.measure import checked
from tests.bench.processes import Fleet, Process
from tests.bench.results import Grown, middle

TOLERATED = 1.25
"""A growth beyond which a figure counts as worse than linear."""
_FLOOR = 2.0
"""A figure that has not grown by this factor is not judged: its fixed part hides the rest."""
KIB = 1024
_VALUE = b"v" * 100


def measured(fleet: Fleet) -> list[Grown]:
    """All tables, one after the other."""
    found: dict[str, list[Grown]] = {}
    for part in (bodies, streams, aliases, providers, entries):
        for row in part(fleet):
            found.setdefault(row.of, []).append(row)
    for rows in found.values():
        for before, after in pairwise(rows):
            if before.cost > 0 and after.cost > 0:
                after.growth = log(after.cost / before.cost) / log(after.size / before.size)
                after.steep = after.cost / before.cost > _FLOOR and after.growth > TOLERATED
    return [row for rows in found.values() for row in rows]


# --- requests over a socket of our own ------------------------------------------------------------


def _request(path: str, body: bytes) -> bytes:
    key, kind = f"authorization: Bearer {script.KEY}", "content-type: application/json"
    head = f"POST {path} HTTP/1.1\r\nhost: a\r\n{key}\r\n{kind}\r\ncontent-length: {len(body)}"
    return f"{head}\r\n\r\n".encode() + body


def _asked(port: int, request: bytes, times: int) -> None:
    """Sends it so often on one connection; each answer has a length and the status 200."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as one:
        for _ in range(times):
            one.sendall(request)
            data = b""
            while b"\r\n\r\n" not in data:
                data += one.recv(65536)
            head, _, rest = data.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), data[:300]
            length = int(head.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
            while len(rest) < length:
                rest += one.recv(65536)


def _cost(process: Process, port: int, request: bytes, times: int) -> float:
    """Microseconds of CPU of the server for one request: the median of three rounds."""
    _asked(port, request, max(2, times // 4))
    found = []
    for _ in range(3):
        before = process.cpu()
        _asked(port, request, times)
        found.append((process.cpu() - before) / 1000 / times)
    process.trim()
    return middle(found)


def bodies(fleet: Fleet) -> Iterator[Grown]:
    """A request with one long text, and one with many turns; as it is, and converted."""
    process, port = fleet.gateway()
    shapes: dict[str, Callable[[int], list[str]]] = {
        "one text": lambda size: ["word " * (size // 5)],
        "many turns": lambda size: (
            ["Tell me once more what the fox did to it. " * 5] * (size // 245)
        ),
    }
    for lane, path in (
        ("Chat to Chat", "/v1/chat/completions"),
        ("Messages to Chat", "/v1/messages"),
    ):
        for shape, texts in shapes.items():
            for size in (KIB, 10 * KIB, 100 * KIB, KIB * KIB, 10 * KIB * KIB):
                roles = ("user", "assistant")
                said = texts(size) or ["hi"]
                turns = [{"role": roles[n % 2], "content": text} for n, text in enumerate(said)]
                turns += [{"role": "user", "content": "Go on."}]
                body = {"model": "bench-chat-json", "max_tokens": 99, "messages": turns}
                request = _request(path, msgspec.json.encode(body))
                times = max(3, min(300, 20 * KIB * KIB // size))
                cost = _cost(process, port, request, times)
                yield Grown(f"{lane}, {shape}", size, "bytes", cost, "us a request")
    fleet.stop(process)


def streams(fleet: Fleet) -> Iterator[Grown]:
    """Streams that stay open, with two events a second each."""
    for count in (10, 100, 1000, 5000):
        process, port = fleet.gateway()
        fleet.load.order(Open(SLOWLY.name, port, count))
        checked(fleet.load.order(Hold()))
        before, began = process.cpu(), perf_counter()
        result = checked(fleet.load.order(Rest(4.0)), streams=True)
        spent = (process.cpu() - before) / 1000
        seconds = perf_counter() - began
        fleet.load.order(Close())
        fleet.stop(process)
        yield Grown("open streams", count, "streams", spent / seconds, "us a second")
        assert result.events


def _varied(fleet: Fleet, more: str, models: dict[str, str]) -> Iterator[tuple[str, float, str]]:
    """Start, memory and the cost of calls for some models, of a gateway with more configuration."""
    began = perf_counter()
    process, port = fleet.gateway(more=more)
    yield "start", 1000 * (perf_counter() - began), "ms"
    yield "memory", process.rss() / KIB / KIB, "MiB"
    for name, model in models.items():
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
        request = _request("/v1/chat/completions", msgspec.json.encode(body))
        yield name, _cost(process, port, request, 200), "us a request"
    yield "a new model each time", _new_models(process, port), "us a request"
    fleet.stop(process)


def _new_models(process: Process, port: int) -> float:
    """CPU of calls whose model nobody has asked for before."""
    before = process.cpu()
    for number in range(100):
        body = {
            "model": f"new-{number}",
            "messages": [{"role": "user", "content": "hi"}],
        }
        _asked(port, _request("/v1/chat/completions", msgspec.json.encode(body)), 1)
    return (process.cpu() - before) / 1000 / 100


def aliases(fleet: Fleet) -> Iterator[Grown]:
    """Aliases of the whole gateway."""
    for count in (10, 100, 1000, 10_000):
        more = "".join(f'alias-{n}-x = ["up_chat_json:m-{n}"]\n' for n in range(count))
        models = {"the last alias": f"alias-{count - 1}-x", "part of a name": "my-alias-5-x-model"}
        for name, cost, unit in _varied(fleet, more, models):
            yield Grown(f"aliases: {name}", count, "aliases", cost, unit)


def providers(fleet: Fleet) -> Iterator[Grown]:
    """Providers of the gateway; the last one is called."""
    url = f"http://127.0.0.1:{fleet.upstreams.port}/v1"
    for count in (1, 10, 50, 200):
        more = "".join(
            f'[providers.p{n}]\nuse = "compatible"\nbase_url = "{url}"\napi_key = "k"\n'
            for n in range(count)
        )
        for name, cost, unit in _varied(fleet, more, {"the last provider": f"p{count - 1}:m"}):
            yield Grown(f"providers: {name}", count, "providers", cost, unit)


def entries(fleet: Fleet) -> Iterator[Grown]:
    """The cache's store in memory, in this process: keeping, finding, dropping."""
    for count in (1, 1000, 100_000, 1_000_000):
        for name, cost in asyncio.run(_store(count)).items():
            yield Grown(f"cache: {name}", count, "entries", cost, "us")


async def _store(count: int) -> dict[str, float]:
    """Microseconds of CPU, of one among many acts where they are short."""
    now = [0.0]
    store = MemoryCacheStore(3600.0, count, 10**12, lambda: now[0])
    keys = [CacheKey(b"tenant-%d" % (n % 50), b"%032d" % n) for n in range(count)]
    found = {}
    began = process_time_ns()
    for key in keys:
        store.put(key, _VALUE)
    found["fill, each"] = _since(began) / count
    began = process_time_ns()
    for n in range(1000):
        await store.get(keys[n * 7919 % count])
    found["find, each"] = _since(began) / 1000
    began = process_time_ns()
    for n in range(1000):
        store.put(CacheKey(b"tenant-0", b"x%031d" % n), _VALUE)
    found["keep one more, each"] = _since(began) / 1000
    found["clear a tenant"], longest = await _turns(store, store.clear(b"tenant-1"))
    found["clear a tenant, longest turn"] = longest
    found["clean up nothing"], _ = await _turns(store, store.cleanup())
    left = max(1, await store.size())
    now[0] = 3600.0
    whole, longest = await _turns(store, store.cleanup())
    found["clean up all, each"], found["clean up all, longest turn"] = whole / left, longest
    return found


async def _turns(
    store: MemoryCacheStore, act: Coroutine[object, object, object]
) -> tuple[float, float]:
    """CPU until the act is over, and of the longest turn of the loop until nothing is left."""
    task, used, whole, longest = asyncio.ensure_future(act), -1, 0.0, 0.0
    while not task.done() or store.used_bytes != used:
        used, began = store.used_bytes, process_time_ns()
        over = task.done()
        await asyncio.sleep(0)
        longest = max(longest, _since(began))
        whole += 0.0 if over else _since(began)
    await task
    return whole, longest


def _since(began: int) -> float:
    return (process_time_ns() - began) / 1000
