//! Snapshot files, plain or compressed.

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use model::registry::Registry;
use snapshot::{FileError, Options, Snapshot};
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;
use std::sync::Arc;

/// What a compressed file begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The largest snapshot that is read, unpacked: a cluster of a million objects.
const MAX_BYTES: u64 = 4 << 30;

/// Why a snapshot file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotFileError {
    /// It could not be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is no snapshot.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is larger than anything that is a snapshot.
    #[error("larger than {} GiB", MAX_BYTES >> 30)]
    TooLarge,
    /// The snapshot has no JSON form.
    #[error("cannot be written: {0}")]
    Form(String),
}

/// Reads a snapshot file, plain or gzip; `-` is standard input.
pub fn read_snapshot(
    path: &Path,
    stdin: &mut dyn Read,
    registry: Arc<Registry>,
    options: Options,
) -> Result<Snapshot, SnapshotFileError> {
    let mut file;
    let source: &mut dyn Read = if path == Path::new("-") {
        stdin
    } else {
        file = File::open(path)?;
        &mut file
    };
    let bytes = limited(source)?;
    let bytes = if bytes.starts_with(&GZIP) {
        limited(&mut GzDecoder::new(bytes.as_slice()))?
    } else {
        bytes
    };
    Ok(Snapshot::from_json(&bytes, registry, options)?)
}

fn limited(source: &mut dyn Read) -> Result<Vec<u8>, SnapshotFileError> {
    let mut bytes = Vec::new();
    let read = source.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if u64::try_from(read).unwrap_or(u64::MAX) > MAX_BYTES {
        return Err(SnapshotFileError::TooLarge);
    }
    Ok(bytes)
}

/// Writes a snapshot file: compressed if its name ends in `.gz`. It appears whole or not at all.
/// Only its owner may read it: it tells much about a cluster, though no secret.
pub fn write_snapshot(path: &Path, snapshot: &Snapshot) -> Result<(), SnapshotFileError> {
    let json = snapshot
        .to_json()
        .map_err(|error| SnapshotFileError::Form(error.to_string()))?;
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = Path::new(&name);
    let result = write_private(part, &json, path.extension().is_some_and(|e| e == "gz"))
        .and_then(|()| std::fs::rename(part, path));
    if result.is_err() {
        // The first error is the one to tell.
        let _ = std::fs::remove_file(part);
    }
    Ok(result?)
}

fn write_private(path: &Path, json: &[u8], compressed: bool) -> io::Result<()> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = BufWriter::new(options.open(path)?);
    if compressed {
        let mut packed = GzEncoder::new(&mut file, Compression::default());
        packed.write_all(json)?;
        packed.finish()?;
    } else {
        file.write_all(json)?;
    }
    file.flush()
}
