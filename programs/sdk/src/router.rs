//! Chooses a handler by method and path.

use crate::{Error, IntoResponse, Request, Response, request::decode};
use http::{HeaderValue, Method, StatusCode, header};

/// One handler.
type Handler = Box<dyn Fn(Request) -> Response>;

/// Handlers by method and path.
///
/// In a path, `{name}` stands for one part and `{*name}`, at the end, for all that is left;
/// [`RequestExt::param`](crate::RequestExt::param) reads them. Among routes that fit, the first one added wins.
/// A path that is known under other methods answers 405, any other 404; `HEAD` is answered by `GET`'s handler.
///
/// # Example
/// ```
/// use phala_program::prelude::*;
///
/// fn handle(request: Request) -> Response {
///     Router::new()
///         .get("/", |_: Request| "home")
///         .get("/notes/{id}", |request: Request| format!("note {}", request.param("id")))
///         .handle(request)
/// }
/// let request = phala_program::http::Request::get("/notes/7").body(Body::empty()).unwrap();
/// assert_eq!(handle(request).into_body().text().unwrap(), "note 7");
/// ```
#[derive(Default)]
pub struct Router {
    routes: Vec<Route>,
}

/// One way to be called.
struct Route {
    method: Method,
    parts: Vec<Part>,
    handler: Handler,
}

