//! One connection: requests one after the other, each with its answer.

use super::file::{self, FileCopy};
use super::transactions::Answer;
use super::{Shared, guard};
use crate::engine::{First, first_of, within};
use crate::host::{Clock, Networked};
use crate::job::{Refusal, RequestId};
use crate::protocol::{Begin, Call, CallError, Reply};
use crate::wire::{self, HyperStream, Line, NoRoute, OPENING, Problem, Route};
use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use xxhash_rust::xxh3::xxh3_64;

/// Largest header of a request, in bytes.
const HEADER_BYTES_MAX: usize = 16 << 10;
/// Most headers of a request.
const HEADERS_MAX: usize = 64;

/// The kinds of what is answered.
const JSON: &str = "application/json";
const PROMETHEUS: &str = "text/plain; version=0.0.4";
const SQLITE: &str = "application/vnd.sqlite3";

/// Serves a connection until it ends, or nothing comes for as long as the server is patient.
pub async fn serve<H: Networked>(shared: &Shared<H>, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) {
    let activity = Arc::new(Activity::default());
    let answering = service_fn(|request| {
        let _busy = activity.begin();
        let answered = answer(shared, request, activity.clone());
        async {
            let _busy = _busy;
            Ok::<_, Infallible>(answered.await)
        }
    });
    let connection = http1::Builder::new()
        // Its date would be the real clock's, and its time-out needs a timer; ours is below.
        .auto_date_header(false)
        .header_read_timeout(None)
        .max_buf_size(HEADER_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(HyperStream::new(stream), answering);
    let idle = async {
        loop {
            let before = activity.count();
            shared.host.clock().sleep(shared.options.patience).await;
            if activity.count() == before && !activity.is_busy() {
                return;
            }
        }
    };
    // A connection that ends badly concerns nobody but its caller, who knows.
    let (First::Left(_) | First::Right(())) = first_of(connection, idle).await;
}

/// Requests that began and ended on a connection.
#[derive(Default)]
pub struct Activity {
    begun: AtomicU64,
    ended: AtomicU64,
}

struct Busy<'a>(&'a Activity);

