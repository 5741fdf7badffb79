//! Replays what the fuzz targets were given: seeds, and inputs that once failed.

use generators::fuzz::TARGETS;
use std::path::Path;

#[test]
fn no_input_that_once_failed_fails_again() -> std::io::Result<()> {
    let regressions = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/regressions");
    for (name, target) in TARGETS {
        let mut inputs = 0;
        for file in std::fs::read_dir(regressions.join(name))? {
            let path = file?.path();
            println!("{}", path.display());
            target(&std::fs::read(&path)?);
            inputs += 1;
        }
        assert!(inputs > 0, "{name} has no inputs");
    }
    Ok(())
}
