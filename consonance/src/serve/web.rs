//! What browsers find at the address for them: the page and its files, what the server is called, and where offers go.

use std::net::{IpAddr, SocketAddr};

use hyper::{
    Method,
    header::{ALLOW, HeaderValue},
};
use serde::Serialize;

use super::{
    http::{self, Answers, Reply, Request},
    offers::Outbox,
    pages,
};

/// What a page is told of the server before anybody has joined.
#[derive(Debug, Clone, Serialize)]
pub(super) struct About {
    pub(super) consonance: &'static str,
    /// As the operator calls it; nothing if they call it nothing.
    pub(super) name: Option<String>,
    /// Whether a password is wanted.
    pub(super) password: bool,
}

/// All that is answered at that address.
pub(super) struct Web {
    pub(super) offers: Outbox,
    pub(super) about: About,
    /// Where it listens.
    pub(super) bound: IpAddr,
}

impl Answers for Web {
    async fn answer(&self, request: Request, from: SocketAddr) -> Reply {
        // Where only this machine can ask, no page of another site shall ask in its stead, not even one whose name points here.
        if self.bound.is_loopback() && !http::names_this_machine(&request) {
            return http::text(421, "ask by an IP address or localhost; a proxy has to send such a Host\n");
        }
        if request.uri().path() == "/offer" {
            return self.offers.reply(request, from).await;
        }
        if *request.method() != Method::GET && *request.method() != Method::HEAD {
            let mut reply = http::text(405, "only GET\n");
            reply.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return reply;
        }
        if request.uri().path() == "/about" {
            return http::json(serde_json::to_vec(&self.about).unwrap_or_default());
        }
        pages::reply(&request).unwrap_or_else(|| http::text(404, "there is nothing here\n"))
    }
}
