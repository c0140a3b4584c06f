//! A queue behind its server: the same handle and workers as in the process, plain HTTP, and what
//! is known when something fails.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "these tests are about the real machine")]

use outlive::client::{ConnectOptions, Remote};
use outlive::host::Os;
use outlive::job::{RequestId, State};
use outlive::protocol::{Call, CallError, Request, Service};
use outlive::server::{ServeOptions, Server};
use outlive::{Context, Done, Effect, Error, Failure, Job, JobId, Options, Outlive};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Serialize, Deserialize)]
struct Double {
    number: i64,
}

impl Job for Double {
    const KIND: &'static str = "double";
    type Output = i64;
}

async fn double(_: Context, job: Double) -> Result<Done<i64>, Failure> {
    if job.number < 0 {
        return Err(Failure::discard("too small"));
    }
    Ok(Done::complete(2 * job.number))
}

#[derive(Serialize, Deserialize)]
struct Recite;

impl Job for Recite {
    const KIND: &'static str = "recite";
    type Output = String;
}

async fn recite(_: Context, _: Recite) -> Result<Done<String>, Failure> {
    Ok(Done::complete("x".repeat(250)))
}

struct Served {
    _directory: tempfile::TempDir,
    path: PathBuf,
    server: Server,
    outlive: Outlive,
}

async fn serve_with(options: ServeOptions) -> Served {
    serve_queue(options, Options::default()).await
}

async fn serve_queue(options: ServeOptions, queue: Options) -> Served {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("queue.db");
    let outlive = Outlive::open_with(&path, queue).await.unwrap();
    let server = Server::start(&outlive, "127.0.0.1:0", options).await.unwrap();
    Served { _directory: directory, path, server, outlive }
}

async fn serve() -> Served {
    serve_with(ServeOptions::default()).await
}

impl Served {
    fn client(&self) -> Outlive {
        Outlive::connect(&format!("http://{}", self.server.address())).unwrap()
    }

    /// Starts the server anew, at the same address.
    async fn restart(self) -> Self {
        let Self { _directory, path, server, outlive } = self;
        let address = server.address().to_owned();
        drop(server);
        let server = loop {
            match Server::start(&outlive, &address, ServeOptions::default()).await {
                Ok(server) => break server,
                // The old one is about to leave it.
                Err(_) => tokio::task::yield_now().await,
            }
        };
        Self { _directory, path, server, outlive }
    }

