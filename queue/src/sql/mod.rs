//! SQL of the caller's own, in the queue's file: values that go in, rows that come out.
//!
//! It runs in a [transaction](crate::Outlive::transaction), beside the commands of the queue, and is committed with
//! them. The tables are the caller's; those of the queue have names that begin with `outlive_`.

mod convert;
mod rows;

pub use convert::{FromValue, IntoParameters};
pub use rows::{Column, Row, Rows};

use serde::{Deserialize, Serialize};

/// A statement with its parameters, `?1` first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// One statement of SQL.
    pub sql: String,
    /// What stands for `?1`, `?2`, …
    pub parameters: Vec<Value>,
}

/// What a cell can hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    /// Nothing.
    Null,
    /// A whole number.
    Integer(i64),
    /// A number.
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

impl Value {
    /// What kind of value it is, for people.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Integer(_) => "integer",
            Self::Real(_) => "real",
            Self::Text(_) => "text",
            Self::Blob(_) => "blob",
        }
    }

    /// About how many bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Null => 1,
            Self::Integer(_) | Self::Real(_) => 8,
            Self::Text(text) => text.len(),
            Self::Blob(bytes) => bytes.len(),
        }
    }
}
