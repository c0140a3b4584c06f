//! What a statement answers.

use super::{FromValue, Value};
use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a statement answers: its rows, and how many it has changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rows {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// A value for each column.
    pub rows: Vec<Vec<Value>>,
    /// Rows that it inserted, updated or deleted.
    pub changed: u64,
}

/// One row of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    columns: Arc<[String]>,
    values: Vec<Value>,
}

/// How a column is named: by its place, 0 first, or by its name.
pub trait Column: std::fmt::Display {
    /// Its place among these.
    fn place(&self, columns: &[String]) -> Option<usize>;
}

impl Column for usize {
    fn place(&self, columns: &[String]) -> Option<usize> {
        (*self < columns.len()).then_some(*self)
    }
}

impl Column for &str {
    fn place(&self, columns: &[String]) -> Option<usize> {
        columns.iter().position(|name| name.eq_ignore_ascii_case(self))
    }
}

impl Rows {
    /// The rows, each with the names of its columns.
    pub fn into_rows(self) -> Vec<Row> {
        let columns: Arc<[String]> = self.columns.into();
        self.rows.into_iter().map(|values| Row { columns: columns.clone(), values }).collect()
    }
}

impl Row {
    /// What is in a column.
    ///
    /// ```
    /// # async fn example(outlive: outlive::Outlive) -> Result<(), outlive::Error> {
    /// let rows = outlive.read(async |tx| tx.query("SELECT name, cents FROM accounts", ()).await).await?;
    /// for row in rows {
    ///     let (name, cents): (String, i64) = (row.get("name")?, row.get(1)?);
    /// #   drop((name, cents));
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Column`]: there is no such column, or what is in it does not read as a `T`.
    pub fn get<T: FromValue>(&self, column: impl Column) -> Result<T, Error> {
        let wrong = |why| Error::Column { column: column.to_string(), why };
        let there = || format!("there is none of that name; there are: {}", self.columns.join(", "));
        let place = column.place(&self.columns).ok_or_else(|| wrong(there()))?;
        let value = &self.values[place];
        T::from_value(value).ok_or_else(|| wrong(format!("it has {}, and {} was asked for", value.kind(), T::READS)))
    }

    /// All values, in the order of the columns.
    pub fn values(&self) -> &[Value] {
        &self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        let rows = vec![vec![Value::Text("Ada".into()), Value::Integer(7)]];
        Rows { columns: vec!["name".into(), "cents".into()], rows, changed: 0 }.into_rows().remove(0)
    }

    #[test]
    fn a_column_is_found_by_its_place_or_its_name() {
        assert_eq!(row().get::<String>(0).unwrap(), "Ada");
        assert_eq!(row().get::<i64>("CENTS").unwrap(), 7);
    }

    #[test]
    fn an_error_says_what_there_is() {
        let error = row().get::<i64>("sents").unwrap_err().to_string();
        assert_eq!(error, "column sents: there is none of that name; there are: name, cents");
        let error = row().get::<i64>("name").unwrap_err().to_string();
        assert_eq!(error, "column name: it has text, and an integer was asked for");
    }
}
