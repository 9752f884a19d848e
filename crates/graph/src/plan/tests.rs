//! Plans refused, saved and read.
