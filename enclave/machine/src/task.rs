//! Tasks that end with whoever holds them, and work that blocks.

/// A task that ends with whoever holds it.
pub struct Task(tokio::task::JoinHandle<()>);

impl Task {
    /// Starts `work`.
    pub fn start(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs what blocks where blocking is allowed.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is going down: nothing waits for an answer any more.
            Err(_) => std::future::pending().await,
        },
    }
}
