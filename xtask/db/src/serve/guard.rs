//! Who is let in, and how: before any route is looked at.
//!
//! A page of another site can make a browser send requests here, and a name of its own can lead to this machine (DNS
//! rebinding). So `Host` must be one of our three names literally, and everything that changes something must come from
//! our own page. `Origin` is never compared with `Host`: after rebinding both are equal.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::serve::page_view::refusal;
use crate::serve::problem::{Problem, Why};
use crate::serve::refused::Asked;
use crate::serve::site::Site;

/// What the browser may do with our pages: nothing that we do not need.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Where the token of the printed address is exchanged.
pub(crate) const OPEN: &str = "/open";

/// How the page opens again after it was refused.
const OPEN_AGAIN: &str = "open the address that `cargo xtask db-serve` printed last";

/// How much is read of the words of a refusal by a library.
const MAX_WORDS_BYTES: usize = 4 << 10;

/// Lets a request in, or refuses it. What is refused, here or by a route, is written down; every answer gets our headers.
pub(crate) async fn guard(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let headers = request.headers().clone();
    let response = match let_in(&site, &request) {
        Ok(()) => next.run(request).await,
        Err(problem) => refusal(&headers, problem),
    };
    let mut response = as_problem(&headers, response).await;
    let status = response.status();
    if let Some(Why(what)) = response.extensions().get::<Why>()
        && ![StatusCode::CONFLICT, StatusCode::INTERNAL_SERVER_ERROR].contains(&status)
    {
        let asked = Asked { method: &method, path: &path, status: status.as_u16() };
        site.refused.note(&asked, what);
    }
    protect(response.headers_mut());
    if path == OPEN {
        // Its address has a token.
        let none = HeaderValue::from_static("no-referrer");
        response.headers_mut().insert(header::REFERRER_POLICY, none);
    }
    response
}

/// An answer; the refusal of an extractor, which is plain text, as a problem.
async fn as_problem(headers: &HeaderMap, response: Response) -> Response {
    let is_text = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if !response.status().is_client_error() || !is_text {
        return response;
    }
    let status = response.status();
    let words = axum::body::to_bytes(response.into_body(), MAX_WORDS_BYTES).await;
    let words = words.unwrap_or_default();
    let hint = "see `/api/openapi.json`";
    refusal(headers, Problem::new(status, String::from_utf8_lossy(&words), hint))
}

/// The name of the cookie: cookies do not know of ports, and two servers must not overwrite each other's.
#[must_use]
pub(crate) fn cookie_name(port: u16) -> String {
    format!("xtask-db-{port}")
}

fn let_in(site: &Site, request: &Request) -> Result<(), Problem> {
    let headers = request.headers();
    demand_our_name(site.port, request.version(), request.uri(), headers)?;
    if is_open(request.uri().path()) && request.method() == Method::GET {
        return Ok(());
    }
    if !demand_key(site, headers)? {
        demand_our_page(site.port, request.method(), headers)?;
    }
    Ok(())
}

/// Whether everybody on this machine may have it: what is on every copy of this program, and the exchange of tokens.
fn is_open(path: &str) -> bool {
    path == OPEN || path.starts_with("/assets/")
}

fn names(port: u16) -> [String; 3] {
    ["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{port}"))
}

/// One `Host`, and ours literally.
fn demand_our_name(
    port: u16,
    version: Version,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<(), Problem> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let is_one = matches!((hosts.next(), hosts.next()), (Some(host), None)
        if names(port).iter().any(|name| name.as_bytes() == host.as_bytes()));
    // `GET http://…/` names its host twice.
    let is_relative = uri.authority().is_none() && uri.scheme().is_none();
    if is_one && is_relative && version == Version::HTTP_11 {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::MISDIRECTED_REQUEST,
        "the request names another host",
        format!("ask for http://127.0.0.1:{port}"),
    ))
}

