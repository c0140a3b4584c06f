//! Who may ask: told from the headers, before a body is read.
//!
//! A page in somebody's browser reaches this machine's servers too. It can't set our header on a
//! request to another site unless we say so, which we never do; its requests say where they come
//! from; and if it has a name of its own point to this address, its requests still say that name.

use super::ServeOptions;
use crate::job::RequestId;
use crate::wire::{Problem, REQUEST_ID, Route};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, ORIGIN};
use hyper::{Method, StatusCode};

/// What is checked of every request.
pub struct Guard {
    token: Option<String>,
    names: Vec<String>,
}

impl Guard {
    /// For a server at `address`.
    pub fn new(address: &str, options: &ServeOptions) -> Self {
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()];
        for name in std::iter::once(name_of(address)).chain(options.names.iter().map(|name| name.to_ascii_lowercase()))
        {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Self { token: options.token.clone(), names }
    }

    /// Whether a request may go on.
    ///
    /// # Errors
    /// What to answer instead.
    pub fn check(&self, route: &Route, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
        self.check_names(headers)?;
        self.check_token(headers)?;
        if *method != route.method() {
            let message = format!("use {} for this path, not {method}", route.method());
            return Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, message));
        }
        if route.is_mutation() { is_json(headers) } else { Ok(()) }
    }

    fn check_names(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let host = text(headers, HOST)?.unwrap_or_default();
        if !self.names.contains(&name_of(host)) {
            let message = format!(
                "this server is not known as {host:?}; say one of {}, or start it with that name",
                self.names.join(", ")
            );
            return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, message));
        }
        if let Some(origin) = text(headers, ORIGIN)? {
            let message = format!("requests from web pages are refused, and this one is from {origin:?}");
            return Err(Problem::new(StatusCode::FORBIDDEN, message));
        }
        Ok(())
    }

    fn check_token(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let Some(token) = &self.token else { return Ok(()) };
        let shown = text(headers, AUTHORIZATION)?.and_then(|text| text.strip_prefix("Bearer ")).unwrap_or_default();
        if same(token.as_bytes(), shown.as_bytes()) {
            return Ok(());
        }
        let message = "the token is missing or wrong; send the header `Authorization: Bearer TOKEN`";
        Err(Problem::new(StatusCode::UNAUTHORIZED, message))
    }
}

/// The name that a mutation goes by.
///
/// # Errors
/// It has none.
pub fn request_id(headers: &HeaderMap) -> Result<RequestId, Problem> {
    let shown = text(headers, HeaderName::from_static(REQUEST_ID))?.unwrap_or_default();
    shown.replace('-', "").parse().map_err(|_| {
        let message = format!(
            "the header Outlive-Request-Id is {shown:?}, but must be 32 hexadecimal digits, new for each mutation and \
             the same when it is repeated; a UUID will do"
        );
        Problem::new(StatusCode::BAD_REQUEST, message)
    })
}

fn is_json(headers: &HeaderMap) -> Result<(), Problem> {
    let shown = text(headers, CONTENT_TYPE)?.unwrap_or_default();
    let kind = shown.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let message = format!("the content type is {shown:?}; send the header `Content-Type: application/json`");
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, Problem> {
    let text = headers.get(&name).map(|value| value.to_str()).transpose();
    text.map_err(|_| Problem::new(StatusCode::BAD_REQUEST, format!("the header {name} is not plain ASCII")))
}

/// A `Host` without its port.
fn name_of(host: &str) -> String {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name.to_ascii_lowercase()
}

/// Whether they are equal, in a time that does not tell where they differ.
fn same(one: &[u8], other: &[u8]) -> bool {
    let differing = one.iter().zip(other).fold(0, |differing, (one, other)| differing | (one ^ other));
    one.len() == other.len() && differing == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    fn checked(options: &ServeOptions, more: &[(&'static str, &str)]) -> Result<(), StatusCode> {
        let guard = Guard::new("127.0.0.1:7400", options);
        let mut all = headers(&[("host", "127.0.0.1:7400"), ("content-type", "application/json")]);
        all.extend(headers(more));
        guard.check(&Route::Mutation("enqueue".into()), &Method::POST, &all).map_err(|problem| problem.status)
    }

    #[test]
    fn a_request_must_name_the_server() {
        let open = ServeOptions::default();
        for host in ["localhost", "LOCALHOST:7400", "[::1]:7400", "127.0.0.1"] {
            assert_eq!(checked(&open, &[("host", host)]), Ok(()), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example:7400", "", "127.0.0.1.evil.example", "10.0.0.1:7400"] {
            assert_eq!(checked(&open, &[("host", host)]), Err(StatusCode::MISDIRECTED_REQUEST), "{host}");
        }
        let named = ServeOptions { names: vec!["Queue.internal".into()], ..open };
        assert_eq!(checked(&named, &[("host", "queue.internal:80")]), Ok(()));
    }

    #[test]
    fn no_web_page_gets_in() {
        let open = ServeOptions::default();
        for origin in ["https://evil.example", "null", "http://localhost:7400"] {
            assert_eq!(checked(&open, &[("origin", origin)]), Err(StatusCode::FORBIDDEN), "{origin}");
        }
        // What a page may send without asking first.
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""] {
            assert_eq!(checked(&open, &[("content-type", kind)]), Err(StatusCode::UNSUPPORTED_MEDIA_TYPE), "{kind}");
        }
        assert_eq!(checked(&open, &[("content-type", "application/json; charset=utf-8")]), Ok(()));
    }

    #[test]
    fn a_token_must_be_shown_whole() {
        let closed = ServeOptions { token: Some("0123456789abcdef".into()), ..ServeOptions::default() };
        assert_eq!(checked(&closed, &[("authorization", "Bearer 0123456789abcdef")]), Ok(()));
        for shown in ["", "Bearer ", "Bearer 0123456789abcde", "Bearer 0123456789abcdeff", "0123456789abcdef"] {
            assert_eq!(checked(&closed, &[("authorization", shown)]), Err(StatusCode::UNAUTHORIZED), "{shown}");
        }
        assert_eq!(checked(&closed, &[]), Err(StatusCode::UNAUTHORIZED));
    }

    #[test]
    fn a_request_id_is_a_uuid_or_its_digits() {
        for id in ["00112233445566778899aabbccddeeff", "00112233-4455-6677-8899-aabbccddeeff"] {
            let read = request_id(&headers(&[(REQUEST_ID, id)])).unwrap();
            assert_eq!(read.to_string(), "00112233445566778899aabbccddeeff");
        }
        for id in ["", "1", "00112233445566778899aabbccddeefg", "00112233445566778899aabbccddeeff00"] {
            assert_eq!(request_id(&headers(&[(REQUEST_ID, id)])).unwrap_err().status, StatusCode::BAD_REQUEST, "{id}");
        }
    }
}
