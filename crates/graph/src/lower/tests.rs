//! Which steps a graph becomes.
