from gateway.api.routes import make_routes
from gateway.dialects.gemini import GEMINI
from gateway.edge.callers import Callers
from gateway.edge.operation import ApiRequest, Operation, json_reply
from gateway.reply import Reply
from tests.fakes import calls
from tests.fakes.asgi import AsgiTestRequest

OPEN, LOCKED = Callers([]), Callers([calls.make_key("k")])


async def read(ask: ApiRequest) -> Reply:
    """Reads."""
    return json_reply("read")


async def remove(ask: ApiRequest) -> Reply:
    """Removes."""
    return json_reply("removed")


async def send(
    operations: list[Operation], method: str, callers: Callers = OPEN
) -> AsgiTestRequest:
    route = make_routes(operations, callers)[0]
    return await AsgiTestRequest(route.app, method=method, path="/x").start().wait_done()


async def test_operations_of_one_path_share_a_route() -> None:
    table = [
        Operation(path="/x", handler=read),
        Operation(path="/y", handler=read),
        Operation(path="/x", method="DELETE", handler=remove),
    ]
    assert [route.path for route in make_routes(table, OPEN)] == ["/x", "/y"]
    assert (await send(table, "GET")).json() == "read"
    assert (await send(table, "DELETE")).json() == "removed"
    refused = await send(table, "POST")
    assert (refused.status, refused.headers["allow"]) == (405, "GET, DELETE, HEAD")


async def test_only_operations_with_auth_require_a_key() -> None:
    assert (await send([Operation(path="/x", handler=read)], "GET", LOCKED)).status == 401
    assert (
        await send([Operation(path="/x", handler=read, auth=False)], "GET", LOCKED)
    ).status == 200


async def test_a_path_of_two_apis_answers_clients_of_google_in_their_form() -> None:
    table = [
        Operation(path="/x", handler=read),
        Operation(path="/g", routes=("/g", "/x"), handler=remove, dialect=GEMINI),
    ]
    route = make_routes(table, OPEN)[0]
    google = [(b"x-goog-api-client", b"genai")]
    driven = AsgiTestRequest(route.app, method="GET", path="/x", headers=google)
    assert (await driven.start().wait_done()).json() == "removed"
    assert (await send(table, "GET")).json() == "read"
