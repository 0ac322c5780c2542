//! One file a command.

mod demo;
mod doctor;
pub mod identity;
mod job;
mod jobs;
mod room;
pub mod room_create;
pub mod server;
pub(crate) mod status;
mod test_room;
mod train;
mod trainer_install;
mod watch;
mod worker;

use std::process::ExitCode;

use sleap_rtc_wire::peer::Wish;

use crate::args::{Command, IdentityCommand, RoomCommand, TrainerCommand};
use crate::errors::CliResult;
use crate::exit::Exit;
use crate::printer::Printer;

/// Runs one command.
pub async fn run(command: Command, printer: Printer) -> CliResult<ExitCode> {
    let exit = match command {
        // Its exit code may be that of the program that it runs.
        Command::TestRoom(args) => return Box::pin(test_room::run(args, printer)).await,
        Command::Demo(args) => demo::run(args, printer).await,
        Command::Doctor(args) => doctor::run(args, printer).await,
        Command::Room(command) => rooms(command, printer).await,
        Command::Identity(IdentityCommand::Cleanup(args)) => identity::cleanup(args, printer).await,
        Command::Server(args) => server::run(args, printer).await,
        Command::Status(args) => status::run(args, printer).await,
        Command::Jobs(args) => jobs::run(args, printer).await,
        Command::Trainer(TrainerCommand::Install(args)) => trainer_install::run(args, printer).await,
        Command::Worker(args) => worker::run(args, printer).await,
        Command::Train(args) => Box::pin(train::run(*args, printer)).await,
        Command::Watch(args) => Box::pin(watch::run(args, printer)).await,
        Command::Stop(args) => job::run(args, Wish::Stop, printer).await,
        Command::Cancel(args) => job::run(args, Wish::Cancel, printer).await,
    };
    exit.map(ExitCode::from)
}

async fn rooms(command: RoomCommand, printer: Printer) -> CliResult<Exit> {
    match command {
        RoomCommand::Create(args) => room_create::run(args, printer).await,
        RoomCommand::List(args) => room::list(args, printer).await,
        RoomCommand::Show(args) => room::show(args, printer).await,
        RoomCommand::Extend(args) => room::extend(args, printer).await,
        RoomCommand::Delete(args) => room::delete(args, printer).await,
    }
}
