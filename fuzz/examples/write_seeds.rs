//! Puts the seeds of every target where cargo-fuzz looks for them: `fuzz/corpus/TARGET/`.

use std::{fs, io, path::Path};

use consonance_fuzz::{TARGETS, seeds};

fn main() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (target, _) in TARGETS {
        let folder = corpus.join(target);
        fs::create_dir_all(&folder)?;
        for seed in seeds::of(target) {
            fs::write(folder.join(seed.name), seed.bytes)?;
        }
    }
    Ok(())
}
