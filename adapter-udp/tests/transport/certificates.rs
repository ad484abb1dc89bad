//! Servers with certificates that an authority signed.

use adapter_udp::{Authorities, CertificateProblem, Config, DownReason, Endpoint, Event, Identity, Trust};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

use crate::wire::Wire;

/// A certificate authority of the test's own, with an intermediate one that signs.
struct Authority {
    root: String,
    intermediate: String,
    issuer: Issuer<'static, KeyPair>,
}

fn authority(name: &str) -> (CertificateParams, KeyPair) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    (params, KeyPair::generate().unwrap())
}

impl Authority {
    fn new() -> Self {
        let (root, root_key) = authority("root");
        let signed = root.self_signed(&root_key).unwrap().pem();
        let (params, key) = authority("intermediate");
        let intermediate = params.signed_by(&key, &Issuer::new(root, root_key)).unwrap().pem();
        Self { root: signed, intermediate, issuer: Issuer::new(params, key) }
    }

    /// A server for these names, whose certificate is good until that year.
    fn identity(&self, names: &[&str], until: i32) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params =
            CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(until, 1, 1));
        let own = params.signed_by(&key, &self.issuer).unwrap().pem();
        Identity::from_chain(&(own + &self.intermediate), &key.serialize_pem()).unwrap()
    }

    fn vouches_for(&self, name: &str) -> Trust {
        let mut authorities = Authorities::new();
        assert_eq!(authorities.add_pem(&self.root), 1);
        authorities.vouch_for(name).unwrap()
    }
}

/// How a client with this trust fares with that server: the problem, if there is one.
fn problem(server: Identity, trust: Trust) -> Option<CertificateProblem> {
    let shown = server.fingerprint();
    let mut wire = Wire::new(Config::DEFAULT);
    wire.nodes[0].endpoint = Endpoint::server(Config::DEFAULT, server);
    let (client, link) = wire.connect(trust);
    wire.run(500);
    match wire.nodes[client].events.as_slice() {
        [Event::Up(_, who)] => {
            assert_eq!(*who, Some(shown));
            None
        }
        [Event::Down(down, DownReason::BadCertificate(seen, problem))] => {
            assert_eq!((*down, *seen), (link, shown));
            Some(problem.clone())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_server_with_a_certificate_for_its_name_is_talked_to() {
    let authority = Authority::new();
    for name in ["voice.example", "10.0.0.1", "any.voice.example"] {
        let server = authority.identity(&["voice.example", "*.voice.example", "10.0.0.1"], 4_000);
        assert_eq!(problem(server, authority.vouches_for(name)), None, "{name}");
    }
}

#[test]
fn a_certificate_that_proves_nothing_is_refused_with_the_reason() {
    let (authority, other) = (Authority::new(), Authority::new());
    let ours = authority.vouches_for("voice.example");
    let elsewhere = problem(authority.identity(&["evil.example"], 4_000), ours.clone());
    let Some(CertificateProblem::WrongName(names)) = elsewhere else { panic!("{elsewhere:?}") };
    assert!(names.len() == 1 && names[0].contains("evil.example"), "{names:?}");
    let cases = [
        (authority.identity(&["voice.example"], 2_002), CertificateProblem::Expired),
        (other.identity(&["voice.example"], 4_000), CertificateProblem::UnknownAuthority),
        (Identity::generate().unwrap(), CertificateProblem::UnknownAuthority),
    ];
    for (server, wanted) in cases {
        assert_eq!(problem(server, ours.clone()), Some(wanted));
    }
}

#[test]
fn a_certificate_of_an_authority_can_be_pinned_as_any_other() {
    let server = Authority::new().identity(&["voice.example"], 2_002);
    let trust = Trust::Pinned(server.fingerprint());
    assert_eq!(problem(server, trust), None);
}
