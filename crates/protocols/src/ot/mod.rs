//! Oblivious transfer: base OT, extension to correlated OT, and pads made of it.

pub mod pads;
