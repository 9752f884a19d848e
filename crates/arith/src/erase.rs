//! Secrets that are overwritten before their memory is given back.
//!
//! What shares, pads, planes of bits and sections of a stock are overwritten by. Zeros are written at the speed of
//! `fill` and kept by a barrier, where `zeroize` writes one item of a vector after another.

/// Overwrites items with their default, which for numbers is zero; the compiler keeps the writes.
#[inline]
pub fn erase<T: Copy + Default>(items: &mut [T]) {
    items.fill(T::default());
    zeroize::optimization_barrier(items);
}

/// A vector that is erased when it is dropped, and never leaves a copy behind: it cannot grow beyond the room it was made
/// with, it is not `Clone`, and it prints nothing.
///
/// ```compile_fail,E0599
/// # use blindscan_arith::erase::Erased;
/// let secret = Erased::from(vec![1u32, 2]);
/// secret.clone();
/// ```
/// ```compile_fail,E0277
/// # use blindscan_arith::erase::Erased;
/// let secret = Erased::from(vec![1u32, 2]);
/// println!("{secret:?}");
/// ```
/// What these two would do with the items themselves is written out:
/// ```
/// # use blindscan_arith::erase::Erased;
/// let secret = Erased::from(vec![1u32, 2]);
/// let copy = secret.to_vec();
/// println!("{:?}", &secret[..]);
/// # assert_eq!(copy, &secret[..]);
/// ```
pub struct Erased<T: Copy + Default>(Vec<T>);

impl<T: Copy + Default> Erased<T> {
    /// `count` defaults: zeros.
    pub fn zeros(count: usize) -> Self {
        Self(vec![T::default(); count])
    }

    /// Nothing yet, and room for `count` items.
    pub fn with_room(count: usize) -> Self {
        Self(Vec::with_capacity(count))
    }

    /// Appends items.
    ///
    /// # Panics
    /// When there is no room: the vector would move and leave its old place as it is.
    pub fn append<I: IntoIterator<Item = T, IntoIter: ExactSizeIterator>>(&mut self, items: I) {
        let items = items.into_iter();
        assert!(self.0.len() + items.len() <= self.0.capacity(), "a secret vector does not move");
        self.0.extend(items);
    }
}

impl<T: Copy + Default> From<Vec<T>> for Erased<T> {
    fn from(items: Vec<T>) -> Self {
        Self(items)
    }
}

impl<T: Copy + Default> std::ops::Deref for Erased<T> {
    type Target = [T];
    #[inline]
    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Copy + Default> std::ops::DerefMut for Erased<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

impl<T: Copy + Default> Drop for Erased<T> {
    #[inline]
    fn drop(&mut self) {
        erase(&mut self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_of_erased_items() {
        let mut words = vec![0x5ec2_e75a_u32; 1000];
        erase(&mut words);
        assert_eq!(words, [0; 1000]);
    }

    #[test]
    fn items_are_appended_within_the_room() {
        let mut secret = Erased::with_room(5);
        secret.append([1u8, 2]);
        secret.append(vec![3, 4, 5]);
        assert_eq!(*secret, [1, 2, 3, 4, 5]);
    }

    #[test]
    #[should_panic(expected = "does not move")]
    fn a_vector_without_room_is_not_moved() {
        let mut secret = Erased::from(Vec::with_capacity(4));
        secret.append([1u64; 5]);
    }
}
