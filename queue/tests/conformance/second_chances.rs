//! Jobs that have ended without a result: listed, and retried one by one or many at once.

use crate::bench::{Bench, LEASE, NOTHING, claim, error, ids, job, on_every_store};
use outlive::host::{Clock, Host};
use outlive::job::{JobId, Next, Refusal, State, Unmet};
use outlive::protocol::{
    After, Bulk, CallError, Enqueue, Filter, JobSummary, ListJobs, On, Reply, Reported, Request, When,
};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);

fn in_state(state: State) -> ListJobs {
    ListJobs { filter: Filter::state(state), after: JobId(0), most: 200 }
}

fn discarded() -> ListJobs {
    in_state(State::Discarded)
}

impl Bench {
    fn wall_ms(&self) -> i64 {
        i64::try_from(self.host.clock().wall().as_millis()).unwrap()
    }

    /// Enqueues a job whose first failure is its last, and lets it fail.
    async fn discarded(&mut self, enqueue: Enqueue) -> JobId {
        let lease = self.running_as(Enqueue { max_attempts: Some(1), ..enqueue }).await.lease;
        assert_eq!(self.fail(lease, error("no")).await, Next::Discard);
        lease.job
    }

    async fn retry(&mut self, job: JobId) {
        self.done(Request::Retry { job }).await;
    }

    async fn list(&mut self, list: ListJobs) -> (Vec<JobSummary>, Option<JobId>) {
        match self.call(Request::List(list)).await {
            Ok(Reply::Listed { jobs, next }) => (jobs, next),
            other => panic!("not listed: {other:?}"),
        }
    }

    async fn listed(&mut self, list: ListJobs) -> Vec<i64> {
        self.list(list).await.0.iter().map(|job| job.id.0).collect()
    }
}

#[test]
fn a_discarded_job_is_retried_once_more_and_keeps_what_it_has_behind_it() {
    on_every_store(async |bench| {
        let lease = bench.running_as(Enqueue { max_attempts: Some(1), ..job("a") }).await.lease;
        let step = |lease| Request::Step { lease, name: "charge".into(), result: "7".into() };
        assert_eq!(bench.call(step(lease)).await, Ok(Reply::Stepped { result: "7".into() }));
        let identity = bench.look(lease.job).await.id;
        assert_eq!(bench.fail(lease, error("no")).await, Next::Discard);
        bench.pass(HOUR).await;
        bench.reopen().await;
        bench.retry(lease.job).await;
        let view = bench.look(lease.job).await;
        assert_eq!((view.id, view.state, view.failures, view.finished_at), (identity, State::Waiting, 1, None));
        assert_eq!(view.retried_at.map(|at| at.0), Some(bench.wall_ms()));
        let again = bench.claim_one().await;
        assert_eq!((again.attempt, again.failures, again.lease.job), (2, 1, lease.job));
        let recalled = Request::Step { lease: again.lease, name: "charge".into(), result: "9".into() };
        assert_eq!(bench.call(recalled).await, Ok(Reply::Stepped { result: "7".into() }));
        // One try more, and no more than that.
        assert_eq!(bench.fail(again.lease, error("no")).await, Next::Discard);
        bench.retry(lease.job).await;
        let last = bench.claim_one().await.lease;
        bench.done(Request::Complete { lease: last, result: Some("1".into()) }).await;
        assert_eq!(bench.look(lease.job).await.history.len(), 3);
    });
}

