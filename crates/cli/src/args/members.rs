//! The command line of who belongs to a room, and of what its owner switches.

use clap::{Args, ValueEnum};
use sleap_rtc_wire::RoomId;

use super::dial::Dial;
use super::rooms::room_id;

/// `room invite` and `members`: for those who belong to the room, whoever runs its server.
#[derive(Debug, Args)]
pub struct RoomMembersArgs {
    /// The room [default: the one that is set, SLEAP_RTC_ROOM_ID]
    #[arg(value_name = "ROOM", value_parser = room_id)]
    pub room: Option<RoomId>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub dial: Dial,
}

/// `room join`.
#[derive(Debug, Args)]
pub struct RoomJoinArgs {
    /// The code that `room invite` printed for the room's owner.
    #[arg(value_name = "CODE", value_parser = invite_code)]
    pub code: String,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub dial: Dial,
}

/// `room remove`.
#[derive(Debug, Args)]
pub struct RoomRemoveArgs {
    /// Who, by name or id, as `room members` prints them.
    #[arg(value_name = "MEMBER")]
    pub member: String,
    /// The room [default: the one that is set, SLEAP_RTC_ROOM_ID]
    #[arg(long, value_name = "ROOM", value_parser = room_id)]
    pub room: Option<RoomId>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub dial: Dial,
}

/// `room set`.
#[derive(Debug, Args)]
#[group(id = "changes", required = true, multiple = true, args = ["name", "mesh", "strict_offers"])]
pub struct RoomSetArgs {
    /// The room [default: the one that is set, SLEAP_RTC_ROOM_ID]
    #[arg(value_name = "ROOM", value_parser = room_id)]
    pub room: Option<RoomId>,
    /// Another name.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Whether workers of the Python package form a mesh among themselves, as on the original's server.
    #[arg(long, value_name = "off|reference", help_heading = "For the Python package")]
    pub mesh: Option<MeshSwitch>,
    /// Whether only one client at a time reaches a worker of the Python package.
    #[arg(long, value_name = "on|off", help_heading = "For the Python package")]
    pub strict_offers: Option<OnOff>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment here would become help text")]
    pub dial: Dial,
}

/// `--mesh`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MeshSwitch {
    /// Each worker for itself.
    Off,
    /// The first worker leads, the others connect to it.
    Reference,
}

/// A switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnOff {
    /// Yes.
    On,
    /// No.
    Off,
}

fn invite_code(text: &str) -> Result<String, String> {
    let code = text.trim().to_ascii_uppercase();
    if code.len() == 8 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        Ok(code)
    } else {
        Err("eight letters and digits, as `room invite` prints them".to_owned())
    }
}
