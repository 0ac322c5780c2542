//! The one thread that writes.

use rusqlite::{Connection, TransactionBehavior};
use sleap_rtc_wire::record::Change;
use tokio::sync::{mpsc, oneshot};

use super::{accounts, rows};
use crate::StoreError;

/// Batches that may wait; the next writer waits for a place.
pub(super) const WAITING: usize = 1024;
/// Batches that share one transaction, and so one flush of the disk.
const GROUP: usize = 256;

/// One call of `apply`.
pub(super) struct Batch {
    pub(super) changes: Vec<Change>,
    pub(super) answer: oneshot::Sender<Result<(), StoreError>>,
}

/// Writes until the last sender is gone.
pub(super) fn run(mut connection: Connection, mut batches: mpsc::Receiver<Batch>) {
    let mut group = Vec::new();
    while let Some(first) = batches.blocking_recv() {
        group.push(first);
        while group.len() < GROUP
            && let Ok(next) = batches.try_recv()
        {
            group.push(next);
        }
        let results = commit(&mut connection, &group);
        for (batch, result) in group.drain(..).zip(results) {
            // A caller that has gone does not want the answer.
            let _ = batch.answer.send(result);
        }
    }
}

/// One transaction; each batch in a savepoint of its own, so that a refused one takes nothing and nobody with it.
fn commit(connection: &mut Connection, group: &[Batch]) -> Vec<Result<(), StoreError>> {
    let written = connection.transaction_with_behavior(TransactionBehavior::Immediate).and_then(|mut transaction| {
        let results =
            group.iter().map(|batch| write(&mut transaction, &batch.changes)).collect::<rusqlite::Result<_>>()?;
        transaction.commit()?;
        Ok(results)
    });
    written.unwrap_or_else(|error| {
        tracing::error!(%error, batches = group.len(), "store: a transaction failed");
        group.iter().map(|_| Err(StoreError::Unavailable(error.to_string()))).collect()
    })
}

fn write(transaction: &mut rusqlite::Transaction<'_>, changes: &[Change]) -> rusqlite::Result<Result<(), StoreError>> {
    let savepoint = transaction.savepoint()?;
    for change in changes {
        if let Change::PutRoom(room) = change
            && let Some(stored) = rows::later_epoch(&savepoint, room)?
        {
            // Dropping the savepoint rolls back to it.
            return Ok(Err(StoreError::Stale { room_id: room.room_id.clone(), stored }));
        }
        if let Change::PutAccount(account) = change
            && accounts::is_taken(&savepoint, account)?
        {
            return Ok(Err(StoreError::NameTaken(account.username.clone())));
        }
        rows::write(&savepoint, change)?;
    }
    savepoint.commit()?;
    Ok(Ok(()))
}