/// What stands between two slashes.
enum Part {
    Literal(&'static str),
    One(&'static str),
    Rest(&'static str),
}

/// What stood in the place of a route's names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params(Vec<(&'static str, String)>);

impl Params {
    /// The one called `name`.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
    }
}

impl Router {
    /// No routes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers `method` on `path` with `handler`.
    pub fn route<R: IntoResponse>(
        mut self,
        method: Method,
        path: &'static str,
        handler: impl Fn(Request) -> R + 'static,
    ) -> Self {
        let parts = path.strip_prefix('/').unwrap_or(path).split('/').map(Part::parse).collect();
        let handler = Box::new(move |request| handler(request).into_response());
        self.routes.push(Route { method, parts, handler });
        self
    }

    /// Answers `GET`: reading.
    pub fn get<R: IntoResponse>(
        self,
        path: &'static str,
        handler: impl Fn(Request) -> R + 'static,
    ) -> Self {
        self.route(Method::GET, path, handler)
    }

    /// Answers `POST`: doing.
    pub fn post<R: IntoResponse>(
        self,
        path: &'static str,
        handler: impl Fn(Request) -> R + 'static,
    ) -> Self {
        self.route(Method::POST, path, handler)
    }

    /// Answers `PUT`: writing.
    pub fn put<R: IntoResponse>(
        self,
        path: &'static str,
        handler: impl Fn(Request) -> R + 'static,
    ) -> Self {
        self.route(Method::PUT, path, handler)
    }

    /// Answers `DELETE`: removing.
    pub fn delete<R: IntoResponse>(
        self,
        path: &'static str,
        handler: impl Fn(Request) -> R + 'static,
    ) -> Self {
        self.route(Method::DELETE, path, handler)
    }

    /// Answers a request.
    pub fn handle(&self, mut request: Request) -> Response {
        let path = request.uri().path().to_owned();
        let fits: Vec<(&Route, Params)> = self
            .routes
            .iter()
            .filter_map(|route| Some((route, route.matches(&path)?)))
            .collect();
        let find = |method: &Method| fits.iter().find(|(route, _)| route.method == *method);
        let found = match *request.method() {
            Method::HEAD => find(&Method::HEAD).or_else(|| find(&Method::GET)),
            ref method => find(method),
        };
        if let Some((route, params)) = found {
            let is_head = request.method() == Method::HEAD;
            request.extensions_mut().insert(params.clone());
            let response = (route.handler)(request);
            return if is_head { response.map(|_| crate::Body::empty()) } else { response };
        }
        if fits.is_empty() {
            return Error::not_found(format!("there is nothing at {path}")).into_response();
        }
        let methods: Vec<&str> = fits.iter().map(|(route, _)| route.method.as_str()).collect();
        let methods = methods.join(", ");
        let error = Error::new(StatusCode::METHOD_NOT_ALLOWED, format!("{path} takes {methods}"));
        let mut response = error.into_response();
        if let Ok(allow) = HeaderValue::from_str(&methods) {
            response.headers_mut().insert(header::ALLOW, allow);
        }
        response
    }
}

impl Part {
    /// Reads `name`, `{name}` or `{*name}`.
    fn parse(text: &'static str) -> Self {
        let name = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        match name.map(|name| name.strip_prefix('*').ok_or(name)) {
            Some(Ok(rest)) => Self::Rest(rest),
            Some(Err(one)) => Self::One(one),
            None => Self::Literal(text),
        }
    }
}

impl Route {
    /// What stands for the names, if `path` fits.
    fn matches(&self, path: &str) -> Option<Params> {
        let mut params = Params::default();
        let mut rest = Some(path.strip_prefix('/').unwrap_or(path));
        for part in &self.parts {
            if let Part::Rest(name) = part {
                params.0.push((name, decode(rest.take().unwrap_or_default())));
                continue;
            }
            let (first, left) = match rest?.split_once('/') {
                Some((first, left)) => (first, Some(left)),
                None => (rest?, None),
            };
            rest = left;
            match part {
                Part::Literal(text) if *text == decode(first) => {}
                Part::One(name) if !first.is_empty() => params.0.push((name, decode(first))),
                _ => return None,
            }
        }
        rest.is_none().then_some(params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Body, RequestExt};

    fn answer(method: &str, path: &str) -> (u16, String) {
        let request =
            http::Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let response = Router::new()
            .get("/", |_: Request| "home")
            .get("/notes", |_: Request| "list")
            .post("/notes", |_: Request| StatusCode::CREATED)
            .get("/notes/new", |_: Request| "form")
            .get("/notes/{id}", |r: Request| format!("note {}", r.param("id")))
            .get("/notes/{id}/files/{*path}", |r: Request| {
                format!("{} of {}", r.param("path"), r.param("id"))
            })
            .handle(request);
        (response.status().as_u16(), response.into_body().text().unwrap())
    }

    #[test]
    fn the_first_route_that_fits_answers() {
        assert_eq!(answer("GET", "/"), (200, "home".into()));
        assert_eq!(answer("GET", "/notes"), (200, "list".into()));
        assert_eq!(answer("GET", "/notes/new"), (200, "form".into()));
        assert_eq!(answer("GET", "/notes/a%20b?x=1"), (200, "note a b".into()));
        assert_eq!(answer("GET", "/notes/1/files/a/b"), (200, "a/b of 1".into()));
        assert_eq!(answer("GET", "/notes/1/files/"), (200, " of 1".into()));
        assert_eq!(answer("POST", "/notes").0, 201);
    }

    #[test]
    fn a_slash_more_or_less_is_another_path() {
        assert_eq!(answer("GET", "/notes/").0, 404);
        assert_eq!(answer("GET", "/notes/1/").0, 404);
        assert_eq!(answer("GET", "/note").0, 404);
        assert_eq!(answer("GET", "/notes/1/2").0, 404);
    }

    #[test]
    fn an_encoded_slash_does_not_split_a_part() {
        assert_eq!(answer("GET", "/notes/a%2Fb"), (200, "note a/b".into()));
    }

    #[test]
    fn another_method_is_405_and_says_which_there_are() {
        let request = http::Request::delete("/notes").body(Body::empty()).unwrap();
        let router = Router::new().get("/notes", |_: Request| ()).post("/notes", |_: Request| ());
        let response = router.handle(request);
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()["allow"], "GET, POST");
    }

    #[test]
    fn head_is_get_without_a_body() {
        assert_eq!(answer("HEAD", "/notes"), (200, String::new()));
    }
}
