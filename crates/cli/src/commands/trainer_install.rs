//! `sleap-rtc trainer install`.

use crate::args::TrainerInstallArgs;
use crate::errors::{CliError, CliResult};
use crate::exit::Exit;
use crate::printer::Printer;
use crate::trainer::{self, Plan, Trainer};

/// Says what it will do, asks, does it, and prints the program's path.
pub(super) async fn run(args: TrainerInstallArgs, printer: Printer) -> CliResult<Exit> {
    let dir = match args.dir {
        Some(dir) => std::path::absolute(&dir)
            .map_err(|error| CliError::new(Exit::Usage, format!("cannot use {}", dir.display())).because(&error))?,
        None => trainer::default_dir()?,
    };
    let trainer = ask_and_install(Plan::new(dir, args.cpu).await?, args.yes, printer).await?;
    let path = trainer.path.display().to_string();
    if printer.json() {
        printer.event(&serde_json::json!({"event": "trainer_installed", "path": path}));
    } else {
        printer.result(&path);
    }
    Ok(Exit::Ok)
}

/// What `demo` does as well, where there is no trainer.
pub(super) async fn ask_and_install(plan: Plan, yes: bool, printer: Printer) -> CliResult<Trainer> {
    trainer::may_replace(&plan.dir)?;
    printer.note("The trainer will be installed:");
    for line in plan.words() {
        printer.note(&line);
    }
    if !yes {
        match printer.ask("Go on?") {
            Some(true) => {}
            Some(false) => {
                return Err(CliError::new(Exit::NoTrainer, "the trainer is not installed").cause("you said no"));
            }
            None => {
                return Err(CliError::new(Exit::NoTrainer, "the trainer is not installed")
                    .cause("this needs a yes, and there is no terminal to ask on")
                    .hint("sleap-rtc trainer install --yes"));
            }
        }
    }
    let trainer = trainer::install(plan, printer).await?;
    printer.note(&format!("Installed {}", trainer::SLEAP_NN));
    Ok(trainer)
}
