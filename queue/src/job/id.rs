//! Names of things: one type each, so that none is mistaken for another.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A job's number in its file. It rises with every enqueue and is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub i64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Fencing token: rises at every grant of a lease in a file. The store rejects an older one. It is
/// not the attempt's number.
///
/// Source: M. Kleppmann, "How to do distributed locking", 2016.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(pub i64);

/// Random number of one exclusive opening of a file. It makes tokens unforgeable, and unique even
/// if the file was rolled back to a copy.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nonce(pub u64);

/// The right to one attempt of one job. Shown with everything that a worker says of the attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Lease {
    /// The job.
    pub job: JobId,
    /// The grant's fencing token.
    pub token: Token,
    /// The opening of the file that granted it.
    pub nonce: Nonce,
}

/// A name for a job that no other job has, in its file or another, nor after a file was rolled back to a copy: made of
/// the first opening of the file, the job's number, and when it was enqueued.
pub fn identity(first_opening: Nonce, job: JobId, enqueued_at: super::Wall) -> String {
    let parts = [first_opening.0.to_be_bytes(), job.0.to_be_bytes(), enqueued_at.0.to_be_bytes()];
    format!("{:032x}", xxhash_rust::xxh3::xxh3_128(&parts.concat()))
}

/// A client's name for one mutation. A repeat of the request gets the first answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub [u8; 16]);

macro_rules! hexadecimal {
    ($name:ident, $bytes:literal, $to:expr, $from:expr) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                let bytes: [u8; $bytes] = $to(self);
                let digits: [u8; 2 * $bytes] =
                    std::array::from_fn(|i| DIGITS[usize::from(bytes[i / 2] >> (4 * (1 - i % 2)) & 0xf)]);
                f.write_str(std::str::from_utf8(&digits).expect("digits are ASCII"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                let wrong = || format!("{text:?} is not a {}: {} hexadecimal digits", stringify!($name), 2 * $bytes);
                if text.len() != 2 * $bytes || !text.is_ascii() {
                    return Err(wrong());
                }
                let mut bytes = [0; $bytes];
                for (i, byte) in bytes.iter_mut().enumerate() {
                    *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).map_err(|_| wrong())?;
                }
                Ok($from(bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
hexadecimal!(Nonce, 8, |nonce: &Nonce| nonce.0.to_be_bytes(), |bytes| Nonce(u64::from_be_bytes(bytes)));
hexadecimal!(RequestId, 16, |id: &RequestId| id.0, RequestId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_as_written() {
        let nonce = Nonce(0x00ff_1234_5678_9abc);
        assert_eq!(nonce.to_string(), "00ff123456789abc");
        assert_eq!(nonce.to_string().parse(), Ok(nonce));
        let id = RequestId([0xab; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("0xff".parse::<Nonce>().unwrap_err().contains("16 hexadecimal digits"));
        assert!("é0ff1234567890ab".parse::<Nonce>().is_err());
    }
}