/// Whether a script's token lets it in, and not a browser's cookie.
fn demand_key(site: &Site, headers: &HeaderMap) -> Result<bool, Problem> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let token = value.to_str().ok().and_then(|value| value.strip_prefix("Bearer "));
        return match token {
            Some(token) if site.keys.bearer().is(token) => {
                // A browser never adds the token by itself; if a page does, it must be ours.
                match headers.get(header::ORIGIN) {
                    Some(origin) if !is_our_origin(site.port, origin) => Err(foreign()),
                    _ => Ok(true),
                }
            }
            _ => Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                "the token is wrong",
                "read it from the file that `cargo xtask db-serve` named; each start writes a new one",
            )),
        };
    }
    let name = cookie_name(site.port);
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut values = cookies
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(given, _)| *given == name)
        .map(|(_, value)| value);
    if values.any(|value| site.keys.knows_cookie(value)) {
        return Ok(false);
    }
    Err(Problem::new(StatusCode::UNAUTHORIZED, "this browser was not let in", OPEN_AGAIN))
}

/// A browser's request must come from our page: pages on other ports of this machine get our cookie sent along, too.
fn demand_our_page(port: u16, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let may_read = matches!(site, None | Some(b"same-origin" | b"none"));
    if *method == Method::GET || *method == Method::HEAD {
        return if may_read { Ok(()) } else { Err(foreign()) };
    }
    let is_ours = headers.get(header::ORIGIN).is_some_and(|origin| is_our_origin(port, origin));
    if is_ours && matches!(site, None | Some(b"same-origin")) { Ok(()) } else { Err(foreign()) }
}

fn is_our_origin(port: u16, origin: &HeaderValue) -> bool {
    names(port).iter().any(|name| format!("http://{name}").as_bytes() == origin.as_bytes())
}

fn foreign() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "the request comes from another page", OPEN_AGAIN)
}

fn protect(headers: &mut HeaderMap) {
    let ours: [(HeaderName, &'static str); 6] = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // With `no-referrer`, a browser sends `Origin: null` along with our own forms.
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in ours {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn only_our_own_names_are_answered() {
        let is_ours = |version, uri: &str, pairs: &[(&'static str, &'static str)]| {
            let uri = uri.parse().expect("an address");
            demand_our_name(4000, version, &uri, &headers(pairs)).is_ok()
        };
        for host in ["127.0.0.1:4000", "localhost:4000", "[::1]:4000"] {
            assert!(is_ours(Version::HTTP_11, "/", &[("host", host)]), "{host}");
        }
        for host in [
            "evil:4000",
            "localhost.evil:4000",
            "127.0.0.1.nip.io:4000",
            "127.0.0.1",
            "127.0.0.1:4001",
            "LOCALHOST:4000",
            "0.0.0.0:4000",
            "",
        ] {
            assert!(!is_ours(Version::HTTP_11, "/", &[("host", host)]), "{host}");
        }
        let ours = ("host", "localhost:4000");
        assert!(!is_ours(Version::HTTP_11, "/", &[ours, ours]));
        assert!(!is_ours(Version::HTTP_11, "/", &[]));
        assert!(!is_ours(Version::HTTP_10, "/", &[ours]));
        assert!(!is_ours(Version::HTTP_11, "http://localhost:4000/", &[ours]));
    }

    #[test]
    fn only_our_own_page_changes_anything() {
        let check = |method: &Method, pairs: &[(&'static str, &'static str)]| {
            demand_our_page(4000, method, &headers(pairs)).is_ok()
        };
        let ours = ("origin", "http://127.0.0.1:4000");
        assert!(check(&Method::POST, &[ours]));
        assert!(check(&Method::POST, &[ours, ("sec-fetch-site", "same-origin")]));
        assert!(!check(&Method::POST, &[]));
        for origin in
            ["null", "http://127.0.0.1:4001", "https://127.0.0.1:4000", "http://evil:4000"]
        {
            assert!(!check(&Method::POST, &[("origin", origin)]), "{origin}");
        }
        for site in ["same-site", "cross-site", "none"] {
            assert!(!check(&Method::DELETE, &[ours, ("sec-fetch-site", site)]), "{site}");
        }
        assert!(check(&Method::GET, &[]) && check(&Method::GET, &[("sec-fetch-site", "none")]));
        assert!(!check(&Method::GET, &[("sec-fetch-site", "same-site")]));
    }
}
