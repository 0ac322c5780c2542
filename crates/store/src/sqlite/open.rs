//! Opening the file: lock, mode, settings, migrations.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::schema;
use crate::{OpenError, sys};

/// The lock's name, beside the database. Held as long as the process lives, whatever way it ends.
const LOCK: &str = "lock";
/// A process that is being started has copies of its parent's handles, locks included, until it has become another
/// program; so a lock that was just given back may still look taken for a moment.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(25);
/// How long a statement waits for a shell that an operator has left in a transaction.
const BUSY: Duration = Duration::from_secs(5);

pub(super) struct Opened {
    pub(super) writer: Connection,
    pub(super) reader: Connection,
    pub(super) lock: File,
}

pub(super) fn open(path: &Path) -> Result<Opened, OpenError> {
    let lock = lock(&path.with_file_name(LOCK))?;
    // SQLite gives its side files the mode of the main file, so the main file is made first, with the right one.
    private_file(path)?;
    let mut writer = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    schema::migrate(&mut writer, path)?;
    let reader = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    reader.pragma_update(None, "query_only", true).map_err(|error| database(path, &error))?;
    Ok(Opened { writer, reader, lock })
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let file = private_file(path)?;
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            Err(TryLockError::Error(source)) => return Err(OpenError::Io { path: path.to_owned(), source }),
        }
    }
    Err(OpenError::Locked(path.parent().unwrap_or(path).to_owned()))
}

fn private_file(path: &Path) -> Result<File, OpenError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    sys::private(&mut options).open(path).map_err(|source| OpenError::Io { path: path.to_owned(), source })
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, OpenError> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(|error| database(path, &error))?;
    settings(&connection).map_err(|error| database(path, &error))?;
    Ok(connection)
}

/// `FULL`: a power cut loses nothing that was confirmed; group commit pays for it.
fn settings(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)
}

fn database(path: &Path, error: &rusqlite::Error) -> OpenError {
    OpenError::Database { path: path.to_owned(), reason: error.to_string() }
}
