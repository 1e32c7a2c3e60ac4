//! What goes on beside the calls, on one thread.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::oneshot;

use super::StartError;
use crate::adapters::kept_file::{KeptFile, Poll};
use crate::domain::identity::CallerBook;
use crate::edge::{UpstreamServer, keep_resolved};

/// How often the callers file is looked at for changes.
const CALLERS_POLL: Duration = Duration::from_secs(1);

/// Name resolution, the callers file, locks and a look at the health.
pub(super) struct Background {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Background {
    pub(super) fn start(
        runtime: tokio::runtime::Runtime,
        servers: Arc<ArcSwap<Vec<Arc<UpstreamServer>>>>,
        mut callers_file: KeptFile<CallerBook>,
        callers: Arc<ArcSwap<CallerBook>>,
        followed: impl Future<Output = ()> + Send + 'static,
    ) -> Result<Self, StartError> {
        let (stop, stopped) = oneshot::channel();
        let follow_callers = async move {
            loop {
                tokio::time::sleep(CALLERS_POLL).await;
                match callers_file.poll() {
                    Poll::Changed(book) => {
                        tracing::info!("the callers file has changed and was read again");
                        callers.store(book);
                    }
                    Poll::Unchanged => {}
                    Poll::Broken(error) => tracing::error!(
                        %error,
                        "the callers file has changed and cannot be used; the old one stays"
                    ),
                }
            }
        };
        let work = async move {
            tokio::select! {
                () = keep_resolved(servers) => {}
                () = follow_callers => {}
                () = followed => {}
                _ = stopped => {}
            }
        };
        let thread = std::thread::Builder::new()
            .name("egret-background".to_owned())
            .spawn(move || runtime.block_on(work))
            .map_err(StartError::Thread)?;
        Ok(Self { stop, thread })
    }

    pub(super) fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}
