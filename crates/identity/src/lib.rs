//! Who is asking: the port and its embedded adapter, local keys.
