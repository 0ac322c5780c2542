//! How things with a secret in them are printed.

/// `Debug` of a struct with only the fields named: the others are secrets, which must not reach a log.
macro_rules! debug_only {
    ($name:ident { $($field:ident),+ $(,)? }) => {
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name))$(.field(stringify!($field), &self.$field))+.finish_non_exhaustive()
            }
        }
    };
}

pub(crate) use debug_only;