    /// Sends plain HTTP; the status and the body of the answer.
    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
        let (status, _, body) = self.exchange(method, path, headers, body);
        (status, body)
    }

    /// Sends plain HTTP; the status, the opening and the body of the answer.
    fn exchange(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String, Value) {
        let host = self.server.address();
        let mut request = format!("{method} {path} HTTP/1.1\r\nContent-Length: {}\r\n", body.len());
        let fixed = [("Host", host), ("Connection", "close")];
        let fixed = fixed.iter().filter(|(name, _)| headers.iter().all(|(other, _)| name != other));
        for (name, value) in fixed.chain(headers) {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        let mut stream = TcpStream::connect(host).unwrap();
        stream.write_all(format!("{request}\r\n{body}").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer but {answer:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let opening = head.lines().find_map(|line| line.strip_prefix("outlive-opening: "));
        (status, opening.expect("every answer says it").to_owned(), serde_json::from_str(body).unwrap())
    }

    /// What the server's present opening is called.
    fn opening(&self) -> String {
        self.exchange("GET", "/v1/jobs/1", &[], "").1
    }

    /// A mutation under a name of its own.
    fn post(&self, path: &str, id: u128, body: &Value) -> (u16, Value) {
        let id = format!("{id:032x}");
        let headers = [("Outlive-Request-Id", id.as_str()), ("Content-Type", "application/json")];
        self.send("POST", path, &headers, &body.to_string())
    }

    /// As [`post`](Served::post), made for an opening.
    fn post_for(&self, opening: &str, path: &str, id: u128, body: &Value) -> (u16, Value) {
        let id = format!("{id:032x}");
        let headers =
            [("Outlive-Request-Id", id.as_str()), ("Content-Type", "application/json"), ("Outlive-Opening", opening)];
        self.send("POST", path, &headers, &body.to_string())
    }
}

/// A client that says what became of one request, sent once.
fn remote(address: &str) -> Remote<Os> {
    Remote::new(Os::new().unwrap(), address, ConnectOptions::default()).unwrap()
}

async fn cancel(remote: &Remote<Os>) -> Result<outlive::protocol::Reply, CallError> {
    remote.call(Call { id: RequestId([7; 16]), request: Request::Cancel { job: JobId(1) } }).await
}

async fn until_free(path: &Path) {
    while matches!(Outlive::open(path).await, Err(Error::Open(_))) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_worker_elsewhere_runs_jobs_and_clients_elsewhere_see_their_results() {
    let served = serve().await;
    let client = served.client();
    let worker = client.worker().handle(double).start().unwrap();
    let done = client.enqueue(Double { number: 21 }).key("once").await.unwrap();
    assert_eq!(client.enqueue(Double { number: 21 }).key("once").await.unwrap().job, done.job);
    let discarded = client.enqueue(Double { number: -1 }).await.unwrap();
    let result: i64 = client.result(done.job).await.unwrap();
    assert_eq!(result, 42);
    while client.look(discarded.job).await.unwrap().state != State::Discarded {
        tokio::task::yield_now().await;
    }
    let view = served.outlive.look(discarded.job).await.unwrap();
    assert_eq!(view, client.look(discarded.job).await.unwrap());
    assert_eq!(served.outlive.explain(done.job).await.unwrap(), client.explain(done.job).await.unwrap());
    worker.stop(Duration::from_secs(5)).await;
}

/// What follows a refused end goes by another name: the server remembers the refusal.
#[tokio::test]
async fn a_result_beyond_its_limit_is_a_failure_elsewhere_too() {
    let queues = Options { payload_bytes_max: 50, ..Options::default() };
    // The job passes, and its result does not.
    let servers = ServeOptions { body_bytes_max: 300, ..ServeOptions::default() };
    for (server, queue) in [(ServeOptions::default(), queues), (servers, Options::default())] {
        let served = serve_queue(server, queue).await;
        let client = served.client();
        let worker = client.worker().handle(recite).start().unwrap();
        let job = client.enqueue(Recite).await.unwrap().job;
        while client.look(job).await.unwrap().state != State::Discarded {
            tokio::task::yield_now().await;
        }
        let view = client.look(job).await.unwrap();
        let failure = view.history[0].failure.as_ref().unwrap();
        assert!(failure.message.starts_with("the attempt's end was refused: "), "{}", failure.message);
        worker.stop(Duration::from_secs(5)).await;
    }
}

#[tokio::test]
async fn a_lease_elsewhere_outlives_the_server() {
    let served = serve().await;
    served.post("/v1/enqueue", 1, &json!({"kind": "double", "payload": {"number": 4}}));
    let claim = json!({"worker": "w", "kinds": ["double"], "lease_ms": 60_000});
    let (status, claimed) = served.post("/v1/claim", 2, &claim);
    assert_eq!(status, 200);
    let lease = claimed["jobs"][0]["lease"].clone();
    assert_eq!(served.post("/v1/start", 3, &json!({"lease": lease})), (200, json!({})));

    let Served { _directory, path, server, outlive } = served;
    drop((server, outlive));
    until_free(&path).await;
    let outlive = loop {
        if let Ok(outlive) = Outlive::open(&path).await {
            break outlive;
        }
        tokio::task::yield_now().await;
    };
    let server = Server::start(&outlive, "127.0.0.1:0", ServeOptions::default()).await.unwrap();
    let served = Served { _directory, path, server, outlive };
    let complete = json!({"lease": lease, "result": 8});
    assert_eq!(served.post("/v1/complete", 4, &complete), (200, json!({})));
    // The answer was lost, say: the repeat gets the first one.
    assert_eq!(served.post("/v1/complete", 4, &complete), (200, json!({})));
    let (status, error) = served.post("/v1/complete", 5, &complete);
    assert_eq!((status, &error["effect"]), (409, &json!("impossible")));
    let (_, job) = served.send("GET", "/v1/jobs/1", &[], "");
    assert_eq!((&job["state"], &job["result"], &job["attempts"]), (&json!("completed"), &json!(8), &json!(1)));
    let (_, explained) = served.send("GET", "/v1/jobs/1/explain", &[], "");
    assert!(explained["says"].as_str().unwrap().contains("completed"), "{explained}");
}

#[tokio::test]
async fn what_is_not_a_request_is_told_why() {
    let token = "0123456789abcdef";
    let served =
        serve_with(ServeOptions { token: Some(token.into()), body_bytes_max: 1_000, ..ServeOptions::default() }).await;
    let bearer = format!("Bearer {token}");
    let id = "0".repeat(32);
    let good =
        [("Authorization", bearer.as_str()), ("Outlive-Request-Id", id.as_str()), ("Content-Type", "application/json")];
    let without = |name: &str| good.into_iter().filter(|(other, _)| *other != name).collect::<Vec<_>>();
    let and = |pair| good.into_iter().chain([pair]).collect::<Vec<_>>();
    let job = r#"{"kind":"double"}"#;
    let large = format!(r#"{{"kind":"double","payload":"{}"}}"#, "x".repeat(1_000));
    let mut said = String::new();
    for (what, method, path, headers, body, expected) in [
        ("all is well", "POST", "/v1/enqueue", good.to_vec(), job, 200),
        ("no token", "POST", "/v1/enqueue", without("Authorization"), job, 401),
        ("no id", "POST", "/v1/enqueue", without("Outlive-Request-Id"), job, 400),
        ("no content type", "POST", "/v1/enqueue", without("Content-Type"), job, 415),
        ("a page", "POST", "/v1/enqueue", and(("Origin", "http://evil.example")), job, 403),
        ("another host", "POST", "/v1/enqueue", and(("Host", "evil.example")), job, 421),
        ("a question's method", "GET", "/v1/enqueue", good.to_vec(), "", 405),
        ("a path", "POST", "/v1/enqeue", good.to_vec(), job, 404),
        ("a query", "GET", "/v1/jobs?state=dead", good.to_vec(), "", 400),
        ("a body", "POST", "/v1/enqueue", good.to_vec(), "{", 400),
        ("a large body", "POST", "/v1/enqueue", good.to_vec(), large.as_str(), 413),
        ("no such job", "GET", "/v1/jobs/7", good.to_vec(), "", 404),
    ] {
        let (status, body) = served.send(method, path, &headers, body);
        assert_eq!(status, expected, "{what}: {body}");
        if status != 200 {
            assert_eq!(body["effect"], "impossible", "{what}");
            said.push_str(&format!("{what}: {status}\n  {}\n", body["message"].as_str().unwrap()));
        }
    }
    insta::assert_snapshot!(said);
}

#[tokio::test]
async fn a_token_is_shown_by_a_client_that_has_it() {
    let token = Some("0123456789abcdef".to_owned());
    let served = serve_with(ServeOptions { token: token.clone(), ..ServeOptions::default() }).await;
    let url = format!("http://{}", served.server.address());
    let with = |token| {
        Outlive::connect_on(Os::new().unwrap(), &url, ConnectOptions { token, ..ConnectOptions::default() }).unwrap()
    };
    with(token).enqueue(Double { number: 1 }).await.unwrap();
    let refused = with(None).enqueue(Double { number: 1 }).await.unwrap_err();
    assert_eq!(refused.effect(), Effect::Impossible);
    assert!(refused.to_string().contains("token is missing or wrong"), "{refused}");
}

#[tokio::test]
async fn without_a_server_nothing_has_happened() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = Outlive::connect(&format!("http://{address}")).unwrap();
    let error = client.enqueue(Double { number: 1 }).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert_eq!(error.effect(), Effect::Impossible);
}

/// A server that takes requests and dies before it answers: nobody knows what it did.
#[tokio::test]
async fn an_answer_that_is_lost_is_unknown_and_a_lost_question_is_not() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mute = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = [0; 20];
            stream.read_exact(&mut head).unwrap();
        }
    });
    let remote = remote(&address.to_string());
    let error = cancel(&remote).await.unwrap_err();
    assert_eq!(error.effect(), Effect::Unknown, "{error}");
    let look = Call { id: RequestId([8; 16]), request: Request::Look { job: JobId(1) } };
    let error = remote.call(look).await.unwrap_err();
    assert_eq!(error.effect(), Effect::Impossible, "{error}");
    mute.join().unwrap();
}

