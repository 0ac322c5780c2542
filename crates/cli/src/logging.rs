//! What operators read, on standard error. `SLEAP_RTC_LOG` says how much: `warn` unless it is set; `info` for a server that
//! is watched, `debug` for a report, or any filter of the form `sleap_rtc_server=debug,warn`.

use tracing_subscriber::EnvFilter;

use crate::printer::Printer;

/// Starts to log.
pub(crate) fn start(printer: Printer) {
    let filter = EnvFilter::try_from_env("SLEAP_RTC_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(printer.color())
        .try_init();
    // A second start is a test in the same process; the first one's settings stay.
    drop(started);
}
