//! The page that a server gives browsers: where it is, by which rules, and over TLS.

mod authority;
mod process;

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    path::Path,
    sync::Arc,
};

use authority::{Files, text};
use process::{Answer, Folder, Server, ask, program, request};
use rcgen::KeyPair;
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto::aws_lc_rs, pki_types::CertificateDer,
    pki_types::pem::PemObject,
};

#[test]
fn the_page_comes_with_the_program_and_with_rules_for_what_it_may_do() {
    let home = Folder::new("page");
    let server = Server::start(&home, "127.0.0.1:0", &["--web", "127.0.0.1:0"]);
    let web = server.web();
    let page = ask(&web, "GET /", &[], "");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(page.text().contains("<title>Consonance"), "{}", page.text());
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("script-src 'self' 'wasm-unsafe-eval';") && policy.contains("frame-ancestors 'none'"));
    assert!(page.header("permissions-policy").expect("a policy").contains("microphone=(self)"));
    for (path, kind) in [
        ("/consonance.js", "text/javascript; charset=utf-8"),
        ("/processor.js", "text/javascript; charset=utf-8"),
        ("/encoder.js", "text/javascript; charset=utf-8"),
        ("/capture.js", "text/javascript; charset=utf-8"),
        ("/consonance.wasm", "application/wasm"),
        ("/page/page.css", "text/css; charset=utf-8"),
    ] {
        let file = ask(&web, &format!("GET {path}"), &[], "");
        assert_eq!((file.status, file.header("content-type")), (200, Some(kind)), "{path}");
        assert_eq!(file.header("x-content-type-options"), Some("nosniff"));
        let head = ask(&web, &format!("HEAD {path}"), &[], "");
        assert!(head.body.is_empty());
        assert_eq!(head.header("content-length"), Some(file.body.len().to_string().as_str()), "{path}");
        let known = format!("If-None-Match: {}", file.header("etag").expect("a mark"));
        let again = ask(&web, &format!("GET {path}"), &[&known], "");
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
        assert_eq!(ask(&web, &format!("GET {path}"), &["If-None-Match: \"other\""], "").status, 200);
    }
    for path in ["/page/", "/page/../consonance.js", "/%2e%2e/Cargo.toml", "/page/none.js", "/Cargo.toml"] {
        assert_eq!(ask(&web, &format!("GET {path}"), &[], "").status, 404, "{path}");
    }
    assert_eq!(ask(&web, "DELETE /", &[], "").status, 405);
    assert_eq!(ask(&web, "OPTIONS /offer", &["Origin: http://x"], "").header("access-control-allow-origin"), None);
}

