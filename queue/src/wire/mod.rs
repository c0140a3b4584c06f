//! The protocol as HTTP: which path and body say what. Shared by the server and the client.
//!
//! | | |
//! |---|---|
//! | `POST /v1/enqueue`, `/v1/claim`, `/v1/complete`, … | one mutation; its name in the header `Outlive-Request-Id` |
//! | `POST /v1/transactions`, `/v1/transactions/NAME` | opens a transaction, says something in it |
//! | `GET /v1/jobs?state=discarded&kind=charge`, `GET /v1/gates`, `GET /v1/schedules`, `GET /v1/jobs/7`, `GET /v1/jobs/7/explain`, `GET /v1/jobs/7/result?wait_ms=5000` | a question |
//! | `GET /v1/backup`, `POST /v1/compact` | a copy of the file, and that it be smaller |
//! | `GET /metrics` | figures for a dashboard, as text: its readers know it by this path |
//!
//! A mutation may say for which opening of the server it was made, in the header `Outlive-Opening`.
//!
//! Payloads and results are JSON inside of JSON, byte for byte as they came: numbers keep their
//! digits.

mod answers;
mod bodies;
mod io;
mod transactions;

pub use answers::{Problem, error_body, read_error, read_reply, reply_body, status, status_of};
pub use bodies::{body, read_request};
pub use io::HyperStream;
pub use transactions::{
    Line, Spoken, begin_body, begin_reply, heard_body, line_body, read_begin, read_begin_reply, read_heard, read_line,
    rolled_back_body,
};

use crate::job::{JobId, RequestId, State};
use crate::limits;
use crate::protocol::{Filter, ListJobs, Request};
use hyper::Method;

/// Carries the request id of every mutation: 32 hexadecimal digits, with or without hyphens. No
/// page in a browser can send it to another site unasked.
pub const REQUEST_ID: &str = "outlive-request-id";

/// Says of a mutation for which opening of the server it was made, and of an answer which one there is.
/// Whoever sends none of it accepts that a copy of a refused request takes effect later.
pub const OPENING: &str = "outlive-opening";

/// What a mutation says that was made before any opening was known. No opening is called so.
pub const NO_OPENING: &str = "none";

/// Any JSON that is there, `null` too: an option alone would take that for nothing.
pub(crate) fn present<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Box<serde_json::value::RawValue>>, D::Error> {
    serde::Deserialize::deserialize(deserializer).map(Some)
}

/// The version of the paths and bodies.
const PREFIX: &str = "/v1/";
const TRANSACTIONS: &str = "transactions";
const GATES: &str = "gates";
const SCHEDULES: &str = "schedules";
const BACKUP: &str = "backup";
const COMPACT: &str = "compact";
/// Where whoever collects figures looks for them.
const METRICS: &str = "/metrics";

/// Where to send a request.
pub fn route(request: &Request) -> (Method, String) {
    match request {
        Request::Look { job } => (Method::GET, format!("{PREFIX}jobs/{job}")),
        Request::Explain { job } => (Method::GET, format!("{PREFIX}jobs/{job}/explain")),
        Request::Await { job, wait_ms } => (Method::GET, format!("{PREFIX}jobs/{job}/result?wait_ms={wait_ms}")),
        Request::Gates => (Method::GET, format!("{PREFIX}{GATES}")),
        Request::Schedules => (Method::GET, format!("{PREFIX}{SCHEDULES}")),
        Request::List(list) => (Method::GET, format!("{PREFIX}jobs?{}", list_query(list))),
        mutation => (Method::POST, format!("{PREFIX}{}", mutation.name())),
    }
}

/// Where to open a transaction.
pub fn begin_path() -> String {
    format!("{PREFIX}{TRANSACTIONS}")
}

/// Where to say something in the transaction of this name.
pub fn line_path(transaction: RequestId) -> String {
    format!("{PREFIX}{TRANSACTIONS}/{transaction}")
}

/// Why a path and its query ask for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoRoute {
    /// There is nothing at the path.
    Nothing,
    /// The query says something that is not known there: what, and what to say instead.
    Query(String),
}

/// What a path asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// The mutation of this name, which may not exist.
    Mutation(String),
    /// A transaction.
    Begin,
    /// To say something in the transaction of this name.
    Line(RequestId),
    /// A question, which has no body.
    Question(Box<Request>),
    /// The figures of the process.
    Metrics,
    /// A copy of the file.
    Backup,
    /// A smaller file.
    Compact,
}

