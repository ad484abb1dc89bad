//! HTTPS: a certificate in PEM, and TLS 1.3.

use std::{path::Path, sync::Arc};

use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        version::TLS13,
    },
};

use crate::{
    fail::Fail,
    serve::certificate::{Files, identity},
};

/// TLS with the certificate of these files.
pub(in crate::serve) fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, Fail> {
    let (certificate_flag, key_flag) = ("--tls-cert", "--tls-key");
    let harm = "browsers warn of the page";
    let identity = identity(&Files { certificate_flag, certificate, key_flag, key, harm })?;
    let pem = identity.to_pem().as_bytes();
    let unusable = |error: &dyn std::fmt::Display| {
        Fail::new(format!("{certificate_flag} {}: {error}", certificate.display()), "name another certificate")
    };
    let chain = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(|error| unusable(&error))?;
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|error| unusable(&error))?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| unusable(&error))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
