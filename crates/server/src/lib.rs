//! Sockets to rooms: HTTP and WebSocket shell.
