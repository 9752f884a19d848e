//! Where inputs, weights and answers of a linear layer lie in polynomials. Pure functions of the public shape.
//!
//! One product of a tile (C channels of H x W values) and a kernel polynomial computes a convolution, for in
//! Z\[X\]/(X^N + 1) the term X^i of the one and X^j of the other meet at X^(i+j). With A = H*W, windows of h x h,
//! step s, and O = A*(C-1) + W*(h-1) + (h-1):
//!
//! | what | coefficient |
//! |---|---|
//! | input (c, i, j) | c*A + i*W + j |
//! | weight (m, c, a, b) | m*C*A + O - c*A - a*W - b |
//! | answer (m, i, j) | m*C*A + O + i*s*W + j*s |
//!
//! M*C*A <= N keeps what wraps round below O, where no answer lies. The same code serves any number of axes:
//! - a dense layer is a convolution over its rows with windows of one;
//! - dilation spreads the taps; tiles overlap by what a window spans;
//! - an axis may be *unfolded*: each tap on it becomes a channel of its own, which reads the input shifted. Then no
//!   coefficient is spent on positions between strides, and windows of any span fit.
//!
//! Groups are layers of their own, side by side. Several small ones share polynomials: together they are one layer whose weights
//! between different groups are zero, and M*C*A <= N holds with the channels of all of them. Of G groups of one channel that is
//! G * G * A <= N, so a depthwise layer on 16 x 16 values takes a quarter of the ciphertexts that it would take alone.
//! Sources: Huang, Lu, Hong, Ding, "Cheetah", USENIX Security 2022,
//! section 3; the unfolding is im2col on chosen axes.

use blindscan_arith::conv::LinearShape;
use thiserror::Error;

mod search;

/// Why a layer cannot be packed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PackingError {
    /// The lists of the shape have different lengths.
    #[error(
        "a layer over {expected} axes has a list of {found} entries (kernel, strides, dilations or padding)"
    )]
    Axes {
        /// Spatial axes of the input.
        expected: usize,
        /// Length of the list that differs.
        found: usize,
    },
    /// More spatial axes than three.
    #[error("a layer over {0} axes; at most three are supported")]
    Rank(usize),
    /// An extent, stride, dilation or count is zero, or channels are no multiple of groups.
    #[error("a layer has no {0}: the shape is empty or its groups do not divide its channels")]
    Empty(&'static str),
    /// Rows belong to dense layers.
    #[error("a convolution has {0} rows; only a dense layer has more than one")]
    Rows(usize),
    /// The counts of the shape do not fit the machine's words.
    #[error("a layer is too large: its counts do not fit in 40 bits")]
    TooLarge,
}

/// A value's place in a polynomial, and in the tensor it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Index of the coefficient.
    pub coefficient: usize,
    /// Index in the input, weight or output.
    pub element: usize,
}

impl Place {
    fn new(coefficient: usize, element: usize) -> Self {
        Self { coefficient, element }
    }
}

/// A bundle of groups and a tile of it: what is computed together. Has `channel_blocks` input ciphertexts and `output_blocks` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Number of the bundle: of the groups that share polynomials.
    pub bundle: usize,
    /// Number of the tile, row major over the axes.
    pub tile: usize,
}

/// Most spatial axes of a layer. Layers of fewer get axes of extent one in front.
const AXES: usize = 3;

/// One axis of the layer.
#[derive(Clone, Copy, Debug)]
struct Axis {
    input: usize,
    outputs: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    pad_begin: usize,
    /// Elements between neighbours on the axis.
    input_step: usize,
    output_step: usize,
    weight_step: usize,
    /// Taps are channels.
    unfolded: bool,
    /// Answers of one tile on the axis.
    tile_outputs: usize,
}

impl Axis {
    /// An axis of one position and one tap.
    fn single() -> Self {
        Self {
            input: 1,
            outputs: 1,
            kernel: 1,
            stride: 1,
            dilation: 1,
            pad_begin: 0,
            input_step: 0,
            output_step: 0,
            weight_step: 0,
            unfolded: false,
            tile_outputs: 1,
        }
    }

