//! What a connection, an address and a person may cost: the operator's settings.

use sleap_rtc_wire::limits;

/// Bounds on those who talk to the server. Each default is the constant of that name in [`sleap_rtc_wire::limits`]; what a room bounds
/// is set in [`sleap_rtc_room::RoomConfig`]. Each error names the limit that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A frame on the signaling socket, bytes. Higher than the default it has no effect: deployed peers refuse more.
    pub frame: usize,
    /// A frame of a connection that has not registered, bytes.
    pub first_frame: usize,
    /// How long a socket may stay unregistered, ms.
    pub unregistered_ms: u64,
    /// Frames a second of one connection, for long.
    pub frames_per_second: u32,
    /// Frames of one connection at once.
    pub frame_burst: u32,
    /// What waits for one slow socket, bytes.
    pub send_buffer: usize,
    /// Body of an HTTP request, bytes.
    pub body: usize,
    /// How long it may take to arrive, ms.
    pub body_ms: u64,
    /// How long the head of an HTTP request may take to arrive, and a connection stay idle between two, ms.
    pub head_ms: u64,
    /// Registrations a minute from one address.
    pub registrations: u32,
    /// Wrong credentials a minute from one address.
    pub guesses: u32,
    /// Wrong credentials a minute from all addresses together.
    pub guesses_of_all: u32,
    /// Rooms that one person may own.
    pub rooms: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame: limits::FRAME,
            first_frame: limits::FIRST_FRAME,
            unregistered_ms: limits::UNREGISTERED_MS,
            frames_per_second: limits::FRAMES_PER_SECOND,
            frame_burst: limits::FRAME_BURST,
            send_buffer: limits::SEND_BUFFER,
            body: limits::BODY,
            body_ms: limits::BODY_MS,
            head_ms: limits::HEAD_MS,
            registrations: limits::REGISTRATIONS,
            guesses: limits::GUESSES,
            guesses_of_all: limits::GUESSES_OF_ALL,
            rooms: limits::ROOMS,
        }
    }
}
