//! A polynomial modulo one prime: residues aligned to cache lines.

use bytemuck::{Pod, Zeroable};

use crate::erase::erase;

/// Eight words on one cache line, one vector register wide.
#[derive(Clone, Copy, Default, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([u64; 8]);

/// Residues of one polynomial, as a slice of words that starts on a cache line. Erased on drop.
#[derive(Clone)]
pub struct Residues {
    lines: Vec<Line>,
}

impl Residues {
    /// `degree` zeros.
    ///
    /// # Panics
    /// When `degree` is not a multiple of eight; transforms have powers of two.
    pub fn zeros(degree: usize) -> Self {
        assert!(degree.is_multiple_of(8), "a polynomial fills whole cache lines");
        Self { lines: vec![Line([0; 8]); degree / 8] }
    }

    /// Residues made one by one.
    pub fn from_fn(degree: usize, mut residue: impl FnMut(usize) -> u64) -> Self {
        let mut residues = Self::zeros(degree);
        for (i, value) in residues.iter_mut().enumerate() {
            *value = residue(i);
        }
        residues
    }
}

impl std::ops::Deref for Residues {
    type Target = [u64];
    #[inline]
    fn deref(&self) -> &[u64] {
        bytemuck::cast_slice(&self.lines)
    }
}

impl std::ops::DerefMut for Residues {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u64] {
        bytemuck::cast_slice_mut(&mut self.lines)
    }
}

impl Drop for Residues {
    fn drop(&mut self) {
        erase(&mut self.lines);
    }
}

impl std::fmt::Debug for Residues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Residues({})", self.len())
    }
}
