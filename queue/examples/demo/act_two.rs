//! Act 2: a server and two workers are processes of their own. A worker gets SIGKILL, then the server.

use crate::Problem;
use crate::arguments::Role;
use crate::child::Child;
use crate::judge::{Expected, judge};
use crate::patience::{PATIENCE, wait_for};
use crate::server::SERVING;
use crate::settings::Settings;
use crate::story::{self, Story};
use crate::work::{Resize, WORK, What};
use crate::worker::ASKING;
use outlive::job::{AttemptEnd, State};
use outlive::{Job, JobId, Outlive};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

const TEXT: &str = "\
The queue is behind a server, and two workers ask it for jobs: three processes.
Worker 1 gets SIGKILL with three jobs at work; worker 2, which nobody tells, has
to finish them. Then the server gets SIGKILL while worker 2 works three more,
and is started again; worker 2 has to go on, and nothing may run twice.";

const WORKERS: [&str; 2] = ["worker 1", "worker 2"];
/// A job each, for the death of the worker.
const PHOTOS: [&str; 3] = ["cat.jpg", "dog.jpg", "owl.jpg"];
/// A job each, for the death of the server.
const MORE_PHOTOS: [&str; 3] = ["ant.jpg", "bee.jpg", "fox.jpg"];
/// How often the server is asked whether a job has completed.
const LOOK: Duration = Duration::from_millis(50);

/// The act, while it is played.
struct Act<'a> {
    story: Story,
    folder: &'a Path,
    settings: Settings,
}

/// Plays it in `folder`.
pub fn play(folder: &Path, settings: Settings) -> Result<(), Problem> {
    story::open("Act 2: a queue behind a server", TEXT);
    let act = Act { story: Story::begin(), folder, settings };
    // Port 0 lets the system choose.
    let (mut server, url) = act.start_server("the server", "127.0.0.1:0")?;
    let outlive = Outlive::connect(&url)?;
    let mut worker = act.kill_a_worker(&outlive, &url)?;
    // It takes the place of the one that dies, and lives until the end.
    let _server = act.kill_the_server(&mut server, &mut worker, &outlive, &url)?;
    act.judge(&outlive)
}

impl Act<'_> {
    /// Worker 1 dies with three jobs at work, and worker 2 finishes them. Worker 2.
    fn kill_a_worker(&self, outlive: &Outlive, url: &str) -> Result<Child, Problem> {
        let story = &self.story;
        let mut first = self.start_worker(WORKERS[0], url)?;
        let jobs = self.enqueue(outlive, PHOTOS)?;
        first.wait_for_steps(story, What::Started, &jobs, 1)?;
        let mut second = self.start_worker(WORKERS[1], url)?;
        let killed = first.kill(story)?;

        let known = wait_for("asking about a job", outlive.explain(jobs[0]))?;
        story.say(&format!("What does the server know? {known}"));
        let (lease, backoff) = (self.settings.lease(), self.settings.options().limits.crash_backoff.first());
        story.say(&format!(
            "Nobody helps: worker 2 gets the jobs when their leases have expired ({} s), and after the crash backoff \
             (up to {} s).",
            lease.as_secs_f64(),
            backoff.as_secs_f64()
        ));
        second.wait_for_steps(story, What::Started, &jobs, 2)?;
        story.say(&format!("{:.2} s from the kill to the last second start", killed.elapsed().as_secs_f64()));
        second.wait_for_steps(story, What::Finished, &jobs, 2)?;
        self.wait_for_completion(outlive, &jobs)?;
        Ok(second)
    }

    /// The server dies with three jobs at work, and is away while they finish. The server after it.
    fn kill_the_server(
        &self,
        server: &mut Child,
        worker: &mut Child,
        outlive: &Outlive,
        url: &str,
    ) -> Result<Child, Problem> {
        let story = &self.story;
        let jobs = self.enqueue(outlive, MORE_PHOTOS)?;
        worker.wait_for_steps(story, What::Started, &jobs, 1)?;
        story.say("waiting until the work is half done");
        thread::sleep(WORK / 2);
        let killed = server.kill(story)?;
        worker.wait_for_steps(story, What::Finished, &jobs, 1)?;
        story.say("worker 2 has three results, and no server to take them");

        let address = url.strip_prefix("http://").ok_or_else(|| format!("{url} is no URL of a server"))?;
        let (server, same) = self.start_server("the server again", address)?;
        if same != url {
            return Err(format!("the server was to be at {url} again, but is at {same}").into());
        }
        story.say(&format!("{:.2} s from the kill to a server that answers", killed.elapsed().as_secs_f64()));
        self.wait_for_completion(outlive, &jobs)?;
        Ok(server)
    }

    fn judge(&self, outlive: &Outlive) -> Result<(), Problem> {
        let [first, second] = WORKERS;
        let moved = [(first, AttemptEnd::Crashed), (second, AttemptEnd::Completed)];
        let stayed = [(second, AttemptEnd::Completed)];
        let moved = PHOTOS.map(|photo| Expected { photo, attempts: &moved });
        let stayed = MORE_PHOTOS.map(|photo| Expected { photo, attempts: &stayed });
        judge(&self.story, "the server", outlive, self.folder, &[moved, stayed].concat())?;
        println!();
        println!("✓ Worker killed, three jobs at work: another worker finished all of them.");
        println!("✓ Server killed, three jobs at work: none lost, none run a second time.");
        Ok(())
    }

    /// Starts a server, and waits until it serves. Its URL too.
    fn start_server(&self, who: &str, address: &str) -> Result<(Child, String), Problem> {
        let role = Role::Server { folder: self.folder.to_owned(), address: address.to_owned() };
        let mut server = Child::start(&role, self.settings)?;
        self.story.say(&format!("started {who}: pid {}", server.pid()));
        let url = server.wait_for_line(&self.story, SERVING)?;
        Ok((server, url))
    }

    /// Starts a worker, and waits until it asks for work.
    fn start_worker(&self, name: &str, url: &str) -> Result<Child, Problem> {
        let role = Role::Worker { folder: self.folder.to_owned(), url: url.to_owned(), name: name.to_owned() };
        let mut worker = Child::start(&role, self.settings)?;
        self.story.say(&format!("started {name}: pid {}", worker.pid()));
        worker.wait_for_line(&self.story, ASKING)?;
        Ok(worker)
    }

    fn enqueue(&self, outlive: &Outlive, photos: [&str; 3]) -> Result<Vec<JobId>, Problem> {
        let mut jobs = Vec::new();
        for photo in photos {
            let job = wait_for("enqueueing", outlive.enqueue(Resize { photo: photo.into() }).into_future())?.job;
            self.story.say(&format!("enqueued job {job}, {} {photo}", Resize::KIND));
            jobs.push(job);
        }
        Ok(jobs)
    }

    /// Asks the server until it knows of every job's end.
    fn wait_for_completion(&self, outlive: &Outlive, jobs: &[JobId]) -> Result<(), Problem> {
        let deadline = Instant::now() + PATIENCE;
        for &job in jobs {
            loop {
                match wait_for("looking at a job", outlive.look(job))?.state {
                    State::Completed => break,
                    state if state.is_terminal() => return Err(format!("job {job} was {state}").into()),
                    state if Instant::now() >= deadline => {
                        return Err(format!("job {job} was still {state} after {} s", PATIENCE.as_secs()).into());
                    }
                    _ => thread::sleep(LOOK),
                }
            }
            self.story.say(&format!("job {job} completed, says the server"));
        }
        Ok(())
    }
}
