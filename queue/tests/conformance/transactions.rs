//! The caller's transaction: statements of its own and commands of the queue, true together or not at all.

use crate::bench::{Bench, Kind, LEASE, MILLISECOND, block_on, claim, ids, job, on_every_store};
use outlive::host::Host;
use outlive::job::{JobId, Lease, Nonce, Refusal, RequestId, State, Token};
use outlive::protocol::{Access, Begin, CallError, Claim, Conversation, Enqueue, Heard, Reply, Request, Said};
use outlive::sql::{IntoParameters, Statement};
use outlive::{Effect, Error, Job, Options, limits};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

const TABLE: &str = "CREATE TABLE accounts (name TEXT PRIMARY KEY, cents INTEGER NOT NULL CHECK (cents >= 0)) STRICT";

#[derive(Debug, Serialize, Deserialize)]
struct Receipt {
    to: String,
}

impl Job for Receipt {
    const KIND: &'static str = "a";
    type Output = ();
}

fn receipt() -> Receipt {
    Receipt { to: "Ada".into() }
}

/// Runs a test on a queue in a file, with a table of the caller's.
#[track_caller]
fn on_a_file(test: impl AsyncFn(&mut Bench)) {
    block_on(async {
        let mut bench = Bench::open(Kind::Turso, 1, Options::default()).await;
        bench.outlive().transaction(async |tx| tx.execute(TABLE, ()).await).await.expect("the table is made");
        test(&mut bench).await;
    });
}

impl Bench {
    pub async fn open_transaction(&mut self) -> Arc<dyn Conversation> {
        let id = self.request_id();
        self.begin(id, Access::Write).await.expect("it opens")
    }

    async fn begin(&mut self, id: RequestId, access: Access) -> Result<Arc<dyn Conversation>, CallError> {
        self.outlive().service().begin(Begin { id, access, limit_ms: 1_000 }).await
    }

    /// The names in the caller's table.
    async fn names(&mut self) -> Vec<String> {
        let rows: Result<_, Error> =
            self.outlive().read(async |tx| tx.query("SELECT name FROM accounts ORDER BY name", ()).await).await;
        let rows = rows.expect("the table reads");
        rows.iter().map(|row| row.get("name").expect("a name")).collect()
    }
}

fn insert(name: &str) -> Said {
    let sql = "INSERT INTO accounts (name, cents) VALUES (?1, 0)".to_owned();
    Said::Statement(Statement { sql, parameters: [name].into_parameters() })
}

fn enqueue(enqueue: Enqueue) -> Said {
    Said::Command(Request::Enqueue(enqueue))
}

fn complete(lease: Lease) -> Said {
    Said::Command(Request::Complete { lease, result: Some("7".into()) })
}

async fn enqueued(open: &Arc<dyn Conversation>, kind: &str) -> JobId {
    match open.say(enqueue(job(kind))).await {
        Ok(Heard::Reply(Reply::Enqueued { job, fresh: true })) => job,
        other => panic!("not enqueued: {other:?}"),
    }
}