    /// Coefficients that the windows of `tile_outputs` answers span.
    fn extent(&self) -> usize {
        (self.tile_outputs - 1) * self.coefficient_stride() + self.span()
    }

    /// Whether unfolding changes anything.
    fn can_unfold(&self) -> bool {
        self.kernel > 1 || self.stride > 1
    }

    fn span(&self) -> usize {
        if self.unfolded { 1 } else { (self.kernel - 1) * self.dilation + 1 }
    }

    fn coefficient_stride(&self) -> usize {
        if self.unfolded { 1 } else { self.stride }
    }

    fn tiles(&self) -> usize {
        self.outputs.div_ceil(self.tile_outputs)
    }

    /// Answers of tile `tile` on the axis; the last tile may have fewer than the others.
    fn outputs_of(&self, tile: usize) -> std::ops::Range<usize> {
        let first = tile * self.tile_outputs;
        first..(first + self.tile_outputs).min(self.outputs)
    }

    /// Index on the axis that `position` of tile `tile` reads for tap `tap`; nothing in the padding.
    fn input_index(&self, tile: usize, position: usize, tap: usize) -> Option<usize> {
        let first = tile * self.tile_outputs;
        let padded = if self.unfolded {
            (first + position) * self.stride + tap * self.dilation
        } else {
            first * self.stride + position
        };
        padded.checked_sub(self.pad_begin).filter(|&index| index < self.input)
    }
}

/// The chosen packing of one layer.
#[derive(Clone, Debug)]
pub struct Packing {
    degree: usize,
    axes: [Axis; AXES],
    groups: usize,
    /// Input channels of a group.
    channels: usize,
    /// Output channels of a group.
    outputs: usize,
    /// Groups that share polynomials; the last bundle may have fewer.
    bundle: usize,
    /// Elements between neighbouring channels.
    input_channel_step: usize,
    output_channel_step: usize,
    weight_output_step: usize,
    weight_channel_step: usize,
    /// Channels (times unfolded taps) in one input polynomial.
    block_channels: usize,
    /// Output channels in one answer polynomial.
    block_outputs: usize,
}

impl Packing {
    /// The packing of least total work (see [`Packing::work`]) into polynomials of `degree` coefficients, of which
    /// one unit's input ciphertexts number at most `unit_ciphertexts_max` where the layer allows it.
    pub fn new(
        shape: &LinearShape,
        degree: usize,
        unit_ciphertexts_max: usize,
    ) -> Result<Self, PackingError> {
        check(shape)?;
        Ok(search::best(Self::unpacked(shape, degree), unit_ciphertexts_max))
    }

    /// Coefficients of a polynomial.
    pub fn degree(&self) -> usize {
        self.degree
    }

    /// Tiles of a bundle.
    pub fn tiles(&self) -> usize {
        self.axes.iter().map(Axis::tiles).product()
    }

    /// Units: bundles times tiles. Unit numbers run over the tiles of a bundle, then over the bundles.
    pub fn units(&self) -> usize {
        self.bundles() * self.tiles()
    }

    fn bundles(&self) -> usize {
        self.groups.div_ceil(self.bundle)
    }

    /// Unit number `index`.
    pub fn unit(&self, index: usize) -> Unit {
        Unit { bundle: index / self.tiles(), tile: index % self.tiles() }
    }

    /// Input ciphertexts of a unit.
    pub fn channel_blocks(&self) -> usize {
        self.virtual_channels().div_ceil(self.block_channels)
    }

    /// Answer ciphertexts of a unit.
    pub fn output_blocks(&self) -> usize {
        self.bundle_outputs().div_ceil(self.block_outputs)
    }

    /// Weights of all the kernel polynomials that one answer is summed over, at most: the noise of the inputs meets each of
    /// them at every coefficient, whichever output channel it belongs to.
    pub fn weights_per_answer(&self) -> usize {
        let folded: usize = self.axes.iter().filter(|axis| !axis.unfolded).map(|axis| axis.kernel).product();
        self.virtual_channels() / self.bundle * folded * self.block_outputs
    }

