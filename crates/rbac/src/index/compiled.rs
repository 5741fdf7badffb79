//! Rules and questions as numbers.
//!
//! A compiled rule begins with three bit masks, of its verbs, of its groups and of its resources
//! and URLs: most rules that do not fit a question are passed over after three ANDs. Rules of
//! roles with many of them are found through a table by [`Key`] instead.

use super::symbols::{Map, NONE, Sym, Symbols};
use crate::Attributes;
use crate::rule::Rule;
use smallvec::SmallVec;
use std::collections::BTreeMap;

/// The number of `*`.
pub(super) const STAR: Sym = 0;

/// Texts that rules mention most, so that their bits in masks are their own.
pub(super) const COMMON: &[&str] = &[
    "*",
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
    "impersonate",
    "bind",
    "escalate",
    "use",
    "approve",
    "sign",
    "",
    "apps",
    "batch",
    "pods",
    "secrets",
    "configmaps",
];

/// Stands for "any name" in keys.
const ANY: Sym = u32::MAX - 1;
/// Stands for the group in keys of URLs.
const URL: Sym = u32::MAX - 2;
/// A role with more rules is looked up by key.
const SCANNED_RULES: usize = 48;
/// A rule that would make more keys than this is scanned, so that a small object cannot make a
/// large table.
const KEYS_PER_RULE: usize = 512;

fn bit(symbol: Sym) -> u64 {
    match symbol {
        NONE => 0,
        STAR => 1,
        other => 1 << (other % 63 + 1),
    }
}

fn mask(symbols: &[Sym]) -> u64 {
    symbols.iter().fold(0, |mask, s| mask | bit(*s))
}

/// How a prefix of URLs is interned: its text with exactly one `*` at the end.
fn url_symbol_text(url: &str) -> std::borrow::Cow<'_, str> {
    if url.ends_with("**") {
        format!("{}*", url.trim_end_matches('*')).into()
    } else {
        url.into()
    }
}

/// The texts of rules, and the lengths of URL prefixes among them.
#[derive(Debug, Clone)]
pub(crate) struct Vocabulary {
    pub(super) texts: Symbols,
    prefix_lengths: BTreeMap<usize, usize>,
}

impl Default for Vocabulary {
    fn default() -> Self {
        Self {
            texts: Symbols::with(COMMON),
            prefix_lengths: BTreeMap::new(),
        }
    }
}

/// A rule as numbers: verbs, groups, resources, names and URLs one after the other.
#[derive(Debug, Clone)]
pub(crate) struct CompiledRule {
    verb_mask: u64,
    group_mask: u64,
    target_mask: u64,
    symbols: Box<[Sym]>,
    ends: [u32; 4],
}

impl CompiledRule {
    fn part(&self, index: usize) -> &[Sym] {
        let end = |i: usize| self.ends.get(i).map_or(self.symbols.len(), |e| *e as usize);
        let start = index.checked_sub(1).map_or(0, end);
        self.symbols.get(start..end(index)).unwrap_or_default()
    }

    fn verbs(&self) -> &[Sym] {
        self.part(0)
    }

    fn groups(&self) -> &[Sym] {
        self.part(1)
    }

    fn resources(&self) -> &[Sym] {
        self.part(2)
    }

    fn names(&self) -> &[Sym] {
        self.part(3)
    }

    fn urls(&self) -> &[Sym] {
        self.part(4)
    }

    /// Whether the rule fits the question.
    #[inline]
    pub(super) fn allows(&self, q: &Query) -> bool {
        self.verb_mask & q.verb_mask != 0
            && self.group_mask & q.group_mask != 0
            && self.target_mask & q.target_mask != 0
            && self.allows_exactly(q)
    }

    fn allows_exactly(&self, q: &Query) -> bool {
        let fits =
            |symbols: &[Sym], wanted: Sym| symbols.iter().any(|s| *s == STAR || *s == wanted);
        let targets = |symbols: &[Sym]| symbols.iter().any(|s| q.targets.contains(s));
        if !fits(self.verbs(), q.verb) {
            return false;
        }
        if !q.resource {
            return targets(self.urls());
        }
        fits(self.groups(), q.group)
            && targets(self.resources())
            && (self.names().is_empty() || self.names().contains(&q.name))
    }

    /// How many keys the rule makes.
    fn key_count(&self) -> usize {
        let resources = self
            .groups()
            .len()
            .saturating_mul(self.resources().len())
            .saturating_mul(self.names().len().max(1));
        resources
            .saturating_add(self.urls().len())
            .saturating_mul(self.verbs().len())
    }

    /// Whether the rule makes too many keys and is scanned instead.
    pub(super) fn is_wide(&self) -> bool {
        self.key_count() > KEYS_PER_RULE
    }

