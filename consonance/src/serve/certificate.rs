//! A certificate that an authority signed, instead of the self-made one.

use std::{fs, path::Path};

use adapter_udp::{CertificateProblem, Identity, IdentityError};
use zeroize::Zeroizing;

use crate::{clock, fail::Fail};

/// Two files in PEM, the flags that name them, and what happens when the certificate isn't in its time.
pub(super) struct Files<'a> {
    pub(super) certificate_flag: &'static str,
    /// The certificate with those in between after it.
    pub(super) certificate: &'a Path,
    pub(super) key_flag: &'static str,
    pub(super) key: &'a Path,
    pub(super) harm: &'static str,
}

/// The identity in these files.
pub(super) fn identity(files: &Files<'_>) -> Result<Identity, Fail> {
    let Files { certificate_flag, key_flag, harm, .. } = files;
    let chain = read(certificate_flag, files.certificate)?;
    let secret = read(key_flag, files.key)?;
    let (certificate, key) = (files.certificate.display(), files.key.display());
    let identity = Identity::from_chain(&chain, &secret).map_err(|error| match error {
        IdentityError::NoCertificate => Fail::new(
            format!("{certificate_flag} {certificate}: {error}"),
            "name the file with the whole chain, often fullchain.pem",
        ),
        IdentityError::WrongKey => Fail::new(
            format!("{key_flag} {key}: {error} in {certificate}"),
            "name the key that this certificate was asked for with",
        ),
        _ => Fail::new(format!("{key_flag} {key}: {error}"), "name its private key, often privkey.pem, not encrypted"),
    })?;
    // Who pinned it can still come, so it is no reason not to start.
    match identity.problem_at(clock::since_1970()) {
        Some(CertificateProblem::Expired) => tracing::warn!("the certificate has expired: {harm} until it is renewed"),
        Some(problem) => tracing::warn!(%problem, "{harm}"),
        None => {}
    }
    Ok(identity)
}

fn read(flag: &str, path: &Path) -> Result<Zeroizing<String>, Fail> {
    fs::read_to_string(path).map(Zeroizing::new).map_err(|error| {
        Fail::new(format!("{flag} {}: can't be read ({error})", path.display()), "name a file in PEM that you may read")
    })
}
