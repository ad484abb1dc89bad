//! Who somebody is: a key of their own in a certificate that they signed themselves, known by its fingerprint.
//!
//! A client pins the server's fingerprint on first use, as SSH does, or is told it beforehand. A server takes any client's key: it proves that the
//! same client comes again, and no name.

use std::{fmt, str::FromStr, sync::Arc, sync::OnceLock};

use aws_lc_rs::hmac;
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs::default_provider, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use zeroize::Zeroizing;

const ALPN: &[u8] = b"consonance/1";
/// The name in the handshake: the server is known by its key.
pub(crate) const SERVER_NAME: &str = "consonance";

/// SHA-256 of a certificate; written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    fn of(certificate: &CertificateDer<'_>) -> Self {
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
    /// The operating system gave no random numbers.
    NoRandomness,
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoFingerprint => "a fingerprint has 64 hexadecimal digits",
            Self::NoIdentity => "not a certificate and its private key in PEM",
            Self::NoRandomness => "the operating system gave no random numbers",
        })
    }
}

impl std::error::Error for IdentityError {}

/// A private key and the certificate that goes with it.
#[derive(Debug)]
pub struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    pem: Zeroizing<String>,
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self { certificate: self.certificate.clone(), key: self.key.clone_key(), pem: self.pem.clone() }
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
        let certificate = CertificateDer::from_pem_slice(text.as_bytes()).map_err(|_| IdentityError::NoIdentity)?;
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| IdentityError::NoIdentity)?;
        let identity = Self { certificate, key, pem: Zeroizing::new(text.to_owned()) };
        identity.server_config().map_err(|_| IdentityError::NoIdentity)?;
        Ok(identity)
    }

    /// Certificate and private key in PEM, to be kept where nobody else can read it.
    pub fn to_pem(&self) -> &str {
        &self.pem
    }

    /// By which others know it.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.certificate)
    }

    /// A key for something that has to be the same at each start.
    pub(crate) fn derived_key(&self, purpose: &str) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.derive(purpose).as_ref())
    }

    /// The same as a number.
    pub(crate) fn derived_number(&self, purpose: &str) -> u64 {
        self.derive(purpose).as_ref().first_chunk().copied().map_or(0, u64::from_be_bytes)
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
            .with_single_cert(vec![self.certificate.clone()], self.key.clone_key())?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        // A session that is taken up again would skip the client's proof of its key.
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    pub(crate) fn client_config(&self, trust: Trust, seen: Seen) -> Result<rustls::ClientConfig, rustls::Error> {
        let provider = Arc::new(default_provider());
        let verifier = Arc::new(KnownServer { trust, seen, provider: provider.clone() });
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_auth_cert(vec![self.certificate.clone()], self.key.clone_key())?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.resumption = rustls::client::Resumption::disabled();
        Ok(config)
    }
}

/// The part that is the same for both ends: signatures are those of TLS 1.3, checked by the `provider`.
macro_rules! signed_by_tls13_alone {
    () => {
        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            Err(rustls::Error::General("only TLS 1.3 is spoken".into()))
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            verify_tls13_signature(message, cert, signature, &self.provider.signature_verification_algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.provider.signature_verification_algorithms.supported_schemes()
        }
    };
}

/// Which server a client talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// The one with this fingerprint, and no other.
    Pinned(Fingerprint),
    /// Whoever answers: its fingerprint is to be kept, and pinned from then on.
    FirstUse,
}

/// The fingerprint of the server that answered, trusted or not.
pub(crate) type Seen = Arc<OnceLock<Fingerprint>>;

#[derive(Debug)]
struct KnownServer {
    trust: Trust,
    seen: Seen,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for KnownServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let fingerprint = Fingerprint::of(end_entity);
        let _ = self.seen.set(fingerprint);
        match self.trust {
            Trust::Pinned(pinned) if pinned != fingerprint => {
                Err(CertificateError::ApplicationVerificationFailure.into())
            }
            Trust::Pinned(_) | Trust::FirstUse => Ok(ServerCertVerified::assertion()),
        }
    }

    signed_by_tls13_alone!();
}

/// Takes any key, once its owner has proven to have it.
#[derive(Debug)]
struct AnyClient {
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for AnyClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    signed_by_tls13_alone!();
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
}
