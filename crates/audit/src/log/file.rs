//! The file behind the log, and its rotation.

use super::LogOptions;
use crate::auditor::Clock;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Where lines go.
pub(super) enum Target {
    /// Standard output.
    Stdout,
    /// A file.
    File(Rotating),
}

pub(super) struct Rotating {
    path: PathBuf,
    file: File,
    size: u64,
    max_bytes: u64,
    max_backups: usize,
    clock: Clock,
    /// The last append failed and may have left half a line.
    torn: bool,
}

impl Target {
    pub(super) fn open(options: &LogOptions, clock: Clock) -> io::Result<Self> {
        if options.path == Path::new("-") {
            return Ok(Self::Stdout);
        }
        if let Some(parent) = options.path.parent() {
            fs::create_dir_all(parent)?;
        }
        let (file, size) = open(&options.path)?;
        Ok(Self::File(Rotating {
            path: options.path.clone(),
            file,
            size,
            max_bytes: options.max_bytes,
            max_backups: options.max_backups,
            clock,
            torn: false,
        }))
    }

    /// Writes whole lines.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(lines)?;
                out.flush()
            }
            Self::File(file) => file.append(lines),
        }
    }

    /// Makes what was written durable.
    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Self::Stdout => Ok(()),
            Self::File(file) => file.file.sync_all(),
        }
    }
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let file = options.open(path)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

impl Rotating {
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let length = lines.len() as u64;
        if self.max_bytes > 0 && self.size > 0 && self.size.saturating_add(length) > self.max_bytes
        {
            // A file that cannot be renamed is written on; losing events would be worse.
            if let Err(error) = self.rotate() {
                tracing::error!(%error, path = %self.path.display(), "cannot rotate the audit log");
            }
        }
        if self.torn {
            self.file.write_all(b"\n")?;
            self.size = self.size.saturating_add(1);
            self.torn = false;
        }
        self.torn = true;
        self.file.write_all(lines)?;
        self.torn = false;
        self.size = self.size.saturating_add(length);
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.file.sync_all()?;
        let backup = self.backup_name();
        fs::rename(&self.path, &backup)?;
        (self.file, self.size) = open(&self.path)?;
        self.torn = false;
        self.prune()
    }

    /// `audit.log` becomes `audit-2026-01-31T10-11-12.123456.log`, as lumberjack names it but in
    /// microseconds.
    fn backup_name(&self) -> PathBuf {
        let (stem, extension) = self.parts();
        let mut micros = (self.clock)();
        loop {
            let at = jiff::Timestamp::from_microsecond(micros)
                .map(|at| format!("{at:.6}").replace(':', "-"))
                .unwrap_or_else(|_| micros.to_string());
            let at = at.trim_end_matches('Z');
            let path = self.path.with_file_name(format!("{stem}-{at}{extension}"));
            if !path.exists() {
                return path;
            }
            micros = micros.saturating_add(1);
        }
    }

    fn parts(&self) -> (String, String) {
        let text = |part: Option<&std::ffi::OsStr>| {
            part.map(|p| p.to_string_lossy().into_owned())
                .unwrap_or_default()
        };
        let extension = match text(self.path.extension()) {
            e if e.is_empty() => e,
            e => format!(".{e}"),
        };
        (text(self.path.file_stem()), extension)
    }

    /// Removes the oldest renamed files; their names sort by time.
    fn prune(&self) -> io::Result<()> {
        if self.max_backups == 0 {
            return Ok(());
        }
        let (stem, extension) = self.parts();
        let prefix = format!("{stem}-");
        let directory = match self.path.parent() {
            Some(p) if !p.as_os_str().is_empty() => p,
            _ => Path::new("."),
        };
        let mut backups: Vec<PathBuf> = Vec::new();
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            let name = path
                .file_name()
                .map(|n| n.to_string_lossy().into_owned())
                .unwrap_or_default();
            let stamp = name
                .strip_prefix(&prefix)
                .and_then(|n| n.strip_suffix(extension.as_str()));
            // Only what this code named: other files beside the log are not ours to remove.
            if stamp.is_some_and(is_stamp) {
                backups.push(path);
            }
        }
        backups.sort();
        let excess = backups.len().saturating_sub(self.max_backups);
        for path in backups.iter().take(excess) {
            match fs::remove_file(path) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        Ok(())
    }
}

fn is_stamp(text: &str) -> bool {
    let shape: String = text
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    shape == "0000-00-00T00-00-00.000000"
}
