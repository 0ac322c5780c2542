use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;

/// Makes a file that is created with these options readable by its owner only.
pub(crate) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600)
}