#[test]
fn quarantined_cancelled_and_late_jobs_are_retried_too() {
    on_every_store(async |bench| {
        let cancelled = bench.running().await.lease;
        assert!(!bench.cancel(cancelled.job).await);
        bench.done(Request::Obey { lease: cancelled }).await;
        let late = bench.enqueue(Enqueue { max_age_ms: Some(1_000), ..job("a") }).await;
        bench.pass(Duration::from_secs(1)).await;
        let poison = bench.enqueue(job("a")).await;
        for _ in 0..5 {
            let lease = bench.claim_one().await.lease;
            bench.done(Request::Start { lease }).await;
            bench.pass(LEASE).await;
            bench.pass(HOUR).await;
        }
        let states = [State::Cancelled, State::Discarded, State::Quarantined];
        for (id, state) in [cancelled.job, late, poison].into_iter().zip(states) {
            assert_eq!(bench.look(id).await.state, state);
            bench.retry(id).await;
        }
        bench.reopen().await;
        bench.pass(HOUR).await;
        // The request to stop, the deadline and the rest are over with its first end; the crashes are not.
        assert_eq!(ids(&bench.claim(claim()).await), [cancelled.job.0, late.0, poison.0]);
        let view = bench.look(poison).await;
        assert_eq!((view.crashes, view.cancel_requested, view.begins_by), (5, false, None));
    });
}

#[test]
fn what_has_a_result_or_has_not_ended_is_not_retried() {
    on_every_store(async |bench| {
        let lease = bench.running().await.lease;
        let job = lease.job;
        let refused = bench.refused(Request::Retry { job }).await;
        assert_eq!(refused, Refusal::NotRetryable { job, state: State::Running });
        bench.done(Request::Complete { lease, result: None }).await;
        let refused = bench.refused(Request::Retry { job }).await;
        insta::assert_snapshot!("not_retried", refused.to_string());
        let job = JobId(99);
        assert_eq!(bench.refused(Request::Retry { job }).await, Refusal::UnknownJob { job });
    });
}

#[test]
fn a_list_shows_what_is_in_a_state_page_by_page_and_why() {
    on_every_store(async |bench| {
        let mut all = Vec::new();
        for kind in ["a", "b", "a", "a"] {
            all.push(bench.discarded(job(kind)).await.0);
        }
        let waiting = bench.enqueue(job("a")).await;
        bench.reopen().await;
        assert_eq!(bench.listed(discarded()).await, all);
        assert_eq!(bench.listed(in_state(State::Waiting)).await, [waiting.0]);
        for empty in [State::Running, State::Completed, State::Cancelled, State::Quarantined] {
            assert_eq!(bench.listed(in_state(empty)).await, NOTHING);
        }
        let of_kind = |kind: &str| ListJobs { filter: Filter::state(State::Discarded).kind(kind), ..discarded() };
        assert_eq!(bench.listed(of_kind("b")).await, [all[1]]);
        let elsewhere = ListJobs { filter: Filter::state(State::Discarded).queue("mail"), ..discarded() };
        assert_eq!(bench.listed(elsewhere).await, NOTHING);
        let (page, next) = bench.list(ListJobs { most: 2, ..of_kind("a") }).await;
        assert_eq!((page.len(), next), (2, Some(JobId(all[2]))));
        let (page, next) = bench.list(ListJobs { most: 2, after: JobId(all[2]), ..of_kind("a") }).await;
        assert_eq!((page[0].id.0, page.len(), next), (all[3], 1, None));
        let failure = page[0].last_failure.as_ref().unwrap();
        assert_eq!((failure.message.as_str(), page[0].failures), ("no", 1));
        let wrong = bench.refused(Request::List(ListJobs { most: 201, ..discarded() })).await;
        insta::assert_snapshot!("a_list_that_is_too_long", wrong.to_string());
    });
}

