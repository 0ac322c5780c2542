//! What the operating system wants to be told.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{private, private_folder};

/// Makes a file that is created with these options readable by its owner only, where the system knows modes.
#[cfg(not(unix))]
pub(crate) fn private(options: &mut std::fs::OpenOptions) -> &mut std::fs::OpenOptions {
    options
}

/// Makes a folder and those above it, readable by its owner only, where the system knows modes.
#[cfg(not(unix))]
pub(crate) fn private_folder(path: &std::path::Path) -> std::io::Result<()> {
    std::fs::create_dir_all(path)
}