impl Route {
    /// What `path` and the query behind it ask for.
    ///
    /// # Errors
    /// Why they ask for nothing.
    pub fn of(path: &str, query: Option<&str>) -> Result<Self, NoRoute> {
        if path == METRICS {
            return Ok(Self::Metrics);
        }
        let words: Vec<&str> = path.strip_prefix(PREFIX).ok_or(NoRoute::Nothing)?.split('/').collect();
        let job = |text: &str| text.parse().map(JobId).map_err(|_| NoRoute::Nothing);
        let question = |request| Ok(Self::Question(Box::new(request)));
        match words[..] {
            ["jobs"] => question(Request::List(read_list(query.unwrap_or_default())?)),
            ["jobs", number] => question(Request::Look { job: job(number)? }),
            ["jobs", number, "result"] => {
                let (job, wait_ms) = (job(number)?, query.map_or(Ok(0), read_wait)?);
                question(Request::Await { job, wait_ms })
            }
            ["jobs", number, "explain"] => question(Request::Explain { job: job(number)? }),
            [GATES] => question(Request::Gates),
            [SCHEDULES] => question(Request::Schedules),
            [BACKUP] => Ok(Self::Backup),
            [COMPACT] => Ok(Self::Compact),
            [TRANSACTIONS] => Ok(Self::Begin),
            [TRANSACTIONS, name] => name.replace('-', "").parse().map(Self::Line).map_err(|_| NoRoute::Nothing),
            [name] if bodies::NAMES.contains(&name) => Ok(Self::Mutation(name.to_owned())),
            _ => Err(NoRoute::Nothing),
        }
    }

    /// The only method that it takes.
    pub fn method(&self) -> Method {
        if self.is_mutation() { Method::POST } else { Method::GET }
    }

    /// Whether it may change something.
    pub const fn is_mutation(&self) -> bool {
        !matches!(self, Self::Question(_) | Self::Metrics | Self::Backup)
    }
}

/// The query that asks for a list.
fn list_query(list: &ListJobs) -> String {
    let ListJobs { filter: Filter { state, kind, queue }, after, most } = list;
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("state", state.as_str());
    for (name, value) in [("kind", kind), ("queue", queue)] {
        query.extend_pairs(value.as_ref().map(|value| (name, value)));
    }
    query.append_pair("after", &after.to_string()).append_pair("most", &most.to_string()).finish()
}

/// The list that a query asks for. A word that nobody knows is a typing error.
fn read_list(query: &str) -> Result<ListJobs, NoRoute> {
    let wrong = |what: String, instead: &str| NoRoute::Query(format!("{what}; {instead}"));
    let states = || State::ALL.iter().map(|state| state.as_str()).collect::<Vec<_>>().join(", ");
    let (mut state, mut kind, mut queue, mut after, mut most) = (None, None, None, JobId(0), limits::LIST_JOBS_MAX);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let no_number = |what: &str| wrong(format!("{name}={value} is no {what}"), "say it in digits");
        match &*name {
            "state" => {
                let unknown = || wrong(format!("there is no state {value:?}"), &format!("there are {}", states()));
                state = Some(State::parse(&value).ok_or_else(unknown)?);
            }
            "kind" => kind = Some(value.into_owned()),
            "queue" => queue = Some(value.into_owned()),
            "after" => after = JobId(value.parse().map_err(|_| no_number("job's number"))?),
            "most" => most = value.parse().map_err(|_| no_number("number of jobs"))?,
            _ => {
                let instead = "a list is asked for by state, kind, queue, after and most";
                return Err(wrong(format!("nobody knows what {name:?} is"), instead));
            }
        }
    }
    let missing =
        || wrong("the query does not say in which state jobs are to be".into(), &format!("add state=… ({})", states()));
    Ok(ListJobs { filter: Filter { state: state.ok_or_else(missing)?, kind, queue }, after, most })
}

/// How long whoever asks for a result waits.
fn read_wait(query: &str) -> Result<u64, NoRoute> {
    let wait = query.strip_prefix("wait_ms=").and_then(|ms| ms.parse().ok());
    wait.ok_or_else(|| {
        let most = limits::AWAIT_MAX.as_millis();
        NoRoute::Query(format!(
            "nobody knows what {query:?} is; say for how long to wait by wait_ms=MS, {most} at the most"
        ))
    })
}

#[cfg(test)]
mod tests;
