//! The integer operators, one file each, all answering the same questions. The only match over kinds is here.
//!
//! | question | asked by |
//! |---|---|
//! | name, numbers | reports, the table of a plan |
//! | number of inputs, output's shape | the draft of a plan, the check of foreign plans |
//! | checks of numbers, scale | the check of foreign plans, the draft |
//! | bound and sign | the calibration's ranges |
//! | load | a client's limits, estimates |
//! | secrets | the check of weights, the calibration's integers |
//! | numbers that fit scales, what an added number becomes | the calibration's scales and rounding |
//! | evaluation | the clear evaluator; for local operators on shares as well |
//!
//! How to add one: `docs/adding-an-operator.md`.
#![deny(clippy::wildcard_enum_match_arm)]

mod activate;
mod add;
mod add_constant;
mod concat;
mod gather;
mod interleave;
mod linear;
mod max_pool;
mod pad;
mod pixel_shuffle;
mod reshape;
mod scale;
mod scale_by_position;
pub(crate) mod shapes;
mod sum_pool;
mod transpose;

use blindscan_arith::erase::erase;

use crate::ir::Window;
use crate::local::{Integers, Numbers};
use crate::plan::{Local, Secret, Spoken, Step};

pub use activate::Activate;
pub use add::Add;
pub use add_constant::AddConstant;
pub use concat::Concat;
pub use gather::Gather;
pub use interleave::Interleave;
pub use linear::Linear;
pub use max_pool::MaxPool;
pub use pad::Pad;
pub use pixel_shuffle::PixelShuffle;
pub use reshape::Reshape;
pub use scale::Scale;
pub use scale_by_position::ScaleByPosition;
pub use sum_pool::SumPool;
pub use transpose::Transpose;

/// Fraction bits stay within this, whatever values and weights are.
pub(crate) const FRACTION_MAX: i32 = 40;
/// Bounds are capped here: far beyond any ring, far below what would overflow.
pub(crate) const BOUND_MAX: u64 = 1 << 60;

/// What every operator answers.
pub(crate) trait Operator {
    /// One word for reports.
    fn name(&self) -> &'static str;

    /// Its numbers, to read.
    fn numbers(&self) -> String;

    /// How many tensors it reads, at least one.
    fn input_count(&self) -> usize;

    /// The output's shape from as many inputs' shapes, or what is wrong with them. `declared` is the shape that the plan or
    /// the model states. Extents may come from a peer.
    fn output_shape(&self, inputs: &[&[usize]], declared: &[usize]) -> Result<Vec<usize>, String>;

    /// What is wrong with numbers that the shapes do not hold.
    fn check_numbers(&self) -> Result<(), String>;

    /// What the output's integers mean, from what the inputs' mean.
    fn meaning(&self, inputs: &[Unit]) -> OutputUnit;

    /// How far the output's integers go, and their sign, from the inputs' and from the secrets that belong to it.
    fn bound(&self, inputs: &[Bound], secret: Option<&Secret>) -> Bound;

    /// What it asks of a machine, at most.
    fn load(&self, inputs: &[&[usize]], output: &[usize]) -> Load;

    /// Its secrets; `None` when none belong to it.
    fn secrets(&self) -> Option<&dyn HasSecret>;

    /// The step with numbers that fit the scales of its inputs, and the scale that its output then has.
    fn fitted(&self, fit: &Fit<'_>) -> (Step, Unit);

    /// How a number comes to be added to each element of its output.
    fn addition(&self) -> Addition<'_>;
}

/// What an operator with secrets answers beside.
pub(crate) trait HasSecret {
    /// What is wrong with secrets that came with a plan.
    fn problem(&self, secret: Option<&Secret>) -> Option<&'static str>;

    /// The integers of the floats that a draft holds, for an input of this divisor and an output of so many fraction bits.
    fn integers(&self, floats: &FloatSecret, divisor: u32, fraction: i32) -> Secret;

    /// The step that declares how wide these integers are.
    fn declaring(&self, secret: &Secret) -> Step;
}

/// What a local operator answers beside.
pub(crate) trait LocalOperator: Operator {
    /// The public part of the output, on values or on one party's shares.
    fn words<N: Numbers>(&self, numbers: N, inputs: &[&[N::Word]], shapes: &Shapes<'_>) -> Vec<N::Word>;

    /// What whoever holds its secrets adds to the output.
    fn addend(&self, shapes: &Shapes<'_>, secret: Option<&Secret>) -> Option<Vec<i64>>;
}

/// What an operator that speaks answers beside.
pub(crate) trait SpokenOperator: Operator {
    /// The output in the clear.
    fn clear(&self, inputs: &[&[i64]], shapes: &Shapes<'_>, secret: Option<&Secret>) -> Vec<i64>;

    /// Whether it reads its inputs in its output's ring. Only what does not may lead into a wider ring.
    fn keeps_ring(&self) -> bool;

    /// Low bits of its input that it drops.
    fn bits_dropped(&self) -> u32;

    /// What it is to the bits of activations.
    fn role(&self) -> Role;
}

/// The shapes of a node's tensors.
pub struct Shapes<'a> {
    /// Of its inputs.
    pub inputs: Vec<&'a [usize]>,
    /// Of its output.
    pub output: &'a [usize],
}

/// What an integer means: real value = integer * 2^-fraction / divisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) fraction: i32,
    pub(crate) divisor: u64,
}

/// What an output's integers mean.
pub(crate) enum OutputUnit {
    /// This follows from the inputs.
    Is(Unit),
    /// Any meaning will do: a public factor is what one makes of it.
    Free,
    /// The inputs contradict each other.
    Contradictory,
}

/// The largest absolute value of a tensor's integers, and whether all are >= 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) most: u64,
    pub(crate) non_negative: bool,
}

/// What a step asks of a machine, at most: counted from shapes. A client holds each kind of it against a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Layers with secret weights.
    pub linear_layers: u64,
    /// Their multiplications.
    pub multiplications: u64,
    /// Their weights.
    pub weights: u64,
    /// Comparisons of shared values.
    pub comparisons: u64,
    /// Elements gathered beside its input and its output.
    pub gathered: u64,
}

