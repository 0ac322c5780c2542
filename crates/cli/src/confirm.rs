//! The yes that it takes to end something for good, or to let somebody in.

use crate::errors::{CliError, CliResult};
use crate::exit::Exit;
use crate::printer::Printer;

/// Goes on after a yes only. `kept` says what did not happen without one; `command` does it without a question.
pub(crate) fn confirmed(question: &str, kept: &str, command: &str, printer: Printer) -> CliResult {
    let error = || CliError::new(Exit::Usage, kept);
    match printer.ask(question) {
        Some(true) => Ok(()),
        Some(false) => Err(error().cause("you said no")),
        None => Err(error().cause("this needs a yes, and there is no terminal to ask on").hint(command)),
    }
}
