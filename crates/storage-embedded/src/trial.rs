//! What would be done to a file, kept in memory.

use crate::medium::Change;
use std::io;

enum Step {
    SetLength(u64),
    Write(u64, Box<[u8]>),
    Sync,
}

/// Steps that were not taken yet, and the file as it would be after them. Opening a database takes
/// about a dozen, so that a read looks at each.
pub(crate) struct Trial {
    /// How long the file is.
    held: u64,
    /// How long it would be.
    length: u64,
    steps: Vec<Step>,
}

impl Trial {
    /// Of a file of that length.
    pub(crate) fn of(length: u64) -> Self {
        Self {
            held: length,
            length,
            steps: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.length
    }

    pub(crate) fn set_len(&mut self, length: u64) {
        self.length = length;
        self.steps.push(Step::SetLength(length));
    }

    pub(crate) fn sync(&mut self) {
        self.steps.push(Step::Sync);
    }

    pub(crate) fn write(&mut self, offset: u64, data: &[u8]) {
        self.length = self.length.max(offset.saturating_add(size(data)));
        self.steps.push(Step::Write(offset, data.into()));
    }

    /// Reads the file as it would be; `file` reads what it holds.
    pub(crate) fn read(
        &self,
        offset: u64,
        out: &mut [u8],
        file: impl FnOnce(u64, &mut [u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        if offset.saturating_add(size(out)) > self.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let place = |at: u64| usize::try_from(at.saturating_sub(offset)).unwrap_or(usize::MAX);
        let (from_file, beyond) = out.split_at_mut(place(self.held).min(out.len()));
        if !from_file.is_empty() {
            file(offset, from_file)?;
        }
        beyond.fill(0);
        for step in &self.steps {
            match step {
                Step::SetLength(length) => {
                    out.iter_mut()
                        .skip(place(*length))
                        .for_each(|byte| *byte = 0);
                }
                Step::Write(at, data) => {
                    let before = usize::try_from(offset.saturating_sub(*at)).unwrap_or(usize::MAX);
                    let written = data.iter().skip(before);
                    for (byte, written) in out.iter_mut().skip(place(*at)).zip(written) {
                        *byte = *written;
                    }
                }
                Step::Sync => {}
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