/// What numbers are chosen from.
pub(crate) struct Fit<'a> {
    /// What the inputs' integers mean.
    pub(crate) inputs: &'a [Unit],
    /// Fraction bits that an activation should keep.
    pub(crate) wanted: i32,
    /// Bits of a weight with its sign.
    pub(crate) weight_bits: u32,
    /// The secrets in floats.
    pub(crate) floats: Option<&'a FloatSecret>,
}

/// Secrets of a node before they are integers.
pub(crate) enum FloatSecret {
    /// Of a linear layer, arranged as the integer step wants them.
    Linear { weight: Vec<f32>, bias: Vec<f32> },
    /// Of an added constant, row major.
    Constants(Vec<f32>),
}

/// How a number comes to be added to each element of an output and to nothing else.
pub(crate) enum Addition<'a> {
    /// It adds secret numbers of its own.
    Own,
    /// Added to the input. Zeros that are put around or between stay zeros, which rescale to zero without any offset.
    Moves,
    /// Added to any one of the inputs, before this shift to the left.
    ToOne(&'a [u32]),
    /// Added to every input, before this shift to the left.
    ToAll(&'a [u32]),
    /// In no way.
    Never,
}

/// What an operator that speaks is to the bits of activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It makes activations of few bits: their bits are chosen here.
    Narrows,
    /// It makes accumulators, whose width follows from activations and weights.
    Accumulates,
    /// Its output has the bits of its input.
    Passes,
}

macro_rules! kinds {
    ($family:ident, $matcher:ident, $($kind:ident),+) => {
        macro_rules! $matcher {
            ($step:expr, $operator:ident => $answer:expr) => {
                match $step {
                    $($family::$kind($operator) => $answer,)+
                }
            };
        }
        $(impl From<$kind> for Step {
            fn from(operator: $kind) -> Self {
                Self::$family($family::$kind(operator))
            }
        })+
    };
}

kinds!(
    Local,
    each_local,
    SumPool,
    Add,
    AddConstant,
    Concat,
    Pad,
    Reshape,
    Transpose,
    PixelShuffle,
    Interleave,
    Gather,
    Scale,
    ScaleByPosition
);
kinds!(Spoken, each_spoken, Linear, Activate, MaxPool);

impl Step {
    /// The operator that answers.
    pub(crate) fn operator(&self) -> &dyn Operator {
        match self {
            Self::Local(step) => each_local!(step, operator => operator),
            Self::Spoken(step) => step.operator(),
        }
    }

    /// One word for reports.
    pub fn name(&self) -> &'static str {
        self.operator().name()
    }

    /// Whether it reads its inputs in its output's ring.
    pub(crate) fn keeps_ring(&self) -> bool {
        match self {
            Self::Local(_) => true,
            Self::Spoken(step) => step.operator().keeps_ring(),
        }
    }

    /// Low bits of its input that it drops.
    pub fn bits_dropped(&self) -> u32 {
        match self {
            Self::Local(_) => 0,
            Self::Spoken(step) => step.operator().bits_dropped(),
        }
    }

    /// What it is to the bits of activations.
    pub(crate) fn role(&self) -> Role {
        match self {
            Self::Local(_) => Role::Passes,
            Self::Spoken(step) => step.operator().role(),
        }
    }

    /// The output in the clear.
    pub(crate) fn clear(&self, inputs: &[&[i64]], shapes: &Shapes<'_>, secret: Option<&Secret>) -> Vec<i64> {
        match self {
            Self::Local(step) => {
                let mut words = step.words(Integers, inputs, shapes);
                step.add_secret(Integers, &mut words, shapes, secret);
                words
            }
            Self::Spoken(step) => step.operator().clear(inputs, shapes, secret),
        }
    }
}

impl Spoken {
    fn operator(&self) -> &dyn SpokenOperator {
        each_spoken!(self, operator => operator)
    }
}

