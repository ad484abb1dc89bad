//! What is answered. Each answer says that it is what it says it is, and that no other site has anything of it.

use aws_lc_rs::digest::{SHA256, digest};
use http_body_util::Full;
use hyper::{
    Response,
    body::Bytes,
    header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH},
};

use super::{Request, value};

/// An answer.
pub(in crate::serve) type Reply = Response<Full<Bytes>>;

const ALWAYS: [(&str, &str); 4] = [
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
];

/// A line for people, or what a machine reads.
pub(in crate::serve) fn text(status: u16, body: impl Into<Bytes>) -> Reply {
    reply(status, "text/plain; charset=utf-8", "no-store", body.into())
}

/// JSON, new each time.
pub(in crate::serve) fn json(body: impl Into<Bytes>) -> Reply {
    reply(200, "application/json", "no-store", body.into())
}

/// A file that a browser may keep, and asks again for each time: if it has the same bytes still, nothing but heads goes over the network.
pub(in crate::serve) fn file(request: &Request, kind: &'static str, bytes: &'static [u8]) -> Reply {
    let etag = etag(bytes);
    let is_known = value(request, IF_NONE_MATCH.as_str()).is_some_and(|known| known.contains(&etag));
    let (status, bytes) = if is_known { (304, &[][..]) } else { (200, bytes) };
    let mut reply = reply(status, kind, "no-cache", Bytes::from_static(bytes));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        reply.headers_mut().insert(ETAG, etag);
    }
    reply
}

/// Another one for other bytes (RFC 9110, 8.8.3). It is made anew each time: a millisecond for the largest file.
fn etag(bytes: &[u8]) -> String {
    let digest = digest(&SHA256, bytes);
    let hex: String = digest.as_ref().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

fn reply(status: u16, kind: &'static str, cache: &'static str, body: Bytes) -> Reply {
    let mut reply = Response::new(Full::new(body));
    *reply.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    for (name, value) in ALWAYS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    reply
}
