//! The span in which a handler runs, and the layer that keeps what is said in it.

use super::handler::Execution;
use super::log::Log;
use crate::job::Level;
use crate::protocol::Granted;
use std::cell::RefCell;
use std::error::Error;
use std::fmt::{Debug, Write};
use std::sync::Arc;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id};
use tracing::{Event, Instrument, Subscriber, error_span};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Filtered;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// A layer of a [`tracing_subscriber`] that keeps what handlers say with their attempts: every event within the span of an
/// attempt, which is named `job`, and within spans inside of that. What a handler spawns is in it if it is
/// [instrumented](tracing::Instrument::in_current_span).
///
/// The last [`LOG_LINES_MAX`](crate::limits::LOG_LINES_MAX) lines of an attempt are kept, about a second after they were
/// said: also those of an attempt whose worker was killed. [`Outlive::look`](crate::Outlive::look) shows them.
///
/// ```
/// use tracing_subscriber::prelude::*;
///
/// tracing_subscriber::registry().with(outlive::LogLayer::at(tracing::Level::INFO)).init();
/// ```
///
/// A filter over the whole subscriber must let the span through, whose target is `outlive::attempt`, or nothing is kept. Give
/// a filter to the layer that it is for instead, as in `fmt::layer().with_filter(env_filter)`.
#[derive(Clone, Copy, Debug)]
pub struct LogLayer(());

/// In a span: where what is said in it goes.
struct Kept(Arc<Log>);

thread_local! {
    /// What the span that is about to be made on this thread is about.
    static BEGINS: RefCell<Option<Arc<Log>>> = const { RefCell::new(None) };
}

const TARGET: &str = "outlive::attempt";

/// Prepares an execution, and lets it run, in a span of its own.
pub(super) fn in_span<E>(
    granted: &Granted,
    log: &Arc<Log>,
    prepare: impl FnOnce() -> Result<Execution, E>,
) -> Result<Execution, E> {
    BEGINS.set(Some(log.clone()));
    let Granted { lease, attempt, kind, queue, trace_parent, .. } = granted;
    let trace_parent = trace_parent.map(tracing::field::display);
    // Not by its own level should it be left out where a subscriber is told to be quiet: what is said in it has levels.
    let span = error_span!(target: TARGET, "job", job = lease.job.0, kind, queue, attempt, trace_parent);
    BEGINS.set(None);
    Ok(match span.in_scope(prepare)? {
        Execution::Async(work) => Execution::Async(Box::pin(work.instrument(span))),
        Execution::Blocking(work) => Execution::Blocking(Box::new(move || span.in_scope(work))),
    })
}

/// Lets work be done on another thread in the span in which this is called.
#[cfg(feature = "tower")]
pub(super) fn in_the_same_span<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let span = tracing::Span::current();
    move || span.in_scope(work)
}

impl LogLayer {
    /// Keeps events of this level and of those that matter more. It has a filter of its own: where nobody
    /// else listens, events of other levels are not made.
    pub fn at<S: Subscriber + for<'a> LookupSpan<'a>>(level: impl Into<LevelFilter>) -> Filtered<Self, LevelFilter, S> {
        Self(()).with_filter(level.into())
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LogLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if attributes.metadata().target() != TARGET {
            return;
        }
        let log = BEGINS.with_borrow(Clone::clone);
        if let (Some(log), Some(span)) = (log, context.span(id)) {
            span.extensions_mut().replace(Kept(log));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut within = Vec::new();
        for span in context.event_scope(event).into_iter().flatten() {
            // What the fields of an event say of themselves may be events.
            let log = span.extensions().get().map(|Kept(log)| log.clone());
            if let Some(log) = log {
                within.reverse();
                log.say(level(*event.metadata().level()), &text(&within, event));
                return;
            }
            within.push(span.name());
        }
    }
}

fn level(level: tracing::Level) -> Level {
    match level {
        tracing::Level::TRACE => Level::Trace,
        tracing::Level::DEBUG => Level::Debug,
        tracing::Level::INFO => Level::Info,
        tracing::Level::WARN => Level::Warn,
        tracing::Level::ERROR => Level::Error,
    }
}

/// The event in one line: the spans that it is in, what it says, and its fields.
fn text(within: &[&'static str], event: &Event<'_>) -> String {
    let mut line = Text::default();
    event.record(&mut line);
    let mut text: String = within.iter().flat_map(|name| [name, ": "]).collect();
    text.push_str(&line.message);
    // A line that says nothing has only its fields.
    text.push_str(if line.message.is_empty() { line.fields.trim_start() } else { &line.fields });
    text
}

#[derive(Default)]
struct Text {
    message: String,
    /// A space before each.
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Nothing that is written to a string fails.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let _ = write!(self.fields, " {}={value}", field.name());
        let mut cause = value.source();
        while let Some(error) = cause {
            let _ = write!(self.fields, ": {error}");
            cause = error.source();
        }
    }
}
