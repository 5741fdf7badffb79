//! One layer from a compressed archive to a directory, verified on the way.

use super::reference::hex;
use super::unpack::{Limits, Unpacked, unpack};
use crate::files;
use flate2::read::MultiGzDecoder;
use node_api::{Error, Result};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Where layers are kept.
#[derive(Debug, Clone)]
pub(crate) struct Layers(pub(crate) PathBuf);

/// Passes bytes on and digests them.
struct Digesting<R> {
    inner: R,
    digest: Sha256,
}

impl<R: Read> Read for Digesting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.digest.update(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}

/// A digest as text.
pub(crate) fn text(digest: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::from("sha256:");
    for byte in digest {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The digest of a file's content.
pub(crate) fn digest_of(path: &Path) -> io::Result<String> {
    let mut digesting = Digesting {
        inner: File::open(path)?,
        digest: Sha256::new(),
    };
    io::copy(&mut digesting, &mut io::sink())?;
    Ok(text(&digesting.digest.finalize()))
}

/// The digest of a layer together with all below it, as the image specification defines it.
pub(crate) fn chain(below: Option<&str>, diff: &str) -> String {
    match below {
        None => diff.to_owned(),
        Some(below) => text(&Sha256::digest(format!("{below} {diff}"))),
    }
}

/// Reads what an archive holds, however it is compressed.
fn plain(path: &Path) -> io::Result<Box<dyn Read>> {
    let mut file = File::open(path)?;
    let mut magic = [0; 4];
    let count = file.read(&mut magic)?;
    file.seek(SeekFrom::Start(0))?;
    let file = BufReader::with_capacity(64 * 1024, file);
    Ok(match magic.get(..count).unwrap_or_default() {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(file)),
        [0x28, 0xb5, 0x2f, 0xfd] => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(file);
            Box::new(decoder.map_err(io::Error::other)?)
        }
        _ => Box::new(file),
    })
}

impl Layers {
    fn directory(&self, chain: &str) -> Result<PathBuf> {
        Ok(self.0.join(hex(chain)?))
    }

    /// A layer's files.
    pub(crate) fn files(&self, chain: &str) -> Result<PathBuf> {
        Ok(self.directory(chain)?.join("fs"))
    }

    /// What a layer came to, if it is here.
    pub(crate) fn get(&self, chain: &str) -> Result<Option<Unpacked>> {
        let file = self.directory(chain)?.join("size.json");
        match files::read_json_if_there::<(u64, u64)>(&file) {
            Ok(found) => Ok(found.map(|(bytes, inodes)| Unpacked { bytes, inodes })),
            Err(error) => Err(Error::Failed(format!("a layer's record: {error}"))),
        }
    }

    /// Unpacks an archive as the layer `diff` above the layers `below` (lowest first). The layer
    /// is there whole or not at all.
    pub(crate) fn add(
        &self,
        archive: &Path,
        diff: &str,
        below: &[String],
        limits: Limits,
    ) -> Result<Unpacked> {
        let chain = chain(below.last().map(String::as_str), diff);
        if let Some(there) = self.get(&chain)? {
            return Ok(there);
        }
        let failed = |error: io::Error| Error::Failed(format!("layer {diff}: {error}"));
        let parents = below
            .iter()
            .rev()
            .map(|chain| self.files(chain))
            .collect::<Result<Vec<_>>>()?;
        let temporary = self
            .0
            .join(format!("new-{}", uuid::Uuid::new_v4().simple()));
        let result = self
            .unpack_into(&temporary, archive, &parents, limits)
            .map_err(failed)
            .and_then(|(unpacked, found)| match found == diff {
                true => Ok(unpacked),
                false => Err(Error::Corrupt {
                    what: "an unpacked layer".into(),
                    expected: diff.into(),
                    found,
                }),
            })
            .and_then(|unpacked| {
                let size = (unpacked.bytes, unpacked.inodes);
                files::write_json(&temporary.join("size.json"), &size).map_err(failed)?;
                match fs::rename(&temporary, self.directory(&chain)?) {
                    Ok(()) => Ok(unpacked),
                    // Somebody else was faster.
                    Err(error) => match self.get(&chain)? {
                        Some(there) => Ok(there),
                        None => Err(failed(error)),
                    },
                }
            });
        files::remove_dir(&temporary).map_err(failed)?;
        result
    }

    fn unpack_into(
        &self,
        temporary: &Path,
        archive: &Path,
        parents: &[PathBuf],
        limits: Limits,
    ) -> io::Result<(Unpacked, String)> {
        use std::os::unix::fs::PermissionsExt;
        let target = temporary.join("fs");
        files::make_dir(&target)?;
        fs::set_permissions(&target, fs::Permissions::from_mode(0o755))?;
        let mut digesting = Digesting {
            inner: plain(archive)?,
            digest: Sha256::new(),
        };
        let unpacked = unpack(&mut digesting, &target, parents, limits)?;
        // The digest is over the padding behind the archive's end too.
        let rest = io::copy(&mut (&mut digesting).take(limits.bytes), &mut io::sink())?;
        if rest == limits.bytes {
            return Err(io::Error::other("the layer is too large"));
        }
        Ok((unpacked, text(&digesting.digest.finalize())))
    }

    /// Removes the layers that are not among `used`, and what was begun and not finished; bytes
    /// freed.
    pub(crate) fn retain(&self, used: &std::collections::BTreeSet<String>) -> io::Result<u64> {
        let mut freed = 0u64;
        for entry in fs::read_dir(&self.0)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if used.contains(&format!("sha256:{name}")) {
                continue;
            }
            freed = freed.saturating_add(super::overlay::usage(&entry.path())?.0);
            files::remove_dir(&entry.path())?;
        }
        Ok(freed)
    }
}