    /// Calls `each` with every key under which the rule is found; with none if it is wide.
    pub(super) fn keys(&self, mut each: impl FnMut(Key)) {
        if self.is_wide() {
            return;
        }
        let any = [ANY];
        let names = match self.names() {
            [] => any.as_slice(),
            names => names,
        };
        for &verb in self.verbs() {
            for &group in self.groups() {
                for &target in self.resources() {
                    for &name in names {
                        each(Key {
                            verb,
                            group,
                            target,
                            name,
                        });
                    }
                }
            }
            for &target in self.urls() {
                each(Key {
                    verb,
                    group: URL,
                    target,
                    name: ANY,
                });
            }
        }
    }
}

/// One combination that rules are found under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    verb: Sym,
    group: Sym,
    target: Sym,
    name: Sym,
}

impl Key {
    /// Which wildcards the key has, as a number below [`SHAPES`].
    fn shape(self) -> usize {
        usize::from(self.verb == STAR)
            | usize::from(self.group == STAR) << 1
            | usize::from(self.target == STAR) << 2
            | usize::from(self.name != ANY) << 3
    }
}

const SHAPES: usize = 16;

/// How many keys of each shape a table has, so that shapes that it does not have are not tried.
#[derive(Debug, Clone, Default)]
pub(super) struct Shapes([u32; SHAPES]);

impl Shapes {
    pub(super) fn add(&mut self, key: Key) {
        if let Some(count) = self.0.get_mut(key.shape()) {
            *count = count.saturating_add(1);
        }
    }

    pub(super) fn remove(&mut self, key: Key) {
        if let Some(count) = self.0.get_mut(key.shape()) {
            *count = count.saturating_sub(1);
        }
    }

    fn has(&self, key: Key) -> bool {
        self.0.get(key.shape()).is_some_and(|count| *count > 0)
    }
}

/// A question as numbers.
#[derive(Debug)]
pub(crate) struct Query {
    resource: bool,
    verb: Sym,
    group: Sym,
    /// The resource or URL and the wildcards that cover it; never holds [`NONE`].
    targets: SmallVec<[Sym; 8]>,
    name: Sym,
    verb_mask: u64,
    group_mask: u64,
    target_mask: u64,
}

impl Query {
    /// Calls `each` with every key that would allow this, until it returns `Some`.
    pub(super) fn keys(&self, shapes: &Shapes, mut each: impl FnMut(Key)) {
        // A request may name `*` itself (`kubectl auth can-i '*' '*'`); it is tried once only.
        let or_star = |symbol| [symbol, if symbol == STAR { NONE } else { STAR }];
        let verbs = or_star(self.verb);
        let (groups, names) = if self.resource {
            (or_star(self.group), [ANY, self.name])
        } else {
            ([URL, NONE], [ANY, NONE])
        };
        for &verb in verbs.iter().filter(|v| **v != NONE) {
            for &group in groups.iter().filter(|g| **g != NONE) {
                for &target in &self.targets {
                    for &name in names.iter().filter(|n| **n != NONE) {
                        let key = Key {
                            verb,
                            group,
                            target,
                            name,
                        };
                        if shapes.has(key) {
                            each(key);
                        }
                    }
                }
            }
        }
    }
}

/// What a role allows.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    rules: Box<[CompiledRule]>,
    table: Option<Box<RuleTable>>,
}

#[derive(Debug, Clone, Default)]
struct RuleTable {
    first: Map<Key, u32>,
    shapes: Shapes,
    wide: Vec<u32>,
}

impl Body {
    /// The first rule that allows this.
    #[inline]
    pub(super) fn find(&self, q: &Query) -> Option<u32> {
        match &self.table {
            None => self
                .rules
                .iter()
                .position(|rule| rule.allows(q))
                .map(|i| i as u32),
            Some(table) => {
                let mut best = self.find_wide(q);
                q.keys(&table.shapes, |key| {
                    if let Some(&rule) = table.first.get(&key) {
                        best = Some(best.map_or(rule, |b| b.min(rule)));
                    }
                });
                best
            }
        }
    }

    /// The first rule without keys that allows this.
    pub(super) fn find_wide(&self, q: &Query) -> Option<u32> {
        match &self.table {
            None => self
                .rules
                .iter()
                .position(|rule| rule.is_wide() && rule.allows(q))
                .map(|i| i as u32),
            Some(table) => table
                .wide
                .iter()
                .copied()
                .find(|i| self.rules.get(*i as usize).is_some_and(|r| r.allows(q))),
        }
    }

    /// Whether some rule has no keys.
    pub(super) fn has_wide(&self) -> bool {
        match &self.table {
            None => self.rules.iter().any(CompiledRule::is_wide),
            Some(table) => !table.wide.is_empty(),
        }
    }

    /// Calls `each` with every key of every rule, some more than once.
    pub(super) fn keys(&self, mut each: impl FnMut(Key)) {
        for rule in &self.rules {
            rule.keys(&mut each);
        }
    }
}

