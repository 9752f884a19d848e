//! Integer convolution and dense layers, modulo 2^32 and exact in 64 bits.

/// Geometry of a linear layer: a grouped convolution over 0 to 3 spatial axes, or (no spatial axis) a dense layer on rows.
///
/// Input is (in_channels, spatial...) row major; a dense layer's is (rows, in_channels). Weight is
/// (out_channels, in_channels / groups, kernel...). Output is (out_channels, output spatial...); dense (rows, out_channels).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LinearShape {
    /// Spatial extents of the input.
    pub input_size: Vec<usize>,
    /// Extent of the window; one entry a spatial axis, as in all that follow.
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
