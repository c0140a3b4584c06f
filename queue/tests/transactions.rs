//! Transactions over a server: the same code as in the process, plain HTTP, and what is known when something fails.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "these tests are about the real machine")]

use outlive::host::Os;
use outlive::job::Refusal;
use outlive::server::{ServeOptions, Server};
use outlive::{Context, Done, Effect, Error, Failure, Job, Outlive, limits};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[derive(Serialize, Deserialize)]
struct Transfer {
    cents: i64,
}

impl Job for Transfer {
    const KIND: &'static str = "transfer";
    type Output = i64;
}

async fn transfer(ctx: Context, job: Transfer) -> Result<Done<i64>, Failure> {
    let taken: i64 = ctx
        .step("take", async || {
            ctx.transaction(async |tx| {
                tx.execute("UPDATE accounts SET cents = cents - ?1 WHERE name = 'Ada'", [job.cents]).await?;
                tx.step("take", &job.cents).await?;
                Ok::<_, Failure>(job.cents)
            })
            .await
        })
        .await?;
    ctx.transaction(async |tx| {
        tx.execute("UPDATE accounts SET cents = cents + ?1 WHERE name = 'Bob'", [taken]).await?;
        tx.complete(taken).await.map_err(Failure::from)
    })
    .await
}

struct Served {
    _directory: tempfile::TempDir,
    server: Server,
    outlive: Outlive,
}

async fn serve() -> Served {
    let directory = tempfile::tempdir().unwrap();
    let outlive = Outlive::open(directory.path().join("queue.db")).await.unwrap();
    let made: Result<(), Error> = outlive
        .transaction(async |tx| {
            tx.execute("CREATE TABLE accounts (name TEXT PRIMARY KEY, cents INTEGER NOT NULL) STRICT", ()).await?;
            tx.execute("INSERT INTO accounts VALUES ('Ada', 10), ('Bob', 0)", ()).await?;
            Ok(())
        })
        .await;
    made.unwrap();
    let server = Server::start(&outlive, "127.0.0.1:0", ServeOptions::default()).await.unwrap();
    Served { _directory: directory, server, outlive }
}

impl Served {
    fn client(&self) -> Outlive {
        Outlive::connect(&format!("http://{}", self.server.address())).unwrap()
    }

    async fn cents(&self) -> Vec<i64> {
        cents(&self.outlive).await
    }

