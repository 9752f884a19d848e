//! Who takes part, suite by suite: set-up once per connection, then offline and online once per image.
//!
//! | suite | roles |
//! |---|---|
//! | two-party | [`ImageOwner`], [`ModelOwner`] |

pub use crate::phase::{Observer, Phase, Unobserved};
pub use crate::suite::two_party::{ImageOwner, ModelOwner};
