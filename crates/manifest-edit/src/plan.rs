//! Edits by paths, turned into operations on nodes.

use crate::tree::{Id, Kind, Node, Tree};
use crate::{Change, Edit, Refusal, Step, change};
use model::Value;
use std::collections::HashMap;

/// What happens to a node.
#[derive(Debug, Clone)]
pub(crate) enum Operation {
    /// A scalar gets another value.
    Replace(Id, Value),
    /// A null gets a value.
    Fill(Id, Value),
    /// A mapping gets further keys.
    Insert(Id, Vec<(String, Value)>),
    /// A list gets further entries.
    Append(Id, Vec<Value>),
}

impl Operation {
    fn node(&self) -> Id {
        match self {
            Self::Replace(id, _) | Self::Fill(id, _) => *id,
            Self::Insert(id, _) | Self::Append(id, _) => *id,
        }
    }
}

/// The operations on a document. Edits of one place are put together.
pub(crate) struct Plan<'t> {
    tree: &'t Tree,
    value: &'t Value,
    operations: Vec<Operation>,
    by_node: HashMap<Id, usize>,
}

impl<'t> Plan<'t> {
    pub(crate) fn new(tree: &'t Tree, value: &'t Value) -> Self {
        Self {
            tree,
            value,
            operations: Vec::new(),
            by_node: HashMap::new(),
        }
    }

    pub(crate) fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// Adds edits, all or none.
    pub(crate) fn add(&mut self, edits: &[Edit]) -> Result<(), Refusal> {
        let found: Vec<Operation> = edits
            .iter()
            .map(|edit| self.operation(edit))
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .flatten()
            .collect();
        for operation in found {
            self.put(operation);
        }
        Ok(())
    }

    fn put(&mut self, operation: Operation) {
        let next = self.operations.len();
        let at = *self.by_node.entry(operation.node()).or_insert(next);
        let Some(there) = self.operations.get_mut(at) else {
            self.operations.push(operation);
            return;
        };
        match (there, operation) {
            (Operation::Insert(_, keys), Operation::Insert(_, more)) => {
                for (key, value) in more {
                    match keys.iter_mut().find(|(known, _)| *known == key) {
                        Some((_, known)) => change::merge(known, value),
                        None => keys.push((key, value)),
                    }
                }
            }
            (Operation::Append(_, items), Operation::Append(_, more)) => items.extend(more),
            (Operation::Fill(_, value), Operation::Fill(_, more)) => change::merge(value, more),
            (there, operation) => *there = operation,
        }
    }

    /// What an edit does; nothing if the field has the value.
    fn operation(&self, edit: &Edit) -> Result<Option<Operation>, Refusal> {
        let mut id = 0;
        let mut value = Some(self.value);
        for (n, step) in edit.path.iter().enumerate() {
            let node = self.node(id)?;
            let rest = edit.path.get(n..).unwrap_or_default();
            let (next, is_there) = match (&node.kind, step) {
                (Kind::Mapping { entries, .. }, Step::Key(key)) => {
                    let mut same = entries.iter().filter(|e| e.key.as_ref() == Some(key));
                    let found = same.next();
                    if same.next().is_some() {
                        return Err(Refusal::Duplicate);
                    }
                    value = value.and_then(|value| value.get(key));
                    match found {
                        Some(entry) => (entry.value, true),
                        // The mapping has it, and its text has not.
                        None if value.is_some() => return Err(Refusal::Merged),
                        None => (id, false),
                    }
                }
                (Kind::List { items, .. }, Step::Index(index)) => {
                    value = value.and_then(|value| value.get(index));
                    (*items.get(*index).ok_or(Refusal::Mismatch)?, true)
                }
                (_, Step::Key(_)) if node.is_null() => {
                    let value = change::wrapped(rest, &edit.change)?;
                    return Ok(Some(Operation::Fill(id, value)));
                }
                _ => return Err(Refusal::Mismatch),
            };
            if !is_there {
                let Some((Step::Key(key), inner)) = rest.split_first() else {
                    return Err(Refusal::Mismatch);
                };
                let value = change::wrapped(inner, &edit.change)?;
                return Ok(Some(Operation::Insert(id, vec![(key.clone(), value)])));
            }
            id = next;
        }
        let node = self.node(id)?;
        match &edit.change {
            Change::Set(new) if value == Some(new) => Ok(None),
            Change::Set(new) if node.is_null() => Ok(Some(Operation::Fill(id, new.clone()))),
            Change::Set(new) => {
                let is_scalar = matches!(node.kind, Kind::Scalar { .. }) && !node.is_tagged;
                if is_scalar && !new.is_object() && !new.is_array() {
                    Ok(Some(Operation::Replace(id, new.clone())))
                } else {
                    Err(Refusal::Occupied)
                }
            }
            Change::Append(item) if node.is_null() => {
                let list = Value::Array(vec![item.clone()]);
                Ok(Some(Operation::Fill(id, list)))
            }
            Change::Append(item) => match node.kind {
                Kind::List { .. } => Ok(Some(Operation::Append(id, vec![item.clone()]))),
                _ => Err(Refusal::Mismatch),
            },
        }
    }

    fn node(&self, id: Id) -> Result<&'t Node, Refusal> {
        let node = self.tree.get(id).ok_or(Refusal::Unreadable)?;
        if self.tree.is_shared(node) {
            return Err(Refusal::Shared);
        }
        Ok(node)
    }
}
