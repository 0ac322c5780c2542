//! The program `sleap-rtc`.
fn main() {}
