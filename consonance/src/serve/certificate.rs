//! A certificate that an authority signed, instead of the self-made one.

use std::{fs, path::Path};

use adapter_udp::{CertificateProblem, Identity, IdentityError};
use zeroize::Zeroizing;

use crate::{clock, fail::Fail};

/// The identity in two files in PEM: the certificate with those in between after it, and its private key.
pub(super) fn identity(certificate: &Path, key: &Path) -> Result<Identity, Fail> {
    let chain = read("--certificate", certificate)?;
    let secret = read("--key", key)?;
    let (certificate, key) = (certificate.display(), key.display());
    let identity = Identity::from_chain(&chain, &secret).map_err(|error| match error {
        IdentityError::NoCertificate => Fail::new(
            format!("--certificate {certificate}: {error}"),
            "name the file with the whole chain, often fullchain.pem",
        ),
        IdentityError::WrongKey => Fail::new(
            format!("--key {key}: {error} in {certificate}"),
            "name the key that this certificate was asked for with",
        ),
        _ => Fail::new(format!("--key {key}: {error}"), "name its private key, often privkey.pem, not encrypted"),
    })?;
    // Who pinned it can still come, so it is no reason not to start.
    match identity.problem_at(clock::since_1970()) {
        Some(CertificateProblem::Expired) => {
            tracing::warn!(
                "the certificate has expired: whoever joins with --verify is turned away until it is renewed"
            );
        }
        Some(problem) => tracing::warn!(%problem, "whoever joins with --verify is turned away"),
        None => {}
    }
    Ok(identity)
}

fn read(flag: &str, path: &Path) -> Result<Zeroizing<String>, Fail> {
    fs::read_to_string(path).map(Zeroizing::new).map_err(|error| {
        Fail::new(format!("{flag} {}: can't be read ({error})", path.display()), "name a file in PEM that you may read")
    })
}
