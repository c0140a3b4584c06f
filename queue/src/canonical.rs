//! Canonical JSON: one text for one value, so that values can be compared and hashed.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use std::collections::BTreeMap;

struct Canonical<'a>(&'a Value);

impl Serialize for Canonical<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Array(items) => serializer.collect_seq(items.iter().map(Canonical)),
            // Sorted here, and not by the map: a feature of serde_json that any crate in the
            // program may turn on makes its maps keep the order of insertion.
            Value::Object(map) => {
                let sorted: BTreeMap<&String, &Value> = map.iter().collect();
                let mut object = serializer.serialize_map(Some(sorted.len()))?;
                for (key, value) in sorted {
                    object.serialize_entry(key, &Canonical(value))?;
                }
                object.end()
            }
            other => other.serialize(serializer),
        }
    }
}

/// The canonical text of a value.
pub fn text(value: &Value) -> String {
    serde_json::to_string(&Canonical(value)).expect("a JSON value has a text")
}

/// The canonical text of a JSON text.
///
/// # Errors
/// Where and why it is not JSON.
pub fn of(json: &str) -> Result<String, serde_json::Error> {
    serde_json::from_str(json).map(|value| text(&value))
}

#[cfg(test)]
mod tests {
    #[test]
    fn keys_are_sorted_and_space_is_gone() {
        let json = r#" { "b": [ {"z":1, "a":null} ], "a": 1.50, "é": "\u00e9" } "#;
        assert_eq!(super::of(json).unwrap(), r#"{"a":1.5,"b":[{"a":null,"z":1}],"é":"é"}"#);
        assert!(super::of("{").unwrap_err().to_string().contains("line 1"));
    }
}
