//! Channels spread over positions.

use serde::{Deserialize, Serialize};

use super::{
    Addition, Bound, Fit, HasSecret, Load, LocalOperator, Operator, OutputUnit, Shapes, Unit, shapes,
};
use crate::local::Numbers;
use crate::movement;
use crate::plan::{Secret, Step};

/// Rearranges (1, r1*..*rk*M, spatial) into (1, M, spatial*r): what is left of a transposed convolution whose stride is
/// its kernel. Input channel index is ((m * r1 + a1) * r2 + a2).., output position s*r + a.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PixelShuffle {
    /// One per spatial axis.
    pub factors: Vec<usize>,
}

impl Operator for PixelShuffle {
    fn name(&self) -> &'static str {
        "pixel shuffle"
    }

    fn numbers(&self) -> String {
        String::new()
    }

    fn input_count(&self) -> usize {
        1
    }

    fn output_shape(&self, inputs: &[&[usize]], _: &[usize]) -> Result<Vec<usize>, String> {
        let (factors, input) = (&self.factors, inputs[0]);
        shapes::check_factors(factors, input)?;
        let block =
            factors.iter().try_fold(1usize, |product, &f| product.checked_mul(f)).unwrap_or(usize::MAX);
        if !input[1].is_multiple_of(block) {
            return Err(format!("{} channels cannot be spread over blocks of {block}", input[1]));
        }
        let mut shape = vec![input[0], input[1] / block];
        shape.extend(input[2..].iter().zip(factors).map(|(size, factor)| size.saturating_mul(*factor)));
        Ok(shape)
    }

    fn check_numbers(&self) -> Result<(), String> {
        Ok(())
    }

    fn meaning(&self, inputs: &[Unit]) -> OutputUnit {
        OutputUnit::Is(inputs[0])
    }

    fn bound(&self, inputs: &[Bound], _: Option<&Secret>) -> Bound {
        inputs[0]
    }

    fn load(&self, _: &[&[usize]], _: &[usize]) -> Load {
        Load::default()
    }

    fn secrets(&self) -> Option<&dyn HasSecret> {
        None
    }

    fn fitted(&self, fit: &Fit<'_>) -> (Step, Unit) {
        (self.clone().into(), fit.inputs[0])
    }

    fn addition(&self) -> Addition<'_> {
        Addition::Moves
    }
}

impl LocalOperator for PixelShuffle {
    fn words<N: Numbers>(&self, _: N, inputs: &[&[N::Word]], shapes: &Shapes<'_>) -> Vec<N::Word> {
        spread(inputs[0], shapes.inputs[0], &self.factors)
    }

    fn addend(&self, _: &Shapes<'_>, _: Option<&Secret>) -> Option<Vec<i64>> {
        None
    }
}

/// Channels are (m, block...), and each block axis moves behind its spatial axis.
fn spread<W: Copy + Default>(input: &[W], shape: &[usize], factors: &[usize]) -> Vec<W> {
    let (rank, blocks) = (factors.len(), factors.iter().product::<usize>());
    let apart = [&[shape[0], shape[1] / blocks], factors, &shape[2..]].concat();
    let perm: Vec<usize> =
        [0, 1].into_iter().chain((0..rank).flat_map(|axis| [2 + rank + axis, 2 + axis])).collect();
    movement::transpose(input, &apart, &perm)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::Integers;

    #[test]
    fn pixel_shuffle_spreads_channels_over_positions() {
        // Channels (m, a1, a2) with m = 0..1 and 2x2 blocks of a 1x2 image.
        let input: Vec<i64> = (0..8).collect();
        let shapes = Shapes { inputs: vec![&[1, 4, 1, 2]], output: &[1, 1, 2, 4] };
        let out = PixelShuffle { factors: vec![2, 2] }.words(Integers, &[&input], &shapes);
        assert_eq!(out, [0, 2, 1, 3, 4, 6, 5, 7]);
    }
}
