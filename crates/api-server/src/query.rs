//! Query strings: decoding, and the parameters that several handlers share.

use model::status::Status;

/// The parameters of a request, decoded, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads the part of a URL after `?`. Sequences that are no valid encoding are left as they
    /// are.
    pub fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|p| !p.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name, true), decode(value, true))
        });
        Self(pairs.collect())
    }

    /// Parameters that were never text, for calls within the process.
    pub fn of<const N: usize>(pairs: [(&str, &str); N]) -> Self {
        let set = pairs.iter().filter(|(_, value)| !value.is_empty());
        Self(
            set.map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect(),
        )
    }

    /// The first value of a parameter; `""` if it is not there.
    pub fn get(&self, name: &str) -> &str {
        self.find(name).unwrap_or_default()
    }

    /// The first value of a parameter, if it is there.
    pub fn find(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// All values of a parameter.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    /// Whether a parameter stands for yes: there, and neither `false` nor `0` (as upstream's
    /// conversion of query parameters to booleans).
    pub fn flag(&self, name: &str) -> bool {
        self.find(name)
            .is_some_and(|v| !v.eq_ignore_ascii_case("false") && v != "0")
    }

    /// A parameter that is a number, if it is there and not empty.
    pub fn number(&self, name: &str) -> Result<Option<i64>, Status> {
        match self.find(name) {
            None | Some("") => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| {
                Status::bad_request(format!(
                    "strconv.ParseInt: parsing \"{text}\": invalid syntax"
                ))
            }),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Undoes percent-encoding (and `+` for a space, in forms).
pub fn decode(text: &str, form: bool) -> String {
    if !text.contains(['%', '+']) {
        return text.to_owned();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match (byte, tail) {
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    out.push(high << 4 | low);
                    rest = after;
                }
                _ => out.push(b'%'),
            },
            (b'+', _) if form => out.push(b' '),
            _ => out.push(*byte),
        }
    }
    String::from_utf8(out).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|d| u8::try_from(d).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let query = Query::parse("a=1&labelSelector=x%3Dy%2Cz+in&watch&b=%zz&dryRun=All&dryRun=x");
        assert_eq!(query.get("a"), "1");
        assert_eq!(query.get("labelSelector"), "x=y,z in");
        assert_eq!(query.get("b"), "%zz");
        assert_eq!(query.all("dryRun").collect::<Vec<_>>(), ["All", "x"]);
        assert!(query.flag("watch") && query.flag("a") && !query.flag("c"));
        assert_eq!(query.number("a").unwrap(), Some(1));
        assert!(query.number("b").is_err());
        assert_eq!(Query::parse("").get("a"), "");
    }
}
