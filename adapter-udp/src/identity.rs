//! Who somebody is: a key of their own in a certificate, which they signed themselves as a rule, known by its fingerprint.
//!
//! A client pins the server's fingerprint on first use, as SSH does, or is told it beforehand; a server may have a certificate that an authority signed
//! instead (`trust.rs`). A server takes any client's key: it proves that the same client comes again, and no name.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use aws_lc_rs::hmac;
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::{
    CertificateError, RootCertStore,
    client::verify_server_cert_signed_by_trust_anchor,
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject},
    server::ParsedCertificate,
};
use zeroize::Zeroizing;

use crate::trust::{AnyClient, CertificateProblem, KnownServer, Refusal, Trust};

const ALPN: &[u8] = b"consonance/1";
/// The name in the handshake: the server is known by its key.
pub(crate) const SERVER_NAME: &str = "consonance";

/// SHA-256 of a certificate; written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Self {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate);
        Self(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }

    /// The fingerprint of what the other end of a handshake showed.
    pub(crate) fn of_peer(identity: Option<Box<dyn std::any::Any>>) -> Option<Self> {
        let chain = identity?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
        chain.first().map(Self::of)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(IdentityError::NoFingerprint);
        }
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| IdentityError::NoFingerprint)?;
        }
        Ok(Self(bytes))
    }
}

/// What is wrong with an identity or a fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdentityError {
    /// Not 64 hexadecimal digits.
    NoFingerprint,
    /// The text doesn't hold a certificate and its private key in PEM.
    NoIdentity,
    /// The text doesn't hold a certificate in PEM.
    NoCertificate,
    /// The text doesn't hold a private key in PEM that can be used; one that is encrypted can't.
    NoKey,
    /// The key isn't the one that the certificate is for.
    WrongKey,
    /// The operating system gave no random numbers.
    NoRandomness,
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoFingerprint => "a fingerprint has 64 hexadecimal digits",
            Self::NoIdentity => "not a certificate and its private key in PEM",
            Self::NoCertificate => "not a certificate in PEM",
            Self::NoKey => "not a private key in PEM that can be used",
            Self::WrongKey => "not the key that the certificate is for",
            Self::NoRandomness => "the operating system gave no random numbers",
        })
    }
}

impl std::error::Error for IdentityError {}

/// A private key and the certificate that goes with it.
#[derive(Debug)]
pub struct Identity {
    /// The own one, and those of authorities that lead to one that others trust.
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    pem: Zeroizing<String>,
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key(), pem: self.pem.clone() }
    }
}

impl Identity {
    /// Makes a new one (ECDSA on P-256).
    ///
    /// # Errors
    /// [`IdentityError::NoRandomness`].
    pub fn generate() -> Result<Self, IdentityError> {
        let make = || {
            let key = KeyPair::generate()?;
            let mut params = CertificateParams::new(vec![SERVER_NAME.to_owned()])?;
            params.distinguished_name.push(DnType::CommonName, SERVER_NAME);
            Ok::<_, rcgen::Error>(params.self_signed(&key)?.pem() + &key.serialize_pem())
        };
        Self::from_pem(&make().map_err(|_| IdentityError::NoRandomness)?)
    }

    /// Reads what [`Identity::to_pem`] gave.
    ///
    /// # Errors
    /// [`IdentityError::NoIdentity`].
    pub fn from_pem(text: &str) -> Result<Self, IdentityError> {
        Self::from_chain(text, text).map_err(|_| IdentityError::NoIdentity)
    }

