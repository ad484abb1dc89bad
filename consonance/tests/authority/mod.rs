//! Authorities that the tests make, and certificates of servers under them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};

use crate::process::Folder;

/// An authority's certificate, and a server's with its key, as files.
pub(crate) struct Files {
    pub(crate) authority: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Files {
    /// For a server of these names, until the first day of a year.
    pub(crate) fn new(home: &Folder, who: &str, names: &[&str], until: i32) -> Self {
        let (root_key, key) = (KeyPair::generate().expect("a key"), KeyPair::generate().expect("a key"));
        let mut root = CertificateParams::new(Vec::new()).expect("no names");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = root.self_signed(&root_key).expect("a certificate").pem();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        (params.not_before, params.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(until, 1, 1));
        let certificate = params.signed_by(&key, &Issuer::new(root, root_key)).expect("a certificate").pem();
        let put = |name: &str, text: String| {
            let path = home.at(&format!("{who}-{name}.pem"));
            fs::write(&path, text).expect("a file");
            path
        };
        Self {
            authority: put("authority", authority),
            certificate: put("certificate", certificate),
            key: put("key", key.serialize_pem()),
        }
    }
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}
