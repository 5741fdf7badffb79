//! Texts as small numbers, so that a rule is compared by numbers and each name is kept once.

use std::collections::HashMap;
use std::sync::Arc;

/// A hash map with a fast, randomly seeded hash.
pub(crate) type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// A text's number in its [`Symbols`].
pub(crate) type Sym = u32;

/// The number that no text has: what a question asks about but no rule mentions.
pub(crate) const NONE: Sym = u32::MAX;

/// Texts in use, counted, so that a text that nothing mentions any more is forgotten.
#[derive(Debug, Clone, Default)]
pub(crate) struct Symbols {
    numbers: Map<Arc<str>, Sym>,
    texts: Vec<(Arc<str>, u32)>,
    free: Vec<Sym>,
}

impl Symbols {
    /// Symbols with some texts that are never forgotten, numbered from 0.
    pub(crate) fn with(texts: &[&str]) -> Self {
        let mut symbols = Self::default();
        for text in texts {
            symbols.acquire(text);
        }
        symbols
    }

    /// How many texts are in use.
    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Whether no text is in use.
    pub(crate) fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// The text's number, or [`NONE`].
    pub(crate) fn get(&self, text: &str) -> Sym {
        self.numbers.get(text).copied().unwrap_or(NONE)
    }

    /// The text of a number in use.
    pub(crate) fn text(&self, symbol: Sym) -> &str {
        self.texts
            .get(symbol as usize)
            .map_or("", |(text, _)| text.as_ref())
    }

    /// The text's number; one more mention of it.
    pub(crate) fn acquire(&mut self, text: &str) -> Sym {
        if let Some(&symbol) = self.numbers.get(text) {
            if let Some((_, uses)) = self.texts.get_mut(symbol as usize) {
                *uses = uses.saturating_add(1);
            }
            return symbol;
        }
        let text: Arc<str> = text.into();
        let symbol = match self.free.pop() {
            Some(symbol) => symbol,
            None => {
                self.texts.push((Arc::clone(&text), 0));
                // 2^32 distinct texts do not fit in memory.
                self.texts.len() as Sym - 1
            }
        };
        if let Some(entry) = self.texts.get_mut(symbol as usize) {
            *entry = (Arc::clone(&text), 1);
        }
        self.numbers.insert(text, symbol);
        symbol
    }

    /// One mention less.
    pub(crate) fn release(&mut self, symbol: Sym) {
        let Some((text, uses)) = self.texts.get_mut(symbol as usize) else {
            return;
        };
        *uses = uses.saturating_sub(1);
        if *uses == 0 {
            self.numbers.remove(text);
            *text = "".into();
            self.free.push(symbol);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_reused_only_after_the_last_mention() {
        let mut symbols = Symbols::with(&["*"]);
        let a = symbols.acquire("a");
        assert_eq!(symbols.acquire("a"), a);
        symbols.release(a);
        assert_eq!(symbols.get("a"), a);
        symbols.release(a);
        assert_eq!(symbols.get("a"), NONE);
        let b = symbols.acquire("b");
        assert_eq!((b, symbols.text(b)), (a, "b"));
        assert_eq!(symbols.get("*"), 0);
    }
}