    /// Takes a certificate that somebody else signed, with those of the authorities in between after it, and its private key; both in PEM.
    ///
    /// # Errors
    /// [`IdentityError::NoCertificate`], [`IdentityError::NoKey`], [`IdentityError::WrongKey`].
    pub fn from_chain(certificates: &str, key: &str) -> Result<Self, IdentityError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificates.as_bytes()).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or(IdentityError::NoCertificate)?;
        let secret = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| IdentityError::NoKey)?;
        let pem = if certificates == key { certificates.to_owned() } else { format!("{certificates}\n{key}") };
        let identity = Self { chain, key: secret, pem: Zeroizing::new(pem) };
        match identity.server_config() {
            Ok(_) => Ok(identity),
            Err(rustls::Error::InconsistentKeys(_)) => Err(IdentityError::WrongKey),
            Err(rustls::Error::InvalidCertificate(_)) => Err(IdentityError::NoCertificate),
            Err(_) => Err(IdentityError::NoKey),
        }
    }

    /// Why others would refuse the certificate whoever signed it, at this time since 1970.
    pub fn problem_at(&self, unix: Duration) -> Option<CertificateProblem> {
        let provider = default_provider();
        let check = || {
            let own = self.chain.first().ok_or(CertificateError::BadEncoding)?;
            verify_server_cert_signed_by_trust_anchor(
                &ParsedCertificate::try_from(own)?,
                &RootCertStore::empty(),
                &[],
                UnixTime::since_unix_epoch(unix),
                provider.signature_verification_algorithms.all,
            )
        };
        let problem = CertificateProblem::of(check().err()?);
        // Nobody is trusted here, so without another problem it is that one.
        (problem != CertificateProblem::UnknownAuthority).then_some(problem)
    }

    /// Certificate and private key in PEM, to be kept where nobody else can read it.
    pub fn to_pem(&self) -> &str {
        &self.pem
    }

    /// By which others know it.
    pub fn fingerprint(&self) -> Fingerprint {
        self.chain.first().map_or(Fingerprint([0; 32]), Fingerprint::of)
    }

    /// A key for something that has to be the same at each start.
    pub(crate) fn derived_key(&self, purpose: &str) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.derive(purpose).as_ref())
    }

    fn derive(&self, purpose: &str) -> hmac::Tag {
        let own = hmac::Key::new(hmac::HMAC_SHA256, self.key.secret_der());
        hmac::sign(&own, format!("consonance {purpose}").as_bytes())
    }

    pub(crate) fn server_config(&self) -> Result<rustls::ServerConfig, rustls::Error> {
        let provider = Arc::new(default_provider());
        let anyone = Arc::new(AnyClient { provider: provider.clone() });
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(anyone)
            .with_single_cert(self.chain.clone(), self.key.clone_key())?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        // A session that is taken up again would skip the client's proof of its key.
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    pub(crate) fn client_config(&self, trust: Trust, refusal: Refusal) -> Result<rustls::ClientConfig, rustls::Error> {
        let provider = Arc::new(default_provider());
        let verifier = Arc::new(KnownServer { trust, refusal, provider: provider.clone() });
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_auth_cert(self.chain.clone(), self.key.clone_key())?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.resumption = rustls::client::Resumption::disabled();
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_the_same_after_it_was_written_and_read() {
        let identity = Identity::generate().unwrap();
        let read = Identity::from_pem(identity.to_pem()).unwrap();
        assert_eq!(read.fingerprint(), identity.fingerprint());
        assert_ne!(Identity::generate().unwrap().fingerprint(), identity.fingerprint());
        let text = identity.fingerprint().to_string();
        assert_eq!(text.parse(), Ok(identity.fingerprint()));
        for wrong in ["", "abc", &text[1..], &text.replace(|c: char| c.is_ascii_digit(), "x")] {
            assert_eq!(wrong.parse::<Fingerprint>(), Err(IdentityError::NoFingerprint));
        }
        assert_eq!(Identity::from_pem("nothing").unwrap_err(), IdentityError::NoIdentity);
    }

    #[test]
    fn a_certificate_and_a_key_have_to_belong_together_and_be_in_time() {
        let (one, two) = (Identity::generate().unwrap(), Identity::generate().unwrap());
        let (one, two) = (one.to_pem(), two.to_pem());
        assert_eq!(Identity::from_chain(one, two).unwrap_err(), IdentityError::WrongKey);
        assert_eq!(Identity::from_chain("nothing", two).unwrap_err(), IdentityError::NoCertificate);
        assert_eq!(Identity::from_chain(one, "nothing").unwrap_err(), IdentityError::NoKey);
        let identity = Identity::from_chain(one, one).unwrap();
        let year = Duration::from_secs(31_557_600);
        assert_eq!(identity.problem_at(60 * year), None);
        assert_eq!(identity.problem_at(3_000 * year), Some(CertificateProblem::Expired));
        assert_eq!(identity.problem_at(year), Some(CertificateProblem::NotYetValid));
    }
}