impl Activity {
    fn begin(&self) -> Busy<'_> {
        self.begun.fetch_add(1, Ordering::Relaxed);
        Busy(self)
    }

    /// A part of an answer was taken.
    pub fn goes_on(&self) {
        drop(self.begin());
    }

    fn count(&self) -> u64 {
        self.ended.load(Ordering::Relaxed)
    }

    fn is_busy(&self) -> bool {
        self.begun.load(Ordering::Relaxed) > self.count()
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// What is answered: some text, or the file.
type Body = Either<Full<Bytes>, FileCopy>;

async fn answer<H: Networked>(
    shared: &Shared<H>,
    request: Request<Incoming>,
    activity: Arc<Activity>,
) -> Response<Body> {
    let (status, kind, body) = match pass_on(shared, request, activity).await {
        Ok(Answered::Text(kind, (status, text))) => (status, kind, whole(&text)),
        Ok(Answered::Copy(copy)) => (StatusCode::OK, SQLITE, Either::Right(copy)),
        Err(problem) => (problem.status, JSON, whole(&problem.body())),
    };
    response(status, kind, body, shared.openings.current())
}

/// What a request asks for.
enum Asked {
    Call(Call),
    Begin(Begin),
    /// The figures of the process, which are these.
    Metrics(String),
    Backup,
    Compact,
    /// Something is said in a transaction; the number tells two bodies apart.
    Line(RequestId, Line, u64),
}

/// What is answered, and of what kind it is.
enum Answered {
    Text(&'static str, Answer),
    Copy(FileCopy),
}

/// What the engine says to a request, or the transactions of callers, or the file.
async fn pass_on<H: Networked>(
    shared: &Shared<H>,
    request: Request<Incoming>,
    activity: Arc<Activity>,
) -> Result<Answered, Problem> {
    let opening = request.headers().get(OPENING).cloned();
    let Shared { service, openings, transactions, .. } = shared;
    let answer = match (read(shared, request).await?, opening) {
        (Asked::Begin(begin), opening) => {
            let begun = transactions.begin(openings, opening.as_ref(), &**service, begin).await;
            return begun.map(|answer| Answered::Text(JSON, answer));
        }
        (Asked::Line(id, line, digest), _) => {
            let said = transactions.say(id, line, digest).await;
            return said.map(|answer| Answered::Text(JSON, answer));
        }
        (Asked::Metrics(figures), _) => return Ok(Answered::Text(PROMETHEUS, (StatusCode::OK, figures.into()))),
        (Asked::Backup, _) => {
            let copy = FileCopy::begin(&**service, activity).await;
            return copy.map(Answered::Copy).map_err(|error| Problem { status: wire::status_of(&error), error });
        }
        (Asked::Compact, _) => {
            let text = file::compact(&**service).await;
            let text = text.map_err(|error| Problem { status: wire::status_of(&error), error })?;
            return Ok(Answered::Text(JSON, (StatusCode::OK, text.into())));
        }
        (Asked::Call(call), Some(opening)) if !call.request.is_read() => {
            openings.call(&opening, &**service, call).await?
        }
        (Asked::Call(call), _) => service.call(call).await,
    };
    Ok(Answered::Text(JSON, (wire::status(&answer), body_of(answer).into())))
}

fn body_of(answer: Result<Reply, CallError>) -> Vec<u8> {
    match answer {
        Ok(reply) => wire::reply_body(reply),
        Err(error) => wire::error_body(&error),
    }
}

/// What a request asks for.
async fn read<H: Networked>(shared: &Shared<H>, request: Request<Incoming>) -> Result<Asked, Problem> {
    let path = request.uri().path();
    let nothing = || {
        let message = format!(
            "there is nothing at {path:?}; there are POST /v1/enqueue, claim, start, heartbeat, complete, fail, … and GET /v1/jobs?state=STATE, /v1/jobs/NUMBER, /v1/jobs/NUMBER/explain, /v1/jobs/NUMBER/result?wait_ms=MS"
        );
        Problem::new(StatusCode::NOT_FOUND, message)
    };
    let route = Route::of(path, request.uri().query()).map_err(|why| match why {
        NoRoute::Nothing => nothing(),
        NoRoute::Query(why) => Problem::new(StatusCode::BAD_REQUEST, why),
    })?;
    if route.is_mutation()
        && let Some(opening) = request.headers().get(OPENING)
    {
        // First of all: what is said below of one copy is right about all that were made for this opening.
        shared.openings.check(opening)?;
    }
    shared.guard.check(&route, request.method(), request.headers())?;
    let wrong =
        |what: &str, why: String| Problem::new(StatusCode::BAD_REQUEST, format!("the body is no {what}: {why}"));
    match route {
        // The names of questions are not remembered.
        Route::Question(request) => Ok(Asked::Call(Call { id: RequestId([0; 16]), request: *request })),
        Route::Metrics => match &shared.options.metrics {
            Some(renderer) => Ok(Asked::Metrics(renderer.render())),
            None => Err(nothing()),
        },
        Route::Backup => Ok(Asked::Backup),
        Route::Compact => match &*collect(shared, request.into_body()).await? {
            b"" | b"{}" => Ok(Asked::Compact),
            _ => Err(wrong("compaction", "there is nothing to choose: say {}".to_owned())),
        },
        Route::Mutation(name) => {
            let id = guard::request_id(request.headers())?;
            let body = collect(shared, request.into_body()).await?;
            let request = wire::read_request(&name, &body).map_err(|why| wrong(&name, why))?;
            Ok(Asked::Call(Call { id, request }))
        }
        Route::Begin => {
            let id = guard::request_id(request.headers())?;
            let body = collect(shared, request.into_body()).await?;
            wire::read_begin(id, &body).map(Asked::Begin).map_err(|why| wrong("transaction", why))
        }
        Route::Line(id) => {
            let body = collect(shared, request.into_body()).await?;
            let line = wire::read_line(&body).map_err(|why| wrong("part of a transaction", why))?;
            Ok(Asked::Line(id, line, xxh3_64(&body)))
        }
    }
}

async fn collect<H: Networked>(shared: &Shared<H>, body: Incoming) -> Result<Bytes, Problem> {
    let (most, patience) = (shared.options.body_bytes_max, shared.options.patience);
    match within(&shared.host, patience, Limited::new(body, most).collect()).await {
        Some(Ok(body)) => Ok(body.to_bytes()),
        Some(Err(error)) if error.is::<LengthLimitError>() => {
            // A limit like any other: a worker whose result is too large hears that it is.
            let remedy = "keep large data in files and pass their names";
            let refusal =
                Refusal::limit("the body of the request, in bytes,", format!("more than {most}"), most, remedy);
            Err(Problem { status: StatusCode::PAYLOAD_TOO_LARGE, error: CallError::Refused(refusal) })
        }
        // The body of another copy may have arrived.
        Some(Err(error)) => {
            Err(Problem::of_copy(StatusCode::REQUEST_TIMEOUT, format!("the body did not arrive: {error}")))
        }
        None => Err(Problem::of_copy(StatusCode::REQUEST_TIMEOUT, late(patience))),
    }
}

fn late(patience: Duration) -> String {
    format!("the body took longer than {patience:?} to arrive")
}

/// A text, with the end of its line, for people at a terminal.
fn whole(text: &[u8]) -> Body {
    Either::Left(Full::new(Bytes::from([text, b"\n"].concat())))
}

fn response(status: StatusCode, kind: &'static str, body: Body, opening: HeaderValue) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(OPENING, opening);
    response
}
