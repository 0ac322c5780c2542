//! The command line of rooms and identities.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use sleap_rtc_wire::RoomId;

use super::dial::Dial;
use super::members::{RoomJoinArgs, RoomMembersArgs, RoomRemoveArgs, RoomSetArgs};
use super::{span, ttl};

/// Which server is asked, and as whom.
#[derive(Clone, Debug, Default, Args)]
pub struct Caller {
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub dial: Dial,
    /// Ask as the server's operator, by the secret in its data folder [default folder: in your data folder]
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true, help_heading = "Server")]
    pub operator: Option<Option<PathBuf>>,
}

/// `room …`.
#[derive(Debug, Subcommand)]
pub enum RoomCommand {
    /// Make a room and print what workers and clients need to join it.
    Create(RoomCreateArgs),
    /// List the rooms that you made or joined.
    List(RoomListArgs),
    /// Show one room, and to its owner what workers and clients need to join it.
    Show(RoomArgs),
    /// Let a room live for its whole time again, counted from now.
    Extend(RoomArgs),
    /// Delete a room, with everybody in it.
    Delete(RoomDeleteArgs),
    /// Make a code by which others become members; for the room's owner.
    Invite(RoomMembersArgs),
    /// Become a member of a room by a code: then it needs no token.
    Join(RoomJoinArgs),
    /// List who belongs to a room.
    Members(RoomMembersArgs),
    /// Take somebody out of a room; for its owner, and for yourself.
    Remove(RoomRemoveArgs),
    /// Change a room's name and switches; for its owner.
    Set(RoomSetArgs),
}

/// `room create`.
#[derive(Debug, Args)]
pub struct RoomCreateArgs {
    /// Name of the room, e.g. my-lab-gpu-pool.
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// How long it lives without visitors: 12h, 90d, never.
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = ttl)]
    pub ttl: String,
    /// The room's id, instead of a drawn one; implies --operator.
    #[arg(long, value_name = "ID", value_parser = room_id, help_heading = "On your own server")]
    pub id: Option<RoomId>,
    /// Where the room's token comes from: - (standard input) or @FILE; implies --operator. The token itself is refused here:
    /// others on this machine see arguments.
    #[arg(long, value_name = "-|@FILE", value_parser = token_source, help_heading = "On your own server")]
    pub token: Option<TokenSource>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub caller: Caller,
}

/// Where a token comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSource {
    /// The first line of standard input.
    Input,
    /// A file with the token alone in it.
    File(PathBuf),
    /// It was on the command line, which is refused; what it was is not kept.
    Literal,
}

/// `room list`.
#[derive(Debug, Args)]
pub struct RoomListArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub caller: Caller,
}

/// `room show` and `extend`.
#[derive(Debug, Args)]
pub struct RoomArgs {
    /// The room [default: the one that is set, SLEAP_RTC_ROOM_ID]
    #[arg(value_name = "ROOM", value_parser = room_id)]
    pub room: Option<RoomId>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub caller: Caller,
}

/// `room delete`.
#[derive(Debug, Args)]
pub struct RoomDeleteArgs {
    /// The room.
    #[arg(value_name = "ROOM", value_parser = room_id)]
    pub room: RoomId,
    /// Do not ask.
    #[arg(short, long)]
    pub yes: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub caller: Caller,
}

/// `identity …`.
#[derive(Debug, Subcommand)]
pub enum IdentityCommand {
    /// Forget anonymous users that are no longer used. Your own key is never touched.
    ///
    /// Never those that are connected or own a room that lives. Without --operator: those that signed in from this machine's
    /// address.
    Cleanup(CleanupArgs),
}

/// `identity cleanup`.
#[derive(Debug, Args)]
pub struct CleanupArgs {
    /// Only those that signed in longer ago: 1h, 24h, 7d.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = age)]
    pub older_than: Duration,
    /// Say what would go, and keep it.
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub caller: Caller,
}

/// `test-room`.
#[derive(Debug, Args)]
pub struct TestRoomArgs {
    /// Run this with SLEAP_RTC_SERVER, _ROOM_ID, _ROOM_TOKEN, _ID_TOKEN and _PEER_ID set, and end with its exit code.
    #[arg(value_name = "COMMAND", last = true)]
    pub command: Vec<OsString>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub dial: Dial,
}

pub(super) fn room_id(text: &str) -> Result<RoomId, String> {
    RoomId::new(text.trim()).map_err(|error| error.to_string())
}

/// Never fails: what clap says of a value that it does not take has the value in it.
#[expect(clippy::unnecessary_wraps, reason = "the form of clap's parsers")]
fn token_source(text: &str) -> Result<TokenSource, String> {
    Ok(match (text, text.strip_prefix('@')) {
        ("-", _) => TokenSource::Input,
        (_, Some(path)) if !path.is_empty() => TokenSource::File(path.into()),
        _ => TokenSource::Literal,
    })
}

fn age(text: &str) -> Result<Duration, String> {
    span(&text.trim().to_ascii_lowercase())
        .ok_or_else(|| "write a number with s, m, h or d after it, e.g. 1h, 24h or 7d".to_owned())
}
