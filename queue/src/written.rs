//! Options as people write them in a file: durations are words such as `1d` or `250ms`, and a name that nobody knows is refused.
//!
//! Requests and rows say milliseconds instead, and so do not go by this.

use crate::job::Backoff;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::time::Duration;

const FOREVER: &str = "forever";
const NEVER: &str = "never";

/// A duration.
pub fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = Cow::<str>::deserialize(deserializer)?;
    parse(&text).map_err(D::Error::custom)
}

/// For how long something is kept; none for ever.
pub fn kept<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = Cow::<str>::deserialize(deserializer)?;
    parse_kept(&text).map_err(D::Error::custom)
}

/// In what time something happens; none if it never does.
pub fn ageing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = Cow::<str>::deserialize(deserializer)?;
    if text == NEVER {
        return Ok(None);
    }
    parse(&text).map(Some).map_err(|why| D::Error::custom(format!("{why}, or {NEVER}")))
}

/// A backoff: `{ first = "2s", longest = "1h" }` or `{ rest = "10s" }`.
pub fn backoff<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Backoff, D::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Written<'text> {
        #[serde(borrow)]
        first: Option<Cow<'text, str>>,
        #[serde(borrow)]
        longest: Option<Cow<'text, str>>,
        #[serde(borrow)]
        rest: Option<Cow<'text, str>>,
    }
    let Written { first, longest, rest } = Written::deserialize(deserializer)?;
    let parse = |text: Cow<'_, str>| parse(&text).map_err(D::Error::custom);
    match (first, longest, rest) {
        (Some(first), Some(longest), None) => {
            Ok(Backoff::Exponential { first: parse(first)?, longest: parse(longest)? })
        }
        (None, None, Some(rest)) => Ok(Backoff::Fixed { rest: parse(rest)? }),
        _ => Err(D::Error::custom("a backoff has `first` and `longest`, or `rest` alone")),
    }
}

/// For how long something is kept, by its words.
///
/// # Errors
/// If they are no duration: what is one.
pub fn parse_kept(text: &str) -> Result<Option<Duration>, String> {
    if text == FOREVER {
        return Ok(None);
    }
    parse(text).map(Some).map_err(|why| format!("{why}, or {FOREVER}"))
}

fn parse(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|why| {
        format!("{text:?} is no duration ({why}); it is a number with its unit, such as 250ms, 30s, 12h or 7d")
    })
}
