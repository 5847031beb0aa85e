//! {{name}}: notes that only whoever wrote them can read.
//!
//! | request | as | answer |
//! |---|---|---|
//! | `GET /` | query | a greeting and how many notes there are |
//! | `PUT /notes/{id}` | command | keeps the body as a note of the caller |
//! | `GET /notes` | query | the caller's notes, as JSON |
//! | `DELETE /notes/{id}` | command | removes a note |

use phala_program::{Request, Response, Result, config, context, prelude::*};
use serde::Serialize;

phala_program::export!(handle);

/// Answers one request. Queries and commands both come here.
fn handle(request: Request) -> Response {
    Router::new()
        .get("/", greet)
        .get("/notes", list)
        .put("/notes/{id}", write)
        .delete("/notes/{id}", remove)
        .handle(request)
}

/// Anyone may ask. The greeting is a setting: `phala deploy … --set greeting=Welcome`.
fn greet(_: Request) -> Result<String> {
    let greeting = config::get("greeting")?.unwrap_or_else(|| "Hello from {{name}}".into());
    let notes = kv::open("counts")?.get_text("notes")?.unwrap_or_else(|| "0".into());
    Ok(format!("{greeting}. There are {notes} notes.\n"))
}

#[derive(Serialize)]
struct Note {
    id: String,
    text: String,
}

/// The notes of whoever signed the request.
fn list(_: Request) -> Result<Json<Vec<Note>>> {
    let bucket = mine()?;
    let mut notes = Vec::new();
    for id in bucket.keys()? {
        let text = bucket.get_text(&id)?.unwrap_or_default();
        notes.push(Note { id, text });
    }
    Ok(Json(notes))
}

/// Keeps a note. Only a command may write: `phala send {{name}} /notes/1 -X PUT -d 'buy milk'`.
fn write(request: Request) -> Result<StatusCode> {
    let bucket = mine()?;
    let id = request.param("id").to_owned();
    let text = request.text()?;
    let is_new = !bucket.exists(&id)?;
    bucket.set(&id, text)?;
    if is_new {
        kv::open("counts")?.increment("notes", 1)?;
    }
    Ok(if is_new { StatusCode::CREATED } else { StatusCode::NO_CONTENT })
}

/// Removes a note.
fn remove(request: Request) -> Result<StatusCode> {
    let bucket = mine()?;
    let id = request.param("id");
    if !bucket.exists(id)? {
        return Err(Error::not_found(format!("you have no note '{id}'")));
    }
    bucket.delete(id)?;
    kv::open("counts")?.increment("notes", -1)?;
    Ok(StatusCode::NO_CONTENT)
}

/// The bucket of whoever signed the request, or 401.
fn mine() -> Result<kv::Bucket> {
    let caller = context::current().signed()?;
    Ok(kv::open(&format!("notes of {caller}"))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use phala_program::{context::Account, http, testing::Worker};

    fn request(method: &str, path: &str, body: &str) -> Request {
        http::Request::builder().method(method).uri(path).body(body.into()).unwrap()
    }

    #[test]
    fn a_note_is_read_by_its_writer_and_nobody_else() {
        let mut worker = Worker::new().caller(Account([1; 32]));
        let put = request("PUT", "/notes/milk", "buy milk");
        assert_eq!(worker.command(handle, put).status(), 201);

        let answer = worker.query(handle, request("GET", "/notes", ""));
        let text = answer.into_body().text().unwrap();
        assert_eq!(text, r#"[{"id":"milk","text":"buy milk"}]"#);

        worker = worker.caller(Account([2; 32]));
        let answer = worker.query(handle, request("GET", "/notes", ""));
        assert_eq!(answer.into_body().text().unwrap(), "[]");
    }

    #[test]
    fn notes_are_counted() {
        let worker = Worker::new().setting("greeting", "Welcome");
        for _ in 0..2 {
            worker.command(handle, request("PUT", "/notes/a", "twice the same"));
        }
        worker.command(handle, request("PUT", "/notes/b", "another"));
        worker.command(handle, request("DELETE", "/notes/a", ""));
        let answer = worker.query(handle, request("GET", "/", ""));
        assert_eq!(answer.into_body().text().unwrap(), "Welcome. There are 1 notes.\n");
    }

    #[test]
    fn a_query_cannot_write_and_a_stranger_cannot_read() {
        let worker = Worker::new();
        assert_eq!(worker.query(handle, request("GET", "/notes", "")).status(), 401);
        let worker = worker.caller(Account([1; 32]));
        assert_eq!(worker.query(handle, request("PUT", "/notes/a", "x")).status(), 403);
    }
}
