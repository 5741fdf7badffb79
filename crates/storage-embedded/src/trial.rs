//! What would be done to a file, kept in memory.

use crate::medium::Change;
use std::collections::BTreeMap;
use std::io;

/// How finely what was written is laid over the file, in bytes.
const BLOCK: u64 = 4096;

enum Step {
    SetLength(u64),
    Write(u64, Box<[u8]>),
    Sync,
}

/// Steps that were not taken yet, and the file as it would be after them. Repairs write little, so
/// that all of it has room in memory.
pub(crate) struct Trial {
    length: u64,
    /// How much of the file's own content still counts: it was cut to this length.
    kept: u64,
    steps: Vec<Step>,
    /// The blocks that were written: of each, the bytes that were, by their place in it.
    blocks: BTreeMap<u64, Vec<Option<u8>>>,
}

impl Trial {
    /// Of a file of that length.
    pub(crate) fn of(length: u64) -> Self {
        Self {
            length,
            kept: length,
            steps: Vec::new(),
            blocks: BTreeMap::new(),
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.length
    }

    pub(crate) fn set_len(&mut self, length: u64) {
        self.length = length;
        self.kept = self.kept.min(length);
        self.blocks.split_off(&length.div_ceil(BLOCK));
        if let Some(last) = self.blocks.get_mut(&(length / BLOCK)) {
            let within = usize::try_from(length % BLOCK).unwrap_or(usize::MAX);
            last.iter_mut().skip(within).for_each(|byte| *byte = None);
        }
        self.steps.push(Step::SetLength(length));
    }

    pub(crate) fn sync(&mut self) {
        self.steps.push(Step::Sync);
    }

    pub(crate) fn write(&mut self, offset: u64, data: &[u8]) {
        self.each_block(offset, data);
        self.length = self.length.max(offset.saturating_add(size(data)));
        self.steps.push(Step::Write(offset, data.into()));
    }

    fn each_block(&mut self, mut offset: u64, mut data: &[u8]) {
        while !data.is_empty() {
            let within = usize::try_from(offset % BLOCK).unwrap_or_default();
            let room = usize::try_from(BLOCK).unwrap_or(usize::MAX) - within;
            let (now, rest) = data.split_at(room.min(data.len()));
            let block = self
                .blocks
                .entry(offset / BLOCK)
                .or_insert_with(|| vec![None; usize::try_from(BLOCK).unwrap_or_default()]);
            for (byte, written) in block.iter_mut().skip(within).zip(now) {
                *byte = Some(*written);
            }
            offset = offset.saturating_add(size(now));
            data = rest;
        }
    }

    /// Reads the file as it would be; `file` reads what it holds.
    pub(crate) fn read(
        &self,
        offset: u64,
        out: &mut [u8],
        file: impl FnOnce(u64, &mut [u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let end = offset.saturating_add(size(out));
        if end > self.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let held = self.kept.saturating_sub(offset).min(size(out));
        let held = usize::try_from(held).unwrap_or(usize::MAX);
        let (from_file, beyond) = out.split_at_mut(held.min(out.len()));
        if !from_file.is_empty() {
            file(offset, from_file)?;
        }
        beyond.fill(0);
        for (number, block) in self.blocks.range(offset / BLOCK..end.div_ceil(BLOCK)) {
            let begin = number.saturating_mul(BLOCK);
            let skipped = usize::try_from(offset.saturating_sub(begin)).unwrap_or(usize::MAX);
            let into = usize::try_from(begin.saturating_sub(offset)).unwrap_or(usize::MAX);
            let written = block.iter().skip(skipped);
            for (byte, written) in out.iter_mut().skip(into).zip(written) {
                *byte = written.unwrap_or(*byte);
            }
        }
        Ok(())
    }

    /// Takes the steps, in their order, so that a crash between them leaves what it would have left
    /// had they been taken at once.
    pub(crate) fn repeat(&self, file: &impl Change) -> io::Result<()> {
        self.steps.iter().try_for_each(|step| match step {
            Step::SetLength(length) => file.set_len(*length),
            Step::Write(offset, data) => file.write(*offset, data),
            Step::Sync => file.sync_data(),
        })
    }
}

fn size(data: &[u8]) -> u64 {
    u64::try_from(data.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;
    use proptest::prelude::*;

    struct Plain(Mutex<Vec<u8>>);

    impl Change for Plain {
        fn set_len(&self, length: u64) -> io::Result<()> {
            self.0.lock().resize(length.try_into().unwrap(), 0);
            Ok(())
        }
        fn sync_data(&self) -> io::Result<()> {
            Ok(())
        }
        fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
            let offset = usize::try_from(offset).unwrap();
            let mut plain = self.0.lock();
            let end = plain.len().max(offset + data.len());
            plain.resize(end, 0);
            plain[offset..offset + data.len()].copy_from_slice(data);
            Ok(())
        }
    }

    fn step() -> impl Strategy<Value = (bool, u64, usize, u8)> {
        (prop::bool::ANY, 0..20_000_u64, 1..9_000_usize, 1..=255_u8)
    }

    proptest! {
        #[test]
        fn a_trial_reads_as_the_file_would(
            begin in 0..15_000_usize,
            steps in prop::collection::vec(step(), 0..8),
        ) {
            let held = vec![7; begin];
            let file = Plain(Mutex::new(held.clone()));
            let mut trial = Trial::of(u64::try_from(begin).unwrap());
            for (is_write, at, length, byte) in steps {
                if is_write {
                    trial.write(at, &vec![byte; length]);
                } else {
                    trial.set_len(at);
                }
            }
            trial.repeat(&file).unwrap();
            let after = file.0.lock().clone();
            prop_assert_eq!(trial.len(), u64::try_from(after.len()).unwrap());
            let read = |offset: usize, length: usize| {
                let mut out = vec![1; length];
                let held = |at: u64, out: &mut [u8]| {
                    let at = usize::try_from(at).unwrap();
                    out.copy_from_slice(&held[at..at + out.len()]);
                    Ok(())
                };
                let read = trial.read(u64::try_from(offset).unwrap(), &mut out, held);
                read.map(|()| out)
            };
            for offset in [0, 1, 4095, 4096, 5000].map(|offset| offset.min(after.len())) {
                let length = after.len().saturating_sub(offset);
                prop_assert_eq!(&read(offset, length).unwrap()[..], &after[after.len() - length..]);
                prop_assert!(read(after.len(), offset + 1).is_err());
            }
        }
    }
}
