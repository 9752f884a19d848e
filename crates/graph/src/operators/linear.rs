//! Convolutions of rank 1 to 3 and dense layers, with secret weights and biases.

use blindscan_arith::conv::{LinearShape, convolve_exact};
use serde::{Deserialize, Serialize};

use super::{
    Addition, Bound, FRACTION_MAX, Fit, FloatSecret, HasSecret, Load, Operator, OutputUnit, Role, Shapes,
    SpokenOperator, Unit, shapes,
};
use crate::ir::Window;
use crate::plan::{LayerWeights, SCALE_MAX, Secret, Step};

/// Biases are added modulo the ring, so they may lie outside it; beyond this they are nonsense.
const BIAS_LIMIT: u64 = 1 << 48;

/// W*x + b modulo the output's ring: a convolution, or a dense layer (rank 0: `window` empty, rows in `rows`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Linear {
    /// Taps, steps, padding with zeros; empty vectors for a dense layer.
    pub window: Window,
    /// Spatial extents of the input; empty for a dense layer.
    pub input_size: Vec<usize>,
    /// Input channels or features.
    pub in_channels: usize,
    /// Output channels or features.
    pub out_channels: usize,
    /// Groups of the convolution.
    pub groups: usize,
    /// Rows to which a dense layer is applied one by one; 1 for convolutions.
    pub rows: usize,
    /// |weight| < 2^(weight_bits - 1).
    pub weight_bits: u32,
    /// Fraction bits of the integer weights (disclosed: per tensor, never per channel).
    pub weight_fraction: i32,
}

impl Linear {
    /// The geometry as the integer kernels take it.
    pub fn shape(&self) -> LinearShape {
        LinearShape {
            input_size: self.input_size.clone(),
            kernel: self.window.kernel.clone(),
            strides: self.window.strides.clone(),
            dilations: self.window.dilations.clone(),
            pads_begin: self.window.pads_begin.clone(),
            pads_end: self.window.pads_end.clone(),
            in_channels: self.in_channels,
            out_channels: self.out_channels,
            groups: self.groups,
            rows: self.rows,
        }
    }

    fn is_dense(&self) -> bool {
        self.window.kernel.is_empty()
    }

    fn dense_shape(&self, input: &[usize]) -> Result<Vec<usize>, String> {
        let rows = shapes::count(input)? / self.in_channels;
        if input.last() != Some(&self.in_channels) || rows != self.rows {
            return Err(format!("input {input:?} is not {} rows of {}", self.rows, self.in_channels));
        }
        let mut shape = input.to_vec();
        *shape.last_mut().expect("counted, so not empty") = self.out_channels;
        Ok(shape)
    }
}

/// The weights of a checked node.
fn layer(secret: Option<&Secret>) -> &LayerWeights {
    match secret {
        Some(Secret::Linear(layer)) => layer,
        Some(Secret::Constants(_)) | None => {
            panic!("secrets are checked against their plan before they are used")
        }
    }
}

impl Operator for Linear {
    fn name(&self) -> &'static str {
        if self.is_dense() { "dense" } else { "convolution" }
    }

    fn numbers(&self) -> String {
        format!("weights {} bits, 2^-{}", self.weight_bits, self.weight_fraction)
    }

    fn input_count(&self) -> usize {
        1
    }

    fn output_shape(&self, inputs: &[&[usize]], _: &[usize]) -> Result<Vec<usize>, String> {
        let Self { window, in_channels, out_channels, groups, rows, .. } = self;
        let input = inputs[0];
        shapes::count(&[*in_channels, 1])?;
        shapes::count(&[*out_channels, 1])?;
        if *groups == 0 || in_channels % groups != 0 || out_channels % groups != 0 {
            return Err(format!(
                "{in_channels} and {out_channels} channels cannot be split into {groups} groups"
            ));
        }
        shapes::check_window(window, self.input_size.len())?;
        let mut weight_shape = vec![*out_channels, in_channels / groups];
        weight_shape.extend(&window.kernel);
        shapes::count(&weight_shape)?;
        if self.is_dense() {
            return self.dense_shape(input);
        }
        if input.len() < 2
            || input[0] != 1
            || input[1] != *in_channels
            || input[2..] != self.input_size
            || *rows != 1
        {
            return Err(format!("input {input:?} is not 1 x {in_channels} x {:?}", self.input_size));
        }
        let mut shape = vec![1, *out_channels];
        shape.extend(shapes::spatial(window, &input[2..])?);
        Ok(shape)
    }

    fn check_numbers(&self) -> Result<(), String> {
        if !(2..=24).contains(&self.weight_bits) {
            return Err(format!("weights of {} bits; 2 to 24 are allowed", self.weight_bits));
        }
        if self.weight_fraction.unsigned_abs() > SCALE_MAX as u32 {
            return Err(format!("weights with {} fraction bits are out of range", self.weight_fraction));
        }
        Ok(())
    }

    /// The input's divisor is in the weights.
    fn meaning(&self, inputs: &[Unit]) -> OutputUnit {
        OutputUnit::Is(Unit { fraction: inputs[0].fraction + self.weight_fraction, divisor: 1 })
    }

    /// The largest accumulator: by the sums of the positive and of the negative weights.
    fn bound(&self, inputs: &[Bound], secret: Option<&Secret>) -> Bound {
        let layer = layer(secret);
        let per_output = self.shape().weight_count() / self.out_channels;
        let Bound { most, non_negative } = inputs[0];
        let of_channel = |(row, &bias): (&[i32], &i64)| {
            let positive: i128 = row.iter().filter(|w| **w > 0).map(|&w| i128::from(w)).sum();
            let negative: i128 = row.iter().filter(|w| **w < 0).map(|&w| i128::from(w)).sum();
            let (input, bias) = (i128::from(most), i128::from(bias));
            let (high, low) = if non_negative {
                (bias + positive * input, bias + negative * input)
            } else {
                (bias + (positive - negative) * input, bias - (positive - negative) * input)
            };
            high.unsigned_abs().max(low.unsigned_abs()).max(bias.unsigned_abs())
        };
        let channels = layer.weight.chunks(per_output).zip(&layer.bias);
        Bound::new(channels.map(of_channel).max().unwrap_or(0), false)
    }

    fn load(&self, _: &[&[usize]], _: &[usize]) -> Load {
        let shape = self.shape();
        Load {
            linear_layers: 1,
            multiplications: shape.macs(),
            weights: shape.weight_count() as u64,
            ..Load::default()
        }
    }

    fn secrets(&self) -> Option<&dyn HasSecret> {
        Some(self)
    }

    fn fitted(&self, fit: &Fit<'_>) -> (Step, Unit) {
        let Some(FloatSecret::Linear { weight, .. }) = fit.floats else {
            panic!("a linear layer has weights")
        };
        let input = fit.inputs[0];
        let weight_fraction = weight_fraction(weight, input.divisor as f64, fit.weight_bits);
        let step = Self { weight_bits: fit.weight_bits, weight_fraction, ..self.clone() };

        (step.into(), Unit { fraction: input.fraction + weight_fraction, divisor: 1 })
    }

    fn addition(&self) -> Addition<'_> {
        Addition::Own
    }
}

