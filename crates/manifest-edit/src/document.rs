//! The edits of one document, made and checked.

use crate::layout::{self, Splice};
use crate::plan::Plan;
use crate::tree::Tree;
use crate::{Group, Refusal, change};
use model::Value;
use model::decode::documents;

/// How many groups are tried one by one after they failed together.
const MAX_SINGLE: usize = 256;

/// The document's new text, and what was refused.
pub(crate) struct Edited {
    pub(crate) text: String,
    pub(crate) refused: Vec<(usize, Refusal)>,
}

/// Edits a document; `text` is its part of the file, `value` what it means.
pub(crate) fn edit(text: &str, value: &Value, groups: &[(usize, &Group)]) -> Edited {
    let mut edited = Edited {
        text: text.to_owned(),
        refused: Vec::new(),
    };
    let Some(tree) = Tree::parse(text) else {
        edited.refused.extend(
            groups
                .iter()
                .map(|(index, _)| (*index, Refusal::Unreadable)),
        );
        return edited;
    };
    let mut plan = Plan::new(&tree, value);
    let mut expected = value.clone();
    let mut planned = Vec::new();
    for (index, group) in groups {
        match plan.add(&group.edits) {
            Ok(()) => planned.push((*index, *group)),
            Err(refusal) => edited.refused.push((*index, refusal)),
        }
    }
    if planned.is_empty() {
        return edited;
    }
    let made = planned
        .iter()
        .flat_map(|(_, group)| &group.edits)
        .try_for_each(|edit| change::make(&mut expected, edit));
    let new = made
        .and_then(|()| layout::splices(text, &tree, plan.operations()))
        .and_then(|splices| spliced(text, splices))
        .and_then(|new| checked(new, &expected));
    match new {
        Ok(new) => edited.text = new,
        Err(refusal) => match planned.as_slice() {
            [(index, _)] => edited.refused.push((*index, refusal)),
            several => one_by_one(&mut edited, value, several, refusal),
        },
    }
    edited
}

/// What fails together may succeed alone.
fn one_by_one(edited: &mut Edited, value: &Value, groups: &[(usize, &Group)], refusal: Refusal) {
    let mut value = value.clone();
    for (n, (index, group)) in groups.iter().enumerate() {
        if n >= MAX_SINGLE {
            edited.refused.push((*index, refusal));
            continue;
        }
        let one = edit(&edited.text, &value, &[(*index, *group)]);
        if one.refused.is_empty() {
            edited.text = one.text;
            for edit in &group.edits {
                // It was made before, when the text was checked.
                let _ = change::make(&mut value, edit);
            }
        } else {
            edited.refused.extend(one.refused);
        }
    }
}

/// The text with the splices made.
fn spliced(text: &str, mut splices: Vec<Splice>) -> Result<String, Refusal> {
    // What is inserted in one place belongs to the inner mapping before the outer one.
    splices.sort_by_key(|splice| (splice.at.start, std::cmp::Reverse(splice.depth)));
    let mut new = String::with_capacity(text.len() + 256);
    let mut copied = 0;
    for splice in splices {
        let kept = text.get(copied..splice.at.start).ok_or(Refusal::Layout)?;
        new.push_str(kept);
        new.push_str(&splice.text);
        copied = splice.at.end;
    }
    new.push_str(text.get(copied..).ok_or(Refusal::Layout)?);
    Ok(new)
}

/// The text, if it means what it should.
fn checked(text: String, expected: &Value) -> Result<String, Refusal> {
    let mut read = documents(text.as_bytes());
    let is_right = match read.next() {
        Some(Ok(document)) => document.decoded.value == *expected,
        _ => false,
    };
    let is_alone = read.next().is_none();
    drop(read);
    if is_right && is_alone {
        Ok(text)
    } else {
        Err(Refusal::Unfaithful)
    }
}