#[test]
fn many_are_retried_in_bounded_steps_and_a_repeat_is_told_the_same() {
    on_every_store(async |bench| {
        for _ in 0..230 {
            bench.discarded(job("a")).await;
        }
        let other = bench.discarded(job("b")).await;
        let filter = Filter::state(State::Discarded).kind("a");
        let step = |after| {
            let list = ListJobs { filter: filter.clone(), after, most: 200 };
            Request::Bulk { act: Bulk::Retry, list }
        };
        let id = bench.request_id();
        let first = bench.call_as(id, step(JobId(0))).await;
        assert_eq!(first, Ok(Reply::Changed { jobs: 200, next: Some(JobId(200)) }));
        assert_eq!(bench.call_as(id, step(JobId(0))).await, first);
        assert_eq!(bench.call(step(JobId(200))).await, Ok(Reply::Changed { jobs: 30, next: None }));
        assert_eq!(bench.listed(discarded()).await, [other.0]);
        // The handle does all steps.
        let outlive = bench.outlive();
        assert_eq!(outlive.cancel_all(Filter::state(State::Waiting)).await.unwrap(), 230);
        assert_eq!(outlive.retry_all(Filter::state(State::Cancelled)).await.unwrap(), 230);
        assert_eq!(outlive.list(Filter::state(State::Waiting)).all().await.unwrap().len(), 230);
        let wrong = [(Bulk::Retry, State::Completed), (Bulk::Cancel, State::Discarded)].map(|(act, state)| {
            let list = in_state(state);
            Request::Bulk { act, list }
        });
        let mut said = String::new();
        for wrong in wrong {
            said += &format!("{}\n", bench.refused(wrong).await);
        }
        insta::assert_snapshot!("what_can_not_be_asked_for_many", said);
    });
}

