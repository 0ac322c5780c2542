//! When a command that runs for long is to end: Ctrl-C, SIGTERM, a closed terminal, or, with `--until-eof`, the end of
//! standard input.

use std::future::{poll_fn, ready};
use std::pin::Pin;
use std::process;
use std::task::Poll;

use tokio::io::AsyncReadExt as _;

use crate::errors::{CliError, CliResult};
use crate::exit::Exit;
use crate::sys;

/// Why a command is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM, a closed terminal, or the end of standard input.
    Terminate,
}

/// Completes when the command is to end.
pub(crate) async fn ending(until_eof: bool) -> CliResult<Ending> {
    let failed = |error: &std::io::Error| CliError::internal("cannot listen for signals").because(error);
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed.map(|()| Ending::Interrupt).map_err(|error| failed(&error)),
        asked = sys::terminated() => asked.map(|()| Ending::Terminate).map_err(|error| failed(&error)),
        () = end_of_input(), if until_eof => Ok(Ending::Terminate),
    }
}

/// The same, but already listening when it returns: a signal that comes afterwards, even before anybody waits, counts.
pub(crate) async fn listen_for_ending(until_eof: bool) -> Pin<Box<dyn Future<Output = CliResult<Ending>> + Send>> {
    let mut ending = Box::pin(ending(until_eof));
    // The first poll registers with the operating system.
    match poll_fn(|context| Poll::Ready(ending.as_mut().poll(context))).await {
        Poll::Ready(ended) => Box::pin(ready(ended)),
        Poll::Pending => ending,
    }
}

/// What the work comes to; `None` if the command is to end before that.
pub(crate) async fn unless_ended<T>(
    ending: &mut (impl Future<Output = CliResult<Ending>> + Unpin),
    work: impl Future<Output = CliResult<T>>,
) -> CliResult<Option<T>> {
    tokio::select! {
        biased;
        done = work => done.map(Some),
        told = ending => told.map(|_| None),
    }
}

async fn end_of_input() {
    let mut stdin = tokio::io::stdin();
    let mut buffer = [0; 256];
    // An input that cannot be read has ended too.
    while matches!(stdin.read(&mut buffer).await, Ok(n) if n > 0) {}
}

/// From now on the next Ctrl-C or SIGTERM ends the process at once: the orderly way takes too long for whoever waits.
pub(crate) fn next_one_is_hard() {
    tokio::spawn(async {
        if ending(false).await.is_ok() {
            process::exit(i32::from(Exit::Interrupted.number()));
        }
    });
}