#[test]
fn a_page_learns_what_the_server_is_called_and_whether_it_wants_a_password() {
    let home = Folder::new("about");
    for (more, wanted) in [
        (&["--name", "Zoë's \"<b>\"", "--password", "sesame"][..], r#""name":"Zoë's \"<b>\"","password":true"#),
        (&["--open"], r#""name":null,"password":false"#),
    ] {
        let more = [&["--web", "127.0.0.1:0"], more].concat();
        let server = Server::start(&home, "127.0.0.1:0", &more);
        let about = ask(&server.web(), "GET /about", &[], "");
        assert_eq!(about.header("content-type"), Some("application/json"));
        assert!(about.text().contains(wanted) && about.text().contains("\"consonance\":\""), "{}", about.text());
    }
}

#[test]
fn no_name_that_points_here_gets_anything_of_a_server_for_this_machine() {
    let home = Folder::new("page-rebind");
    let server = Server::start(&home, "127.0.0.1:0", &["--web", "127.0.0.1:0"]);
    let web = server.web();
    for (host, wanted) in
        [("localhost:7758", 200), ("[::1]:9", 200), ("127.0.0.1", 200), ("voice.example", 421), ("", 421)]
    {
        for path in ["GET /", "GET /about"] {
            assert_eq!(ask(&web, path, &[&format!("Host: {host}")], "").status, wanted, "{host}");
        }
    }
    let sdp = ["Host: voice.example:7758", "Content-Type: application/sdp"];
    assert_eq!(ask(&web, "POST /offer", &sdp, "v=0\n").status, 421);
}

#[test]
fn without_a_word_browsers_are_let_in_from_this_machine_at_whichever_port_is_free() {
    let home = Folder::new("page-ports");
    let servers: Vec<Server> = (0..3).map(|_| Server::start(&home, "127.0.0.1:0", &[])).collect();
    let mut at: Vec<String> = servers.iter().map(Server::web).collect();
    for (server, web) in servers.iter().zip(&at) {
        assert!(web.starts_with("127.0.0.1:"), "{web}");
        assert_eq!(ask(web, "GET /about", &[], "").status, 200);
        if web != "127.0.0.1:7758" {
            assert!(server.says("  port 7758 is taken").contains("--web 127.0.0.1:PORT"));
        }
    }
    at.sort();
    at.dedup();
    assert_eq!(at.len(), 3, "{at:?}");
}

#[test]
fn a_port_that_was_asked_for_has_to_be_free_for_both() {
    let home = Folder::new("page-taken");
    let tcp = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let (udp, _held) = (UdpSocket::bind("127.0.0.1:0").expect("a port"), TcpListener::bind(tcp).expect("a port"));
    for taken in [tcp, udp.local_addr().expect("an address")] {
        let web = taken.to_string();
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--web", &web];
        let output = program(&home, "server").args(arguments).output().expect("the program runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("--web {web}: ")) && said.contains("free for UDP and TCP"), "{said}");
    }
}

#[test]
fn browsers_are_left_out_where_the_operator_says_so() {
    let home = Folder::new("page-off");
    let server = Server::start(&home, "127.0.0.1:0", &["--no-web"]);
    server.says("join with:");
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert!(!server.has_said("open http"));
}

#[test]
fn where_browsers_would_refuse_the_microphone_the_server_says_so_and_how_to_mend_it() {
    let home = Folder::new("page-public");
    let server = Server::start(&home, "127.0.0.1:0", &["--web", "0.0.0.0:0"]);
    let web = server.web();
    let cure = server.says("  from other machines browsers give no microphone");
    assert!(cure.contains("--tls-cert") && cure.contains("proxy"), "{cure}");
    // Everybody may ask, by whatever name.
    assert_eq!(ask(&web, "GET /", &["Host: voice.example"], "").status, 200);
}

#[test]
fn a_crowd_that_says_nothing_keeps_nobody_from_the_page() {
    let home = Folder::new("page-slow");
    let server = Server::start(&home, "127.0.0.1:0", &["--web", "127.0.0.1:0"]);
    let web = server.web();
    let mut slow: Vec<TcpStream> = (0..300).map(|_| TcpStream::connect(&web).expect("a connection")).collect();
    for stream in &mut slow {
        stream.write_all(b"POST /offer HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-").expect("half a head");
    }
    assert_eq!(ask(&web, "GET /", &[], "").status, 200);
    let threads = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap_or_default();
    let threads = threads.lines().find_map(|line| line.strip_prefix("Threads:")?.trim().parse::<u32>().ok());
    assert!(threads.is_none_or(|threads| threads < 12), "{threads:?}");
}

/// Asks over TLS as a browser would that trusts this authority alone.
fn ask_securely(address: &str, authority: &Path, what: &str, head: &[&str], body: &str) -> Answer {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).expect("a certificate")).expect("an authority");
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions().expect("versions").with_root_certificates(roots);
    let name = "voice.example".try_into().expect("a name");
    let tls = ClientConnection::new(Arc::new(config.with_no_client_auth()), name).expect("a connection");
    let mut stream = StreamOwned::new(tls, TcpStream::connect(address).expect("the server answers"));
    stream.write_all(request(address, what, head, body).as_bytes()).expect("a request");
    let mut answer = Vec::new();
    // Its end is the connection's.
    let _ = stream.read_to_end(&mut answer);
    Answer::of(&answer)
}

#[test]
fn with_a_certificate_the_page_and_offers_go_over_https() {
    let home = Folder::new("page-tls");
    let files = Files::new(&home, "page", &["voice.example"], 4_000);
    let more = ["--web", "127.0.0.1:0", "--tls-cert", text(&files.certificate), "--tls-key", text(&files.key)];
    let server = Server::start(&home, "127.0.0.1:0", &more);
    let web = server.says("open https://").split('/').next().expect("an address").to_owned();
    let page = ask_securely(&web, &files.authority, "GET /", &[], "");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let sdp = ["Content-Type: application/sdp"];
    let refused = ask_securely(&web, &files.authority, "POST /offer", &sdp, "v=0\n");
    assert_eq!(refused.status, 400, "{}", refused.text());
    #[expect(clippy::disallowed_methods, reason = "real sockets, and so a real clock")]
    let now = std::time::Instant::now();
    let (_, offer) = adapter_webrtc::Client::new(now, "127.0.0.1:9".parse().expect("an address")).expect("an offer");
    let answer = ask_securely(&web, &files.authority, "POST /offer", &sdp, &offer);
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/sdp")), "{}", answer.text());
    // Who speaks no TLS gets nothing, and does no harm.
    let mut plain = TcpStream::connect(&web).expect("the server answers");
    plain.write_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").expect("a request");
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"));
    assert_eq!(ask_securely(&web, &files.authority, "GET /about", &[], "").status, 200);
}

#[test]
fn a_certificate_for_the_page_that_cannot_be_used_is_one_line_with_the_cure() {
    let home = Folder::new("page-certificates");
    let files = Files::new(&home, "page", &["voice.example"], 4_000);
    let (certificate, key) = (text(&files.certificate), text(&files.key));
    let other = home.at("other.pem");
    fs::write(&other, KeyPair::generate().expect("a key").serialize_pem()).expect("a file");
    let cases: [(&[&str], &str); 6] = [
        (&["--tls-cert", certificate], "name its private key by --tls-key FILE"),
        (&["--tls-key", key], "name it by --tls-cert FILE"),
        (&["--tls-cert", "missing.pem", "--tls-key", key], "--tls-cert missing.pem: can't be read"),
        (&["--tls-cert", key, "--tls-key", key], "not a certificate in PEM"),
        (&["--tls-cert", certificate, "--tls-key", certificate], "not a private key in PEM"),
        (&["--tls-cert", certificate, "--tls-key", text(&other)], "not the key that the certificate is for"),
    ];
    for (more, wanted) in cases {
        let arguments = [&["serve", "--listen", "127.0.0.1:0", "--web", "127.0.0.1:0"], more].concat();
        let output = program(&home, "server").args(&arguments).output().expect("the program runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{more:?}: {said}");
        assert!(said.contains(wanted) && said.trim().lines().count() == 1, "{more:?}: {said}");
    }
}