    /// The server dies, and another one starts on the same queue.
    async fn restart(self) -> Self {
        let Self { _directory, server, outlive } = self;
        let address = server.address().to_owned();
        drop(server);
        let server = loop {
            match Server::start(&outlive, &address, ServeOptions::default()).await {
                Ok(server) => break server,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        Self { _directory, server, outlive }
    }

    /// Sends plain HTTP on a connection of its own; the status, the opening and the body of the answer.
    fn send(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> (u16, String, Value) {
        let (host, body) = (self.server.address(), body.to_string());
        let mut request = format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
        request.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
        headers.iter().for_each(|(name, value)| request.push_str(&format!("{name}: {value}\r\n")));
        let mut stream = TcpStream::connect(host).unwrap();
        stream.write_all(format!("{request}\r\n{body}").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let opening = head.lines().find_map(|line| line.strip_prefix("outlive-opening: ")).unwrap();
        (status, opening.to_owned(), serde_json::from_str(body).unwrap())
    }

    fn begin(&self, id: u128, body: &Value) -> (u16, Value) {
        let (status, _, body) = self.send("/v1/transactions", &[("Outlive-Request-Id", &name(id))], body);
        (status, body)
    }

    fn say(&self, id: u128, line: &Value) -> (u16, Value) {
        let (status, _, body) = self.send(&format!("/v1/transactions/{}", name(id)), &[], line);
        (status, body)
    }

    fn settle(&self, id: u128) -> Value {
        self.send("/v1/settle", &[("Outlive-Request-Id", &name(id))], &json!({})).2
    }
}

async fn cents(outlive: &Outlive) -> Vec<i64> {
    let rows: Result<_, Error> =
        outlive.read(async |tx| tx.query("SELECT cents FROM accounts ORDER BY name", ()).await).await;
    rows.unwrap().iter().map(|row| row.get(0).unwrap()).collect()
}

fn name(id: u128) -> String {
    format!("{id:032x}")
}

/// Takes cents from Ada, under a place.
fn take(place: u64) -> Value {
    let sql = "UPDATE accounts SET cents = cents - ?1 WHERE name = 'Ada'";
    json!({"place": place, "statement": {"sql": sql, "parameters": [1]}})
}

fn commit(place: u64) -> Value {
    json!({"place": place, "commit": true})
}

fn enqueue(place: u64) -> Value {
    json!({"place": place, "command": {"enqueue": {"kind": "transfer", "payload": {"cents": 4}}}})
}

#[tokio::test]
async fn the_same_code_works_through_the_client() {
    let served = serve().await;
    let client = served.client();
    let worker = client.worker().handle(transfer).start().unwrap();
    let enqueued: Result<_, Error> = client
        .transaction(async |tx| {
            assert_eq!(tx.execute("UPDATE accounts SET cents = cents + 1", ()).await?, 2);
            tx.enqueue(Transfer { cents: 4 }).await
        })
        .await;
    let job = enqueued.unwrap().job;
    let result: i64 = client.result(job).within(Duration::from_secs(20)).await.unwrap();
    assert_eq!(result, 4);
    assert_eq!(served.cents().await, [7, 5]);
    assert_eq!(cents(&client).await, [7, 5]);
    worker.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn what_fails_through_the_client_has_not_happened() {
    let served = serve().await;
    let client = served.client();
    let undone: Result<(), Error> = client
        .transaction(async |tx| {
            tx.execute("UPDATE accounts SET cents = 0", ()).await?;
            let large = tx.execute("UPDATE accounts SET cents = ?1", [vec![0; 4 << 20]]).await;
            assert!(matches!(&large, Err(Error::Refused(Refusal::Limit { .. }))), "{large:?}");
            let wrong = tx.execute("UPDATE acounts SET cents = 0", ()).await;
            assert!(matches!(&wrong, Err(Error::Refused(Refusal::Statement { .. }))), "{wrong:?}");
            let inside = client.enqueue(Transfer { cents: 1 }).await;
            assert!(matches!(inside, Err(Error::InTransaction { .. })));
            Err(Error::Internal("no".into()))
        })
        .await;
    assert!(matches!(undone, Err(Error::Internal(_))));
    // It was rolled back before its limit: whoever comes next need not wait for that.
    let began = Instant::now();
    let long = limits::TRANSACTION_MAX;
    let undone: Result<(), Error> = client.transaction_within(long, async |_| Err(Error::Internal("no".into()))).await;
    assert!(undone.is_err());
    assert_eq!(served.cents().await, [10, 0]);
    assert!(began.elapsed() < long / 2, "{:?}", began.elapsed());
    let late: Result<(), Error> = client
        .transaction_within(Duration::from_millis(50), async |tx| {
            tokio::time::sleep(Duration::from_millis(200)).await;
            tx.execute("UPDATE accounts SET cents = 0", ()).await.map(drop)
        })
        .await;
    let late = late.unwrap_err();
    assert!(matches!(&late, Error::Refused(Refusal::RolledBack { why }) if why.contains("50 ms")), "{late}");
}

#[tokio::test]
async fn plain_http_holds_a_transaction_and_a_place_that_is_repeated_runs_once() {
    let served = serve().await;
    assert_eq!(served.begin(1, &json!({})), (200, json!({"place": 1})));
    // The answer was lost, say.
    assert_eq!(served.begin(1, &json!({})), (200, json!({"place": 1})));
    assert_eq!(served.begin(1, &json!({"limit_ms": 7})).0, 409);
    let taken = (200, json!({"columns": [], "rows": [], "changed": 1}));
    for _ in 0..3 {
        assert_eq!(served.say(1, &take(1)), taken);
    }
    assert_eq!(served.say(1, &take(2)), taken);
    let (status, error) = served.say(1, &take(1));
    assert_eq!((status, &error["effect"]), (409, &json!("unknown")), "a place that has passed: {error}");
    let (status, error) = served.say(1, &take(4));
    assert_eq!(status, 409, "{error}");
    assert!(error["message"].as_str().unwrap().contains("what comes next has place 3"), "{error}");
    assert_eq!(served.say(1, &commit(2)).0, 409, "something else was said there");
    assert_eq!(served.say(1, &enqueue(3)), (200, json!({"job": 1, "fresh": true})));
    let select = json!({"place": 4, "statement": {"sql": "SELECT cents, 2.0, NULL, x'00ff' FROM accounts WHERE name = ?1",
        "parameters": ["Ada"]}});
    assert_eq!(served.say(1, &select).1["rows"], json!([[8, 2.0, null, {"blob": "00ff"}]]));
    for _ in 0..2 {
        assert_eq!(served.say(1, &commit(5)), (200, json!({"committed": true})));
    }
    assert_eq!(served.cents().await, [8, 0]);
    assert_eq!(served.outlive.look(outlive::JobId(1)).await.unwrap().kind, "transfer");
    let (status, error) = served.say(1, &json!({"roll_back": true}));
    assert_eq!((status, &error["error"]), (409, &json!("refused")), "{error}");
    assert_eq!(served.settle(1), json!({"committed": true}));
}

#[tokio::test]
async fn what_is_rolled_back_by_hand_is_over() {
    let served = serve().await;
    served.begin(1, &json!({"limit_ms": 10_000}));
    served.say(1, &take(1));
    for _ in 0..2 {
        assert_eq!(served.say(1, &json!({"roll_back": true})), (200, json!({"committed": false})));
    }
    let (status, error) = served.say(1, &commit(2));
    assert_eq!((status, &error["effect"]), (410, &json!("unknown")), "{error}");
    assert_eq!(served.settle(1), json!({"committed": false}));
    assert_eq!(served.cents().await, [10, 0]);
    let (status, error) = served.say(2, &take(1));
    assert_eq!((status, &error["effect"]), (410, &json!("impossible")), "{error}");
}

#[tokio::test]
async fn two_clients_hold_transactions_one_after_the_other() {
    let served = serve().await;
    let add = async |client: Outlive| {
        for _ in 0..10 {
            let added: Result<(), Error> = client
                .transaction_within(limits::TRANSACTION_MAX, async |tx| {
                    let rows = tx.query("SELECT cents FROM accounts WHERE name = 'Bob'", ()).await?;
                    let cents: i64 = rows[0].get(0)?;
                    tx.execute("UPDATE accounts SET cents = ?1 WHERE name = 'Bob'", [cents + 1]).await.map(drop)
                })
                .await;
            added.unwrap();
        }
    };
    tokio::join!(add(served.client()), add(served.client()), add(served.outlive.clone()));
    assert_eq!(served.cents().await, [10, 30]);
}

#[tokio::test]
async fn a_transaction_does_not_outlive_its_server_and_no_copy_begins_it_again() {
    let served = serve().await;
    let id = name(1);
    let (_, opening, _) = served.send("/v1/transactions", &[("Outlive-Request-Id", &id)], &json!({}));
    let made_for = [("Outlive-Request-Id", id.as_str()), ("Outlive-Opening", opening.as_str())];
    served.say(1, &take(1));
    let served = served.restart().await;
    assert_eq!(served.cents().await, [10, 0]);
    // Copies of all of it that come late.
    assert_eq!(served.send("/v1/transactions", &made_for, &json!({})).0, 412);
    for line in [take(1), commit(2)] {
        assert_eq!(served.send(&format!("/v1/transactions/{id}"), &made_for[1..], &line).0, 412);
    }
    let (status, error) = served.say(1, &commit(2));
    assert_eq!((status, &error["effect"]), (410, &json!("unknown")), "{error}");
    assert_eq!(served.settle(1), json!({"committed": false}));
    // Not even by who says no opening.
    for (line, expected) in [(take(1), 200), (commit(2), 409)] {
        served.begin(1, &json!({}));
        assert_eq!(served.say(1, &line).0, expected);
    }
    assert_eq!(served.cents().await, [10, 0]);
}

#[tokio::test]
async fn transactions_that_are_over_are_known_as_long_as_the_opening() {
    let served = serve().await;
    let (_, first, _) = served.send("/v1/transactions", &[("Outlive-Request-Id", &name(1))], &json!({}));
    served.say(1, &commit(1));
    for id in 2..=limits::TRANSACTIONS_REMEMBERED_MAX as u128 {
        served.begin(id, &json!({"access": "read"}));
        assert_eq!(served.say(id, &commit(1)), (200, json!({"committed": true})));
    }
    assert_eq!(served.say(1, &commit(1)), (200, json!({"committed": true})));
    let (_, opening, _) = served.send("/v1/transactions", &[("Outlive-Request-Id", &name(0))], &json!({}));
    assert_ne!(opening, first);
    assert_eq!(served.say(1, &commit(1)).0, 410);
    assert_eq!(served.say(0, &take(1)).0, 200);
    let late = [("Outlive-Request-Id", name(1)), ("Outlive-Opening", first)];
    let late: Vec<_> = late.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(served.send("/v1/transactions", &late, &json!({})).0, 412);
}

/// Forwards each request to the server, and answers only every other one.
fn losing(server: String) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let lost = Arc::new(AtomicUsize::new(0));
    let count = lost.clone();
    std::thread::spawn(move || {
        let mut requests = 0;
        while let Ok((mut stream, _)) = listener.accept() {
            let Some(request) = read_request(&mut stream) else { continue };
            let mut behind = TcpStream::connect(&server).unwrap();
            let request = request.replacen("HTTP/1.1\r\n", "HTTP/1.1\r\nConnection: close\r\n", 1);
            behind.write_all(request.as_bytes()).unwrap();
            let mut answer = Vec::new();
            behind.read_to_end(&mut answer).unwrap();
            requests += 1;
            if requests % 2 == 0 {
                stream.write_all(&answer).unwrap();
            } else {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    (address, lost)
}

fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut request = String::new();
    loop {
        let mut bytes = [0; 1_000];
        match stream.read(&mut bytes) {
            Ok(read) if read > 0 => request.push_str(std::str::from_utf8(&bytes[..read]).unwrap()),
            _ => return None,
        }
        let Some((head, body)) = request.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            return Some(request);
        }
    }
}

/// The connection dies after everything that is said, and each of it happens once.
#[tokio::test]
async fn what_is_said_is_repeated_when_its_connection_dies() {
    let served = serve().await;
    let (address, lost) = losing(served.server.address().to_owned());
    let client: Outlive<Os> = Outlive::connect(&format!("http://{address}")).unwrap();
    let committed: Result<(), Error> = client
        .transaction_within(limits::TRANSACTION_MAX, async |tx| {
            for _ in 0..3 {
                tx.execute("UPDATE accounts SET cents = cents - 1 WHERE name = 'Ada'", ()).await?;
            }
            tx.enqueue(Transfer { cents: 1 }).await.map(drop)
        })
        .await;
    committed.unwrap();
    assert_eq!(served.cents().await, [7, 0]);
    assert!(lost.load(Ordering::Relaxed) >= 6, "{lost:?}");
}

/// Without a server nothing is open.
#[tokio::test]
async fn without_a_server_there_is_no_transaction() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = Outlive::connect(&format!("http://{address}")).unwrap();
    let error = client.transaction(async |_| Ok::<(), Error>(())).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert_eq!(error.effect(), Effect::Impossible);
}

#[tokio::test]
async fn a_server_that_dies_before_the_commit_leaves_nothing() {
    let served = serve().await;
    let client = served.client();
    let Served { _directory, server, outlive } = served;
    let mut server = Some(server);
    let undone: Result<(), Error> = client
        .transaction(async |tx| {
            tx.execute("UPDATE accounts SET cents = 0", ()).await?;
            server.take();
            tx.execute("UPDATE accounts SET cents = 1", ()).await.map(drop)
        })
        .await;
    let undone = undone.unwrap_err();
    assert_eq!(undone.effect(), Effect::Impossible, "{undone}");
    assert_eq!(cents(&outlive).await, [10, 0]);
}
