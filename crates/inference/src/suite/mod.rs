//! The suites: each a room of its own.
//!
//! * [`two_party`]: the image owner and the model owner, exact, with homomorphic linear layers and comparisons by transfers.

pub(crate) mod two_party;
