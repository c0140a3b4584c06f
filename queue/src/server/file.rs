//! What is asked for the file itself: a copy of it, and that it be smaller.

use super::connection::Activity;
use crate::Compacted;
use crate::engine::HeldSnapshot;
use crate::limits;
use crate::protocol::{CallError, Service};
use crate::store::{Snapshot, StoreError};
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use serde::Serialize;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A copy of the file, page by page as whoever asked for it takes it.
pub struct FileCopy {
    snapshot: HeldSnapshot,
    /// How many pages were taken.
    taken: u32,
    activity: Arc<Activity>,
}

impl FileCopy {
    /// What is committed now.
    pub async fn begin(service: &dyn Service, activity: Arc<Activity>) -> Result<Self, CallError> {
        Ok(Self { snapshot: service.snapshot().await?, taken: 0, activity })
    }

    fn left(&self) -> u32 {
        self.snapshot.pages() - self.taken
    }
}

impl Body for FileCopy {
    type Data = Bytes;
    type Error = StoreError;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, StoreError>>> {
        // Whoever takes next to nothing is taken to be gone, and the queue waits for him no longer.
        self.activity.goes_on();
        let count = limits::COPY_PAGES.min(self.left());
        if count == 0 {
            return Poll::Ready(None);
        }
        let page_bytes = self.snapshot.page_bytes();
        let mut pages = vec![0; page_bytes * count as usize];
        for page in pages.chunks_exact_mut(page_bytes) {
            let number = self.taken + 1;
            if let Err(error) = self.snapshot.read(number, page) {
                // The answer breaks off before the length that it has named: nobody takes it for whole.
                return Poll::Ready(Some(Err(error)));
            }
            self.taken = number;
        }
        Poll::Ready(Some(Ok(Frame::data(pages.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::from(self.left()) * self.snapshot.page_bytes() as u64)
    }
}

/// Makes the file smaller.
pub async fn compact(service: &dyn Service) -> Result<Vec<u8>, CallError> {
    #[derive(Serialize)]
    struct Body {
        before_bytes: u64,
        after_bytes: u64,
    }
    let Compacted { before_bytes, after_bytes } = crate::handle::compact(service).await?;
    Ok(serde_json::to_vec(&Body { before_bytes, after_bytes }).expect("numbers are JSON"))
}
