//! Batches: requests that arrive while a batch is under way are served by one statement, the next one. No request waits for
//! others to come.

use std::{future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt as _;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::{
    database::{LONGEST_WORK, too_late},
    failure::{ErrorType, Failure},
};

/// Batches under way at a time: while one waits for the disk, the next one is on its way.
const CONCURRENCY: usize = 2;
/// Requests in a batch at most.
const LARGEST: usize = 64;

/// A request, and where its response goes.
type Waiting<Request, Response> = (Request, oneshot::Sender<Result<Response, Failure>>);

/// Serves requests that come at the same time in one batch.
#[derive(Debug)]
pub struct Batcher<Request, Response> {
    waiting: mpsc::Sender<Waiting<Request, Response>>,
    limit: Duration,
}

impl<Request: Send + 'static, Response: Send + 'static> Batcher<Request, Response> {
    /// `serve` takes a batch and returns a response for each request, in their order, or the failure of all of them. It
    /// runs in the current runtime until the batcher is dropped. A batch that takes longer than 30 s is given up.
    pub fn new<S, F>(serve: S) -> Self
    where
        S: Fn(Vec<Request>) -> F + Clone + Send + 'static,
        F: Future<Output = Result<Vec<Response>, Failure>> + Send + 'static,
    {
        // Also ends the wait of requests that come faster than a database is found to be away.
        Self::with_limit(LONGEST_WORK, serve)
    }

    fn with_limit<S, F>(limit: Duration, serve: S) -> Self
    where
        S: Fn(Vec<Request>) -> F + Clone + Send + 'static,
        F: Future<Output = Result<Vec<Response>, Failure>> + Send + 'static,
    {
        let (waiting, arriving) = mpsc::channel(LARGEST);
        let arriving = Arc::new(Mutex::new(arriving));
        for _ in 0..CONCURRENCY {
            tokio::spawn(run(Arc::clone(&arriving), serve.clone(), limit));
        }
        Self { waiting, limit }
    }

    /// Waits for the response, at most 30 s.
    ///
    /// # Errors
    ///
    /// The failure of the batch that the request was in, or that the database is unavailable if the response takes too long.
    /// Whether the request takes effect is unknown then.
    pub async fn submit(&self, request: Request) -> Result<Response, Failure> {
        let stopped = || Failure::bare(ErrorType::Internal, "no batch is served any more");
        let responded = async {
            let (respond, response) = oneshot::channel();
            self.waiting.send((request, respond)).await.map_err(|_| stopped())?;
            response.await.unwrap_or_else(|_| Err(stopped()))
        };
        tokio::time::timeout(self.limit, responded).await.unwrap_or_else(|_| Err(too_late()))
    }
}

async fn run<Request, Response, S, F>(
    arriving: Arc<Mutex<mpsc::Receiver<Waiting<Request, Response>>>>,
    serve: S,
    limit: Duration,
) where
    S: Fn(Vec<Request>) -> F,
    F: Future<Output = Result<Vec<Response>, Failure>>,
{
    let mut batch = Vec::with_capacity(LARGEST);
    while arriving.lock().await.recv_many(&mut batch, LARGEST).await > 0 {
        // What isn't waited for any more isn't begun.
        batch.retain(|(_, respond)| !respond.is_closed());
        if batch.is_empty() {
            continue;
        }
        let (requests, respond): (Vec<_>, Vec<_>) = batch.drain(..).unzip();
        let served = tokio::time::timeout(limit, AssertUnwindSafe(serve(requests)).catch_unwind()).await;
        let served = match served {
            Ok(served) => served.unwrap_or_else(|_| Err(Failure::bare(ErrorType::Panic, "serving a batch panicked"))),
            Err(_) => Err(too_late()),
        };
        // A request that isn't waited for any more needs no response.
        match served {
            Ok(responses) => respond.into_iter().zip(responses).for_each(|(to, response)| drop(to.send(Ok(response)))),
            Err(failure) => respond.into_iter().for_each(|to| drop(to.send(Err(failure.clone())))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::join_all;

    /// Doubles numbers; 7 makes the batch fail, 13 makes it panic.
    fn doubling(sizes: mpsc::UnboundedSender<usize>) -> Batcher<u32, u32> {
        Batcher::new(move |numbers: Vec<u32>| {
            let sizes = sizes.clone();
            async move {
                sizes.send(numbers.len()).unwrap();
                assert!(!numbers.contains(&13), "thirteen");
                if numbers.contains(&7) {
                    return Err(Failure::bare(ErrorType::DatabaseError, "doubling"));
                }
                tokio::task::yield_now().await;
                Ok(numbers.into_iter().map(|number| 2 * number).collect())
            }
        })
    }

    #[tokio::test]
    async fn each_request_gets_its_own_response_and_many_share_a_batch() {
        let (sizes, mut seen) = mpsc::unbounded_channel();
        let doubling = doubling(sizes);
        let responses = join_all((100..200).map(|number| doubling.submit(number))).await;
        let responses: Vec<_> = responses.into_iter().map(Result::unwrap).collect();
        assert_eq!(responses, (100..200).map(|number| 2 * number).collect::<Vec<_>>());
        drop(doubling);
        let mut batches = Vec::new();
        while let Some(size) = seen.recv().await {
            batches.push(size);
        }
        assert_eq!(batches.iter().sum::<usize>(), 100);
        assert!(batches.len() < 50, "{batches:?}");
    }

    #[tokio::test]
    async fn a_failure_is_that_of_the_whole_batch_and_the_next_batch_is_served() {
        let (sizes, _seen) = mpsc::unbounded_channel();
        let doubling = doubling(sizes);
        assert_eq!(doubling.submit(7).await.unwrap_err().error_type, ErrorType::DatabaseError);
        // As often as there are batches under way, and once more: a panic ends none of them.
        for _ in 0..=CONCURRENCY {
            assert_eq!(doubling.submit(13).await.unwrap_err().error_type, ErrorType::Panic);
        }
        assert_eq!(doubling.submit(21).await.unwrap(), 42);
    }

    #[tokio::test]
    async fn a_batch_that_takes_too_long_ends_and_nothing_begins_that_is_not_waited_for() {
        let (begun, mut seen) = mpsc::unbounded_channel();
        // A batch with a 0 never ends by itself.
        let silent = Batcher::with_limit(Duration::from_millis(500), move |numbers: Vec<u32>| {
            numbers.iter().for_each(|number| begun.send(*number).unwrap());
            async move {
                if numbers.contains(&0) {
                    std::future::pending::<()>().await;
                }
                Ok(numbers)
            }
        });
        let silent: Arc<Batcher<u32, u32>> = Arc::new(silent);
        let mut waiting = Vec::new();
        for _ in 0..CONCURRENCY {
            let silent = Arc::clone(&silent);
            waiting.push(tokio::spawn(async move { silent.submit(0).await }));
            assert_eq!(seen.recv().await, Some(0));
        }
        // All batches are under way; this one waits behind them, and its client goes.
        assert!(tokio::time::timeout(Duration::ZERO, silent.submit(1)).await.is_err());
        for response in waiting {
            assert_eq!(response.await.unwrap().unwrap_err().error_type, ErrorType::DatabaseUnavailable);
        }
        assert_eq!(silent.submit(2).await.unwrap(), 2);
        assert_eq!(seen.recv().await, Some(2));
    }
}