/// A kept connection that the server has closed meanwhile is no reason for a call to fail.
#[tokio::test]
async fn an_idle_connection_ends_and_the_next_call_makes_another() {
    let patience = Duration::from_millis(50);
    let served = serve_with(ServeOptions { patience, ..ServeOptions::default() }).await;
    let client = served.client();
    let first = client.enqueue(Double { number: 1 }).await.unwrap();
    tokio::time::sleep(patience * 4).await;
    let second = client.enqueue(Double { number: 2 }).await.unwrap();
    assert_ne!(first.job, second.job);
}

#[tokio::test]
async fn a_claim_waits_for_work_and_a_caller_who_leaves_takes_none() {
    let served = serve().await;
    let waiting = json!({"worker": "w", "kinds": ["double"], "wait_ms": 60_000}).to_string();
    let leaver = TcpStream::connect(served.server.address()).unwrap();
    write!(
        &leaver,
        "POST /v1/claim HTTP/1.1\r\nHost: localhost\r\nOutlive-Request-Id: {:032x}\r\nContent-Type: \
         application/json\r\nContent-Length: {}\r\n\r\n{waiting}",
        7,
        waiting.len()
    )
    .unwrap();
    // Long enough for the claim to wait; were it not there yet, it would get nothing all the same.
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(leaver);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let client = served.client();
    let job = client.enqueue(Double { number: 1 }).await.unwrap().job;
    assert_eq!(client.look(job).await.unwrap().state, State::Waiting);
    let worker = client.worker().handle(double).start().unwrap();
    while client.look(job).await.unwrap().state != State::Completed {
        tokio::task::yield_now().await;
    }
    worker.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_copy_of_a_refused_request_stays_refused_when_it_could_be_accepted() {
    let served = serve().await;
    let (opening, cancel) = (served.opening(), json!({"job": 1}));
    let refused = served.post_for(&opening, "/v1/cancel", 1, &cancel);
    assert_eq!((refused.0, &refused.1["effect"]), (404, &json!("impossible")));
    served.post("/v1/enqueue", 2, &json!({"kind": "double", "payload": {"number": 4}}));
    assert_eq!(served.post_for(&opening, "/v1/cancel", 1, &cancel), refused);
    assert_eq!(served.client().look(JobId(1)).await.unwrap().state, State::Waiting);
    // Who wants it done now asks anew; and who says no opening is served as it comes.
    assert_eq!(served.post_for(&opening, "/v1/cancel", 3, &cancel), (200, json!({"at_once": true})));
    assert_eq!(served.post("/v1/cancel", 4, &json!({"job": 2})).0, 404);
    served.post("/v1/enqueue", 5, &json!({"kind": "double"}));
    assert_eq!(served.post("/v1/cancel", 4, &json!({"job": 2})), (200, json!({"at_once": true})));
}

#[tokio::test]
async fn a_copy_for_an_earlier_opening_is_turned_away() {
    let served = serve().await;
    let earlier = served.opening();
    let (enqueue, cancel) = (json!({"kind": "double"}), json!({"job": 2}));
    let accepted = served.post_for(&earlier, "/v1/enqueue", 1, &enqueue);
    assert_eq!(accepted, (200, json!({"job": 1, "fresh": true})));
    assert_eq!(served.post_for(&earlier, "/v1/cancel", 2, &cancel).0, 404);
    let served = served.restart().await;
    assert_eq!(served.post("/v1/enqueue", 3, &enqueue).0, 200);
    let present = served.opening();
    assert_ne!(present, earlier);
    for opening in [earlier.as_str(), "none", "", "0"] {
        let (status, error) = served.post_for(opening, "/v1/cancel", 2, &cancel);
        assert_eq!((status, &error["effect"]), (412, &json!("unknown")), "{error}");
    }
    assert_eq!(served.client().look(JobId(2)).await.unwrap().state, State::Waiting);
    // What was accepted in an earlier one is known in all.
    assert_eq!(served.post_for(&earlier, "/v1/enqueue", 1, &enqueue).0, 412);
    assert_eq!(served.post_for(&present, "/v1/enqueue", 1, &enqueue), accepted);
}

#[tokio::test]
async fn a_client_goes_on_in_another_opening() {
    let served = serve().await;
    let client = served.client();
    let first = client.enqueue(Double { number: 1 }).await.unwrap();
    let served = served.restart().await;
    let second = client.enqueue(Double { number: 2 }).await.unwrap();
    assert!(first.fresh && second.fresh && first.job != second.job);
    let before = served.opening();
    for _ in 0..outlive::limits::REFUSALS_REMEMBERED_MAX {
        let refused = client.cancel(JobId(99)).await.unwrap_err();
        assert!(matches!(refused, Error::Refused(_)), "{refused}");
    }
    assert_ne!(served.opening(), before);
    assert!(client.enqueue(Double { number: 3 }).await.unwrap().fresh);
}

#[tokio::test]
async fn a_copy_waits_for_the_one_before_it_and_follows_who_leaves() {
    let served = serve().await;
    let opening = served.opening();
    let claim = json!({"worker": "w", "kinds": ["double"], "wait_ms": 60_000}).to_string();
    let address = served.server.address();
    let send = || {
        let stream = TcpStream::connect(address).unwrap();
        write!(
            &stream,
            "POST /v1/claim HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nOutlive-Request-Id: {:032x}\r\n\
             Outlive-Opening: {opening}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{claim}",
            7,
            claim.len()
        )
        .unwrap();
        stream
    };
    let pause = || tokio::time::sleep(Duration::from_millis(100));
    let leaver = send();
    pause().await;
    let mut copies = [send(), send()];
    pause().await;
    drop(leaver);
    pause().await;
    served.client().enqueue(Double { number: 1 }).await.unwrap();
    let claimed = copies.each_mut().map(|copy| {
        let mut answer = String::new();
        copy.read_to_string(&mut answer).unwrap();
        serde_json::from_str::<Value>(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    });
    assert_eq!(claimed[0]["jobs"].as_array().unwrap().len(), 1);
    assert_eq!(claimed[0], claimed[1]);
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_no_news_of_other_copies() {
    let served = serve_with(ServeOptions { patience: Duration::from_millis(50), ..ServeOptions::default() }).await;
    let length = [("Content-Length", "1"), ("Outlive-Request-Id", "00112233445566778899aabbccddeeff")];
    let mut stream = TcpStream::connect(served.server.address()).unwrap();
    let headers: String = length.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    write!(stream, "POST /v1/enqueue HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{headers}\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains(r#""effect":"unknown""#), "{answer}");
}

/// A server that answers each request on a connection of its own, with this status and opening; the
/// openings that the requests were made for.
fn scripted(answers: &'static [(u16, &'static str)]) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serving = std::thread::spawn(move || {
        let mut asked_for = Vec::new();
        for (status, opening) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = String::new();
            while !request.ends_with(r#"{"job":1}"#) {
                let mut bytes = [0; 1_000];
                let read = stream.read(&mut bytes).unwrap();
                assert_ne!(read, 0, "{request}");
                request.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
            }
            let asked = request.lines().find_map(|line| line.strip_prefix("outlive-opening: "));
            asked_for.push(asked.unwrap_or_default().to_owned());
            let error = if *status == 401 { "rejected" } else { "unknown" };
            let body = format!(r#"{{"message":"no","effect":"impossible","error":"{error}","why":"no"}}"#);
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 {status} -\r\nOutlive-Opening: {opening}\r\nConnection: close\r\n\
                 Content-Length: {length}\r\n\r\n{body}"
            )
            .unwrap();
        }
        asked_for
    });
    (address, serving)
}

