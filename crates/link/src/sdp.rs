//! What a peer's session description may look like. Pure: text in, facts or a refusal out.
//!
//! The description comes from a stranger over the signaling server, so its size and its parts are bounded before the
//! WebRTC stack reads it, and the certificate that it promises is read here: exactly one SHA-256 fingerprint.

/// Longest description in bytes. Ours are 2 to 6 KiB.
pub(crate) const MAX_LENGTH: usize = 64 * 1024;

/// Most `a=fingerprint` lines. Python peers write three (sha-256, -384, -512), for each level once.
pub(crate) const MAX_FINGERPRINTS: usize = 8;

/// Most candidates: every one costs connectivity checks towards an address that the peer chose.
pub(crate) const MAX_CANDIDATES: usize = 64;

/// What this crate needs to know of a description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Description {
    /// SHA-256 of the certificate that the peer promises to use.
    pub(crate) fingerprint: [u8; 32],
    /// Number of candidates.
    pub(crate) candidates: usize,
}

/// Why a description is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SdpError {
    #[error("{0} bytes long, allowed are {MAX_LENGTH}")]
    TooLong(usize),
    #[error("it does not begin with v=0")]
    NotSdp,
    #[error("it needs exactly one media section, for data channels")]
    Media,
    #[error("more than {MAX_CANDIDATES} candidates")]
    Candidates,
    #[error("more than {MAX_FINGERPRINTS} fingerprints")]
    Fingerprints,
    #[error("a fingerprint cannot be read")]
    BadFingerprint,
    #[error("two different fingerprints of one kind ({0})")]
    Conflict(String),
    #[error("no sha-256 fingerprint")]
    NoSha256,
}

impl Description {
    /// Reads `text`, or says why it is refused.
    pub(crate) fn parse(text: &str) -> Result<Self, SdpError> {
        if text.len() > MAX_LENGTH {
            return Err(SdpError::TooLong(text.len()));
        }
        if text.lines().next().map(str::trim_end) != Some("v=0") {
            return Err(SdpError::NotSdp);
        }
        let mut media = text.lines().filter(|line| line.starts_with("m="));
        if !media.next().is_some_and(|line| line.starts_with("m=application ")) || media.next().is_some() {
            return Err(SdpError::Media);
        }
        let candidates = text.lines().filter(|line| line.starts_with("a=candidate:")).count();
        if candidates > MAX_CANDIDATES {
            return Err(SdpError::Candidates);
        }
        Ok(Self { fingerprint: fingerprint(text)?, candidates })
    }
}

/// The one SHA-256 fingerprint of `text`. Two values of one hash algorithm would leave open which one the stack takes.
fn fingerprint(text: &str) -> Result<[u8; 32], SdpError> {
    let mut seen: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        let Some(value) = attribute(line, "fingerprint") else { continue };
        if seen.len() == MAX_FINGERPRINTS {
            return Err(SdpError::Fingerprints);
        }
        let (algorithm, value) = value.trim().split_once(' ').ok_or(SdpError::BadFingerprint)?;
        let (algorithm, value) = (algorithm.to_ascii_lowercase(), value.trim().to_ascii_lowercase());
        if seen.iter().any(|(other, text)| *other == algorithm && *text != value) {
            return Err(SdpError::Conflict(algorithm));
        }
        seen.push((algorithm, value));
    }
    let (_, value) = seen.iter().find(|(algorithm, _)| algorithm == "sha-256").ok_or(SdpError::NoSha256)?;
    hex(value).ok_or(SdpError::BadFingerprint)
}

/// The value of `a=NAME:VALUE`. The name in any case, so that a stricter reader than the stack's is not fooled.
fn attribute<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (key, value) = line.strip_prefix("a=")?.split_once(':')?;
    key.trim().eq_ignore_ascii_case(name).then_some(value)
}

/// Reads `ab:cd:…` with 32 pairs.
fn hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let mut pairs = text.split(':');
    for byte in &mut bytes {
        let pair = pairs.next().filter(|pair| pair.len() == 2 && pair.bytes().all(|c| c.is_ascii_hexdigit()))?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    pairs.next().is_none().then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(byte: &str, n: usize) -> String {
        vec![byte; n].join(":")
    }

    fn sdp(lines: &[String]) -> String {
        let mut text = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n".to_owned();
        for line in lines {
            text.push_str(line);
            text.push_str("\r\n");
        }
        text + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=sctp-port:5000\r\n"
    }

    fn sha256(byte: &str) -> String {
        format!("a=fingerprint:sha-256 {}", pairs(byte, 32))
    }

    #[test]
    fn reads_the_sha_256_fingerprint_among_others() {
        let text = sdp(&[
            format!("a=fingerprint:sha-512 {}", pairs("00", 64)),
            sha256("aB"),
            sha256("Ab"),
            "a=candidate:1 1 udp 1 127.0.0.1 9 typ host".into(),
        ]);
        assert_eq!(Description::parse(&text), Ok(Description { fingerprint: [0xab; 32], candidates: 1 }));
    }

    #[test]
    fn refuses_two_values_of_one_algorithm() {
        let text = sdp(&[sha256("ab"), sha256("cd")]);
        assert_eq!(Description::parse(&text), Err(SdpError::Conflict("sha-256".into())));
        let text = sdp(&[sha256("ab"), sha256("cd").replace("a=fingerprint:sha", "a=Fingerprint:SHA")]);
        assert_eq!(Description::parse(&text), Err(SdpError::Conflict("sha-256".into())));
    }

    #[test]
    fn refuses_what_has_no_sha_256() {
        assert_eq!(Description::parse(&sdp(&[])), Err(SdpError::NoSha256));
        let text = sdp(&[format!("a=fingerprint:sha-1 {}", pairs("ab", 20))]);
        assert_eq!(Description::parse(&text), Err(SdpError::NoSha256));
    }

    #[test]
    fn refuses_fingerprints_that_it_cannot_read() {
        for value in ["", "sha-256", &format!("sha-256 {}", pairs("ab", 31)), &format!("sha-256 {}", pairs("+1", 32))] {
            let text = sdp(&[format!("a=fingerprint:{value}")]);
            assert_eq!(Description::parse(&text), Err(SdpError::BadFingerprint), "{value}");
        }
    }

    #[test]
    fn refuses_more_than_one_media_section_or_another_kind() {
        let two = sdp(&[sha256("ab")]) + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n";
        assert_eq!(Description::parse(&two), Err(SdpError::Media));
        let audio = sdp(&[sha256("ab")]).replace("m=application", "m=audio");
        assert_eq!(Description::parse(&audio), Err(SdpError::Media));
    }

    #[test]
    fn bounds_size_candidates_and_fingerprints() {
        let long = sdp(&[sha256("ab"), "a=x:".to_owned() + &"x".repeat(MAX_LENGTH)]);
        assert_eq!(Description::parse(&long), Err(SdpError::TooLong(long.len())));
        let mut lines = vec!["a=candidate:1 1 udp 1 127.0.0.1 9 typ host".to_owned(); MAX_CANDIDATES];
        lines.push(sha256("ab"));
        assert_eq!(Description::parse(&sdp(&lines)).map(|d| d.candidates), Ok(MAX_CANDIDATES));
        lines.push(lines[0].clone());
        assert_eq!(Description::parse(&sdp(&lines)), Err(SdpError::Candidates));
        let lines = vec![sha256("ab"); MAX_FINGERPRINTS + 1];
        assert_eq!(Description::parse(&sdp(&lines)), Err(SdpError::Fingerprints));
        assert_eq!(Description::parse("hello"), Err(SdpError::NotSdp));
    }
}