/// The most fraction bits with which every weight rounds to less than 2^(bits - 1).
fn weight_fraction(weight: &[f32], divisor: f64, bits: u32) -> i32 {
    let most = weight.iter().fold(0f64, |most, w| most.max(f64::from(w.abs()))) / divisor;
    if most == 0.0 {
        return 0;
    }
    let limit = f64::from(bits - 1).exp2() - 0.5;
    ((limit / most).log2().ceil() as i32 - 1).clamp(-FRACTION_MAX, FRACTION_MAX)
}

impl HasSecret for Linear {
    fn problem(&self, secret: Option<&Secret>) -> Option<&'static str> {
        let Some(Secret::Linear(layer)) = secret else {
            return Some("its weights are missing or in the wrong place");
        };
        if layer.weight.len() != self.shape().weight_count() {
            return Some("the number of weights is not what its shape says");
        }
        if layer.bias.len() != self.out_channels {
            return Some("the number of biases is not the number of output channels");
        }
        let limit = 1u32 << (self.weight_bits - 1);
        if layer.weight.iter().any(|w| w.unsigned_abs() >= limit) {
            return Some("a weight is wider than the plan declares");
        }
        if layer.bias.iter().any(|b| b.unsigned_abs() >= BIAS_LIMIT) {
            return Some("a bias is too large for any accumulator");
        }
        None
    }

    fn integers(&self, floats: &FloatSecret, divisor: u32, fraction: i32) -> Secret {
        let FloatSecret::Linear { weight, bias } = floats else { panic!("a linear layer has weights") };
        let scale = f64::from(self.weight_fraction).exp2() / f64::from(divisor);
        let limit = f64::from((1 << (self.weight_bits - 1)) - 1);
        let weight = weight.iter().map(|&w| (f64::from(w) * scale).round().clamp(-limit, limit) as i32);
        let scale = f64::from(fraction).exp2();
        let bias = bias.iter().map(|&b| (f64::from(b) * scale).round() as i64);

        Secret::Linear(LayerWeights { weight: weight.collect(), bias: bias.collect() })
    }

    fn declaring(&self, _: &Secret) -> Step {
        self.clone().into()
    }
}

impl SpokenOperator for Linear {
    fn clear(&self, inputs: &[&[i64]], _: &Shapes<'_>, secret: Option<&Secret>) -> Vec<i64> {
        let layer = layer(secret);
        let mut sums = convolve_exact(&self.shape(), &layer.weight, inputs[0]);
        add_bias(&mut sums, &layer.bias, self.is_dense());
        sums
    }

    fn keeps_ring(&self) -> bool {
        true
    }

    fn bits_dropped(&self) -> u32 {
        0
    }

    fn role(&self) -> Role {
        Role::Accumulates
    }
}

/// Adds each channel's bias: channels are the last axis of a dense layer's rows, the first behind batch otherwise.
fn add_bias(sums: &mut [i64], bias: &[i64], dense: bool) {
    if dense {
        for row in sums.chunks_mut(bias.len()) {
            row.iter_mut().zip(bias).for_each(|(sum, bias)| *sum = sum.wrapping_add(*bias));
        }
    } else {
        let plane = sums.len() / bias.len();
        for (channel, bias) in sums.chunks_mut(plane).zip(bias) {
            channel.iter_mut().for_each(|sum| *sum = sum.wrapping_add(*bias));
        }
    }
}
