//! Every bound on what a stranger, a peer or a member may cost us, in one place. Each error names its limit.

/// A frame on the signaling socket, bytes. Deployed Python peers refuse more, so we send less as well.
pub const FRAME: usize = 1 << 20;
/// A frame of a connection that has not registered yet, bytes: the largest metadata and its credentials. (16 KiB would do for
/// strangers, but a deployed worker tells all its mounts in its first frame.)
pub const FIRST_FRAME: usize = METADATA + (16 << 10);
/// Frames a second that a peer may send for long. A trainer that prints a line for each batch stays far below.
pub const FRAMES_PER_SECOND: u32 = 2_000;
/// Frames that a peer may send at once; each begun [`FRAME_PIECE`] of a frame counts as one.
pub const FRAME_BURST: u32 = 10_000;
/// See [`FRAME_BURST`], bytes.
pub const FRAME_PIECE: usize = 16 << 10;
/// Registrations a minute from one address: a lab whose thousand workers come back at once, each with some tries.
pub const REGISTRATIONS: u32 = 6_000;
/// Wrong credentials a minute from one address, the same one shown again not counted.
pub const GUESSES: u32 = 300;
/// Wrong credentials a minute from all addresses together; beyond it each address has one.
pub const GUESSES_OF_ALL: u32 = 30_000;
/// One peer's metadata as JSON, bytes.
pub const METADATA: usize = 64 << 10;
/// Tags of one peer.
pub const TAGS: usize = 64;
/// Properties of one peer.
pub const PROPERTIES: usize = 256;
/// Nesting of a filter's operands.
pub const FILTER_DEPTH: usize = 4;
/// Conditions of one filter; each element of a list is one.
pub const FILTER_TERMS: usize = 64;
/// All names and texts of one filter, bytes.
pub const FILTER: usize = 16 << 10;
/// Peers of one room.
pub const PEERS: usize = 10_000;
/// A `request_id`, bytes: a claim keeps it.
pub const REQUEST_ID: usize = 128;
/// Claims that one member may hold at once in a room; further ones wait in line until one of them ends.
pub const OPEN_CLAIMS: usize = 8;
/// Workers that one claim may ask for.
pub const CLAIM_COUNT: u32 = 8;
/// Claims that one member may have in line at once in a room.
pub const WAITING_CLAIMS: usize = 32;
/// Claims that wait in a room.
pub const LINE: usize = 1_000;
/// How long a claim may wait in line, ms: seven days.
pub const WAIT_MS: u64 = 7 * 24 * 3_600_000;
/// How long a claim may stay unused, ms.
pub const LEASE_MS: u64 = 120_000;
/// How long a claim stays unused if it does not say, ms.
pub const DEFAULT_LEASE_MS: u64 = 30_000;
/// What waits for one slow socket, bytes; beyond it the connection is dropped with a reason.
pub const SEND_BUFFER: usize = 8 << 20;
/// How long a socket may stay unregistered, ms.
pub const UNREGISTERED_MS: u64 = 10_000;
/// Body of an HTTP request, bytes.
pub const BODY: usize = 64 << 10;
/// How long the body of an HTTP request may take to arrive, ms.
pub const BODY_MS: u64 = 10_000;
/// How long the head of an HTTP request may take to arrive, ms.
pub const HEAD_MS: u64 = 10_000;
/// Session description in an offer or an answer, bytes.
pub const SDP: usize = 64 << 10;

/// Files of one manifest.
pub const FILES: usize = 100_000;
/// One chunk, bytes.
pub const CHUNK: usize = 1 << 20;
/// Chunks of one manifest: at full length they are 1 TiB, and each costs its receiver about 110 bytes of memory.
pub const CHUNKS: usize = 1 << 20;
/// A file's path in a manifest, bytes.
pub const PATH: usize = 1024;
/// Components of a path in a manifest.
pub const PATH_PARTS: usize = 32;
/// A control message between two peers, bytes.
pub const CONTROL: usize = 64 << 10;
/// A bulk message between two peers, bytes: what deployed Python peers send and take.
pub const BULK: usize = 64 << 10;
/// One line of a job's log, bytes.
pub const LOG_LINE: usize = 16 << 10;
/// A stage's configuration, bytes.
pub const CONFIG: usize = 256 << 10;
/// Stages of one job.
pub const STAGES: usize = 16;
/// A whole job as it is submitted (its configurations and names of videos as JSON), bytes.
pub const JOB: usize = 8 << 20;

/// Keys of workers of one room, and keys of one account, revoked ones included.
pub const API_KEYS: usize = 1_000;
/// Installations of one account.
pub const DEVICES: usize = 64;
/// Invites into one room at once.
pub const INVITES: usize = 16;
/// Rooms that one person may own.
pub const ROOMS: usize = 100;
/// Members of one room.
pub const MEMBERS: usize = 1_000;
/// Logins that wait for somebody to allow them, all addresses together.
pub const LOGINS: usize = 10_000;
/// How long a login waits, counted from its last poll, ms.
pub const LOGIN_MS: u64 = 120_000;
/// Events that are kept for one who comes later, a channel.
pub const EVENTS: usize = 200;
/// Bytes of those events, a channel.
pub const EVENT_BYTES: usize = 4 << 20;
/// Channels that are kept, and bytes of all of them together.
pub const CHANNELS: usize = 1_000;
/// See [`CHANNELS`].
pub const CHANNEL_BYTES: usize = 256 << 20;
/// Streams that one member may hold open.
pub const STREAMS: usize = 32;
