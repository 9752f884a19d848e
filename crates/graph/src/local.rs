//! The words that local steps work on: `i64` in the clear evaluator and `u32` modulo 2^32 on shares. One code serves both, so
//! that a share can never be rearranged otherwise than its value is.

/// An integer that local steps can add, scale and move.
pub trait Word: Copy + Default {
    /// The residue of an integer.
    fn of(integer: i64) -> Self;
    /// Sum; wraps on shares.
    fn plus(self, other: Self) -> Self;
    /// Multiple by a public factor; wraps on shares.
    fn times(self, factor: u32) -> Self;
}

impl Word for u32 {
    fn of(integer: i64) -> Self {
        // A negative number's low bits are its residue.
        integer as u32
    }
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }
    fn times(self, factor: u32) -> Self {
        self.wrapping_mul(factor)
    }
}

impl Word for i64 {
    fn of(integer: i64) -> Self {
        integer
    }
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }
    fn times(self, factor: u32) -> Self {
        self.wrapping_mul(i64::from(factor))
    }
}
