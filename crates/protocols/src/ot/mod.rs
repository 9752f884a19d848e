//! Oblivious transfer: base OT, extension to correlated OT, and pads made of it.

#[cfg(any(test, feature = "dealer"))]
pub mod dealer;
#[cfg(any(test, feature = "dealer"))]
pub mod ideal;
pub mod pads;
