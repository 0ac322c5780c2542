//! One file a command.

mod demo;
mod doctor;
mod job;
pub mod room_create;
pub mod server;
pub(crate) mod status;
mod train;
mod trainer_install;
mod watch;
mod worker;

use sleap_rtc_wire::peer::Wish;

use crate::args::{Command, RoomCommand, TrainerCommand};
use crate::errors::CliResult;
use crate::exit::Exit;
use crate::printer::Printer;

/// Runs one command.
pub async fn run(command: Command, printer: Printer) -> CliResult<Exit> {
    match command {
        Command::Demo(args) => demo::run(args, printer).await,
        Command::Doctor(args) => doctor::run(args, printer).await,
        Command::Room(RoomCommand::Create(args)) => room_create::run(args, printer).await,
        Command::Server(args) => server::run(args, printer).await,
        Command::Status(args) => status::run(args, printer).await,
        Command::Trainer(TrainerCommand::Install(args)) => trainer_install::run(args, printer).await,
        Command::Worker(args) => worker::run(args, printer).await,
        Command::Train(args) => Box::pin(train::run(*args, printer)).await,
        Command::Watch(args) => Box::pin(watch::run(args, printer)).await,
        Command::Stop(args) => job::run(args, Wish::Stop, printer).await,
        Command::Cancel(args) => job::run(args, Wish::Cancel, printer).await,
    }
}