impl Vocabulary {
    /// Whether no rule is known.
    pub(super) fn is_pristine(&self) -> bool {
        self.texts.len() == COMMON.len() && self.prefix_lengths.is_empty()
    }

    /// Compiles the rules of a role.
    pub(super) fn compile(&mut self, rules: &[Rule]) -> Body {
        let rules: Box<[_]> = rules.iter().map(|r| self.compile_rule(r)).collect();
        let table = (rules.len() > SCANNED_RULES).then(|| {
            let mut table = RuleTable::default();
            for (rule, i) in rules.iter().zip(0u32..) {
                if rule.is_wide() {
                    table.wide.push(i);
                }
                rule.keys(|key| {
                    if let std::collections::hash_map::Entry::Vacant(slot) = table.first.entry(key)
                    {
                        slot.insert(i);
                        table.shapes.add(key);
                    }
                });
            }
            Box::new(table)
        });
        Body { rules, table }
    }

    fn compile_rule(&mut self, rule: &Rule) -> CompiledRule {
        let mut symbols = Vec::new();
        let mut ends = [0; 4];
        let parts = [
            &rule.verbs,
            &rule.api_groups,
            &rule.resources,
            &rule.resource_names,
        ];
        for (part, end) in parts.into_iter().zip(&mut ends) {
            symbols.extend(part.iter().map(|text| self.texts.acquire(text)));
            *end = symbols.len() as u32;
        }
        for url in &rule.non_resource_urls {
            let text = url_symbol_text(url);
            if let Some(prefix) = text.strip_suffix('*') {
                *self.prefix_lengths.entry(prefix.len()).or_default() += 1;
            }
            symbols.push(self.texts.acquire(&text));
        }
        let mut compiled = CompiledRule {
            verb_mask: 0,
            group_mask: 0,
            target_mask: 0,
            symbols: symbols.into(),
            ends,
        };
        compiled.verb_mask = mask(compiled.verbs());
        compiled.group_mask = if compiled.urls().is_empty() {
            mask(compiled.groups())
        } else {
            u64::MAX
        };
        compiled.target_mask = mask(compiled.resources()) | mask(compiled.urls());
        compiled
    }

    /// Forgets the texts of a compiled role.
    pub(super) fn release(&mut self, body: &Body) {
        for rule in &body.rules {
            for &url in rule.urls() {
                let Some(length) = self.texts.text(url).strip_suffix('*').map(str::len) else {
                    continue;
                };
                if let Some(count) = self.prefix_lengths.get_mut(&length) {
                    *count -= 1;
                    if *count == 0 {
                        self.prefix_lengths.remove(&length);
                    }
                }
            }
            for &symbol in &rule.symbols {
                self.texts.release(symbol);
            }
        }
    }

    /// The rules of a compiled role, as they were written.
    pub(super) fn rules(&self, body: &Body) -> Vec<Rule> {
        let texts = |symbols: &[Sym]| -> Vec<String> {
            symbols
                .iter()
                .map(|s| self.texts.text(*s).to_owned())
                .collect()
        };
        body.rules
            .iter()
            .map(|rule| Rule {
                verbs: texts(rule.verbs()),
                api_groups: texts(rule.groups()),
                resources: texts(rule.resources()),
                resource_names: texts(rule.names()),
                non_resource_urls: texts(rule.urls()),
            })
            .collect()
    }

    /// The question as numbers.
    pub(super) fn query(&self, a: &Attributes<'_>) -> Query {
        let verb = self.texts.get(a.verb);
        let mut q = Query {
            resource: a.is_resource(),
            verb,
            group: NONE,
            targets: SmallVec::new(),
            name: NONE,
            verb_mask: bit(verb) | bit(STAR),
            group_mask: u64::MAX,
            target_mask: 0,
        };
        q.targets.push(STAR);
        let mut add = |symbol: Sym| {
            if symbol != NONE && symbol != STAR {
                q.targets.push(symbol);
            }
        };
        if a.is_resource() {
            let mut joined = String::new();
            if a.subresource.is_empty() {
                add(self.texts.get(a.resource));
            } else {
                joined.push_str(a.resource);
                joined.push('/');
                joined.push_str(a.subresource);
                add(self.texts.get(&joined));
                joined.replace_range(..a.resource.len(), "*");
                if a.resource != "*" {
                    add(self.texts.get(&joined));
                }
            }
            q.group = self.texts.get(a.group);
            q.group_mask = bit(q.group) | bit(STAR);
            q.name = self.texts.get(a.name);
        } else {
            add(self.texts.get(a.path));
            let mut prefix = String::new();
            for &length in self.prefix_lengths.range(..=a.path.len()).map(|(l, _)| l) {
                if let Some(start) = a.path.get(..length) {
                    prefix.clear();
                    prefix.push_str(start);
                    prefix.push('*');
                    if prefix != a.path {
                        add(self.texts.get(&prefix));
                    }
                }
            }
        }
        q.target_mask = mask(&q.targets);
        q
    }
}
