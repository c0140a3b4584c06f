//! Where in a distributed trace a job was enqueued.
//!
//! Source: "Trace Context", w3.org/TR/trace-context, section 3.2: the header `traceparent`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::num::{NonZeroU64, NonZeroU128};
use std::str::FromStr;

/// The span of a distributed trace in which a job was enqueued, as the header `traceparent` says it. The queue keeps it and
/// tells each attempt of it, so that a job that is tried again on another machine is one trace.
///
/// ```
/// use outlive::job::TraceParent;
///
/// let parent: TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse()?;
/// assert_eq!(parent.trace_id(), 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
/// assert!(parent.is_sampled());
/// # Ok::<(), outlive::job::NoTraceParent>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceParent {
    trace: NonZeroU128,
    parent: NonZeroU64,
    flags: u8,
}

/// What is no `traceparent`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no traceparent; it is 00-TRACE-SPAN-FLAGS in lower-case hexadecimal digits, 32, 16 and 2 of them, and neither \
     the trace nor the span is 0"
)]
pub struct NoTraceParent(String);

impl TraceParent {
    /// The span `parent` of the trace `trace`; nothing if one of them is 0, which no trace and no span is called.
    pub fn new(trace: u128, parent: u64, is_sampled: bool) -> Option<Self> {
        let (trace, parent) = (NonZeroU128::new(trace)?, NonZeroU64::new(parent)?);
        Some(Self { trace, parent, flags: u8::from(is_sampled) })
    }

    /// The trace.
    pub fn trace_id(self) -> u128 {
        self.trace.get()
    }

    /// The span.
    pub fn span_id(self) -> u64 {
        self.parent.get()
    }

    /// Whether somebody records the trace.
    pub fn is_sampled(self) -> bool {
        self.flags & 1 == 1
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.parent, self.flags)
    }
}

impl FromStr for TraceParent {
    type Err = NoTraceParent;

    fn from_str(text: &str) -> Result<Self, NoTraceParent> {
        let read = || {
            let mut words = text.split('-');
            let mut next = |digits: usize| {
                let word = words.next().filter(|word| word.len() == digits)?;
                word.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f')).then_some(word)
            };
            let (version, trace, parent, flags) = (next(2)?, next(32)?, next(16)?, next(2)?);
            // A later version may say more behind it, and says these alike.
            let ends = version != "00" || words.next().is_none();
            let flags = u8::from_str_radix(flags, 16).ok()?;
            // What else such a version means by them is not passed on under this one's name.
            let flags = if version == "00" { flags } else { flags & 1 };
            let trace = NonZeroU128::new(u128::from_str_radix(trace, 16).ok()?)?;
            let parent = NonZeroU64::new(u64::from_str_radix(parent, 16).ok()?)?;
            (version != "ff" && ends).then_some(Self { trace, parent, flags })
        };
        read().ok_or_else(|| NoTraceParent(text.chars().take(80).collect()))
    }
}

impl Serialize for TraceParent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TraceParent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_is_read_is_written_alike() {
        let read: TraceParent = TEXT.parse().unwrap();
        assert_eq!(read.to_string(), TEXT);
        assert_eq!((read.span_id(), read.is_sampled()), (0x00f0_67aa_0ba9_02b7, true));
        assert_eq!(serde_json::from_str::<TraceParent>(&serde_json::to_string(&read).unwrap()).unwrap(), read);
        assert_eq!(TraceParent::new(read.trace_id(), read.span_id(), true), Some(read));
        assert_eq!((TraceParent::new(0, 1, true), TraceParent::new(1, 0, true)), (None, None));
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        let later = TEXT.replacen("00-", "cc-", 1).replace("-01", "-ff");
        assert_eq!(later.parse::<TraceParent>().unwrap().to_string(), TEXT);
        assert_eq!(format!("{later}-what-may-come").parse::<TraceParent>().unwrap().to_string(), TEXT);
    }

    #[test]
    fn what_is_none_is_told_what_one_is() {
        let wrong = [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-ébf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ];
        for text in wrong {
            let error = text.parse::<TraceParent>().unwrap_err();
            assert!(error.to_string().contains("is no traceparent; it is 00-TRACE-SPAN-FLAGS"), "{text}: {error}");
        }
    }
}
