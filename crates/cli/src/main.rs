//! The program `sleap-rtc`.

fn main() -> std::process::ExitCode {
    sleap_rtc_cli::run()
}
