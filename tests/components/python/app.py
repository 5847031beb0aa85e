"""An HTTP handler as componentize-py's own example writes one: hashes what it is sent."""

import hashlib

from componentize_py_types import Ok
from wit_world import exports
from wit_world.imports.streams import StreamError_Closed
from componentize_py_types import Err
from wit_world.imports.types import (
    Fields,
    IncomingBody,
    IncomingRequest,
    OutgoingBody,
    OutgoingResponse,
    ResponseOutparam,
)


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        digest = hashlib.sha256()
        body = request.consume()
        with body.stream() as stream:
            while True:
                try:
                    digest.update(stream.blocking_read(64 * 1024))
                except Err as why:
                    if isinstance(why.value, StreamError_Closed):
                        break
                    raise
        IncomingBody.finish(body)

        path = request.path_with_query()
        answer = f"hello from python {path} {digest.hexdigest()}".encode()
        response = OutgoingResponse(Fields.from_list([("content-type", b"text/plain")]))
        outgoing = response.body()
        ResponseOutparam.set(response_out, Ok(response))
        with outgoing.write() as stream:
            stream.blocking_write_and_flush(answer)
        OutgoingBody.finish(outgoing, None)
