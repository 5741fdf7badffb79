//! Times as people read them.

use super::cells::UNKNOWN;

/// A span of `seconds` in at most two units, as upstream's `duration.HumanDuration`: `5s`,
/// `2m30s`, `3h`, `4d5h`, `2y100d`.
pub fn human_duration(seconds: i64) -> String {
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let days = hours / 24;
    let with_rest = |whole: i64, unit: char, rest: i64, rest_unit: char| {
        if rest == 0 {
            format!("{whole}{unit}")
        } else {
            format!("{whole}{unit}{rest}{rest_unit}")
        }
    };
    // Clocks may differ a little.
    if seconds < -1 {
        "<invalid>".to_owned()
    } else if seconds < 0 {
        "0s".to_owned()
    } else if seconds < 120 {
        format!("{seconds}s")
    } else if minutes < 10 {
        with_rest(minutes, 'm', seconds % 60, 's')
    } else if minutes < 180 {
        format!("{minutes}m")
    } else if hours < 8 {
        with_rest(hours, 'h', minutes % 60, 'm')
    } else if hours < 48 {
        format!("{hours}h")
    } else if hours < 24 * 8 {
        with_rest(days, 'd', hours % 24, 'h')
    } else if days < 365 * 2 {
        format!("{days}d")
    } else if days < 365 * 8 {
        with_rest(days / 365, 'y', days % 365, 'd')
    } else {
        format!("{}y", days / 365)
    }
}

/// An RFC 3339 time in seconds since the Unix epoch.
pub(super) fn seconds(time: &str) -> Option<i64> {
    let timestamp: jiff::Timestamp = time.parse().ok()?;
    Some(timestamp.as_second())
}

/// How long ago a time was.
pub(super) fn since(time: &str, now: i64) -> String {
    match seconds(time) {
        Some(then) => human_duration(now.saturating_sub(then)),
        None => UNKNOWN.to_owned(),
    }
}
