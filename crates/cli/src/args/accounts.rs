//! The command line of accounts, and of the keys that Python programs show.

use clap::{Args, Subcommand};
use sleap_rtc_wire::{KeyId, RoomId};

use super::dial::Dial;
use super::rooms::{Caller, room_id};
use super::span;

/// `login`.
#[derive(Debug, Args)]
pub struct LoginArgs {
    /// Let another computer in, which shows this code: it becomes one of your account's.
    #[arg(long, value_name = "CODE", value_parser = login_code)]
    pub allow: Option<String>,
    /// Do not ask; without a terminal nobody is let in without this.
    #[arg(short, long, requires = "allow")]
    pub yes: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub dial: Dial,
}

/// `logout`.
#[derive(Debug, Args)]
pub struct LogoutArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub dial: Dial,
}

/// `account …`.
#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// Make an account, of which this computer is the first; as the server's operator: one for somebody else.
    ///
    /// With --operator this computer has no part in it: what is printed is a key of the new account, to be given to whom it is
    /// for.
    Create(AccountCreateArgs),
    /// Show your account and its computers.
    Show(AccountShowArgs),
    /// Take a computer from your account, one that is lost too. This one: sleap-rtc logout.
    Remove(AccountRemoveArgs),
}

/// `account create`.
#[derive(Debug, Args)]
pub struct AccountCreateArgs {
    /// Its name, as others see it: up to 39 letters, digits, '-', '_' or '.'.
    #[arg(value_name = "NAME", value_parser = account_name)]
    pub name: String,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub caller: Caller,
}

/// `account show`.
#[derive(Debug, Args)]
pub struct AccountShowArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub dial: Dial,
}

/// `account remove`.
#[derive(Debug, Args)]
pub struct AccountRemoveArgs {
    /// Which one, by its id or its name, as `account show` prints them.
    #[arg(value_name = "COMPUTER")]
    pub computer: String,
    /// Do not ask.
    #[arg(short, long)]
    pub yes: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub dial: Dial,
}

/// `key …`.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key and print it, this once: as SLEAP_RTC_ACCOUNT_KEY it stands for you in the Python package, and on the login
    /// page.
    Create(KeyCreateArgs),
    /// List your keys, by their public names.
    List(KeyListArgs),
    /// End a key.
    Revoke(KeyRevokeArgs),
}

/// `key create`.
#[derive(Debug, Args)]
pub struct KeyCreateArgs {
    /// What it is for, e.g. hpc-cluster.
    #[arg(long, value_name = "NAME")]
    pub name: String,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub dial: Dial,
}

/// `key list`.
#[derive(Debug, Args)]
pub struct KeyListArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub dial: Dial,
}

/// `key revoke`.
#[derive(Debug, Args)]
pub struct KeyRevokeArgs {
    /// Its public name, as `key list` prints it. The key itself is refused here: others on this machine see arguments.
    #[arg(value_name = "KEY", value_parser = public_name)]
    pub key: PublicName,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub dial: Dial,
}

/// `token …`.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token and print it, this once: as SLEAP_RTC_API_KEY it lets a worker of the Python package into one room.
    Create(TokenCreateArgs),
    /// List the tokens that you made, by their public names.
    List(TokenListArgs),
    /// End a token.
    Revoke(TokenRevokeArgs),
}

/// `token create`.
#[derive(Debug, Args)]
pub struct TokenCreateArgs {
    /// The room [default: the one that is set, SLEAP_RTC_ROOM_ID]
    #[arg(long, value_name = "ROOM", value_parser = room_id)]
    pub room: Option<RoomId>,
    /// Name of the worker, e.g. gpu1.
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// How long it is good: 7d, 365d, never.
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = days)]
    pub expires: Days,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub dial: Dial,
}

/// `token list`.
#[derive(Debug, Args)]
pub struct TokenListArgs {
    /// Only those of this room.
    #[arg(long, value_name = "ROOM", value_parser = room_id)]
    pub room: Option<RoomId>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub dial: Dial,
}

/// `token revoke`.
#[derive(Debug, Args)]
pub struct TokenRevokeArgs {
    /// Its public name, as `token list` prints it. The token itself is refused here: others on this machine see arguments.
    #[arg(value_name = "TOKEN", value_parser = public_name)]
    pub token: PublicName,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub dial: Dial,
}

/// How many days; `None` is for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days(pub Option<u32>);

/// By which a key or a token is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicName {
    /// As lists print it.
    Id(KeyId),
    /// It was the secret itself, which is refused; what it was is not kept.
    Secret,
}

/// Never shown in an error: what was typed may be the secret.
fn public_name(text: &str) -> Result<PublicName, String> {
    if text.trim().starts_with(sleap_rtc_wire::API_KEY) {
        return Ok(PublicName::Secret);
    }
    KeyId::new(text.trim()).map(PublicName::Id).map_err(|error| error.to_string())
}

fn account_name(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let name = text.trim();
    if (1..=39).contains(&name.len()) && name.chars().all(fits) {
        Ok(name.to_owned())
    } else {
        Err("1 to 39 letters, digits, '-', '_' or '.'".to_owned())
    }
}

/// The code as the server writes it, however it was typed.
fn login_code(text: &str) -> Result<String, String> {
    let letters: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    let odd = text.trim().chars().any(|c| !c.is_ascii_alphanumeric() && c != '-' && c != ' ');
    if odd || letters.len() != 8 {
        return Err("eight letters and digits, e.g. ABCD-2345".to_owned());
    }
    let upper = letters.to_ascii_uppercase();
    Ok(format!("{}-{}", &upper[..4], &upper[4..]))
}

fn days(text: &str) -> Result<Days, String> {
    const DAY: u64 = 86_400;
    let lower = text.trim().to_ascii_lowercase();
    if lower == "never" {
        return Ok(Days(None));
    }
    let seconds = span(&lower).map(|time| time.as_secs()).filter(|seconds| *seconds > 0 && seconds % DAY == 0);
    let days = seconds.and_then(|seconds| u32::try_from(seconds / DAY).ok());
    days.map(|days| Days(Some(days))).ok_or_else(|| "write a number of days, e.g. 7d or 365d, or `never`".to_owned())
}
