//! One file a command.

mod account;
mod demo;
mod doctor;
pub mod identity;
mod job;
mod jobs;
mod key;
pub mod login;
pub mod members;
mod room;
pub mod room_create;
pub mod server;
pub(crate) mod status;
mod test_room;
mod token;
mod train;
mod trainer_install;
mod watch;
mod worker;

use std::process::ExitCode;

use sleap_rtc_wire::peer::Wish;

use crate::args::{AccountCommand, Command, IdentityCommand, KeyCommand, RoomCommand, TokenCommand, TrainerCommand};
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
        Command::Login(args) => Box::pin(login::run(args, printer)).await,
        Command::Logout(args) => account::logout(args, printer).await,
        Command::Account(AccountCommand::Create(args)) => account::create(args, printer).await,
        Command::Account(AccountCommand::Show(args)) => account::show(args, printer).await,
        Command::Account(AccountCommand::Remove(args)) => account::remove(args, printer).await,
        Command::Key(KeyCommand::Create(args)) => key::create(args, printer).await,
        Command::Key(KeyCommand::List(args)) => key::list(args, printer).await,
        Command::Key(KeyCommand::Revoke(args)) => key::revoke(args, printer).await,
        Command::Token(TokenCommand::Create(args)) => token::create(args, printer).await,
        Command::Token(TokenCommand::List(args)) => token::list(args, printer).await,
        Command::Token(TokenCommand::Revoke(args)) => token::revoke(args, printer).await,
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
        RoomCommand::Invite(args) => members::invite(args, printer).await,
        RoomCommand::Join(args) => members::join(args, printer).await,
        RoomCommand::Members(args) => members::list(args, printer).await,
        RoomCommand::Remove(args) => members::remove(args, printer).await,
        RoomCommand::Set(args) => members::set(args, printer).await,
    }
}
