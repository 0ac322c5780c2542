//! The whole output of a trainer in a file of the job's folder.

use std::io;
use std::path::{Path, PathBuf};

use sleap_rtc_wire::job::Stream;
use tokio::fs::File;
use tokio::io::{AsyncWriteExt, BufWriter};

/// The file grows no further: a trainer that prints without end must not fill the disk.
const MAX_BYTES: u64 = 64 << 20;

/// Written as it comes, one clean line a line, each with its stream.
pub(super) struct LogFile {
    path: PathBuf,
    /// `None` once it is full or cannot be written.
    file: Option<BufWriter<File>>,
    bytes: u64,
}

impl LogFile {
    /// Makes the file and its folder.
    pub(super) async fn create(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            tokio::fs::create_dir_all(folder).await?;
        }
        let file = BufWriter::new(File::create(path).await?);
        Ok(Self { path: path.to_owned(), file: Some(file), bytes: 0 })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) async fn line(&mut self, stream: Stream, line: &str) {
        let mark = if stream == Stream::Out { "out" } else { "err" };
        self.write(&format!("{mark} {line}\n")).await;
        if self.bytes > MAX_BYTES {
            self.write("log ends here: it has reached its greatest length\n").await;
            self.flush().await;
            self.file = None;
        }
    }

    /// So that who reads the file sees what was said so far.
    pub(super) async fn flush(&mut self) {
        let result = match &mut self.file {
            Some(file) => file.flush().await,
            None => Ok(()),
        };
        self.give_up_on(result);
    }

    async fn write(&mut self, text: &str) {
        self.bytes += text.len() as u64;
        let result = match &mut self.file {
            Some(file) => file.write_all(text.as_bytes()).await,
            None => Ok(()),
        };
        self.give_up_on(result);
    }

    /// A full disk ends the log, not the training: the trainer will say itself whether it can go on.
    fn give_up_on(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            tracing::warn!(%error, path = %self.path.display(), "cannot write the trainer's log any further");
            self.file = None;
        }
    }
}
