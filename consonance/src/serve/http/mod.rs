//! HTTP for the few requests that a server gets: one thread for each address, however many connections there are, so that whoever is slow holds up
//! nobody. What is answered is somebody else's; here is only how long and how much of it anybody may have.

mod places;
mod reply;
mod tls;

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use adapter_kit::Source;
use http_body_util::{BodyExt, Limited};
use hyper::{
    body::{Body, Bytes, Incoming},
    header::HOST,
    rt::{Read, Write},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use places::Places;
pub(super) use reply::{Reply, file, json, text};
pub(super) use tls::acceptor;

/// A request whose body may still be on its way.
pub(super) type Request = hyper::Request<Incoming>;

/// How long a handshake, the head of a request or its body may take, and how long a connection is kept that asks nothing.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection may last: enough for the page by a slow network, and no room for who takes it byte by byte.
const LONGEST: Duration = Duration::from_secs(120);
/// Bytes of a request's head.
const HEAD: usize = 16 * 1_024;

/// Whoever answers what is asked at an address.
pub(super) trait Answers: Send + Sync + 'static {
    /// The answer to a request that came from there. All requests of an address are answered by one thread, so none may take long without waiting.
    fn answer(&self, request: Request, from: SocketAddr) -> impl Future<Output = Reply> + Send;
}

/// Answers what comes to this listener, by TLS if there is a certificate, until the program ends.
pub(super) fn serve(
    listener: std::net::TcpListener,
    tls: Option<TlsAcceptor>,
    answers: impl Answers,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = {
        let _inside = runtime.enter();
        TcpListener::from_std(listener)?
    };
    let answers = Arc::new(answers);
    std::thread::Builder::new().name("http".into()).spawn(move || runtime.block_on(accept(listener, tls, answers)))?;
    Ok(())
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, answers: Arc<impl Answers>) {
    let places = Places::default();
    loop {
        let Ok((stream, from)) = listener.accept().await else {
            // That one is gone already, or no file can be opened now: later there will be room again.
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        let Some(place) = places.take(Source::of(from.ip())) else { continue };
        let (tls, answers) = (tls.clone(), Arc::clone(&answers));
        tokio::spawn(async move {
            let _place = place;
            let _ = timeout(LONGEST, greet(stream, from, tls, answers)).await;
        });
    }
}

async fn greet(stream: TcpStream, from: SocketAddr, tls: Option<TlsAcceptor>, answers: Arc<impl Answers>) {
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else { return talk(TokioIo::new(stream), from, answers).await };
    if let Ok(Ok(stream)) = timeout(PATIENCE, tls.accept(stream)).await {
        talk(TokioIo::new(stream), from, answers).await;
    }
}

async fn talk<S: Read + Write + Unpin>(stream: S, from: SocketAddr, answers: Arc<impl Answers>) {
    let service = service_fn(|request| {
        let answers = Arc::clone(&answers);
        async move { Ok::<_, Infallible>(answers.answer(request, from).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(HEAD);
    // Whoever hung up needs no answer.
    let _ = http.serve_connection(stream, service).await;
}

/// Why the body of a request isn't there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoBody {
    /// It has more bytes than allowed.
    TooLong,
    /// It didn't come, or not in time.
    Lost,
}

/// All of the body, of at most so many bytes.
pub(super) async fn body(request: Request, most: usize) -> Result<Bytes, NoBody> {
    let body = request.into_body();
    if body.size_hint().lower() > most as u64 {
        return Err(NoBody::TooLong);
    }
    match timeout(PATIENCE, Limited::new(body, most).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(NoBody::TooLong),
        _ => Err(NoBody::Lost),
    }
}

/// A header's value, if it is there and is text.
pub(super) fn value<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}

/// Whether the request was made to an address and no name: a page in somebody's browser could let a name of its own point here, and then ask as if it
/// were from here (DNS rebinding).
pub(super) fn names_this_machine(request: &Request) -> bool {
    let Some(host) = request.headers().get(HOST) else { return true };
    let Ok(host) = host.to_str() else { return false };
    let name = host.rsplit_once(':').map_or(host, |(name, port)| if port.contains(']') { host } else { name });
    name == "localhost" || name.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok()
}
