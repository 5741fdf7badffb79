//! A container's log in the format of the container runtime interface: per line the time, the
//! stream, `F` for a whole line or `P` for a part of one, and the text.

use jiff::Timestamp;
use node_api::LogLimits;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A line longer than this is cut into parts, as containerd does.
const LONGEST_LINE: usize = 16 * 1024;

/// Which stream a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

/// A log file that sets itself aside when it is full.
pub(crate) struct Log {
    path: PathBuf,
    limits: LogLimits,
    file: File,
    written: u64,
}

/// The text of one stream that is not a whole line yet.
#[derive(Default)]
pub(crate) struct Lines(Vec<u8>);

fn open(path: &Path) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o640)
        .open(path)
}

impl Log {
    pub(crate) fn open(path: &Path, limits: LogLimits) -> io::Result<Self> {
        let file = open(path)?;
        Ok(Self {
            path: path.to_owned(),
            limits,
            written: file.metadata()?.len(),
            file,
        })
    }

    /// Writes what became whole of a stream's bytes.
    pub(crate) fn write(
        &mut self,
        stream: Stream,
        lines: &mut Lines,
        bytes: &[u8],
        now: Timestamp,
    ) -> io::Result<()> {
        let mut out = Vec::with_capacity(bytes.len().saturating_add(64));
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, whole) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            let mut text = text;
            while lines.0.len().saturating_add(text.len()) > LONGEST_LINE {
                let (head, tail) = text.split_at(LONGEST_LINE.saturating_sub(lines.0.len()));
                lines.0.extend_from_slice(head);
                text = tail;
                line(&mut out, stream, 'P', &lines.0, now)?;
                lines.0.clear();
            }
            lines.0.extend_from_slice(text);
            if whole {
                line(&mut out, stream, 'F', &lines.0, now)?;
                lines.0.clear();
            }
        }
        self.append(&out, now)
    }

    /// Writes what is left of a stream that ended without a line feed.
    pub(crate) fn finish(
        &mut self,
        stream: Stream,
        lines: &mut Lines,
        now: Timestamp,
    ) -> io::Result<()> {
        if lines.0.is_empty() {
            return Ok(());
        }
        let mut out = Vec::new();
        line(&mut out, stream, 'P', &lines.0, now)?;
        lines.0.clear();
        self.append(&out, now)
    }

    fn append(&mut self, out: &[u8], now: Timestamp) -> io::Result<()> {
        if out.is_empty() {
            return Ok(());
        }
        let length = u64::try_from(out.len()).unwrap_or(u64::MAX);
        if self.written > 0 && self.written.saturating_add(length) > self.limits.bytes {
            self.rotate(now)?;
        }
        self.file.write_all(out)?;
        self.written = self.written.saturating_add(length);
        Ok(())
    }

    /// Sets the file aside under the time, begins a new one and removes the oldest.
    fn rotate(&mut self, now: Timestamp) -> io::Result<()> {
        let stamp = now.strftime("%Y%m%d-%H%M%S.%9f");
        let mut aside = self.path.clone().into_os_string();
        aside.push(format!(".{stamp}"));
        fs::rename(&self.path, &aside)?;
        self.file = open(&self.path)?;
        self.written = 0;
        let mut old = rotated(&self.path)?;
        let keep = usize::try_from(self.limits.files.saturating_sub(1).max(1)).unwrap_or(1);
        old.truncate(old.len().saturating_sub(keep));
        for path in old {
            fs::remove_file(path)?;
        }
        Ok(())
    }
}

/// The files set aside for a log, oldest first.
fn rotated(path: &Path) -> io::Result<Vec<PathBuf>> {
    let Some((parent, name)) = path.parent().zip(path.file_name().and_then(|n| n.to_str())) else {
        return Ok(Vec::new());
    };
    let prefix = format!("{name}.");
    let mut found = Vec::new();
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

fn line(
    out: &mut Vec<u8>,
    stream: Stream,
    tag: char,
    text: &[u8],
    now: Timestamp,
) -> io::Result<()> {
    let stream = match stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
    };
    write!(out, "{now:.9} {stream} {tag} ")?;
    out.extend_from_slice(text);
    out.push(b'\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanosecond: i128) -> Timestamp {
        Timestamp::from_nanosecond(1_700_000_000_000_000_000 + nanosecond).unwrap()
    }

    fn log(limits: LogLimits) -> (tempfile::TempDir, Log) {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::open(&dir.path().join("pod/0.log"), limits).unwrap();
        (dir, log)
    }

    #[test]
    fn lines_are_put_together_and_streams_kept_apart() {
        let (dir, mut log) = log(LogLimits::default());
        let (mut out, mut err) = (Lines::default(), Lines::default());
        log.write(Stream::Stdout, &mut out, b"one\ntw", at(1))
            .unwrap();
        log.write(Stream::Stderr, &mut err, b"oops\n", at(2))
            .unwrap();
        log.write(Stream::Stdout, &mut out, b"o\n\nend", at(3))
            .unwrap();
        log.finish(Stream::Stdout, &mut out, at(4)).unwrap();
        log.finish(Stream::Stderr, &mut err, at(4)).unwrap();
        let text = fs::read_to_string(dir.path().join("pod/0.log")).unwrap();
        assert_eq!(
            text,
            "2023-11-14T22:13:20.000000001Z stdout F one\n\
             2023-11-14T22:13:20.000000002Z stderr F oops\n\
             2023-11-14T22:13:20.000000003Z stdout F two\n\
             2023-11-14T22:13:20.000000003Z stdout F \n\
             2023-11-14T22:13:20.000000004Z stdout P end\n"
        );
    }

    #[test]
    fn a_long_line_is_cut_into_parts() {
        let (dir, mut log) = log(LogLimits::default());
        let mut lines = Lines::default();
        let text = vec![b'x'; LONGEST_LINE * 2 + 5];
        log.write(Stream::Stdout, &mut lines, &text, at(0)).unwrap();
        log.write(Stream::Stdout, &mut lines, b"\n", at(0)).unwrap();
        let written = fs::read_to_string(dir.path().join("pod/0.log")).unwrap();
        let parts: Vec<_> = written
            .lines()
            .map(|line| {
                let mut words = line.splitn(4, ' ').skip(2);
                (words.next().unwrap(), words.next().unwrap().len())
            })
            .collect();
        assert_eq!(parts, [("P", LONGEST_LINE), ("P", LONGEST_LINE), ("F", 5)]);
    }

    #[test]
    fn a_full_file_is_set_aside_and_the_oldest_removed() {
        let (dir, mut log) = log(LogLimits {
            bytes: 100,
            files: 3,
        });
        let mut lines = Lines::default();
        for second in 0..6 {
            let text = format!("{}\n", second.to_string().repeat(60));
            log.write(
                Stream::Stdout,
                &mut lines,
                text.as_bytes(),
                at(second * 1_000_000_000),
            )
            .unwrap();
        }
        let path = dir.path().join("pod/0.log");
        let newest = fs::read_to_string(&path).unwrap();
        assert!(newest.contains("F 5555"), "{newest}");
        let kept: Vec<_> = rotated(&path)
            .unwrap()
            .iter()
            .map(|path| fs::read_to_string(path).unwrap())
            .collect();
        assert_eq!(kept.len(), 2);
        assert!(kept[0].contains("F 3333") && kept[1].contains("F 4444"));
    }
}
