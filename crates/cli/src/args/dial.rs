//! The command line of how the server is reached.

use std::path::PathBuf;

use clap::Args;

/// Which server, and what is believed of it.
#[derive(Clone, Debug, Default, Args)]
pub struct Dial {
    /// Address of the server, e.g. http://admin-box:8001 [env: SLEAP_RTC_SERVER]
    #[arg(long, value_name = "URL", help_heading = "Server")]
    pub server: Option<String>,
    /// File with the certificate of the server or its authority, if this machine does not know it [env: SLEAP_RTC_CA]
    #[arg(long, value_name = "FILE", help_heading = "Server")]
    pub ca: Option<PathBuf>,
    /// Talk to a server outside your network without encryption [env: SLEAP_RTC_INSECURE]
    #[arg(long, help_heading = "Server")]
    pub insecure: bool,
}
