//! The program that workers train with, `sleap-nn`: where it is, and how it gets there.

mod find;
mod install;
mod plan;
mod python;

pub use find::{Origin, Trainer, default_dir, find, marker};
pub use install::install;
pub(crate) use install::may_replace;
pub use plan::{Plan, Recipe, SLEAP_NN};
