//! What became of a transaction whose commit was not answered.

use crate::bench::{Bench, claim, job, on_every_store};
use outlive::job::{Refusal, RequestId};
use outlive::protocol::{
    Access, Answering, Begin, Beginning, Call, CallError, Conversation, Heard, Hearing, Reply, Request, Said, Service,
};
use outlive::{Error, Job, Outlive};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Debug, Serialize, Deserialize)]
struct Receipt;

impl Job for Receipt {
    const KIND: &'static str = "a";
    type Output = ();
}

impl Bench {
    async fn settle(&self, id: RequestId) -> bool {
        match self.call_as(id, Request::Settle).await {
            Ok(Reply::Settled { committed }) => committed,
            other => panic!("not settled: {other:?}"),
        }
    }

    /// A transaction of this name with a job in it.
    async fn with_a_job(&self, id: RequestId) -> Arc<dyn Conversation> {
        let begin = Begin { id, access: Access::Write, limit_ms: 1_000 };
        let open = self.outlive().service().begin(begin).await.expect("it opens");
        open.say(Said::Command(Request::Enqueue(job("a")))).await.expect("it is enqueued");
        open
    }
}

#[test]
fn what_was_committed_is_settled_as_committed_for_ever() {
    on_every_store(async |bench| {
        let id = bench.request_id();
        assert_eq!(bench.with_a_job(id).await.say(Said::Commit).await, Ok(Heard::Committed));
        assert!(bench.settle(id).await);
        bench.reopen().await;
        assert!(bench.settle(id).await);
        assert_eq!(bench.claim(claim()).await.len(), 1);
    });
}

#[test]
fn what_was_settled_as_rolled_back_is_never_committed() {
    on_every_store(async |bench| {
        let id = bench.request_id();
        assert!(!bench.settle(id).await);
        bench.reopen().await;
        assert!(!bench.settle(id).await);
        // A copy of all of it that was on its way for long.
        let late = bench.with_a_job(id).await.say(Said::Commit).await;
        assert!(matches!(&late, Err(CallError::Refused(Refusal::RolledBack { .. }))), "{late:?}");
        assert!(!bench.settle(id).await);
        assert!(bench.claim(claim()).await.is_empty());
    });
}

#[test]
fn whoever_settles_an_open_transaction_waits_for_its_end() {
    on_every_store(async |bench| {
        for commits in [true, false] {
            let id = bench.request_id();
            let open = bench.with_a_job(id).await;
            let mut settling = bench.send_as(id, Request::Settle);
            assert!(crate::bench::answered(&mut settling).is_none());
            if commits {
                assert_eq!(open.say(Said::Commit).await, Ok(Heard::Committed));
            }
            drop(open);
            assert_eq!(settling.await, Ok(Reply::Settled { committed: commits }));
        }
    });
}

#[test]
fn only_a_transaction_is_settled() {
    on_every_store(async |bench| {
        let id = bench.request_id();
        bench.call_as(id, Request::Enqueue(job("a"))).await.expect("it is enqueued");
        assert_eq!(bench.call_as(id, Request::Settle).await, Err(CallError::Refused(Refusal::RequestIdReused)));
        // And what was settled names nothing else.
        let id = bench.request_id();
        assert!(!bench.settle(id).await);
        let reused = bench.call_as(id, Request::Enqueue(job("a"))).await;
        assert_eq!(reused, Err(CallError::Refused(Refusal::RequestIdReused)));
    });
}

/// Loses the answer of each commit: some before they come to the queue.
struct Losing {
    inner: Arc<dyn Service>,
    delivers: bool,
}

struct LosingConversation {
    inner: Arc<dyn Conversation>,
    delivers: bool,
}

fn unknown() -> CallError {
    CallError::Unknown { why: "the answer is lost".into() }
}

impl Service for Losing {
    fn call(&self, call: Call) -> Answering {
        self.inner.call(call)
    }

    fn begin(&self, begin: Begin) -> Beginning {
        let (beginning, delivers) = (self.inner.begin(begin), self.delivers);
        Box::pin(async move {
            Ok(Arc::new(LosingConversation { inner: beginning.await?, delivers }) as Arc<dyn Conversation>)
        })
    }
}

impl Conversation for LosingConversation {
    fn say(&self, said: Said) -> Hearing {
        if !matches!(said, Said::Commit) {
            return self.inner.say(said);
        }
        let committing = self.delivers.then(|| self.inner.say(said));
        Box::pin(async move {
            if let Some(committing) = committing {
                committing.await.expect("it is committed");
            }
            Err(unknown())
        })
    }
}

#[test]
fn a_caller_whose_commit_is_not_answered_hears_what_became_of_it() {
    on_every_store(async |bench| {
        for delivers in [true, false] {
            let losing = Losing { inner: bench.outlive().service(), delivers };
            let outlive = Outlive::on(bench.host.clone(), Arc::new(losing));
            let heard: Result<_, Error> = outlive.transaction(async |tx| tx.enqueue(Receipt).await).await;
            match heard {
                Ok(enqueued) => {
                    assert!(delivers);
                    assert_eq!(bench.claim_one().await.lease.job, enqueued.job);
                }
                Err(error) => {
                    assert!(!delivers && matches!(error, Error::Refused(Refusal::RolledBack { .. })), "{error}");
                    assert!(bench.claim(claim()).await.is_empty());
                }
            }
        }
    });
}
