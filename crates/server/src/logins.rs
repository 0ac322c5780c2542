//! Computers that wait for somebody to let them in: all of it in memory, and bounded.
//!
//! A program makes up a secret name for its login (its *state*), opens a page with it and asks again and again whether somebody has
//! allowed it. Only a login that was asked for can be allowed, and what comes of it is told once, to the address that asked first.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sleap_rtc_wire::http::User;
use sleap_rtc_wire::{Time, limits};

use crate::rates::network;

/// Logins that one address may have waiting.
const OF_ONE: usize = 100;
/// Without those that look like others.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// Bytes of a program's name that are shown.
const PROGRAM: usize = 100;

/// What a computer that was let in is told.
#[derive(Clone)]
pub(crate) struct Allowed {
    pub(crate) jwt: String,
    pub(crate) user: User,
    pub(crate) account_key: Option<String>,
}

/// Who waits, as the one who lets it in sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) code: String,
    pub(crate) address: IpAddr,
    pub(crate) program: String,
    pub(crate) since: Time,
}

/// How a login stands for who asks.
pub(crate) enum Standing {
    /// Nobody has allowed it. The code, for the address that asked first.
    Pending(Option<String>),
    /// Somebody has; it is over now.
    Allowed(Allowed),
    /// Too many wait.
    Full,
}

/// Which login is meant.
#[derive(Clone, Copy)]
pub(crate) enum Meant<'a> {
    /// By its state.
    State(&'a str),
    /// By its code, as somebody typed it.
    Code(&'a str),
}

/// Why a login was not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotWaiting {
    /// Nobody asks for it, or no longer.
    Unknown,
    /// Somebody was faster.
    AllowedAlready,
}

/// All logins that wait.
#[derive(Default)]
pub(crate) struct Logins(Mutex<Tables>);

#[derive(Default)]
struct Tables {
    /// By the hash of its state.
    logins: HashMap<Hash, Login>,
    codes: HashMap<String, Hash>,
    /// By when they were asked for last.
    order: BTreeSet<(Time, Hash)>,
    of_network: HashMap<IpAddr, usize>,
}

type Hash = [u8; 32];

struct Login {
    waiting: Waiting,
    asked_at: Time,
    allowed: Option<Allowed>,
}

impl Logins {
    fn tables(&self, now: Time) -> MutexGuard<'_, Tables> {
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tables.forget_old(now);
        tables
    }

    /// A program asks how its login stands. `draw`: a random number, of which a new login's code is made.
    pub(crate) fn ask(&self, state: &str, from: IpAddr, program: &str, draw: u64, now: Time) -> Standing {
        let (mut tables, hash) = (self.tables(now), hash(state));
        let Some(login) = tables.logins.get_mut(&hash) else { return tables.begin(hash, from, program, draw, now) };
        if login.waiting.address != from {
            return Standing::Pending(None);
        }
        if login.allowed.is_some() {
            return tables.end(hash).and_then(|login| login.allowed).map_or(Standing::Full, Standing::Allowed);
        }
        let code = login.waiting.code.clone();
        let before = std::mem::replace(&mut login.asked_at, now);
        tables.order.remove(&(before, hash));
        tables.order.insert((now, hash));
        Standing::Pending(Some(code))
    }

    /// Whether a program has asked for this login before.
    pub(crate) fn knows(&self, state: &str, now: Time) -> bool {
        self.tables(now).logins.contains_key(&hash(state))
    }

    /// Which computer waits for this.
    pub(crate) fn waiting(&self, meant: Meant<'_>, now: Time) -> Result<Waiting, NotWaiting> {
        let mut tables = self.tables(now);
        let login = tables.find(meant).ok_or(NotWaiting::Unknown)?;
        if login.allowed.is_some() { Err(NotWaiting::AllowedAlready) } else { Ok(login.waiting.clone()) }
    }

    /// Lets it in. The first word counts.
    pub(crate) fn allow(&self, meant: Meant<'_>, allowed: Allowed, now: Time) -> Result<Waiting, NotWaiting> {
        let mut tables = self.tables(now);
        let login = tables.find(meant).ok_or(NotWaiting::Unknown)?;
        if login.allowed.is_some() {
            return Err(NotWaiting::AllowedAlready);
        }
        login.allowed = Some(allowed);
        Ok(login.waiting.clone())
    }
}

impl Tables {
    fn begin(&mut self, hash: Hash, from: IpAddr, program: &str, draw: u64, now: Time) -> Standing {
        let network = network(from);
        let code = code(draw);
        let of_one = self.of_network.get(&network).copied().unwrap_or_default();
        // One code in a million million is taken: then the program asks again in two seconds.
        if self.logins.len() >= limits::LOGINS || of_one >= OF_ONE || self.codes.contains_key(&code) {
            return Standing::Full;
        }
        let program: String = program.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(PROGRAM).collect();
        let waiting = Waiting { code: code.clone(), address: from, program, since: now };
        self.logins.insert(hash, Login { waiting, asked_at: now, allowed: None });
        self.codes.insert(code.clone(), hash);
        self.order.insert((now, hash));
        *self.of_network.entry(network).or_default() += 1;
        Standing::Pending(Some(code))
    }

    fn find(&mut self, meant: Meant<'_>) -> Option<&mut Login> {
        let hash = match meant {
            Meant::State(state) => hash(state),
            Meant::Code(typed) => *self.codes.get(&normal(typed))?,
        };
        self.logins.get_mut(&hash)
    }

