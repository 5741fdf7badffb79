//! The audit: runs the checks, and sorts what they found.

mod baseline;
mod config;
mod diff;
mod suppression;

pub use baseline::{Baseline, BaselineError};
pub use config::{CheckConfig, Config, ConfigError, Settings};
pub use diff::{Difference, Mark, Named, Place, Record, Recorded, RecordedSuppression, compare};
pub use suppression::{Date, DateError, Source, Suppressed, Suppression};

use crate::checks::{self, Check, Context, Pod, Run, Sink};
use crate::finding::Finding;
use serde::Serialize;
use snapshot::{PodTemplate, Snapshot, Standing};
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many pod templates are one piece of work.
const PIECE: usize = 64;

/// How the audit is to run: what the edge knows.
#[derive(Debug, Clone, Copy)]
pub struct Options<'s> {
    /// Which checks, how configured, and what is excused.
    pub settings: &'s Settings,
    /// What was known before.
    pub baseline: Option<&'s Baseline>,
    /// The day, by which suppressions expire.
    pub today: Date,
    /// How many threads may work.
    pub workers: usize,
}

/// What came out.
#[derive(Debug)]
pub struct Report<'a> {
    /// What was found: worst first, then by check, object and field.
    pub findings: Vec<Finding<'a>>,
    /// What was found and is excused.
    pub suppressed: Vec<Suppressed<'a>>,
    /// What was found and stands in the baseline.
    pub known: Vec<Finding<'a>>,
    /// What is wrong with suppressions: without a reason, expired, of no use.
    pub notices: Vec<String>,
    /// How much was looked at.
    pub looked_at: LookedAt,
}

impl Report<'_> {
    /// Leaves only what is about objects of one namespace, and about the namespace itself. The
    /// objects of others were looked at: they may be why something was found.
    pub fn keep_namespace(&mut self, namespace: &str) {
        self.findings.retain(|f| f.object.is_within(namespace));
        self.known.retain(|f| f.object.is_within(namespace));
        let within = |s: &Suppressed<'_>| s.finding.object.is_within(namespace);
        self.suppressed.retain(within);
    }
}

/// How much an audit looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LookedAt {
    /// How many checks ran.
    pub checks: usize,
    /// How many objects that somebody wrote there were.
    pub objects: usize,
    /// How many pod templates among them.
    pub pod_templates: usize,
}

/// What one thread does at a time.
enum Piece<'w, 'a> {
    Pods(&'w [PodTemplate<'a>]),
    Whole(&'static Check),
}

/// Runs the checks over a snapshot.
pub fn run<'a>(snapshot: &'a Snapshot, options: Options<'_>) -> Report<'a> {
    let settings = options.settings;
    let templates: Vec<PodTemplate<'a>> = snapshot
        .pod_templates()
        .filter(|t| t.owner.standing == Standing::Written && t.is_outermost())
        .collect();
    let enabled: Vec<&'static Check> = checks::all()
        .filter(|check| settings.is_enabled(check))
        .collect();
    let context = Context::new(snapshot);
    let whole = enabled
        .iter()
        .filter(|check| matches!(check.run, Run::Whole(_)))
        .map(|check| Piece::Whole(check));
    let pieces: Vec<Piece<'_, 'a>> = whole
        .chain(templates.chunks(PIECE).map(Piece::Pods))
        .collect();
    let findings = in_parallel(&pieces, options.workers, |piece, findings| {
        let first = findings.len();
        work(piece, &enabled, settings, &context, findings);
        for finding in findings.iter_mut().skip(first) {
            finding.locate(snapshot);
            settings.adjust(finding);
        }
    });
    let sorted = suppression::sort(snapshot, settings, options.today, findings);
    let (known, findings) = match options.baseline {
        Some(baseline) => baseline.split(sorted.findings),
        None => (Vec::new(), sorted.findings),
    };
    Report {
        findings,
        suppressed: sorted.suppressed,
        known,
        notices: sorted.notices,
        looked_at: LookedAt {
            checks: enabled.len(),
            objects: snapshot.authored().count(),
            pod_templates: templates.len(),
        },
    }
}

fn work<'a>(
    piece: &Piece<'_, 'a>,
    enabled: &[&'static Check],
    settings: &Settings,
    context: &Context<'a>,
    findings: &mut Vec<Finding<'a>>,
) {
    let mut run = |check: &'static Check, pod: Option<&Pod<'a>>| {
        let mut sink = Sink {
            check,
            parameters: settings.parameters(check),
            findings,
        };
        match (check.run, pod) {
            (Run::Pods(run), Some(pod)) => run(pod, &mut sink),
            (Run::Whole(run), None) => run(context, &mut sink),
            _ => {}
        }
    };
    match piece {
        Piece::Whole(check) => run(check, None),
        Piece::Pods(templates) => {
            for template in *templates {
                let pod = Pod::new(*template);
                for check in enabled {
                    run(check, Some(&pod));
                }
            }
        }
    }
}

/// Does every piece of work, on several threads, and returns what was found in order. Each thread
/// sorts what it found, so that only their results are left to be merged.
fn in_parallel<'a, P: Sync>(
    pieces: &[P],
    workers: usize,
    work: impl Fn(&P, &mut Vec<Finding<'a>>) + Sync,
) -> Vec<Finding<'a>> {
    let next = AtomicUsize::new(0);
    let take = || {
        let mut found = Vec::new();
        while let Some(piece) = pieces.get(next.fetch_add(1, Ordering::Relaxed)) {
            work(piece, &mut found);
        }
        found.sort_by(order);
        found
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..workers.min(pieces.len()))
            .map(|_| scope.spawn(take))
            .collect();
        let mut found = take();
        for other in others {
            match other.join() {
                Ok(more) => found = merge(found, more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        found
    })
}

/// Two sorted lists as one.
fn merge<'a>(left: Vec<Finding<'a>>, right: Vec<Finding<'a>>) -> Vec<Finding<'a>> {
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let mut right = right.into_iter().peekable();
    for finding in left {
        while let Some(earlier) = right.next_if(|other| order(other, &finding).is_lt()) {
            merged.push(earlier);
        }
        merged.push(finding);
    }
    merged.extend(right);
    merged
}

/// Worst first, then by check, object and field. What is alike in all of these comes from one
/// piece of work, and stays in the order in which it was found.
fn order(a: &Finding<'_>, b: &Finding<'_>) -> std::cmp::Ordering {
    let by_check = b
        .severity
        .cmp(&a.severity)
        .then_with(|| a.check.id.cmp(b.check.id));
    let by_object = || {
        // The objects of a snapshot stand in its memory in their order.
        std::ptr::from_ref(a.object).cmp(&std::ptr::from_ref(b.object))
    };
    by_check
        .then_with(by_object)
        .then_with(|| a.field.cmp(&b.field))
}
