//! Installs the trainer. Nothing counts as installed before its marker file is there, and that is written last.

use std::collections::VecDeque;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Command;
use tokio::sync::mpsc;

use super::find::{Trainer, installed, marker, on_path};
use super::plan::{Plan, Recipe, SLEAP_NN, UV, bin};
use crate::errors::{CliError, CliResult};
use crate::exit::Exit;
use crate::printer::Printer;
use crate::sys;
use crate::text::bytes;
use crate::ticker::Ticker;

/// The one lean recipe, which continuous integration runs too.
const LEAN: &str = include_str!("../../../../scripts/install-trainer-cpu.sh");
/// Its helper.
const STUB: &str = include_str!("../../../../scripts/stub_cuda.py");

/// Lines of a failed program that are shown.
const LAST_WORDS: usize = 6;

/// Installs as planned; an earlier installation in that folder is replaced.
pub async fn install(plan: Plan, printer: Printer) -> CliResult<Trainer> {
    let parent = plan.dir.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(|error| disk_error(parent, &error))?;
    enough_room(&plan, parent)?;
    let _lock = lock(&plan.dir, printer).await?;
    let plan = lay_ground(plan, printer).await?;
    match plan.recipe {
        Recipe::Lean => lean(&plan, printer).await?,
        _ => by_uv(&plan, printer).await?,
    }
    installed(&plan.dir).ok_or_else(|| {
        CliError::new(Exit::NoTrainer, "cannot install the trainer")
            .cause(format!("{} has no sleap-nn that runs", plan.dir.display()))
    })
}

/// Whatever is in the folder will be deleted: only what an installation of ours has left.
pub(crate) fn may_replace(dir: &Path) -> CliResult {
    let empty = match fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(disk_error(dir, &error)),
    };
    if empty || marker(dir).is_file() || lock_file(dir).is_file() {
        return Ok(());
    }
    Err(CliError::new(Exit::Usage, format!("cannot install the trainer into {}", dir.display()))
        .cause("the folder has files in it that sleap-rtc did not put there")
        .hint("name a new folder: sleap-rtc trainer install --dir DIR"))
}

fn enough_room(plan: &Plan, parent: &Path) -> CliResult {
    // Where the free space is not known, the installation itself will say so.
    let Ok((free, _)) = sys::disk(parent) else { return Ok(()) };
    if free >= plan.needs() {
        return Ok(());
    }
    Err(CliError::new(Exit::LocalDisk, "cannot install the trainer: the disk is too full")
        .cause(format!("{} has {} free, it needs {}", parent.display(), bytes(free), bytes(plan.needs())))
        .hint("make room, or name a folder on another disk: sleap-rtc trainer install --dir DIR"))
}

fn lock_file(dir: &Path) -> PathBuf {
    let mut name = dir.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

/// One installer at a time for one folder. The lock goes with the process, however that ends.
async fn lock(dir: &Path, printer: Printer) -> CliResult<File> {
    let path = lock_file(dir);
    let file = File::create(&path).map_err(|error| disk_error(&path, &error))?;
    let mut wait = None;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {
                wait.get_or_insert_with(|| Ticker::new(printer, "waiting for another installation of the trainer"))
                    .tick();
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(TryLockError::Error(error)) => return Err(disk_error(&path, &error)),
        }
    }
}

/// An empty environment with uv at hand, and the recipe that can be followed from here.
async fn lay_ground(plan: Plan, printer: Printer) -> CliResult<Plan> {
    let dir = &plan.dir;
    match fs::remove_file(marker(dir)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(disk_error(dir, &error)),
        _ => {}
    }
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(disk_error(dir, &error)),
        _ => {}
    }
    let mut venv = Command::new(&plan.python);
    venv.args(["-m", "venv"]).arg(dir);
    step(printer, "making an environment for Python", &mut venv).await?;
    if on_path("uv").is_none() {
        let mut pip = Command::new(dir.join(bin("python")));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", UV]);
        step(printer, "fetching uv", &mut pip).await?;
    }
    // The question is asked of torch's index alone, and downloads nothing.
    let mut ask = plan.uv_install(&uv(dir), "torch");
    ask.args(["--dry-run", "--no-deps"]).env("UV_HTTP_RETRIES", "1");
    match step(printer, "looking for torch's own index", &mut ask).await {
        Ok(()) => Ok(plan),
        Err(error) => {
            let plan = plan.without_torch_index();
            printer.note("torch's own index cannot be reached: taking everything from the package index");
            tracing::info!(cause = ?error.causes, recipe = ?plan.recipe, "torch's own index");
            Ok(plan)
        }
    }
}

