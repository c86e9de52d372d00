//! Work that costs the same for many as for one: whoever asks while others are at it is served together with all that
//! have asked by then. Nobody waits for company.

use std::{future::Future, panic::AssertUnwindSafe, sync::Arc};

use futures::FutureExt as _;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::failure::{ErrorType, Failure};

/// So many batches are worked on at a time: while one waits for the disk, the next one is on its way.
const AT_A_TIME: usize = 2;
/// So many are served together at most.
const MOST: usize = 64;

/// Whoever asks, and where the answer goes.
type Waiting<Ask, Answer> = (Ask, oneshot::Sender<Result<Answer, Failure>>);

/// Serves those together who ask at the same time.
#[derive(Debug)]
pub struct Batcher<Ask, Answer> {
    waiting: mpsc::Sender<Waiting<Ask, Answer>>,
}

impl<Ask: Send + 'static, Answer: Send + 'static> Batcher<Ask, Answer> {
    /// `work` serves a batch: it gives an answer for each who asked, in their order, or what failed for all of them. The
    /// runtime that this is called in does the work, until this is dropped.
    pub fn new<W, F>(work: W) -> Self
    where
        W: Fn(Vec<Ask>) -> F + Clone + Send + 'static,
        F: Future<Output = Result<Vec<Answer>, Failure>> + Send + 'static,
    {
        let (waiting, come) = mpsc::channel(MOST);
        let come = Arc::new(Mutex::new(come));
        for _ in 0..AT_A_TIME {
            tokio::spawn(serve(Arc::clone(&come), work.clone()));
        }
        Self { waiting }
    }

    /// Waits for the answer.
    ///
    /// # Errors
    ///
    /// What failed, for whoever was served together.
    pub async fn ask(&self, ask: Ask) -> Result<Answer, Failure> {
        let gone = || Failure::bare(ErrorType::Internal, "nobody serves what is asked together");
        let (answer, answered) = oneshot::channel();
        self.waiting.send((ask, answer)).await.map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }
}

async fn serve<Ask, Answer, W, F>(come: Arc<Mutex<mpsc::Receiver<Waiting<Ask, Answer>>>>, work: W)
where
    W: Fn(Vec<Ask>) -> F,
    F: Future<Output = Result<Vec<Answer>, Failure>>,
{
    let mut batch = Vec::with_capacity(MOST);
    while come.lock().await.recv_many(&mut batch, MOST).await > 0 {
        let (asks, answers): (Vec<_>, Vec<_>) = batch.drain(..).unzip();
        let done = AssertUnwindSafe(work(asks)).catch_unwind().await;
        let done = done.unwrap_or_else(|_| Err(Failure::bare(ErrorType::Panic, "work for several requests panicked")));
        // Whoever doesn't wait any more needs no answer.
        match done {
            Ok(results) => answers.into_iter().zip(results).for_each(|(answer, result)| drop(answer.send(Ok(result)))),
            Err(failure) => answers.into_iter().for_each(|answer| drop(answer.send(Err(failure.clone())))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::join_all;

    /// Doubles numbers; one of them is no number to double, and one makes it panic.
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
    async fn everybody_gets_their_own_answer_and_many_are_served_at_once() {
        let (sizes, mut seen) = mpsc::unbounded_channel();
        let doubling = doubling(sizes);
        let answers = join_all((100..200).map(|number| doubling.ask(number))).await;
        let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
        assert_eq!(answers, (100..200).map(|number| 2 * number).collect::<Vec<_>>());
        drop(doubling);
        let mut batches = Vec::new();
        while let Some(size) = seen.recv().await {
            batches.push(size);
        }
        assert_eq!(batches.iter().sum::<usize>(), 100);
        assert!(batches.len() < 50, "{batches:?}");
    }

    #[tokio::test]
    async fn a_failure_is_everybodys_of_the_batch_and_the_next_one_is_served() {
        let (sizes, _seen) = mpsc::unbounded_channel();
        let doubling = doubling(sizes);
        assert_eq!(doubling.ask(7).await.unwrap_err().error_type, ErrorType::DatabaseError);
        // As often as there are batches at a time, and once more: a panic ends none of those who serve.
        for _ in 0..=AT_A_TIME {
            assert_eq!(doubling.ask(13).await.unwrap_err().error_type, ErrorType::Panic);
        }
        assert_eq!(doubling.ask(21).await.unwrap(), 42);
    }
}