#[test]
fn whoever_waits_for_a_job_that_is_retried_waits_for_it_again() {
    on_every_store(async |bench| {
        let other = bench.enqueue(delayed()).await;
        let ended = bench.discarded(job("a")).await;
        let lease = bench.running_as(job("b")).await.lease;
        let on = On::Jobs { jobs: vec![other, ended], step: "all".into() };
        assert_eq!(bench.call(Request::Wait { lease, on }).await, Ok(Reply::Suspended));
        // One of the two had ended. It begins again, and then the other one ends.
        bench.retry(ended).await;
        assert!(bench.cancel(other).await);
        assert_eq!(bench.look(lease.job).await.state, State::Waiting);
        let again = bench.claim_one().await.lease;
        assert_eq!(again.job, ended);
        bench.done(Request::Complete { lease: again, result: None }).await;
        let joined = bench.claim_one().await;
        assert_eq!(joined.lease.job, lease.job);
        let steps = bench.look(lease.job).await.steps;
        assert_eq!(steps[0].result, r#"[{"job":1,"state":"cancelled"},{"job":2,"state":"completed"}]"#);
    });
}

#[test]
fn what_had_ended_because_of_another_runs_when_it_is_retried() {
    on_every_store(async |bench| {
        let first = bench.enqueue(job("a")).await;
        let after = After { jobs: vec![first], unmet: Unmet::Discard };
        let second = bench.enqueue(Enqueue { after: Some(after), ..job("a") }).await;
        assert!(bench.cancel(first).await);
        assert_eq!(bench.look(second).await.state, State::Discarded);
        bench.retry(second).await;
        bench.reopen().await;
        assert_eq!(ids(&bench.claim(claim()).await), [second.0]);
    });
}

#[test]
fn a_failure_is_judged_by_another_process_on_another_day_by_what_is_in_the_file() {
    on_every_store(async |bench| {
        let busy = Reported { causes: vec!["429".into(), "quota".into()], retryable: true, ..error("busy") };
        let lease = bench.running_as(Enqueue { max_attempts: Some(1), ..job("a") }).await.lease;
        assert_eq!(bench.fail(lease, busy).await, Next::Discard);
        // The process that ran it is gone, and so are its worker, its handler and its policy.
        bench.reopen_after(|clock| clock.pass(24 * HOUR)).await;
        let (page, _) = bench.list(discarded()).await;
        let view = bench.look(page[0].id).await;
        let attempt = &view.history[0];
        let failure = attempt.failure.clone().unwrap();
        // What, by whom, when, how often, with what, why, and whether it may help to try again.
        assert_eq!((view.kind.as_str(), view.payload.as_str(), attempt.worker.as_str()), ("a", "{}", "w1"));
        assert!(attempt.started_at.is_none() && attempt.ended.is_some() && view.finished_at.is_some());
        assert_eq!((view.failures, view.max_attempts, failure.next), (1, 1, Next::Discard));
        assert_eq!((failure.message.as_str(), failure.retryable), ("busy", true));
        assert_eq!(failure.causes, ["429", "quota"]);
        if failure.retryable && failure.causes.iter().any(|cause| cause == "429") {
            bench.retry(view.id).await;
        }
        assert_eq!(ids(&bench.claim(claim()).await), [view.id.0]);
    });
}

#[test]
fn a_repeated_retry_does_not_try_again_what_has_failed_since() {
    on_every_store(async |bench| {
        let job = bench.discarded(job("a")).await;
        let id = bench.request_id();
        assert_eq!(bench.call_as(id, Request::Retry { job }).await, Ok(Reply::Done));
        let lease = bench.claim_one().await.lease;
        bench.fail(lease, error("no")).await;
        assert_eq!(bench.call_as(id, Request::Retry { job }).await, Ok(Reply::Done));
        assert_eq!(bench.look(job).await.state, State::Discarded);
        assert!(matches!(bench.call(Request::Cancel { job }).await, Err(CallError::Refused(_))));
    });
}

#[test]
fn what_waits_as_the_same_step_after_a_retry_waits_for_the_same_jobs() {
    on_every_store(async |bench| {
        let [one, two] = [bench.enqueue(delayed()).await, bench.enqueue(delayed()).await];
        let lease = bench.running_as(job("b")).await.lease;
        let on = |jobs: &[JobId]| On::Jobs { jobs: jobs.to_vec(), step: "all".into() };
        let first = Request::Wait { lease, on: on(&[one]) };
        assert_eq!(bench.call(first).await, Ok(Reply::Suspended));
        assert!(bench.cancel(lease.job).await);
        bench.retry(lease.job).await;
        let again = bench.claim_one().await.lease;
        let second = Request::Wait { lease: again, on: on(&[one, two]) };
        assert_eq!(bench.call(second).await, Ok(Reply::Suspended));
        assert!(bench.cancel(two).await && bench.cancel(one).await);
        let last = bench.claim_one().await.lease;
        assert_eq!(last.job, lease.job);
        let steps = bench.look(lease.job).await.steps;
        assert_eq!(steps[0].result, r#"[{"job":1,"state":"cancelled"},{"job":2,"state":"cancelled"}]"#);
    });
}

fn delayed() -> Enqueue {
    Enqueue { when: When::After(3_600_000), ..job("a") }
}

#[test]
fn what_comes_after_another_comes_after_it_when_both_are_retried() {
    on_every_store(async |bench| {
        let first = bench.enqueue(job("a")).await;
        let after = After { jobs: vec![first], unmet: Unmet::Cancel };
        let second = bench.enqueue(Enqueue { after: Some(after), ..job("a") }).await;
        assert!(bench.cancel(second).await && bench.cancel(first).await);
        bench.retry(first).await;
        bench.retry(second).await;
        bench.reopen().await;
        let lease = bench.claim_one().await.lease;
        assert_eq!(lease.job, first);
        bench.done(Request::Complete { lease, result: None }).await;
        assert_eq!(bench.claim_one().await.lease.job, second);
    });
}

#[test]
fn of_two_that_would_wait_for_each_other_since_a_retry_the_first_goes_on() {
    for reopens in [false, true] {
        on_every_store(async |bench| {
            let [other, first] = [bench.enqueue(delayed()).await, bench.discarded(job("a")).await];
            let second = bench.running_as(job("b")).await.lease;
            let on = |jobs: Vec<JobId>| On::Jobs { jobs, step: "all".into() };
            let wait = Request::Wait { lease: second, on: on(vec![first, other]) };
            assert_eq!(bench.call(wait).await, Ok(Reply::Suspended));
            bench.retry(first).await;
            let again = bench.claim_one().await.lease;
            let wait = Request::Wait { lease: again, on: on(vec![second.job]) };
            assert_eq!(bench.call(wait).await, Ok(Reply::Suspended));
            if reopens {
                bench.reopen().await;
            }
            assert!(bench.cancel(other).await);
            let lease = bench.claim_one().await.lease;
            assert!([first, second.job].contains(&lease.job));
            bench.done(Request::Complete { lease, result: None }).await;
            let lease = bench.claim_one().await.lease;
            bench.done(Request::Complete { lease, result: None }).await;
        });
    }
}
