//! The adapters, and how a suite runs on each of them. A new adapter adds one line here.

use std::sync::Arc;

use sleap_rtc_store::{Memory, Sqlite, Store};

pub(crate) fn in_memory() -> (Arc<dyn Store>, ()) {
    (Arc::new(Memory::default()), ())
}

pub(crate) fn in_a_file() -> (Arc<dyn Store>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Arc::new(Sqlite::open(&folder.path().join("server.sqlite")).unwrap()), folder)
}

macro_rules! on_one_adapter {
    ($name:ident, $store:ident, [$($case:ident,)+]) => {
        mod $name {
            $(
                #[tokio::test]
                async fn $case() {
                    let (store, _folder) = crate::adapters::$store();
                    super::$case(store).await;
                }
            )+
        }
    };
}

macro_rules! on_every_adapter {
    [$($case:ident,)+] => {
        crate::adapters::on_one_adapter!(memory, in_memory, [$($case,)+]);
        crate::adapters::on_one_adapter!(sqlite, in_a_file, [$($case,)+]);
    };
}

pub(crate) use {on_every_adapter, on_one_adapter};