    fn end(&mut self, hash: Hash) -> Option<Login> {
        let login = self.logins.remove(&hash)?;
        self.codes.remove(&login.waiting.code);
        self.order.remove(&(login.asked_at, hash));
        let network = network(login.waiting.address);
        if let Some(count) = self.of_network.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                self.of_network.remove(&network);
            }
        }
        Some(login)
    }

    fn forget_old(&mut self, now: Time) {
        while let Some((asked_at, hash)) = self.order.first().copied() {
            if now.since(asked_at) < limits::LOGIN_MS {
                return;
            }
            self.end(hash);
            self.order.remove(&(asked_at, hash));
        }
    }
}

fn hash(state: &str) -> Hash {
    *blake3::hash(state.as_bytes()).as_bytes()
}

/// `ABCD-2345`, of 40 random bits.
fn code(draw: u64) -> String {
    let letter = |n: usize| char::from(ALPHABET[(draw >> (5 * n) & 31) as usize]);
    (0..4).map(letter).chain(['-']).chain((4..8).map(letter)).collect()
}

/// A code as somebody typed it, in the form in which we write it.
fn normal(typed: &str) -> String {
    let letters: Vec<char> = typed.chars().filter(char::is_ascii_alphanumeric).take(9).collect();
    let (first, rest) = letters.split_at(letters.len().min(4));
    let text: String = first.iter().chain(['-'].iter()).chain(rest).collect();
    text.to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use sleap_rtc_wire::MemberId;

    use super::*;

    const NOW: Time = Time(1_000_000);
    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    fn allowed() -> Allowed {
        let id = MemberId::new("u_1").unwrap();
        let user = User { id: id.clone(), user_id: id, username: "ana".to_owned(), avatar_url: None };
        Allowed { jwt: "signed".to_owned(), user, account_key: None }
    }

    fn pending(standing: Standing) -> Option<String> {
        match standing {
            Standing::Pending(code) => code,
            Standing::Allowed(_) | Standing::Full => panic!("not pending"),
        }
    }

    #[test]
    fn a_login_that_was_asked_for_is_allowed_and_told_once() {
        let logins = Logins::default();
        let nobody = logins.allow(Meant::State("a"), allowed(), NOW);
        assert_eq!(nobody.unwrap_err(), NotWaiting::Unknown, "nobody asks for it");
        let code = pending(logins.ask("a", HERE, "requests/2\u{1b}[0m", 7, NOW)).unwrap();
        assert_eq!(code, "HAAA-AAAA");
        let waiting = logins.waiting(Meant::Code("haaaaaaa"), NOW).unwrap();
        assert_eq!(waiting, Waiting { code, address: HERE, program: "requests/2[0m".to_owned(), since: NOW });
        logins.allow(Meant::Code("HAAA-AAAA"), allowed(), NOW).unwrap();
        assert_eq!(logins.allow(Meant::State("a"), allowed(), NOW).unwrap_err(), NotWaiting::AllowedAlready);
        assert!(matches!(logins.ask("a", HERE, "", 0, NOW), Standing::Allowed(one) if one.jwt == "signed"));
        assert!(pending(logins.ask("a", HERE, "", 8, NOW)).is_some(), "a new one");
    }

    #[test]
    fn another_address_is_told_nothing() {
        let logins = Logins::default();
        logins.ask("a", HERE, "", 7, NOW);
        assert_eq!(pending(logins.ask("a", THERE, "", 8, NOW)), None);
        logins.allow(Meant::State("a"), allowed(), NOW).unwrap();
        assert_eq!(pending(logins.ask("a", THERE, "", 8, NOW)), None);
        assert!(matches!(logins.ask("a", HERE, "", 0, NOW), Standing::Allowed(_)));
    }

    #[test]
    fn a_login_that_nobody_asks_for_any_more_is_over() {
        let logins = Logins::default();
        logins.ask("a", HERE, "", 7, NOW);
        logins.ask("a", HERE, "", 7, NOW.plus_ms(60_000));
        assert!(logins.waiting(Meant::State("a"), NOW.plus_ms(60_000 + limits::LOGIN_MS - 1)).is_ok());
        let late = NOW.plus_ms(60_000 + limits::LOGIN_MS);
        assert_eq!(logins.waiting(Meant::State("a"), late).unwrap_err(), NotWaiting::Unknown);
        let tables = logins.tables(late);
        assert!(tables.logins.is_empty() && tables.codes.is_empty() && tables.of_network.is_empty());
    }

    #[test]
    fn one_address_cannot_keep_all_others_out() {
        let logins = Logins::default();
        for n in 0..OF_ONE as u64 {
            assert!(pending(logins.ask(&n.to_string(), HERE, "", n, NOW)).is_some());
        }
        assert!(matches!(logins.ask("one more", HERE, "", 1 << 20, NOW), Standing::Full));
        assert!(pending(logins.ask("another", THERE, "", 1 << 20, NOW)).is_some());
    }

    #[test]
    fn all_together_are_bounded() {
        let logins = Logins::default();
        for n in 0..limits::LOGINS as u64 {
            let from = IpAddr::V4((n as u32).into());
            assert!(pending(logins.ask(&n.to_string(), from, "", n, NOW)).is_some());
        }
        assert!(matches!(logins.ask("one more", THERE, "", 1 << 20, NOW), Standing::Full));
    }
}
