//! What must be remembered: the port and its embedded adapter, SQLite.
