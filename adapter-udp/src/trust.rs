//! Which server a client talks to: the one whose key it knows, or one whose name a certificate authority vouches for. A server takes any client's key.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs::default_provider, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};

use crate::{identity::Fingerprint, link::DownReason};

/// Which server a client talks to.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Trust {
    /// The one with this fingerprint, and no other.
    Pinned(Fingerprint),
    /// Whoever answers: its fingerprint is to be kept, and pinned from then on.
    FirstUse,
    /// One that has a certificate for a name; [`Authorities::vouch_for`] makes it.
    Certified(Certified),
}

/// Certificate authorities, and the name that they have to vouch for.
#[derive(Debug, Clone)]
pub struct Certified {
    verifier: Arc<WebPkiServerVerifier>,
    name: ServerName<'static>,
}

/// Certificate authorities that somebody trusts.
#[derive(Debug, Clone)]
pub struct Authorities(RootCertStore);

impl Authorities {
    /// None yet.
    pub const fn new() -> Self {
        Self(RootCertStore { roots: Vec::new() })
    }

    /// Adds the certificate of one, in DER; false if it is none that can be used.
    pub fn add_der(&mut self, certificate: &[u8]) -> bool {
        self.0.add(CertificateDer::from(certificate).into_owned()).is_ok()
    }

    /// Adds all certificates of a text in PEM: how many could be used.
    pub fn add_pem(&mut self, text: &str) -> usize {
        let found = CertificateDer::pem_slice_iter(text.as_bytes()).map_while(Result::ok);
        found.filter(|certificate| self.add_der(certificate)).count()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Trust in who has a certificate of one of them for this name: a DNS name or an IP address.
    ///
    /// # Errors
    /// Each [`VouchError`].
    pub fn vouch_for(&self, name: &str) -> Result<Trust, VouchError> {
        let name = ServerName::try_from(name).map_err(|_| VouchError::NoName)?.to_owned();
        let provider = Arc::new(default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(self.0.clone()), provider).build();
        Ok(Trust::Certified(Certified { verifier: verifier.map_err(|_| VouchError::NoAuthority)?, name }))
    }
}

impl Default for Authorities {
    fn default() -> Self {
        Self::new()
    }
}

/// Why nobody can vouch for a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum VouchError {
    /// Neither a DNS name nor an IP address.
    NoName,
    /// There is no authority.
    NoAuthority,
}

impl fmt::Display for VouchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoName => "neither a DNS name nor an IP address",
            Self::NoAuthority => "there is no certificate authority",
        })
    }
}

impl std::error::Error for VouchError {}

/// What is wrong with a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateProblem {
    /// Its time is over.
    Expired,
    /// Its time hasn't come yet, or a clock is wrong.
    NotYetValid,
    /// It is for other names; these are they.
    WrongName(Vec<String>),
    /// No authority that is trusted has signed it; so it is with self-signed ones.
    UnknownAuthority,
    /// Something else: in words.
    Other(String),
}

impl CertificateProblem {
    pub(crate) fn of(error: rustls::Error) -> Self {
        let rustls::Error::InvalidCertificate(error) = error else { return Self::Other(error.to_string()) };
        match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYetValid,
            CertificateError::NotValidForName => Self::WrongName(Vec::new()),
            CertificateError::NotValidForNameContext { presented, .. } => Self::WrongName(presented),
            // The latter: it only bears the name of one that is trusted.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::UnknownAuthority,
            other => Self::Other(other.to_string()),
        }
    }
}

impl fmt::Display for CertificateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired => f.write_str("it has expired"),
            Self::NotYetValid => f.write_str("its time hasn't come yet"),
            Self::WrongName(names) if names.is_empty() => f.write_str("it is for no name"),
            Self::WrongName(names) => write!(f, "it is for {}", names.join(", ")),
            Self::UnknownAuthority => f.write_str("no authority that is trusted has signed it"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

/// Why the server that answered was refused, once it was.
pub(crate) type Refusal = Arc<OnceLock<DownReason>>;

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

/// Judges the server's certificate, and notes why it was refused.
#[derive(Debug)]
pub(crate) struct KnownServer {
    pub(crate) trust: Trust,
    pub(crate) refusal: Refusal,
    pub(crate) provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for KnownServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let fingerprint = Fingerprint::of(end_entity);
        let refused = match &self.trust {
            Trust::Pinned(pinned) if *pinned != fingerprint => DownReason::WrongServer(fingerprint),
            Trust::Pinned(_) | Trust::FirstUse => return Ok(ServerCertVerified::assertion()),
            // The name in the handshake is the same for all servers; this is the one that was asked for.
            Trust::Certified(by) => {
                match by.verifier.verify_server_cert(end_entity, intermediates, &by.name, ocsp, now) {
                    Ok(verified) => return Ok(verified),
                    Err(error) => DownReason::BadCertificate(fingerprint, CertificateProblem::of(error)),
                }
            }
        };
        let _ = self.refusal.set(refused);
        Err(CertificateError::ApplicationVerificationFailure.into())
    }

    signed_by_tls13_alone!();
}

/// Takes any key, once its owner has proven to have it.
#[derive(Debug)]
pub(crate) struct AnyClient {
    pub(crate) provider: Arc<CryptoProvider>,
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
    use crate::Identity;

    #[test]
    fn authorities_vouch_for_names_and_addresses_alone() {
        let mut authorities = Authorities::new();
        assert_eq!(authorities.vouch_for("voice.example").unwrap_err(), VouchError::NoAuthority);
        assert!(!authorities.add_der(b"nothing") && authorities.add_pem("nothing") == 0);
        assert_eq!(authorities.add_pem(Identity::generate().unwrap().to_pem()), 1);
        for (name, is_one) in
            [("voice.example", true), ("10.0.0.1", true), ("::1", true), ("no name", false), ("", false)]
        {
            assert_eq!(authorities.vouch_for(name).is_ok(), is_one, "{name}");
        }
    }
}
