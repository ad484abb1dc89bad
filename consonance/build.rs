//! Puts the page for browsers into the program: a table of the files of `web/` that it needs, each with the path that it is served at.

use std::{
    env,
    error::Error,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

/// What a page of somebody's own needs, too.
const BINDING: [&str; 5] = ["consonance.js", "processor.js", "encoder.js", "capture.js", "consonance.wasm"];
/// The binding's parts, and the page.
const FOLDERS: [&str; 2] = ["parts", "page"];

fn main() -> Result<(), Box<dyn Error>> {
    let web = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../web").canonicalize()?;
    let mut names: Vec<String> = BINDING.map(str::to_owned).to_vec();
    for folder in FOLDERS {
        let path = web.join(folder);
        println!("cargo::rerun-if-changed={}", path.display());
        for entry in fs::read_dir(&path)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            // Types are for who writes pages.
            if !name.starts_with('.') && !name.ends_with(".d.ts") {
                names.push(format!("{folder}/{name}"));
            }
        }
    }
    names.sort();
    let mut table = "&[\n".to_owned();
    for name in names {
        let file = web.join(&name);
        if !file.is_file() {
            return Err(format!("{} is missing: web/README.md says how it is made", file.display()).into());
        }
        println!("cargo::rerun-if-changed={}", file.display());
        writeln!(table, "({:?}, include_bytes!({:?})),", format!("/{name}"), file.display().to_string())?;
    }
    table.push(']');
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("pages.rs"), table)?;
    Ok(())
}
