//! The program that the benchmarks call: `POST /echo` answers with the body it was sent, `GET /work/KERNEL?ROUNDS`
//! computes. It uses nothing but `wasi:http` and what that stands on, so any host of WASI 0.2 runs it.

mod work;

use phala_program::{Request, prelude::*};

phala_program::export!(handle);

fn handle(request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let rounds = request.uri().query().and_then(|query| query.parse().ok()).unwrap_or(1);
    if path == "/echo" {
        return match request.bytes() {
            Ok(body) => body.into_response(),
            Err(_) => StatusCode::BAD_REQUEST.into_response(),
        };
    }
    match path.strip_prefix("/work/").and_then(|kernel| work::run(kernel, rounds)) {
        Some(result) => result.to_string().into_response(),
        None => (StatusCode::NOT_FOUND, work::KERNELS.join(" ")).into_response(),
    }
}
