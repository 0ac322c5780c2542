//! The whole system over real sockets and real processes, and checks on the repository itself.
//!
//! | variable | what |
//! |---|---|
//! | `SLEAP_RTC_TEST_TRAINER` | a `sleap-nn`: the tests of the real trainer run, which else say that they were skipped |
//! | `SLEAP_RTC_TEST_PYTHON` | a Python with `examples/pytest/requirements.txt`: the tests of the pytest example run |
//! | `SLEAP_RTC_TEST_PYTHON_PEERS` | a Python with `examples/python-peers/requirements.txt`: the tests of today's Python programs run |
//! | `SLEAP_RTC_COMPAT_STEPS` | a file to which those write a line about each of their steps |
//! | `SLEAP_RTC_COMPAT_LONG` | those take as long as it needs: 100 rounds of the race, ten minutes of idling |
//! | `CI` | nothing may be skipped |
//! | `SLEAP_RTC_E2E_PROGRAM` | the `sleap-rtc` to test, instead of the one that cargo has built |
//! | `SLEAP_RTC_E2E_LOG` | the programs' log level; what they say is printed if a test fails |
//!
//! Most of these tests wait for other processes: `--test-threads 8` makes them twice as fast.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod bad_input;
mod compat;
mod demo;
mod free_at;
mod from_the_original;
mod gpus;
mod house;
mod main_job;
mod original_path;
mod people;
mod race;
mod real;
mod regressions;
mod secrets;
mod survives;
mod tidy;
mod trainer;
