//! Stands in for `sleap-nn` in the ordinary tests; see `sleap_rtc_e2e::standin`.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    sleap_rtc_e2e::standin::main(std::env::args().collect()).await
}
