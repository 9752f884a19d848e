//! Grey values in the smallest type that holds them.

use std::fmt;

use crate::kind::{GreyKind, KnownBy};

/// Grey values, first axis fastest, in the smallest type that holds them exactly.
#[derive(Clone, PartialEq)]
pub enum Voxels {
    /// Whole numbers from 0 to 255.
    U8(Vec<u8>),
    /// Whole numbers of 16 bits with sign.
    I16(Vec<i16>),
    /// Anything else; integers beyond 2^24 are rounded.
    F32(Vec<f32>),
}

impl Voxels {
    /// Takes the smallest type that holds all values exactly.
    pub fn compact(values: Vec<f32>) -> Voxels {
        if values.iter().all(|&v| v as u8 as f32 == v) {
            return Voxels::U8(values.into_iter().map(|v| v as u8).collect());
        }
        if values.iter().all(|&v| v as i16 as f32 == v) {
            return Voxels::I16(values.into_iter().map(|v| v as i16).collect());
        }
        Voxels::F32(values)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Voxels::U8(v) => v.len(),
            Voxels::I16(v) => v.len(),
            Voxels::F32(v) => v.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One value.
    pub fn get(&self, index: usize) -> f32 {
        match self {
            Voxels::U8(v) => f32::from(v[index]),
            Voxels::I16(v) => f32::from(v[index]),
            Voxels::F32(v) => v[index],
        }
    }

    /// The smallest and the largest value; zeros where there are no voxels.
    pub fn range(&self) -> (f32, f32) {
        fn ends<T: Copy + PartialOrd + Default>(values: &[T]) -> (T, T) {
            let first = values.first().copied().unwrap_or_default();
            values.iter().fold((first, first), |(low, high), &v| {
                (if v < low { v } else { low }, if v > high { v } else { high })
            })
        }
        match self {
            Voxels::U8(v) => (ends(v).0.into(), ends(v).1.into()),
            Voxels::I16(v) => (ends(v).0.into(), ends(v).1.into()),
            Voxels::F32(v) => ends(v),
        }
    }

    /// How many values are no numbers.
    pub(crate) fn not_finite(&self) -> usize {
        match self {
            Voxels::F32(v) => v.iter().filter(|x| !x.is_finite()).count(),
            _ => 0,
        }
    }

    /// Strings parts together, in the smallest type that holds them all.
    pub(crate) fn concat(parts: Vec<Voxels>) -> Voxels {
        let count = parts.iter().map(Voxels::len).sum();
        if parts.iter().all(|p| matches!(p, Voxels::U8(_))) {
            let mut all = Vec::with_capacity(count);
            for part in parts {
                all.extend((0..part.len()).map(|i| part.get(i) as u8));
            }
            return Voxels::U8(all);
        }
        if parts.iter().all(|p| !matches!(p, Voxels::F32(_))) {
            let mut all = Vec::with_capacity(count);
            for part in parts {
                all.extend((0..part.len()).map(|i| part.get(i) as i16));
            }
            return Voxels::I16(all);
        }
        let mut all = Vec::with_capacity(count);
        for part in parts {
            all.extend((0..part.len()).map(|i| part.get(i)));
        }
        Voxels::F32(all)
    }

    /// The kind as far as values alone tell, and why.
    pub(crate) fn guess_kind(&self) -> (GreyKind, KnownBy) {
        let (kind, reason) = match self {
            Voxels::U8(_) => (GreyKind::EightBit, "all its values are whole numbers from 0 to 255"),
            _ if self.range().0 < -500.0 => {
                (GreyKind::Hounsfield, "it has values below -500, as a CT's air has")
            }
            _ => (GreyKind::Other, "it has values beyond 0 to 255, but none below -500 as a CT's air has"),
        };
        (kind, KnownBy::Guess(reason))
    }
}

impl fmt::Debug for Voxels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Voxels::U8(_) => "U8",
            Voxels::I16(_) => "I16",
            Voxels::F32(_) => "F32",
        };
        write!(f, "Voxels::{name}({} values, not shown)", self.len())
    }
}

/// The smallest and the largest; zeros where there are none.
pub(crate) fn ends(values: impl Iterator<Item = f32>) -> (f32, f32) {
    let wider =
        |ends: Option<(f32, f32)>, v: f32| Some(ends.map_or((v, v), |(low, high)| (low.min(v), high.max(v))));
    values.fold(None, wider).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_take_the_smallest_type_that_holds_them() {
        assert_eq!(Voxels::compact(vec![0.0, 255.0]), Voxels::U8(vec![0, 255]));
        assert_eq!(Voxels::compact(vec![-1.0, 256.0]), Voxels::I16(vec![-1, 256]));
        assert_eq!(Voxels::compact(vec![0.5]), Voxels::F32(vec![0.5]));
        assert_eq!(Voxels::compact(vec![40000.0]), Voxels::F32(vec![40000.0]));
        assert_eq!(Voxels::compact(vec![f32::NAN]).not_finite(), 1);
    }

    #[test]
    fn the_kind_is_guessed_from_the_values() {
        assert_eq!(Voxels::U8(vec![3]).guess_kind().0, GreyKind::EightBit);
        assert_eq!(Voxels::I16(vec![-1000, 40]).guess_kind().0, GreyKind::Hounsfield);
        assert_eq!(Voxels::I16(vec![-3, 400]).guess_kind().0, GreyKind::Other);
    }

    #[test]
    fn parts_are_strung_together_in_a_type_that_holds_them_all() {
        let parts = vec![Voxels::U8(vec![1]), Voxels::I16(vec![-2])];
        assert_eq!(Voxels::concat(parts), Voxels::I16(vec![1, -2]));
        let parts = vec![Voxels::U8(vec![1]), Voxels::F32(vec![0.5])];
        assert_eq!(Voxels::concat(parts), Voxels::F32(vec![1.0, 0.5]));
    }
}