async fn refused(open: &Arc<dyn Conversation>, said: Said) -> Refusal {
    match open.say(said).await {
        Err(CallError::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn what_is_committed_is_there_with_its_job() {
    on_a_file(async |bench| {
        let enqueued: Result<_, Error> = bench
            .outlive()
            .transaction(async |tx| {
                let one = tx.execute("INSERT INTO accounts VALUES (?1, ?2)", ("Ada", 5_i64)).await?;
                assert_eq!(one, 1);
                tx.enqueue(receipt()).await
            })
            .await;
        let granted = bench.claim_one().await;
        assert_eq!(granted.lease.job, enqueued.expect("it is committed").job);
        bench.reopen().await;
        assert_eq!(bench.names().await, ["Ada"]);
        assert_eq!(bench.look(granted.lease.job).await.kind, "a");
    });
}

#[test]
fn commands_alone_work_on_every_store() {
    on_every_store(async |bench| {
        let running = bench.running().await;
        let open = bench.open_transaction().await;
        let follows = enqueued(&open, "b").await;
        assert_eq!(open.say(complete(running.lease)).await, Ok(Heard::Reply(Reply::Done)));
        assert_eq!(open.say(Said::Commit).await, Ok(Heard::Committed));
        let completed = bench.look(running.lease.job).await;
        assert_eq!((completed.state, completed.result.as_deref()), (State::Completed, Some("7")));
        assert_eq!(ids(&bench.claim(claim()).await), [follows.0]);
    });
}

#[test]
fn what_is_dropped_has_not_happened() {
    on_every_store(async |bench| {
        let running = bench.running().await;
        let open = bench.open_transaction().await;
        let follows = enqueued(&open, "b").await;
        assert_eq!(open.say(complete(running.lease)).await, Ok(Heard::Reply(Reply::Done)));
        drop(open);
        bench.engine_looks().await;
        assert_eq!(bench.look(running.lease.job).await.state, State::Running);
        assert!(bench.claim(claim()).await.is_empty());
        let look = Request::Look { job: follows };
        assert_eq!(bench.refused(look).await, Refusal::UnknownJob { job: follows });
        bench.done(Request::Complete { lease: running.lease, result: None }).await;
    });
}

#[test]
fn an_error_of_the_closure_undoes_all_of_it() {
    on_a_file(async |bench| {
        let outlive = bench.outlive();
        let undone = outlive.transaction(async |tx| {
            tx.execute("INSERT INTO accounts VALUES ('Ada', 5)", ()).await?;
            tx.execute("CREATE TABLE notes (text TEXT)", ()).await?;
            tx.enqueue(receipt()).await?;
            Err::<(), Error>(Error::Internal("no".into()))
        });
        assert!(matches!(undone.await, Err(Error::Internal(_))));
        assert!(bench.names().await.is_empty());
        assert!(bench.claim(claim()).await.is_empty());
        let notes = bench.outlive().read(async |tx| tx.query("SELECT * FROM notes", ()).await).await;
        assert!(notes.unwrap_err().to_string().contains("notes"));
        // What was compiled while there were other tables is compiled anew.
        bench.running().await;
    });
}

#[test]
fn a_panic_undoes_all_of_it() {
    on_a_file(async |bench| {
        let outlive = bench.outlive();
        let panicking = tokio::spawn(async move {
            let undone = outlive.transaction(async |tx| {
                tx.execute("INSERT INTO accounts VALUES ('Ada', 5)", ()).await?;
                if true {
                    panic!("on purpose");
                }
                Ok::<(), Error>(())
            });
            undone.await
        });
        assert!(panicking.await.unwrap_err().is_panic());
        assert!(bench.names().await.is_empty());
    });
}

#[test]
fn nobody_sees_a_job_before_the_commit() {
    on_every_store(async |bench| {
        let open = bench.open_transaction().await;
        let job = enqueued(&open, "a").await;
        // It waits until the transaction is over.
        let mut claiming = bench.send(Request::Claim(claim()));
        assert!(crate::bench::answered(&mut claiming).is_none());
        assert_eq!(open.say(Said::Commit).await, Ok(Heard::Committed));
        assert_eq!(ids(&crate::bench::grants(claiming.await)), [job.0]);
    });
}

#[test]
fn whoever_waits_for_work_gets_what_a_transaction_brings() {
    on_every_store(async |bench| {
        let claiming = bench.send(Request::Claim(Claim { wait_ms: 20_000, ..claim() }));
        bench.engine_looks().await;
        let open = bench.open_transaction().await;
        let job = enqueued(&open, "a").await;
        assert_eq!(open.say(Said::Commit).await, Ok(Heard::Committed));
        // No time passes, and nobody asks for anything else.
        assert_eq!(ids(&crate::bench::grants(claiming.await)), [job.0]);
    });
}

#[test]
fn a_transaction_is_over_with_its_closure() {
    on_every_store(async |bench| {
        let outlive = bench.outlive();
        let mut kept = None;
        let undone: Result<(), Error> = outlive
            .transaction(async |tx| {
                kept = Some(tx);
                Err(Error::Internal("no".into()))
            })
            .await;
        assert!(matches!(undone, Err(Error::Internal(_))));
        // Nobody waits for who has kept it.
        outlive.enqueue(receipt()).await.expect("the queue serves others");
        let late = kept.expect("it was kept").enqueue(receipt()).await;
        assert!(matches!(&late, Err(Error::Refused(Refusal::RolledBack { .. }))), "{late:?}");
    });
}

#[test]
fn whatever_is_said_after_the_commit_is_told_that_it_is_over() {
    on_every_store(async |bench| {
        let open = bench.open_transaction().await;
        enqueued(&open, "a").await;
        assert_eq!(open.say(Said::Commit).await, Ok(Heard::Committed));
        for said in [enqueue(job("a")), Said::Commit] {
            assert!(matches!(refused(&open, said).await, Refusal::RolledBack { .. }));
        }
        assert_eq!(bench.claim(claim()).await.len(), 1);
    });
}

#[test]
fn a_lease_that_does_not_hold_ends_the_transaction() {
    on_a_file(async |bench| {
        let running = bench.running().await;
        let lease = running.lease;
        let older = Lease { token: Token(lease.token.0 - 1), ..lease };
        let forged = Lease { nonce: Nonce(lease.nonce.0 ^ 1), ..lease };
        let unknown = Lease { job: JobId(lease.job.0 + 1), ..lease };
        for stale in [older, forged, unknown] {
            let open = bench.open_transaction().await;
            open.say(insert("Ada")).await.expect("it is inserted");
            let refusal = refused(&open, complete(stale)).await;
            assert!(matches!(refusal, Refusal::StaleLease { .. } | Refusal::UnknownJob { .. }), "{refusal:?}");
            // However often it is asked.
            assert_eq!(refused(&open, Said::Commit).await, refusal);
            assert_eq!(refused(&open, insert("Bob")).await, refusal);
        }
        assert!(bench.names().await.is_empty());
        bench.done(Request::Complete { lease, result: None }).await;
    });
}

#[test]
fn a_lease_that_expires_before_the_commit_ends_the_transaction() {
    on_a_file(async |bench| {
        let running = bench.running().await;
        bench.pass(LEASE - MILLISECOND).await;
        let open = bench.open_transaction().await;
        open.say(insert("Ada")).await.expect("it is inserted");
        assert_eq!(open.say(complete(running.lease)).await, Ok(Heard::Reply(Reply::Done)));
        bench.host.clock().pass(MILLISECOND);
        let refusal = refused(&open, Said::Commit).await;
        assert_eq!(refusal, Refusal::LeaseExpired { job: running.lease.job, late_ms: 0 });
        assert!(bench.names().await.is_empty());
        bench.reopen().await;
        let again = bench.refused(Request::Complete { lease: running.lease, result: None }).await;
        assert!(matches!(again, Refusal::AttemptEnded { .. }), "{again:?}");
    });
}

#[test]
fn a_refused_statement_leaves_the_transaction_as_it_was() {
    on_a_file(async |bench| {
        let outlive = bench.outlive();
        let done = outlive.transaction(async |tx| {
            tx.execute("INSERT INTO accounts VALUES ('Ada', 5)", ()).await?;
            let two = tx.execute("INSERT INTO accounts VALUES ('Bob', 1), ('Ada', 2)", ()).await;
            assert!(two.as_ref().is_err_and(|error| error.effect() == Effect::Impossible), "{two:?}");
            let negative = tx.execute("UPDATE accounts SET cents = cents - 6", ()).await;
            assert!(negative.unwrap_err().to_string().contains("CHECK"), "the constraint is named");
            let absent = tx.execute("INSERT INTO acounts VALUES (1)", ()).await;
            assert!(absent.unwrap_err().to_string().contains("acounts"), "the table is named");
            let missing = tx.execute("INSERT INTO accounts VALUES (?1, ?2)", ["Eve"]).await;
            assert!(missing.unwrap_err().to_string().contains("it has 2 parameters, and 1 were given"));
            tx.execute("INSERT INTO accounts VALUES ('Cid', 3)", ()).await
        });
        assert_eq!(done.await.unwrap(), 1);
        assert_eq!(bench.names().await, ["Ada", "Cid"]);
    });
}

#[test]
fn a_statement_can_end_its_transaction() {
    on_a_file(async |bench| {
        let ended: Result<(), Error> = bench
            .outlive()
            .transaction(async |tx| {
                tx.execute("INSERT INTO accounts VALUES ('Ada', 5)", ()).await?;
                tx.execute("INSERT OR ROLLBACK INTO accounts VALUES ('Ada', 5)", ()).await.expect_err("it is there");
                tx.execute("INSERT INTO accounts VALUES ('Bob', 5)", ()).await.expect_err("it is over");
                Ok(())
            })
            .await;
        let ended = ended.unwrap_err();
        assert!(matches!(&ended, Error::Refused(Refusal::RolledBack { .. })), "{ended:?}");
        assert!(bench.names().await.is_empty());
    });
}

#[test]
fn the_queues_own_tables_and_the_clock_are_out_of_reach() {
    on_a_file(async |bench| {
        for sql in [
            "DELETE FROM outlive_jobs",
            "SELECT datetime('now')",
            "SELECT datetime(\"now\")",
            "SELECT uuid4_str()",
            "SELECT 1 AS [--], payload FROM outlive_jobs",
            "CREATE TABLE temp.notes (text TEXT)",
            "INSERT OR FAIL INTO accounts VALUES ('Ada', 1)",
            "SELECT unixepoch()",
            "SELECT strftime('%s')",
            "CREATE TABLE notes (at TEXT DEFAULT CURRENT_TIMESTAMP)",
            "SELECT * FROM pragma_table_info('accounts')",
            "PRAGMA user_version",
            "COMMIT",
        ] {
            let refused: Result<u64, Error> = bench.outlive().transaction(async |tx| tx.execute(sql, ()).await).await;
            let refused = refused.expect_err(sql);
            assert!(matches!(&refused, Error::Refused(Refusal::Statement { .. })), "{sql}: {refused}");
        }
    });
}

#[test]
fn an_endless_statement_is_ended() {
    on_a_file(async |bench| {
        let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
        let ended: Result<_, Error> = bench.outlive().transaction(async |tx| tx.query(endless, ()).await).await;
        let ended = ended.unwrap_err();
        assert!(matches!(&ended, Error::Refused(Refusal::RolledBack { .. })), "{ended}");
        bench.running().await;
    });
}

#[test]
fn more_rows_than_the_limit_are_refused() {
    on_a_file(async |bench| {
        let large = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40) \
            SELECT zeroblob(1000000) FROM n";
        let refused: Result<_, Error> = bench.outlive().read(async |tx| tx.query(large, ()).await).await;
        let says = refused.unwrap_err().to_string();
        assert!(says.contains(&limits::SQL_ROWS_BYTES_MAX.to_string()), "{says}");
    });
}

#[test]
fn more_rows_than_the_limit_of_what_was_written_end_the_transaction() {
    on_a_file(async |bench| {
        let ended: Result<(), Error> = bench
            .outlive()
            .transaction(async |tx| {
                tx.execute("CREATE TABLE large (bytes BLOB)", ()).await?;
                let large = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40) \
                    INSERT INTO large SELECT zeroblob(1000000) FROM n RETURNING bytes";
                tx.query(large, ()).await.expect_err("they are too many");
                Ok(())
            })
            .await;
        assert!(matches!(ended, Err(Error::Refused(Refusal::RolledBack { .. }))), "{ended:?}");
    });
}

#[test]
fn a_transaction_for_reading_changes_nothing() {
    on_a_file(async |bench| {
        let written: Result<u64, Error> =
            bench.outlive().read(async |tx| tx.execute("INSERT INTO accounts VALUES ('Ada', 5)", ()).await).await;
        assert!(written.unwrap_err().to_string().contains("for reading"));
        let enqueued: Result<_, Error> = bench.outlive().read(async |tx| tx.enqueue(receipt()).await).await;
        assert!(matches!(enqueued, Err(Error::Refused(Refusal::Limit { .. }))));
        assert!(bench.names().await.is_empty());
    });
}

#[test]
fn whoever_asks_the_queue_inside_its_transaction_is_told_so() {
    on_every_store(async |bench| {
        let outlive = bench.outlive();
        let told: Result<(), Error> = outlive
            .transaction(async |_| {
                let enqueued = outlive.enqueue(receipt()).await;
                assert!(matches!(enqueued, Err(Error::InTransaction { request: "enqueue" })), "{enqueued:?}");
                let read: Result<(), Error> = outlive.read(async |_| Ok(())).await;
                assert!(matches!(read, Err(Error::InTransaction { .. })), "{read:?}");
                Ok(())
            })
            .await;
        told.expect("the transaction itself is as good as ever");
        outlive.enqueue(receipt()).await.expect("it is over");
    });
}

#[test]
fn what_changes_no_job_at_once_can_not_be_said() {
    on_every_store(async |bench| {
        let open = bench.open_transaction().await;
        for request in [Request::Claim(claim()), Request::Heartbeat { leases: vec![] }, Request::Look { job: JobId(1) }]
        {
            let refusal = refused(&open, Said::Command(request)).await;
            assert!(matches!(refusal, Refusal::Limit { .. }), "{refusal:?}");
        }
        assert_eq!(open.say(Said::Commit).await, Ok(Heard::Committed));
    });
}

#[test]
fn a_refused_command_leaves_the_transaction_as_it_was() {
    on_every_store(async |bench| {
        let open = bench.open_transaction().await;
        let keyed = |payload: &str| Enqueue { key: Some("k".into()), payload: payload.into(), ..job("a") };
        open.say(enqueue(keyed("1"))).await.expect("it is enqueued");
        let refusal = refused(&open, enqueue(keyed("2"))).await;
        assert!(matches!(refusal, Refusal::KeyConflict { .. }), "{refusal:?}");
        let again = open.say(enqueue(keyed("1"))).await;
        assert!(matches!(again, Ok(Heard::Reply(Reply::Enqueued { fresh: false, .. }))), "{again:?}");
        assert_eq!(open.say(Said::Commit).await, Ok(Heard::Committed));
        assert_eq!(bench.claim(claim()).await.len(), 1);
    });
}

#[test]
fn a_transaction_that_takes_too_long_is_rolled_back() {
    on_every_store(async |bench| {
        let open = bench.open_transaction().await;
        let job = enqueued(&open, "a").await;
        let limit = Duration::from_millis(1_000);
        bench.host.clock().somebody_sleeps_for(limit).await;
        bench.host.clock().pass(limit);
        bench.host.clock().ring();
        bench.engine_looks().await;
        let refusal = refused(&open, Said::Commit).await;
        assert!(matches!(&refusal, Refusal::RolledBack { why } if why.contains("1000 ms")), "{refusal:?}");
        assert_eq!(bench.refused(Request::Look { job }).await, Refusal::UnknownJob { job });
        let id = bench.request_id();
        let begun = bench.outlive().service().begin(Begin { id, access: Access::Write, limit_ms: 10_001 }).await;
        assert!(matches!(begun, Err(CallError::Refused(Refusal::Limit { .. }))));
    });
}

#[test]
fn a_name_is_for_one_transaction() {
    on_every_store(async |bench| {
        let id = bench.request_id();
        let first = bench.begin(id, Access::Write).await.unwrap();
        enqueued(&first, "a").await;
        assert_eq!(first.say(Said::Commit).await, Ok(Heard::Committed));
        let second = bench.begin(id, Access::Write).await.unwrap();
        enqueued(&second, "a").await;
        assert_eq!(refused(&second, Said::Commit).await, Refusal::RequestIdReused);
        assert_eq!(
            bench.call_as(id, Request::Enqueue(job("a"))).await,
            Err(CallError::Refused(Refusal::RequestIdReused))
        );
        assert_eq!(bench.claim(claim()).await.len(), 1);
    });
}

#[test]
fn a_store_without_tables_says_so() {
    block_on(async {
        let bench = Bench::open(Kind::Memory, 1, Options::default()).await;
        let refused: Result<u64, Error> =
            bench.outlive().transaction(async |tx| tx.execute("SELECT 1", ()).await).await;
        assert!(refused.unwrap_err().to_string().contains("kept in memory"));
    });
}