    /// The measure that the choice minimises, in units of one product of a ciphertext and a kernel.
    pub fn work(&self) -> u64 {
        let (units, inputs, outputs) =
            (self.units() as u64, self.channel_blocks() as u64, self.output_blocks() as u64);
        let kernels = inputs.saturating_mul(outputs);
        let ciphertexts = units.saturating_mul(inputs + outputs).saturating_mul(search::CIPHERTEXT);
        let transforms = kernels.saturating_mul(self.bundles() as u64).saturating_mul(search::TRANSFORM);
        ciphertexts.saturating_add(kernels.saturating_mul(units)).saturating_add(transforms)
    }

    /// Inputs of `unit` in its input polynomial `block`; coefficients that are not named are zero.
    pub fn input_places(&self, unit: Unit, block: usize) -> Vec<Place> {
        let (tile, steps, area) = (self.tile_position(unit.tile), self.coefficient_steps(), self.area());
        let mut places = Vec::with_capacity(self.degree);
        for (local, (channel, taps)) in self.block_of_channels(block).enumerate() {
            let channel = unit.bundle * self.bundle * self.channels + channel;
            if channel >= self.groups * self.channels {
                break;
            }
            let first = Place { coefficient: local * area, element: channel * self.input_channel_step };
            let lines = std::array::from_fn(|k| {
                let axis = &self.axes[k];
                let read = |at| Some((at, axis.input_index(tile[k], at, taps[k])?));
                let line = (0..axis.extent()).filter_map(read);
                line.map(|(at, index)| Place::new(at * steps[k], index * axis.input_step)).collect()
            });
            grid(first, &lines, &mut places);
        }
        places
    }

    /// Weights of `bundle` in the kernel polynomial from input block `channel_block` to answer block `output_block`.
    pub fn weight_places(&self, bundle: usize, output_block: usize, channel_block: usize) -> Vec<Place> {
        let (steps, area) = (self.coefficient_steps(), self.area());
        let mut places = Vec::new();
        for (output_local, output) in self.block_of_outputs(output_block).enumerate() {
            let group = bundle * self.bundle + output / self.outputs;
            if group >= self.groups {
                break;
            }
            let output = bundle * self.bundle * self.outputs + output;
            for (local, (channel, taps)) in self.block_of_channels(channel_block).enumerate() {
                if bundle * self.bundle + channel / self.channels != group {
                    continue;
                }
                let channel = channel % self.channels;
                let first = Place {
                    coefficient: (output_local * self.block_channels + self.block_channels - 1 - local)
                        * area,
                    element: output * self.weight_output_step + channel * self.weight_channel_step,
                };
                let lines = std::array::from_fn(|k| {
                    let axis = &self.axes[k];
                    let line = if axis.unfolded { taps[k]..taps[k] + 1 } else { 0..axis.kernel };
                    let back = |tap| if axis.unfolded { 0 } else { axis.span() - 1 - tap * axis.dilation };
                    line.map(|tap| Place::new(back(tap) * steps[k], tap * axis.weight_step)).collect()
                });
                grid(first, &lines, &mut places);
            }
        }
        places
    }

    /// Answers of `unit` in its answer polynomial `block`.
    pub fn output_places(&self, unit: Unit, block: usize) -> Vec<Place> {
        let (tile, steps, offset) = (self.tile_position(unit.tile), self.coefficient_steps(), self.offset());
        let mut places = Vec::new();
        for (local, output) in self.present_outputs(unit, block).enumerate() {
            let first = Place {
                coefficient: local * self.block_channels * self.area() + offset,
                element: output * self.output_channel_step,
            };
            let lines = std::array::from_fn(|k| {
                let axis = &self.axes[k];
                let place = |(at, output)| {
                    Place::new(at * axis.coefficient_stride() * steps[k], output * axis.output_step)
                };
                axis.outputs_of(tile[k]).enumerate().map(place).collect()
            });
            grid(first, &lines, &mut places);
        }
        places
    }