#[tokio::test]
async fn what_was_made_for_an_opening_that_is_over_may_have_happened_in_it() {
    // Made for none, it was turned away for sure, so the door's word stands.
    let (address, serving) = scripted(&[(412, "a"), (401, "a")]);
    let error = cancel(&remote(&address)).await.unwrap_err();
    assert!(matches!(error, CallError::Rejected { .. }), "{error}");
    assert_eq!(serving.join().unwrap(), ["none", "a"]);
    // A copy of what was made for `a` may have come in time.
    let (address, serving) = scripted(&[(412, "a"), (412, "b"), (401, "b")]);
    let error = cancel(&remote(&address)).await.unwrap_err();
    assert!(matches!(error, CallError::Unknown { .. }), "{error}");
    assert_eq!(serving.join().unwrap(), ["none", "a", "b"]);
    // Then nobody listens any more.
    let (address, serving) = scripted(&[(412, "a"), (412, "b")]);
    let error = cancel(&remote(&address)).await.unwrap_err();
    assert!(matches!(error, CallError::Unknown { .. }), "{error}");
    assert_eq!(serving.join().unwrap(), ["none", "a"]);
    // It ends.
    let (address, serving) = scripted(&[(412, "a"), (412, "b"), (412, "c"), (412, "d"), (412, "e")]);
    let error = cancel(&remote(&address)).await.unwrap_err();
    assert!(matches!(error, CallError::Unknown { .. }), "{error}");
    assert_eq!(serving.join().unwrap(), ["none", "a", "b", "c", "d"]);
}

