//! Transactions of the caller's as HTTP: one request for each thing that is said, under a place of its own.
//!
//! A cell is written as JSON has it, where JSON keeps it: `null`, `7`, `2.5`, `"text"`. What JSON, or a reader whose
//! numbers are all reals, would lose has an object of its own: `{"integer":"9007199254740993"}`, `{"real":"inf"}`,
//! `{"blob":"00ff"}`. A number with a point or an exponent is a real, any other an integer.

use super::{bodies, read_reply, reply_body};
use crate::protocol::{Access, Begin, Heard, Request, Said};
use crate::sql::{Rows, Statement, Value};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Integers up to this one are as exact in a real.
const EXACT_MAX: u64 = 1 << 53;

/// Something that is said in a transaction over a wire.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// 1 for the first thing that is said, 2 for the next: a repeat has the place of the first.
    pub place: u64,
    /// What is said.
    pub what: Spoken,
}

/// What can be said over a wire.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "one at a time is on its way")]
pub enum Spoken {
    /// What can be said to the engine, too.
    Said(Said),
    /// Nothing of it is to happen. Whoever says so need not know its place.
    RollBack,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BeginBody {
    #[serde(default = "write")]
    access: Access,
    #[serde(default = "limit")]
    limit_ms: u64,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LineBody {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    statement: Option<StatementBody>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    command: Option<BTreeMap<String, Box<RawValue>>>,
    #[serde(default, skip_serializing_if = "is_false")]
    commit: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    roll_back: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StatementBody {
    sql: String,
    #[serde(default)]
    parameters: Vec<Cell>,
}

#[derive(Serialize, Deserialize)]
struct RowsReply {
    columns: Vec<String>,
    rows: Vec<Vec<Cell>>,
    changed: u64,
}

/// The end of a transaction, and what a beginning is answered.
#[derive(Serialize, Deserialize)]
struct CommitReply {
    committed: bool,
}

#[derive(Serialize, Deserialize)]
struct BeginReply {
    /// The place of what is said next.
    place: u64,
}

const fn write() -> Access {
    Access::Write
}

fn limit() -> u64 {
    u64::try_from(crate::limits::TRANSACTION_DEFAULT.as_millis()).expect("a transaction is short")
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// The body that opens a transaction.
pub fn begin_body(begin: &Begin) -> Vec<u8> {
    serde_json::to_vec(&BeginBody { access: begin.access, limit_ms: begin.limit_ms }).expect("it is plain")
}

/// A wish for the transaction of this name, from its body.
///
/// # Errors
/// What is wrong with the body, for a person.
pub fn read_begin(id: crate::job::RequestId, body: &[u8]) -> Result<Begin, String> {
    let BeginBody { access, limit_ms } = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    Ok(Begin { id, access, limit_ms })
}

/// The answer to who has opened a transaction.
pub fn begin_reply() -> Vec<u8> {
    serde_json::to_vec(&BeginReply { place: 1 }).expect("it is plain")
}

/// Whether this is the answer to who has opened a transaction.
///
/// # Errors
/// It is not.
pub fn read_begin_reply(body: &[u8]) -> serde_json::Result<()> {
    serde_json::from_slice::<BeginReply>(body).map(drop)
}

/// The body that says something.
///
/// # Errors
/// A payload or a result that is not JSON.
pub fn line_body(line: &Line) -> serde_json::Result<Vec<u8>> {
    let body = LineBody { place: Some(line.place), ..LineBody::default() };
    serde_json::to_vec(&match &line.what {
        Spoken::Said(Said::Statement(Statement { sql, parameters })) => {
            let parameters = parameters.iter().cloned().map(Cell).collect();
            LineBody { statement: Some(StatementBody { sql: sql.clone(), parameters }), ..body }
        }
        Spoken::Said(Said::Command(request)) => {
            let text = String::from_utf8(bodies::body(request)?).expect("JSON is UTF-8");
            // A question has no body. It is refused where every wire ends.
            let text = if text.is_empty() { "{}".to_owned() } else { text };
            let command = [(request.name().to_owned(), RawValue::from_string(text)?)];
            LineBody { command: Some(command.into()), ..body }
        }
        Spoken::Said(Said::Commit) => LineBody { commit: true, ..body },
        Spoken::RollBack => LineBody { roll_back: true, ..body },
    })
}

/// What a body says.
///
/// # Errors
/// What is wrong with the body, for a person.
pub fn read_line(body: &[u8]) -> Result<Line, String> {
    let LineBody { place, statement, command, commit, roll_back } =
        serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let place_of = || place.filter(|place| *place > 0).ok_or("it has no place: 1 for the first thing said, then 2, …");
    let what = match (statement, command, commit, roll_back) {
        (Some(StatementBody { sql, parameters }), None, false, false) => {
            let parameters = parameters.into_iter().map(|Cell(value)| value).collect();
            Spoken::Said(Said::Statement(Statement { sql, parameters }))
        }
        (None, Some(command), false, false) => Spoken::Said(Said::Command(read_command(&command)?)),
        (None, None, true, false) => Spoken::Said(Said::Commit),
        (None, None, false, true) => return Ok(Line { place: place.unwrap_or(0), what: Spoken::RollBack }),
        _ => return Err("it must say one of statement, command, commit: true and roll_back: true".into()),
    };
    Ok(Line { place: place_of()?, what })
}

fn read_command(command: &BTreeMap<String, Box<RawValue>>) -> Result<Request, String> {
    let mut commands = command.iter();
    let (Some((name, body)), None) = (commands.next(), commands.next()) else {
        return Err(r#"a command has one name, as in {"enqueue": {"kind": "mail"}}"#.into());
    };
    bodies::read_request(name, body.get().as_bytes()).map_err(|why| format!("the body is no {name}: {why}"))
}

/// The body of what was heard.
pub fn heard_body(heard: Heard) -> Vec<u8> {
    let written = match heard {
        Heard::Reply(reply) => return reply_body(reply),
        Heard::Rows(Rows { columns, rows, changed }) => {
            let rows = rows.into_iter().map(|row| row.into_iter().map(Cell).collect()).collect();
            serde_json::to_vec(&RowsReply { columns, rows, changed })
        }
        Heard::Committed => serde_json::to_vec(&CommitReply { committed: true }),
    };
    written.expect("it has string keys and no failing values")
}

/// The body for who has rolled back.
pub fn rolled_back_body() -> Vec<u8> {
    serde_json::to_vec(&CommitReply { committed: false }).expect("it is plain")
}

/// What was heard of something that was said, from its body.
///
/// # Errors
/// The body is not such an answer.
pub fn read_heard(said: &Said, body: &[u8]) -> serde_json::Result<Heard> {
    Ok(match said {
        Said::Statement(_) => {
            let RowsReply { columns, rows, changed } = serde_json::from_slice(body)?;
            let rows = rows.into_iter().map(|row| row.into_iter().map(|Cell(value)| value).collect()).collect();
            Heard::Rows(Rows { columns, rows, changed })
        }
        Said::Command(request) => Heard::Reply(read_reply(request, body)?),
        Said::Commit => {
            let CommitReply { committed } = serde_json::from_slice(body)?;
            if !committed {
                return Err(serde_json::Error::custom("a commit was answered with a rollback"));
            }
            Heard::Committed
        }
    })
}

/// A value on a wire.
struct Cell(Value);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Tagged {
    Integer(String),
    Real(String),
    Blob(String),
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Integer(number) if number.unsigned_abs() <= EXACT_MAX => serializer.serialize_i64(*number),
            Value::Integer(number) => Tagged::Integer(number.to_string()).serialize(serializer),
            // The shortest digits that read back as the same number, with a point or an exponent.
            Value::Real(number) if number.is_finite() => serializer.serialize_f64(*number),
            Value::Real(number) => Tagged::Real(number.to_string()).serialize(serializer),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Blob(bytes) => Tagged::Blob(hexadecimal(bytes)).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // As it was written: a number that went through a real would have lost digits.
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = raw.get();
        let value = match text.as_bytes().first() {
            Some(b'n') => Ok(Value::Null),
            Some(b't') => Ok(Value::Integer(1)),
            Some(b'f') => Ok(Value::Integer(0)),
            Some(b'"') => serde_json::from_str(text).map(Value::Text).map_err(|error| error.to_string()),
            Some(b'{') => match serde_json::from_str(text) {
                Ok(Tagged::Integer(text)) => integer(&text),
                Ok(Tagged::Real(text)) => real(&text),
                Ok(Tagged::Blob(text)) => blob(&text),
                Err(error) => Err(format!("{error}, in a value that is an object")),
            },
            Some(b'[') => Err("a list is no value of a cell".into()),
            _ if text.contains(['.', 'e', 'E']) => real(text),
            _ => integer(text),
        };
        value.map(Self).map_err(D::Error::custom)
    }
}

fn integer(text: &str) -> Result<Value, String> {
    let read = text.parse().map(Value::Integer);
    read.map_err(|_| format!("{text:?} is no integer of 64 bits; if it is a real, write it with a point: 1.0"))
}

fn real(text: &str) -> Result<Value, String> {
    text.parse().map(Value::Real).map_err(|_| format!("{text:?} is no real; write 1.5, 1e300, inf, -inf or NaN"))
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    digits.map(char::from).collect()
}

fn blob(text: &str) -> Result<Value, String> {
    let wrong = || format!("{text:?} is no blob; write two hexadecimal digits for each byte");
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    if !text.len().is_multiple_of(2) {
        return Err(wrong());
    }
    let pairs = text.as_bytes().chunks_exact(2);
    let bytes: Option<Vec<u8>> = pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect();
    bytes.map(Value::Blob).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{JobId, Lease, Nonce, Token};
    use crate::protocol::{Enqueue, Reply};

    fn values() -> Vec<Value> {
        let integers = [0, -1, 1 << 53, (1 << 53) + 1, i64::MIN, i64::MAX].map(Value::Integer);
        let reals = [0.0, -0.0, 1.0, 0.1, 1e300, 5e-324, f64::MAX, 1.0 / 3.0, f64::INFINITY, f64::NEG_INFINITY];
        let texts = ["", "\"", "1", "null", "ä\u{0}\n"].map(|text| Value::Text(text.into()));
        let blobs = [vec![], vec![0, 255, 16]].map(Value::Blob);
        [&integers[..], &reals.map(Value::Real), &texts, &blobs, &[Value::Null]].concat()
    }

    fn said() -> Vec<Said> {
        let lease = Lease { job: JobId(7), token: Token(9), nonce: Nonce(0x0123_4567_89ab_cdef) };
        let payload = r#"{"n":12345678901234567890123}"#;
        let enqueue = Enqueue { max_attempts: Some(3), ..Enqueue::new("a", payload) };
        vec![
            Said::Statement(Statement { sql: "SELECT ?1".into(), parameters: values() }),
            Said::Command(Request::Enqueue(enqueue)),
            Said::Command(Request::Complete { lease, result: Some("[1, 2]".into()) }),
            Said::Commit,
        ]
    }

    #[test]
    fn whatever_is_said_arrives_as_it_was() {
        for (place, said) in (1..).zip(said()) {
            let line = Line { place, what: Spoken::Said(said) };
            assert_eq!(read_line(&line_body(&line).unwrap()).unwrap(), line);
        }
        let line = Line { place: 3, what: Spoken::RollBack };
        assert_eq!(read_line(&line_body(&line).unwrap()).unwrap(), line);
    }

    #[test]
    fn every_value_arrives_to_the_bit() {
        let statement = &said()[0];
        let rows = Heard::Rows(Rows { columns: vec!["a".into()], rows: vec![values()], changed: 2 });
        let Heard::Rows(read) = read_heard(statement, &heard_body(rows)).unwrap() else { panic!() };
        let bits = |value: &Value| if let Value::Real(real) = value { real.to_bits() } else { 0 };
        assert_eq!(read.rows, [values()]);
        assert!(read.rows[0].iter().map(bits).eq(values().iter().map(bits)));
        // It is equal to nothing, itself included.
        let nan = Heard::Rows(Rows { columns: Vec::new(), rows: vec![vec![Value::Real(f64::NAN)]], changed: 0 });
        let Heard::Rows(read) = read_heard(statement, &heard_body(nan)).unwrap() else { panic!() };
        assert!(matches!(read.rows[0][..], [Value::Real(real)] if real.is_nan()));
    }

    #[test]
    fn what_is_heard_arrives_as_it_was() {
        let heard = [Heard::Reply(Reply::Enqueued { job: JobId(3), fresh: true }), Heard::Reply(Reply::Done)];
        for (said, heard) in said()[1..].iter().zip(heard.into_iter().chain([Heard::Committed])) {
            assert_eq!(read_heard(said, &heard_body(heard.clone())).unwrap(), heard);
        }
        assert!(read_heard(&Said::Commit, &rolled_back_body()).is_err());
        read_begin_reply(&begin_reply()).unwrap();
    }

    #[test]
    fn little_need_be_said_to_begin() {
        let id = crate::job::RequestId([7; 16]);
        let begin = Begin { id, access: Access::Write, limit_ms: 1_000 };
        assert_eq!(read_begin(id, b"{}").unwrap(), begin);
        let begin = Begin { id, access: Access::Read, limit_ms: 5 };
        assert_eq!(read_begin(id, &begin_body(&begin)).unwrap(), begin);
    }

    #[test]
    fn what_is_wrong_is_told() {
        let mut said = String::new();
        for body in [
            r#"{"place":1}"#,
            r#"{"commit":true}"#,
            r#"{"place":0,"commit":true}"#,
            r#"{"place":1,"commit":true,"roll_back":true}"#,
            r#"{"place":1,"statement":{"sql":"SELECT ?1","parameters":[12345678901234567890]}}"#,
            r#"{"place":1,"statement":{"sql":"SELECT ?1","parameters":[{"blob":"0"}]}}"#,
            r#"{"place":1,"statement":{"sql":"SELECT ?1","parameters":[{"blob":"äö"}]}}"#,
            r#"{"place":1,"statement":{"sql":"SELECT ?1","parameters":[{"real":"much"}]}}"#,
            r#"{"place":1,"statement":{"sql":"SELECT ?1","parameters":[{"date":"today"}]}}"#,
            r#"{"place":1,"statement":{"sql":"SELECT ?1","parameters":[[1]]}}"#,
            r#"{"place":1,"command":{}}"#,
            r#"{"place":1,"command":{"enqueue":{"knd":"a"}}}"#,
            r#"{"place":1,"command":{"look":{}}}"#,
            r#"{"place":1,"comit":true}"#,
        ] {
            said.push_str(&format!("{body}\n  {}\n", read_line(body.as_bytes()).unwrap_err()));
        }
        insta::assert_snapshot!(said);
    }
}
