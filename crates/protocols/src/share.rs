//! Shares as a type: one party's summand of a secret vector.
//!
//! | what one does with a share | by what name |
//! |---|---|
//! | takes words into it | [`Share::of_words`], which moves them |
//! | computes on it where it is | [`Share::add`], [`Share::subtract`], [`Share::reduce`], [`ShareView::plus`], [`ShareView::minus`] |
//! | copies it, or a part of it | [`ShareView::copied`], [`Share::concat`] |
//! | looks at its words | [`Share::words`], [`ShareView::words`], [`Share::words_mut`] |
//!
//! A share has no shape and no modulus: the step that uses it knows both. Its words are those of a [`Module`], so that a word
//! may be a value alone or a value with its tag. Nothing takes the words out of a share but a copy.

use std::ops::Range;

use blindscan_arith::erase::Erased;
use blindscan_arith::ring::Module;

/// One party's share of a vector. Erased on drop.
///
/// It has no `Clone`, `Debug`, `PartialEq` or wire form, so that each copy and each print of a share is a call of a function
/// that says so:
/// ```compile_fail,E0599
/// let share = blindscan_protocols::share::Share::of_words(vec![1u32, 2]);
/// share.clone();
/// ```
/// ```compile_fail,E0277
/// let share = blindscan_protocols::share::Share::of_words(vec![1u32, 2]);
/// println!("{share:?}");
/// ```
/// ```compile_fail,E0369
/// let share = blindscan_protocols::share::Share::of_words(vec![1u32, 2]);
/// let _ = share == share;
/// ```
/// ```
/// let share = blindscan_protocols::share::Share::of_words(vec![1u32, 2]);
/// let copy = share.view().copied();
/// assert_eq!(share.words(), copy.words());
/// ```
pub struct Share<W: Copy + Default = u32>(Erased<W>);

/// A look at a share or at a part of it, which its owner keeps and erases. It prints nothing either:
/// ```compile_fail,E0277
/// let share = blindscan_protocols::share::Share::of_words(vec![1u32, 2]);
/// println!("{:?}", share.view());
/// ```
#[derive(Clone, Copy)]
pub struct ShareView<'a, W: Copy + Default = u32>(&'a [W]);

impl<W: Copy + Default> Share<W> {
    /// The share that consists of these words.
    pub fn of_words(words: Vec<W>) -> Self {
        Self(words.into())
    }

    /// A share of `count` zeros.
    pub fn zeros(count: usize) -> Self {
        Self(Erased::zeros(count))
    }

    /// Nothing yet, and room for `count` words.
    pub fn with_room(count: usize) -> Self {
        Self(Erased::with_room(count))
    }

    /// Appends a copy of a part.
    ///
    /// # Panics
    /// When there is no room: see [`Erased::append`].
    pub fn append(&mut self, part: ShareView<'_, W>) {
        self.0.append(part.0.iter().copied());
    }

    /// Copies of the parts, one after another.
    pub fn concat<'a>(parts: impl Iterator<Item = ShareView<'a, W>> + Clone) -> Self
    where
        W: 'a,
    {
        let mut whole = Self::with_room(parts.clone().map(ShareView::len).sum());
        parts.for_each(|part| whole.append(part));
        whole
    }

    /// Number of words.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A look at all of it.
    #[inline]
    pub fn view(&self) -> ShareView<'_, W> {
        ShareView(&self.0)
    }

    /// A look at a part.
    pub fn part(&self, range: Range<usize>) -> ShareView<'_, W> {
        ShareView(&self.0[range])
    }

    /// The words themselves.
    #[inline]
    pub fn words(&self) -> &[W] {
        &self.0
    }

    /// The words themselves, to be changed in their place.
    #[inline]
    pub fn words_mut(&mut self) -> &mut [W] {
        &mut self.0
    }

    /// Adds another share.
    ///
    /// # Panics
    /// When the lengths differ, as in all that follows.
    #[inline]
    pub fn add<M: Module<Word = W>>(&mut self, ring: M, other: ShareView<'_, W>) {
        self.update(other, |a, b| ring.add(a, b));
    }

    /// Subtracts another share.
    #[inline]
    pub fn subtract<M: Module<Word = W>>(&mut self, ring: M, other: ShareView<'_, W>) {
        self.update(other, |a, b| ring.sub(a, b));
    }

    /// Brings every word to its representative.
    #[inline]
    pub fn reduce<M: Module<Word = W>>(&mut self, ring: M) {
        self.0.iter_mut().for_each(|word| *word = ring.reduce(*word));
    }

    #[inline]
    fn update(&mut self, other: ShareView<'_, W>, change: impl Fn(W, W) -> W) {
        assert_eq!(self.len(), other.len(), "shares of one length");
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word = change(*word, *other));
    }
}

