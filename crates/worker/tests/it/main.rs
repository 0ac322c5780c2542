//! The worker's pure parts. Processes and sockets are tried in the package `sleap-rtc-e2e`.

mod trainer;
