//! Between the types of Rust and the values of a cell.

use super::Value;

/// What can stand for the parameters of a statement: `()`, an array, a vector, or a tuple of up to eight values.
pub trait IntoParameters {
    /// The values, `?1` first.
    fn into_parameters(self) -> Vec<Value>;
}

impl IntoParameters for () {
    fn into_parameters(self) -> Vec<Value> {
        Vec::new()
    }
}

impl<T: Into<Value>, const N: usize> IntoParameters for [T; N] {
    fn into_parameters(self) -> Vec<Value> {
        self.into_iter().map(Into::into).collect()
    }
}

impl<T: Into<Value>> IntoParameters for Vec<T> {
    fn into_parameters(self) -> Vec<Value> {
        self.into_iter().map(Into::into).collect()
    }
}

macro_rules! tuples {
    ($($($name:ident)+),+) => {$(
        impl<$($name: Into<Value>),+> IntoParameters for ($($name,)+) {
            #[allow(non_snake_case, reason = "a value is named after its type")]
            fn into_parameters(self) -> Vec<Value> {
                let ($($name,)+) = self;
                vec![$($name.into()),+]
            }
        }
    )+};
}
tuples!(A, A B, A B C, A B C D, A B C D E, A B C D E F, A B C D E F G, A B C D E F G H);

macro_rules! into_value {
    ($($from:ty => $as:expr),+ $(,)?) => {$(
        impl From<$from> for Value {
            fn from(value: $from) -> Self {
                ($as)(value)
            }
        }
    )+};
}
into_value! {
    bool => |it| Self::Integer(i64::from(it)),
    i32 => |it| Self::Integer(i64::from(it)),
    u32 => |it| Self::Integer(i64::from(it)),
    i64 => Self::Integer,
    f64 => Self::Real,
    &str => |it: &str| Self::Text(it.to_owned()),
    String => Self::Text,
    &[u8] => |it: &[u8]| Self::Blob(it.to_owned()),
    Vec<u8> => Self::Blob,
    crate::JobId => |it: crate::JobId| Self::Integer(it.0),
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// What can be read from a cell.
pub trait FromValue: Sized {
    /// What it reads, for people: `an integer`, `text`.
    const READS: &'static str;

    /// Reads a cell; `None` if there is something else in it.
    fn from_value(value: &Value) -> Option<Self>;
}

macro_rules! from_value {
    ($($to:ty, $reads:literal, $pattern:pat => $value:expr);+ $(;)?) => {$(
        impl FromValue for $to {
            const READS: &'static str = $reads;

            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    $pattern => $value,
                    _ => None,
                }
            }
        }
    )+};
}
from_value! {
    i64, "an integer", Value::Integer(it) => Some(*it);
    bool, "0 or 1", Value::Integer(it @ (0 | 1)) => Some(*it == 1);
    String, "text", Value::Text(it) => Some(it.clone());
    Vec<u8>, "a blob", Value::Blob(it) => Some(it.clone());
    crate::JobId, "an integer", Value::Integer(it) => Some(crate::JobId(*it));
}

impl FromValue for Value {
    const READS: &'static str = "anything";

    fn from_value(value: &Value) -> Option<Self> {
        Some(value.clone())
    }
}

impl FromValue for f64 {
    const READS: &'static str = "a number";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Real(it) => Some(*it),
            // As SQL does: a sum of no fractions is a whole number.
            #[allow(clippy::cast_precision_loss, reason = "SQL converts it the same way")]
            Value::Integer(it) => Some(*it as Self),
            _ => None,
        }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    const READS: &'static str = T::READS;

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let values = (1_i64, true, 2.5, "a", vec![1_u8], None::<String>).into_parameters();
        assert_eq!(i64::from_value(&values[0]), Some(1));
        assert_eq!(bool::from_value(&values[1]), Some(true));
        assert_eq!(f64::from_value(&values[2]), Some(2.5));
        assert_eq!(String::from_value(&values[3]), Some("a".into()));
        assert_eq!(Vec::<u8>::from_value(&values[4]), Some(vec![1]));
        assert_eq!(Option::<String>::from_value(&values[5]), Some(None));
    }

    #[test]
    fn what_is_something_else_is_not_read() {
        assert_eq!(i64::from_value(&Value::Text("1".into())), None);
        assert_eq!(bool::from_value(&Value::Integer(2)), None);
        assert_eq!(String::from_value(&Value::Null), None);
        assert_eq!(Option::<i64>::from_value(&Value::Real(1.0)), None);
        assert_eq!(f64::from_value(&Value::Integer(2)), Some(2.0));
    }
}
