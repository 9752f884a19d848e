//! The numbers that local steps work on: [`Integers`] in the clear evaluator, and a ring's words on shares. One code serves both, so
//! that a share can never be rearranged otherwise than its value is.

use blindscan_arith::ring::Ring;

/// Numbers that local steps can add, scale and move. A word does not know its modulus; this does.
pub trait Numbers: Copy {
    /// One number, whose default is zero.
    type Word: Copy + Default;
    /// The word of an integer.
    fn of(self, integer: i64) -> Self::Word;
    /// Sum.
    fn plus(self, a: Self::Word, b: Self::Word) -> Self::Word;
    /// Multiple by a public factor.
    fn times(self, word: Self::Word, factor: u32) -> Self::Word;
}

/// Integers of 64 bits, which plans are checked to stay within.
#[derive(Clone, Copy, Debug)]
pub struct Integers;

impl Numbers for Integers {
    type Word = i64;
    fn of(self, integer: i64) -> i64 {
        integer
    }
    fn plus(self, a: i64, b: i64) -> i64 {
        a.wrapping_add(b)
    }
    fn times(self, word: i64, factor: u32) -> i64 {
        word.wrapping_mul(i64::from(factor))
    }
}

impl<R: Ring> Numbers for R {
    type Word = R::Word;
    #[inline]
    fn of(self, integer: i64) -> R::Word {
        self.of_signed(integer)
    }
    #[inline]
    fn plus(self, a: R::Word, b: R::Word) -> R::Word {
        self.add(a, b)
    }
    #[inline]
    fn times(self, word: R::Word, factor: u32) -> R::Word {
        self.mul(word, self.of_signed(factor.into()))
    }
}

#[cfg(test)]
mod tests {
    use blindscan_arith::ring::{PrimeField, Ring32, Ring64};

    use super::*;
    use crate::ir::Window;
    use crate::operators::Shapes;
    use crate::plan::{Add, Local, Scale, ScaleByPosition, SumPool};

    /// Every step that computes, on a tensor of 1 x 1 x 3 x 4, and its output's shape.
    fn steps() -> Vec<(Local, [usize; 4])> {
        let window = Window {
            kernel: vec![2; 2],
            strides: vec![1; 2],
            dilations: vec![1; 2],
            pads_begin: vec![0; 2],
            pads_end: vec![0; 2],
        };
        let factors = vec![vec![], vec![], vec![1, 2, 3], vec![5, 1, 1, 7]];
        vec![
            (Local::Add(Add { shift_left: [3, 1] }), [1, 1, 3, 4]),
            (Local::Scale(Scale { factor: 9 }), [1, 1, 3, 4]),
            (Local::ScaleByPosition(ScaleByPosition { factors, unit: 1 }), [1, 1, 3, 4]),
            (Local::SumPool(SumPool { window }), [1, 1, 2, 3]),
        ]
    }

    /// Two inputs, split into two shares each, give shares of what the integers give.
    fn shares_follow_values<R: Ring>(ring: R) {
        let values: [Vec<i64>; 2] = [(-6..6).collect(), (0..12).map(|i| 40 - 7 * i).collect()];
        let left = |i: i64| ring.of_signed(i.wrapping_mul(0x1234_5678_9abc_def1));
        for (step, output) in steps() {
            let shapes = Shapes { inputs: vec![&[1, 1, 3, 4]; 2], output: &output };
            let clear = step.words(Integers, &[&values[0], &values[1]], &shapes);
            let shared = |share: &dyn Fn(i64) -> R::Word| {
                let inputs = values.each_ref().map(|values| values.iter().map(|&x| share(x)).collect());
                let [one, two]: [Vec<R::Word>; 2] = inputs;
                step.words(ring, &[&one, &two], &shapes)
            };
            let (one, two) = (shared(&left), shared(&|x| ring.sub(ring.of_signed(x), left(x))));
            let joined = one.iter().zip(&two).map(|(a, b)| ring.to_signed(ring.add(*a, *b)));
            assert_eq!(joined.collect::<Vec<_>>(), clear, "{step:?}");
        }
    }

    #[test]
    fn shares_follow_their_values_modulo_powers_of_two_and_modulo_primes() {
        shares_follow_values(Ring32::new(20));
        shares_follow_values(Ring32::new(32));
        shares_follow_values(Ring64::new(64));
        shares_follow_values(PrimeField::new(65537));
        shares_follow_values(PrimeField::new((1 << 50) - 27));
    }
}