/// Asks for a copy by plain HTTP; the stream, from which nothing was read.
fn ask_for_a_copy(served: &Served) -> TcpStream {
    let host = served.server.address();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET /v1/backup HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    stream
}

async fn fill(outlive: &Outlive, jobs: i64) {
    for first in (0..jobs).step_by(500) {
        outlive.enqueue_all((first..first + 500).map(|number| outlive.enqueue(Double { number }))).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_comes_by_plain_http_while_the_queue_goes_on() {
    let served = serve().await;
    fill(&served.outlive, 2_000).await;
    let mut stream = ask_for_a_copy(&served);
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("it has a head");
    let (head, copy) = (String::from_utf8_lossy(&answer[..head]), &answer[head + 4..]);
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    let length = format!("content-length: {}", copy.len());
    assert!(head.contains(&length) && head.contains("content-type: application/vnd.sqlite3"), "{head}");
    let path = served.path.with_extension("copy");
    std::fs::write(&path, copy).unwrap();
    let stock = rusqlite::Connection::open(&path).unwrap();
    let found: String = stock.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    let jobs: i64 = stock.query_row("SELECT COUNT(*) FROM outlive_jobs", [], |row| row.get(0)).unwrap();
    assert_eq!((found.as_str(), jobs), ("ok", 2_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_nothing_of_a_copy_is_not_waited_for() {
    let served = serve_with(ServeOptions { patience: Duration::from_millis(200), ..ServeOptions::default() }).await;
    // More than a connection keeps for somebody who does not read.
    let run = async |sql: String| {
        served.outlive.transaction(async |tx| tx.execute(&sql, ()).await.map(drop)).await.unwrap();
    };
    run("CREATE TABLE heap (bytes TEXT)".into()).await;
    let rows = vec![format!("('{}')", "x".repeat(60_000)); 15].join(", ");
    for _ in 0..16 {
        run(format!("INSERT INTO heap VALUES {rows}")).await;
    }
    let asleep = ask_for_a_copy(&served);
    let other = served.path.with_extension("other");
    let is_made = async || {
        let copied = served.outlive.backup(&other).await;
        copied.is_ok()
    };
    let mut waited = 0;
    while !is_made().await {
        waited += 1;
        assert!(waited < 500, "the queue waits for somebody who sleeps");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(asleep);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_made_smaller_by_plain_http() {
    let served = serve().await;
    served
        .outlive
        .transaction(async |tx| {
            tx.execute("CREATE TABLE heap (bytes TEXT)", ()).await?;
            tx.execute("INSERT INTO heap VALUES (?1)", ["x".repeat(900_000)]).await.map(drop)
        })
        .await
        .unwrap();
    served.outlive.transaction(async |tx| tx.execute("DELETE FROM heap", ()).await.map(drop)).await.unwrap();
    let json = [("Content-Type", "application/json")];
    let (status, why) = served.send("POST", "/v1/compact", &json, r#"{"fast":true}"#);
    assert_eq!(status, 400);
    assert!(why["message"].as_str().unwrap().contains("there is nothing to choose"), "{why}");
    let (status, _) = served.send("GET", "/v1/compact", &[], "");
    assert_eq!(status, 405);
    let (status, made) = served.send("POST", "/v1/compact", &json, "{}");
    let bytes = |name: &str| made[name].as_u64().unwrap_or_else(|| panic!("{made}"));
    assert_eq!(status, 200);
    assert!(bytes("before_bytes") > 900_000 && bytes("after_bytes") < 400_000, "{made}");
    assert_eq!(std::fs::metadata(&served.path).unwrap().len(), bytes("after_bytes"));
    // Where the file is not, it is the program that has it that is asked.
    let error = served.client().compact().await.unwrap_err();
    assert!(matches!(&error, Error::Rejected { .. }), "{error}");
}