fn uv(dir: &Path) -> PathBuf {
    on_path("uv").unwrap_or_else(|| dir.join(bin("uv")))
}

async fn by_uv(plan: &Plan, printer: Printer) -> CliResult {
    step(printer, &format!("installing {SLEAP_NN} and torch"), &mut plan.uv_install(&uv(&plan.dir), SLEAP_NN)).await?;
    let program = super::find::program(&plan.dir);
    step(printer, "starting it once", Command::new(&program).arg("--version")).await?;
    let path = marker(&plan.dir);
    fs::write(&path, format!("{SLEAP_NN} {:?}\n", plan.recipe)).map_err(|error| disk_error(&path, &error))
}

/// Runs the script of the repository, which writes the marker itself.
async fn lean(plan: &Plan, printer: Printer) -> CliResult {
    let scripts = tempfile::tempdir().map_err(|error| disk_error(&std::env::temp_dir(), &error))?;
    let script = scripts.path().join("install-trainer-cpu.sh");
    for (path, text) in [(&script, LEAN), (&scripts.path().join("stub_cuda.py"), STUB)] {
        fs::write(path, text).map_err(|error| disk_error(path, &error))?;
    }
    let mut command = Command::new("bash");
    command.arg(&script).arg(&plan.dir).env("SLEAP_RTC_PYTHON", &plan.python);
    // We hold the lock that the script would wait for.
    command.env("SLEAP_RTC_INSTALL_LOCKED", &plan.dir);
    step(printer, &format!("installing {SLEAP_NN} for the CPU"), &mut command).await
}

/// Runs one program, shows that time passes, and keeps its last words for the error.
async fn step(printer: Printer, what: &str, command: &mut Command) -> CliResult {
    let failed = || CliError::new(Exit::NoTrainer, format!("cannot install the trainer: {what} failed"));
    let mut ticker = Ticker::new(printer, what);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| failed().because(&error))?;
    let (to, mut lines) = mpsc::channel(64);
    let readers = [
        child.stdout.take().map(|pipe| tokio::spawn(read_lines(pipe, to.clone()))),
        child.stderr.take().map(|pipe| tokio::spawn(read_lines(pipe, to.clone()))),
    ];
    drop(to);
    let mut last = VecDeque::new();
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    let mut open = true;
    let status = loop {
        tokio::select! {
            line = lines.recv(), if open => match line {
                Some(line) => {
                    ticker.detail(&line);
                    last.push_back(line);
                    if last.len() > LAST_WORDS { last.pop_front(); }
                }
                None => open = false,
            },
            status = child.wait(), if !open => break status.map_err(|error| failed().because(&error))?,
            _ = tick.tick() => ticker.tick(),
        }
    };
    for reader in readers.into_iter().flatten() {
        reader.abort();
    }
    if status.success() {
        return Ok(());
    }
    let plain = |line: String| line.trim().trim_start_matches("error: ").trim_start_matches("cause: ").to_owned();
    let error = last.into_iter().map(plain).fold(failed(), CliError::cause);
    Err(error
        .cause(format!("it ended with {status}"))
        .hint("check the network and the disk, then: sleap-rtc trainer install"))
}

async fn read_lines(pipe: impl AsyncRead + Unpin, to: mpsc::Sender<String>) {
    let mut lines = BufReader::new(pipe).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        let line = String::from_utf8_lossy(&line).into_owned();
        if !line.trim().is_empty() && to.send(line).await.is_err() {
            return;
        }
    }
}

fn disk_error(path: &Path, error: &std::io::Error) -> CliError {
    CliError::new(Exit::LocalDisk, format!("cannot write {}", path.display())).because(error)
}
