//! Servers with a certificate of an authority, and people who ask for one.

mod authority;
mod process;

use authority::{Files, text};
use process::{Folder, Server, end, join, program};

fn serve(files: &Files, home: &Folder) -> Server {
    Server::start(home, "127.0.0.1:0", &["--certificate", text(&files.certificate), "--key", text(&files.key)])
}

#[test]
fn who_asks_for_a_certificate_believes_no_server_without_one() {
    let home = Folder::new("verify");
    let ours = Files::new(&home, "ours", &["localhost", "127.0.0.1"], 4_000);
    let server = serve(&ours, &home);
    assert!(!home.at("server").exists(), "a server with a certificate needs no key of its own");
    let ca = ["--ca", text(&ours.authority), "--seconds", "2"];
    for address in [server.address.clone(), server.address.replace("127.0.0.1", "localhost")] {
        let (output, said) = end(join(&home, "Scout", &address, &ca));
        assert!(output.status.success() && said.contains("has a certificate for its name"), "{said}");
        assert!(!said.contains("met for the first time"), "{said}");
    }
    // This system's authorities know nothing of ours.
    let (output, said) = end(join(&home, "Scout", &server.address, &["--verify"]));
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("no authority that is trusted") || said.contains("has no certificate authorities"), "{said}");
    let elsewhere = Files::new(&home, "elsewhere", &["voice.example"], 4_000);
    let old = Files::new(&home, "old", &["127.0.0.1"], 2_002);
    for (files, wanted) in [(&elsewhere, "it is for"), (&old, "it has expired")] {
        let server = serve(files, &home);
        let (output, said) = end(join(&home, "Scout", &server.address, &["--ca", text(&files.authority)]));
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(wanted) && said.contains("it shows ") && !said.contains("connected to"), "{said}");
        assert_eq!(server.log().contains("WARN the certificate has expired"), wanted.contains("expired"));
    }
}

#[test]
fn certificates_that_cannot_be_used_are_one_line_with_the_cure() {
    let home = Folder::new("certificates");
    let (one, two) = (Files::new(&home, "one", &["localhost"], 4_000), Files::new(&home, "two", &["localhost"], 4_000));
    let (certificate, key) = (text(&one.certificate), text(&one.key));
    let cases: [(&[&str], &str); 8] = [
        (&["serve", "--certificate", certificate], "name its private key by --key"),
        (&["serve", "--key", key], "name it by --certificate"),
        (&["serve", "--certificate", "missing.pem", "--key", key], "--certificate missing.pem: can't be read"),
        (&["serve", "--certificate", key, "--key", key], "not a certificate in PEM"),
        (&["serve", "--certificate", certificate, "--key", certificate], "not a private key in PEM"),
        (&["serve", "--certificate", certificate, "--key", text(&two.key)], "not the key that the certificate is for"),
        (&["join", "127.0.0.1", "--ca", key], "no certificate in PEM"),
        (&["join", "127.0.0.1", "--ca", "missing.pem"], "--ca missing.pem: can't be read"),
    ];
    for (arguments, wanted) in cases {
        let output = program(&home, "wrong").args(arguments).output().expect("the program runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(wanted) && said.trim().lines().count() == 1, "{arguments:?}: {said}");
    }
}
