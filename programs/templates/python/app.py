"""{{name}}: counts visits. GET reads (a query), POST counts (a command)."""

import json

from componentize_py_types import Ok
from wit_world import exports
from wit_world.imports import context, wasi_config_store as config, wasi_keyvalue_store as keyvalue
from wit_world.imports.types import (
    Fields,
    IncomingRequest,
    Method_Post,
    OutgoingBody,
    OutgoingResponse,
    ResponseOutparam,
)


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        status, answer = visit(isinstance(request.method(), Method_Post))
        send(response_out, status, json.dumps(answer).encode())


def visit(counts: bool) -> tuple[int, dict]:
    bucket = keyvalue.open("visits")
    count = int(bucket.get("count") or b"0")
    if counts:
        if not isinstance(context.current().mode, context.Mode_Command):
            return 403, {"detail": "only a command may count: phala send {{name}} / -X POST"}
        count += 1
        bucket.set("count", str(count).encode())
    return 200, {"greeting": config.get("greeting") or "Hello from {{name}}", "count": count}


def send(response_out: ResponseOutparam, status: int, body: bytes) -> None:
    response = OutgoingResponse(Fields.from_list([("content-type", b"application/json")]))
    response.set_status_code(status)
    outgoing = response.body()
    ResponseOutparam.set(response_out, Ok(response))
    with outgoing.write() as stream:
        for start in range(0, len(body), 4096):
            stream.blocking_write_and_flush(body[start : start + 4096])
    OutgoingBody.finish(outgoing, None)