    /// How many answers [`Packing::output_places`] names.
    pub fn output_count(&self, unit: Unit, block: usize) -> usize {
        let tile = self.tile_position(unit.tile);
        let positions: usize =
            self.axes.iter().zip(tile).map(|(axis, tile)| axis.outputs_of(tile).len()).product();
        positions * self.present_outputs(unit, block).len()
    }

    /// The layer's output channels in answer block `block` of a unit.
    fn present_outputs(&self, unit: Unit, block: usize) -> std::ops::Range<usize> {
        let first = unit.bundle * self.bundle * self.outputs;
        let (own, all) = (self.block_of_outputs(block), self.groups * self.outputs);
        (first + own.start).min(all)..(first + own.end).min(all)
    }

    /// The layer before a choice: tiles of one answer, one channel in, one out.
    fn unpacked(shape: &LinearShape, degree: usize) -> Self {
        let mut axes = [Axis::single(); AXES];
        match shape.input_size.len() {
            0 => axes[AXES - 1] = rows_axis(shape),
            count => axes[AXES - count..].copy_from_slice(&spatial_axes(shape)),
        }
        let window: usize = shape.kernel.iter().product();
        let channels = shape.in_channels / shape.groups;
        Self {
            degree,
            axes,
            groups: shape.groups,
            channels,
            outputs: shape.out_channels / shape.groups,
            input_channel_step: shape.input_size.iter().product(),
            output_channel_step: shape.output_size().iter().product(),
            weight_output_step: channels * window,
            weight_channel_step: window,
            bundle: 1,
            block_channels: 1,
            block_outputs: 1,
        }
    }

    /// Output channels of a bundle.
    fn bundle_outputs(&self) -> usize {
        self.bundle * self.outputs
    }

    /// Channels of a bundle, each as often as there are taps on unfolded axes.
    fn virtual_channels(&self) -> usize {
        self.bundle * self.channels * self.unfolded_taps().iter().product::<usize>()
    }

    fn unfolded_taps(&self) -> [usize; AXES] {
        self.axes.map(|axis| if axis.unfolded { axis.kernel } else { 1 })
    }

    /// The channels of input block `block`, each with its tap on every unfolded axis (zero on the others).
    fn block_of_channels(
        &self,
        block: usize,
    ) -> impl ExactSizeIterator<Item = (usize, [usize; AXES])> + use<> {
        let taps = self.unfolded_taps();
        let count: usize = taps.iter().product();
        let first = block * self.block_channels;
        let end = (first + self.block_channels).min(self.virtual_channels());
        (first..end).map(move |channel| (channel / count, digits(taps, channel % count)))
    }

    fn block_of_outputs(&self, block: usize) -> std::ops::Range<usize> {
        let first = block * self.block_outputs;
        first..(first + self.block_outputs).min(self.bundle_outputs())
    }

    fn tile_position(&self, tile: usize) -> [usize; AXES] {
        digits(self.axes.map(|axis| axis.tiles()), tile)
    }

    /// Coefficients of one channel of a tile.
    fn area(&self) -> usize {
        self.axes.iter().map(Axis::extent).product()
    }

    /// Coefficients between neighbours on each axis.
    fn coefficient_steps(&self) -> [usize; AXES] {
        std::array::from_fn(|k| self.axes[k + 1..].iter().map(Axis::extent).product())
    }

    /// O: where the first answer lies.
    fn offset(&self) -> usize {
        let steps = self.coefficient_steps();
        let window: usize = self.axes.iter().zip(steps).map(|(axis, step)| (axis.span() - 1) * step).sum();
        self.area() * (self.block_channels - 1) + window
    }
}

/// A dense layer's rows as an axis: features are channels, one element apart.
fn rows_axis(shape: &LinearShape) -> Axis {
    Axis {
        input: shape.rows,
        outputs: shape.rows,
        input_step: shape.in_channels,
        output_step: shape.out_channels,
        ..Axis::single()
    }
}

