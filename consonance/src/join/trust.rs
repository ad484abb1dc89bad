//! Whom this person believes to be the server.

use std::{fs, path::Path};

use adapter_udp::{Authorities, Trust};

use super::place::host;
use crate::{cli::JoinArgs, fail::Fail};

/// Those who vouch for the server's name, if the arguments ask for that.
pub(super) fn certified(args: &JoinArgs) -> Result<Option<Trust>, Fail> {
    let authorities = match &args.ca {
        Some(file) => read(file)?,
        None if args.verify => of_the_system()?,
        None => return Ok(None),
    };
    let name = host(&args.server);
    let trust = authorities.vouch_for(name).map_err(|error| {
        Fail::new(format!("{name}: {error}"), "join by the name that the server's certificate is for")
    })?;
    Ok(Some(trust))
}

fn read(file: &Path) -> Result<Authorities, Fail> {
    let shown = file.display();
    let text = fs::read_to_string(file).map_err(|error| {
        Fail::new(format!("--ca {shown}: can't be read ({error})"), "name a file in PEM that you may read")
    })?;
    let mut authorities = Authorities::new();
    if authorities.add_pem(&text) == 0 {
        return Err(Fail::new(format!("--ca {shown}: no certificate in PEM"), "name the authority's certificate"));
    }
    Ok(authorities)
}

fn of_the_system() -> Result<Authorities, Fail> {
    let found = rustls_native_certs::load_native_certs();
    let mut authorities = Authorities::new();
    for certificate in found.certs {
        // Some that systems carry are too odd to be used.
        authorities.add_der(&certificate);
    }
    if authorities.count() == 0 {
        let why = found.errors.first().map_or(String::new(), |error| format!(" ({error})"));
        let cure = "install them (Debian: ca-certificates), or name one by --ca FILE";
        return Err(Fail::new(format!("--verify: this system has no certificate authorities{why}"), cure));
    }
    Ok(authorities)
}