impl Local {
    /// The public part of the output, on values or on one party's shares, which the caller reduces to the output's ring.
    pub fn words<N: Numbers>(&self, numbers: N, inputs: &[&[N::Word]], shapes: &Shapes<'_>) -> Vec<N::Word> {
        each_local!(self, operator => operator.words(numbers, inputs, shapes))
    }

    /// Adds what secrets add to the output; they may be absent only where the step takes none.
    pub fn add_secret<N: Numbers>(
        &self,
        numbers: N,
        words: &mut [N::Word],
        shapes: &Shapes<'_>,
        secret: Option<&Secret>,
    ) {
        if let Some(mut addend) = each_local!(self, operator => operator.addend(shapes, secret)) {
            for (word, &number) in words.iter_mut().zip(&addend) {
                *word = numbers.plus(*word, numbers.of(number));
            }
            erase(&mut addend);
        }
    }
}

/// The output's shape from the inputs' shapes, or what is wrong with them: the operator's answer, with the number of inputs and of
/// elements checked.
pub fn output_shape(step: &Step, inputs: &[&[usize]], declared: &[usize]) -> Result<Vec<usize>, String> {
    let operator = step.operator();
    let wanted = operator.input_count();
    if inputs.len() != wanted || inputs.is_empty() {
        return Err(format!("{wanted} inputs are expected, {} are there", inputs.len()));
    }
    let shape = operator.output_shape(inputs, declared)?;
    shapes::count(&shape)?;
    Ok(shape)
}

impl Unit {
    /// The same integers with so many fraction bits more.
    fn finer(self, bits: u32) -> Self {
        Self { fraction: self.fraction + bits as i32, ..self }
    }

    /// The integers of a sum over 2^k times an odd number of values, taken for their mean.
    fn mean_over(self, count: usize) -> Self {
        let (halvings, odd) = split_power_of_two(count);
        Self { divisor: self.divisor.saturating_mul(odd as u64), ..self.finer(halvings) }
    }

    /// What all of the inputs mean once each is shifted left by its amount.
    fn shared(inputs: &[Self], shifts: &[u32]) -> OutputUnit {
        let mut shifted = inputs.iter().zip(shifts).map(|(input, &shift)| input.finer(shift));
        match shifted.next() {
            Some(first) if shifted.all(|other| other == first) => OutputUnit::Is(first),
            _ => OutputUnit::Contradictory,
        }
    }
}

/// A count as 2^k times an odd number.
pub(crate) fn split_power_of_two(count: usize) -> (u32, usize) {
    match count {
        0 => (0, 0),
        _ => (count.trailing_zeros(), count >> count.trailing_zeros()),
    }
}

/// The finest of the inputs, and how far each must be shifted left to be as fine.
fn finest(inputs: &[Unit]) -> (Unit, Vec<u32>) {
    let finest = inputs.iter().map(|input| input.fraction).max().expect("a step has inputs");
    let shift = |input: &Unit| (finest - input.fraction).min(31) as u32;

    (Unit { fraction: finest, ..inputs[0] }, inputs.iter().map(shift).collect())
}

impl Bound {
    /// A bound that was computed without overflow.
    fn new(most: u128, non_negative: bool) -> Self {
        Self { most: most.min(u128::from(BOUND_MAX)) as u64, non_negative }
    }

    /// So many times as far.
    fn times(self, factor: u128) -> Self {
        Self::new(u128::from(self.most).saturating_mul(factor), self.non_negative)
    }
}

/// Bounds of inputs that are shifted left and then added or joined by `join`.
fn shifted_bound(inputs: &[Bound], shifts: &[u32], join: fn(u128, u128) -> u128) -> Bound {
    let shifted = inputs.iter().zip(shifts).map(|(input, &shift)| u128::from(input.most) << shift);
    Bound::new(shifted.fold(0, join), inputs.iter().all(|input| input.non_negative))
}

/// Refuses shifts that no ring has room for.
fn check_shifts(shifts: &[u32]) -> Result<(), String> {
    if shifts.iter().any(|&shift| shift > 31) {
        return Err("a shift is larger than 31".into());
    }
    Ok(())
}

/// Elements of a shape.
fn elements(shape: &[usize]) -> u64 {
    shape.iter().map(|&extent| extent as u64).product()
}

impl std::ops::Add for Load {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            linear_layers: self.linear_layers.saturating_add(other.linear_layers),
            multiplications: self.multiplications.saturating_add(other.multiplications),
            weights: self.weights.saturating_add(other.weights),
            comparisons: self.comparisons.saturating_add(other.comparisons),
            gathered: self.gathered.saturating_add(other.gathered),
        }
    }
}

impl std::iter::Sum for Load {
    fn sum<I: Iterator<Item = Self>>(loads: I) -> Self {
        loads.fold(Self::default(), |sum, load| sum + load)
    }
}

/// A window's numbers, to read.
fn window_numbers(window: &Window) -> String {
    format!("window {:?} by {:?}", window.kernel, window.strides)
}

/// The least k with 2^k >= x, for x > 0.
pub(crate) fn ceil_log2(x: f64) -> i32 {
    x.log2().ceil().clamp(-1000.0, 1000.0) as i32
}
