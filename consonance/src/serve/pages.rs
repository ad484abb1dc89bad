//! The page for browsers, which came with the program, and what a page of somebody's own needs.

use hyper::header::{HeaderName, HeaderValue};

use super::http::{self, Reply, Request};

const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/pages.rs"));
/// What is shown at `/`.
const FIRST: &str = "/page/index.html";

/// What the page may do: run its own scripts and the wasm that they load, and talk to its own server. It may not be shown inside another site's.
const POLICY: [(&str, &str); 2] = [
    (
        "content-security-policy",
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' data:; media-src 'self' blob:; \
         object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    (
        "permissions-policy",
        "microphone=(self), camera=(), display-capture=(), geolocation=(), usb=(), serial=(), bluetooth=(), payment=()",
    ),
];

/// The file at the request's path, if there is one.
pub(super) fn reply(request: &Request) -> Option<Reply> {
    let path = if request.uri().path() == "/" { FIRST } else { request.uri().path() };
    let bytes = file(path)?;
    let mut reply = http::file(request, kind(path), bytes);
    for (name, value) in POLICY {
        reply.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    Some(reply)
}

fn file(path: &str) -> Option<&'static [u8]> {
    let at = FILES.binary_search_by_key(&path, |(at, _)| *at).ok()?;
    Some(FILES[at].1)
}

const UNKNOWN: &str = "application/octet-stream";

/// What a browser is told that it is. Scripts must be named as such, and wasm too, or it can't be compiled while it comes.
fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "wasm" => "application/wasm",
        "json" | "webmanifest" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "wav" => "audio/wav",
        _ => UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_a_page_loads_is_in_the_program_and_has_its_kind() {
        for path in [FIRST, "/consonance.js", "/parts/engine.js", "/processor.js", "/encoder.js", "/consonance.wasm"] {
            assert!(file(path).is_some_and(|bytes| !bytes.is_empty()), "{path}");
        }
        for (path, _) in FILES {
            assert!(file(path).is_some() && kind(path) != UNKNOWN, "{path}");
        }
    }
}
