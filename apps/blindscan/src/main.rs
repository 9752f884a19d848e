//! The one program people install.
fn main() {}
