//! Integer convolution and dense layers, modulo 2^32 and exact in 64 bits.
//!
//! [`convolve_wrapping`] is what the online phase spends its time on: weights and inputs are secrets, so nothing here looks
//! at a value, and the running time depends on the shape alone. [`convolve_exact`] serves the clear evaluation and may look.

mod flat;
mod kernel;
#[cfg(test)]
mod tests;

/// Geometry of a linear layer: a grouped convolution over 0 to 3 spatial axes, or (no spatial axis) a dense layer on rows.
///
/// Input is (in_channels, spatial...) row major; a dense layer's is (rows, in_channels). Weight is
/// (out_channels, in_channels / groups, kernel...). Output is (out_channels, output spatial...); dense (rows, out_channels).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LinearShape {
    /// Spatial extents of the input.
    pub input_size: Vec<usize>,
    /// Extent of the window; one entry per spatial axis, as in all that follow.
    pub kernel: Vec<usize>,
    /// Step between windows.
    pub strides: Vec<usize>,
    /// Step between taps.
    pub dilations: Vec<usize>,
    /// Zeros before each axis.
    pub pads_begin: Vec<usize>,
    /// Zeros behind each axis.
    pub pads_end: Vec<usize>,
    /// Input channels or features.
    pub in_channels: usize,
    /// Output channels or features.
    pub out_channels: usize,
    /// Groups; in_channels and out_channels are multiples.
    pub groups: usize,
    /// Rows of a dense layer; 1 for convolutions.
    pub rows: usize,
}

impl LinearShape {
    /// Output extent of spatial axis `axis`.
    pub fn output_extent(&self, axis: usize) -> usize {
        let span = (self.kernel[axis] - 1) * self.dilations[axis] + 1;
        let padded = self.input_size[axis] + self.pads_begin[axis] + self.pads_end[axis];
        if padded < span { 0 } else { (padded - span) / self.strides[axis] + 1 }
    }

    /// Output spatial extents.
    pub fn output_size(&self) -> Vec<usize> {
        (0..self.input_size.len()).map(|axis| self.output_extent(axis)).collect()
    }

    /// Elements of the input.
    pub fn input_count(&self) -> usize {
        self.rows * self.in_channels * self.input_size.iter().product::<usize>()
    }

    /// Elements of the output.
    pub fn output_count(&self) -> usize {
        self.rows * self.out_channels * self.output_size().iter().product::<usize>()
    }

    /// Elements of the weight.
    pub fn weight_count(&self) -> usize {
        self.out_channels * (self.in_channels / self.groups) * self.kernel.iter().product::<usize>()
    }

    /// Multiplications and additions.
    pub fn macs(&self) -> u64 {
        (self.output_count() as u64) * (self.weight_count() / self.out_channels) as u64
    }
}

/// `weight * input` modulo 2^32, without bias. Time and memory accesses depend on `shape` alone.
///
/// # Panics
/// When a length disagrees with `shape`: plans are checked before their layers are run.
pub fn convolve_wrapping(shape: &LinearShape, weight: &[i32], input: &[u32]) -> Vec<u32> {
    assert_lengths(shape, weight.len(), input.len());
    let weight: &[u32] = bytemuck::cast_slice(weight);

    kernel::convolve(shape, weight, input)
}

/// `weight * input` in 64-bit integers, without bias; modulo 2^64 should a sum ever leave them.
///
/// Looks at the values: when every sum fits 32 bits the faster narrow kernel is used. Only for evaluation in the clear.
///
/// # Panics
/// When a length disagrees with `shape`: plans are checked before their layers are run.
pub fn convolve_exact(shape: &LinearShape, weight: &[i32], input: &[i64]) -> Vec<i64> {
    assert_lengths(shape, weight.len(), input.len());
    if fits_32_bits(shape, weight, input) {
        let narrow: Vec<u32> = input.iter().map(|&x| x as u32).collect();
        let sums = convolve_wrapping(shape, weight, &narrow);
        return sums.into_iter().map(|word| i64::from(word as i32)).collect();
    }
    let wide: Vec<u64> = weight.iter().map(|&w| i64::from(w) as u64).collect();
    let sums = kernel::convolve::<u64>(shape, &wide, bytemuck::cast_slice(input));

    sums.into_iter().map(|word| word as i64).collect()
}

/// Whether no sum of this layer on this input leaves the signed 32-bit integers, by the L1 norm of each output's weights.
fn fits_32_bits(shape: &LinearShape, weight: &[i32], input: &[i64]) -> bool {
    let per_output = weight.len() / shape.out_channels.max(1);
    let norm_of = |row: &[i32]| row.iter().map(|w| u128::from(w.unsigned_abs())).sum::<u128>();
    let norm = weight.chunks(per_output.max(1)).map(norm_of).max().unwrap_or(0);
    let largest = input.iter().map(|x| x.unsigned_abs()).max().unwrap_or(0);

    largest < 1 << 31 && norm * u128::from(largest) < 1 << 31
}

fn assert_lengths(shape: &LinearShape, weights: usize, inputs: usize) {
    assert_eq!(weights, shape.weight_count(), "a layer has as many weights as its shape says");
    assert_eq!(inputs, shape.input_count(), "a layer's input has the size that its shape says");
}