impl<'a, W: Copy + Default> ShareView<'a, W> {
    /// Number of words.
    pub fn len(self) -> usize {
        self.0.len()
    }

    /// True when there are none.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// A look at a part.
    pub fn part(self, range: Range<usize>) -> Self {
        Self(&self.0[range])
    }

    /// The words themselves.
    #[inline]
    pub fn words(self) -> &'a [W] {
        self.0
    }

    /// A share of its own with the same words.
    pub fn copied(self) -> Share<W> {
        Share::of_words(self.0.to_vec())
    }

    /// The sum with another share.
    #[inline]
    pub fn plus<M: Module<Word = W>>(self, ring: M, other: Self) -> Share<W> {
        self.with(other, |a, b| ring.add(a, b))
    }

    /// The difference to another share.
    #[inline]
    pub fn minus<M: Module<Word = W>>(self, ring: M, other: Self) -> Share<W> {
        self.with(other, |a, b| ring.sub(a, b))
    }

    #[inline]
    fn with(self, other: Self, join: impl Fn(W, W) -> W) -> Share<W> {
        assert_eq!(self.len(), other.len(), "shares of one length");
        Share::of_words(self.0.iter().zip(other.0).map(|(a, b)| join(*a, *b)).collect())
    }
}

#[cfg(test)]
mod tests {
    use blindscan_arith::ring::{PrimeField, Ring32};

    use super::*;

    #[test]
    fn local_arithmetic_is_that_of_the_ring() {
        let ring = Ring32::new(4);
        let (a, b) = (Share::of_words(vec![15, 3, 0]), Share::of_words(vec![2, 5, 1]));
        assert_eq!(a.view().plus(ring, b.view()).words(), [1, 8, 1]);
        assert_eq!(a.view().minus(ring, b.view()).words(), [13, 14, 15]);
        let mut sum = a.view().copied();
        sum.add(ring, b.view());
        sum.subtract(ring, a.view());
        assert_eq!(sum.words(), b.words());
        let mut wide = Share::of_words(vec![16, 33]);
        wide.reduce(ring);
        assert_eq!(wide.words(), [0, 1]);
        let field = PrimeField::new(67);
        let (a, b) = (Share::of_words(vec![66u64]), Share::of_words(vec![2u64]));
        assert_eq!(a.view().plus(field, b.view()).words(), [1]);
    }

    #[test]
    fn parts_are_put_together_in_order() {
        let share = Share::of_words(vec![1, 2, 3, 4]);
        let turned = Share::concat([share.part(2..4), share.view().part(0..2)].into_iter());
        assert_eq!(turned.words(), [3, 4, 1, 2]);
        assert!(Share::<u32>::zeros(0).is_empty() && Share::<u64>::zeros(3).len() == 3);
    }

    #[test]
    #[should_panic(expected = "shares of one length")]
    fn shares_of_two_lengths_do_not_meet() {
        Share::zeros(2).add(Ring32::new(8), Share::zeros(3).view());
    }
}