fn spatial_axes(shape: &LinearShape) -> Vec<Axis> {
    let output_size = shape.output_size();
    let behind = |sizes: &[usize], axis: usize| sizes[axis + 1..].iter().product();
    (0..shape.input_size.len())
        .map(|axis| Axis {
            input: shape.input_size[axis],
            outputs: output_size[axis],
            kernel: shape.kernel[axis],
            stride: shape.strides[axis],
            dilation: shape.dilations[axis],
            pad_begin: shape.pads_begin[axis],
            input_step: behind(&shape.input_size, axis),
            output_step: behind(&output_size, axis),
            weight_step: behind(&shape.kernel, axis),
            unfolded: false,
            tile_outputs: 1,
        })
        .collect()
}

fn check(shape: &LinearShape) -> Result<(), PackingError> {
    let axes = shape.input_size.len();
    if axes > AXES {
        return Err(PackingError::Rank(axes));
    }
    for list in [&shape.kernel, &shape.strides, &shape.dilations, &shape.pads_begin, &shape.pads_end] {
        if list.len() != axes {
            return Err(PackingError::Axes { expected: axes, found: list.len() });
        }
    }
    for (what, counts) in [
        ("kernel", &shape.kernel),
        ("stride", &shape.strides),
        ("dilation", &shape.dilations),
        ("input", &shape.input_size),
    ] {
        if counts.contains(&0) {
            return Err(PackingError::Empty(what));
        }
    }
    let groups = shape.groups;
    let divides = |channels: usize| channels != 0 && groups != 0 && channels.is_multiple_of(groups);
    if !divides(shape.in_channels) || !divides(shape.out_channels) {
        return Err(PackingError::Empty("channels in each group"));
    }
    if shape.rows == 0 {
        return Err(PackingError::Empty("rows"));
    }
    if axes > 0 && shape.rows != 1 {
        return Err(PackingError::Rows(shape.rows));
    }
    check_sizes(shape)?;
    if shape.output_size().contains(&0) {
        return Err(PackingError::Empty("output"));
    }
    Ok(())
}

/// Every count below 2^40, so that sums and products of a few do not overflow and the search for tiles stays short.
fn check_sizes(shape: &LinearShape) -> Result<(), PackingError> {
    fn bounded(mut counts: impl Iterator<Item = usize>) -> Option<u64> {
        counts.try_fold(1u64, |product, count| product.checked_mul(count as u64 + 1).filter(|&p| p < 1 << 40))
    }
    let padded = (0..shape.input_size.len()).map(|axis| {
        let window = shape.kernel[axis].saturating_mul(shape.dilations[axis]);
        [shape.input_size[axis], shape.pads_begin[axis], shape.pads_end[axis], window, shape.strides[axis]]
            .into_iter()
            .fold(0, usize::saturating_add)
            .min(1 << 48)
    });
    let rows = shape.rows.min(1 << 48);
    let (inputs, outputs) = (shape.in_channels.min(1 << 48), shape.out_channels.min(1 << 48));
    let kernel = shape.kernel.iter().map(|&k| k.min(1 << 48));
    bounded(padded.clone().chain([rows, inputs]))
        .and(bounded(padded.chain([rows, outputs])))
        .and(bounded(kernel.chain([inputs, outputs])))
        .map(|_| ())
        .ok_or(PackingError::TooLarge)
}

/// The mixed-radix digits of `index`, the last fastest.
fn digits(sizes: [usize; AXES], mut index: usize) -> [usize; AXES] {
    let mut digits = [0; AXES];
    for k in (0..AXES).rev() {
        digits[k] = index % sizes[k];
        index /= sizes[k];
    }
    digits
}

/// Appends `first` plus one place of every line, in row-major order.
fn grid(first: Place, lines: &[Vec<Place>; AXES], places: &mut Vec<Place>) {
    let plus = |a: Place, b: &Place| Place::new(a.coefficient + b.coefficient, a.element + b.element);
    for i in &lines[0] {
        let plane = plus(first, i);
        for j in &lines[1] {
            let row = plus(plane, j);
            places.extend(lines[2].iter().map(|k| plus(row, k)));
        }
    }
}

#[cfg(test)]
mod tests;
