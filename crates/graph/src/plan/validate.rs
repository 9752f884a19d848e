//! The check of a public plan: nothing that passes here can make a later step panic or allocate without bound.
//!
//! A plan may come from a peer. It is checked once, when it is loaded or received.

use super::shapes::{count, output_shape};
use super::{AddConstant, Linear, PLAN_VERSION, PlanError, PlanNode, PublicPlan, Step, TensorSpec};

/// Most nodes and tensors.
const NODES_MAX: usize = 10_000;
/// Most elements of all tensors together.
const TOTAL_MAX: u64 = 1 << 34;
/// Longest name in bytes.
const NAME_MAX: usize = 1024;
/// Most classes that may have names.
const CLASSES_MAX: usize = 65_536;
/// Scales lie within 2^-SCALE_MAX..2^SCALE_MAX.
const SCALE_MAX: i32 = 256;

impl PublicPlan {
    /// Checks that the plan is whole and consistent: shapes step by step, order, rings, windows, scales, answer.
    pub fn validate(&self) -> Result<(), PlanError> {
        self.check_sizes()?;
        self.check_input()?;
        for tensor in &self.tensors {
            tensor.check().map_err(|problem| invalid(&tensor.name, problem))?;
        }
        self.check_order()?;
        for node in &self.nodes {
            self.check_node(node).map_err(|problem| invalid(&node.name, problem))?;
        }
        self.check_rings()?;
        self.check_answer().map_err(|problem| invalid("answer", problem))
    }

    fn check_sizes(&self) -> Result<(), PlanError> {
        if self.version != PLAN_VERSION {
            return Err(invalid(
                "version",
                format!("{} is not {PLAN_VERSION}, the one known here", self.version),
            ));
        }
        if let Some((number, given, low, high)) = self.suite.out_of_range() {
            return Err(invalid(number, format!("{given} is not {low} to {high}")));
        }
        if self.nodes.len() > NODES_MAX || self.tensors.len() != self.nodes.len() + 1 {
            let problem = format!("at most {NODES_MAX} nodes, and a tensor more than nodes, are expected");
            return Err(invalid("nodes", problem));
        }
        let names = self.tensors.iter().map(|t| &t.name).chain(self.nodes.iter().map(|n| &n.name));
        let mut names = names.chain(&self.answer.class_names).chain([&self.name]);
        if names.clone().any(|name| name.len() > NAME_MAX) {
            return Err(invalid("names", format!("a name is longer than {NAME_MAX} bytes")));
        }
        if names.any(|name| name.chars().any(steers_a_terminal)) {
            return Err(invalid("names", "a name holds a control character".into()));
        }
        Ok(())
    }

    fn check_input(&self) -> Result<(), PlanError> {
        let Some(tensor) = self.tensors.get(self.input) else {
            return Err(invalid("input", "no such tensor".into()));
        };
        match self.input_spec.problem().or_else(|| self.input_spec.mismatch(&tensor.shape)) {
            Some(problem) => Err(invalid("input_spec", problem.into())),
            None => Ok(()),
        }
    }

    /// Every tensor is made once, by the input or by a node, and before it is used.
    fn check_order(&self) -> Result<(), PlanError> {
        let mut made = vec![false; self.tensors.len()];
        made[self.input] = true;
        for node in &self.nodes {
            if node.inputs.iter().any(|&id| made.get(id) != Some(&true)) {
                return Err(invalid(&node.name, "an input is made later or nowhere".into()));
            }
            match made.get_mut(node.output) {
                Some(output) if !*output => *output = true,
                _ => {
                    return Err(invalid(
                        &node.name,
                        "its output is no tensor, or one that is there already".into(),
                    ));
                }
            }
        }
        if made.get(self.output) != Some(&true) {
            return Err(invalid("output", "no such tensor".into()));
        }
        let total: u64 = self.tensors.iter().map(|tensor| tensor.count() as u64).sum();
        if total > TOTAL_MAX {
            return Err(invalid(
                "tensors",
                format!("{total} elements in all, at most {TOTAL_MAX} are allowed"),
            ));
        }
        Ok(())
    }

    fn check_node(&self, node: &PlanNode) -> Result<(), String> {
        let output = &self.tensors[node.output];
        let inputs: Vec<&TensorSpec> = node.inputs.iter().map(|&id| &self.tensors[id]).collect();
        let shapes: Vec<&[usize]> = inputs.iter().map(|tensor| tensor.shape.as_slice()).collect();
        let shape = output_shape(&node.step, &shapes, &output.shape)?;
        if shape != output.shape {
            return Err(format!("the output is declared {:?}, but is {shape:?}", output.shape));
        }
        check_numbers(&node.step)?;
        check_scales(&node.step, &inputs, output)?;

        let keeps_ring = !matches!(node.step, Step::Activate { .. });
        if keeps_ring && inputs.iter().any(|input| input.ring_bits < output.ring_bits) {
            return Err("only an activation may lead into a wider ring".into());
        }
        Ok(())
    }

    /// Each bound fits its ring, with the bits that its consumers reserve.
    fn check_rings(&self) -> Result<(), PlanError> {
        for (tensor, headroom) in self.tensors.iter().zip(self.headroom_bits()) {
            if tensor.ring_bits < headroom || tensor.bound >= 1 << (tensor.ring_bits - headroom) {
                let problem = format!(
                    "values up to {} with {headroom} reserved bits do not fit a ring of {} bits",
                    tensor.bound, tensor.ring_bits
                );
                return Err(invalid(&tensor.name, problem));
            }
        }
        for node in &self.nodes {
            if let Step::Activate { drop, .. } = node.step
                && drop + 2 > self.tensors[node.inputs[0]].ring_bits
            {
                return Err(invalid(
                    &node.name,
                    format!("{drop} bits cannot be dropped from its input's ring"),
                ));
            }
        }
        Ok(())
    }

    fn check_answer(&self) -> Result<(), String> {
        let names = &self.answer.class_names;
        if names.len() > CLASSES_MAX || names.iter().any(|name| name.len() > NAME_MAX) {
            return Err("class names are too many or too long".into());
        }
        match self.answer.problem(&self.tensors[self.output].shape) {
            Some(problem) => Err(problem),
            None => Ok(()),
        }
    }
}

impl TensorSpec {
    fn check(&self) -> Result<(), String> {
        count(&self.shape)?;
        if !(2..=32).contains(&self.ring_bits) {
            return Err(format!("a ring of {} bits; 2 to 32 are allowed", self.ring_bits));
        }
        if self.divisor == 0 || !(-SCALE_MAX..=SCALE_MAX).contains(&self.fraction) {
            return Err(format!("the scale 2^-{} / {} is out of range", self.fraction, self.divisor));
        }
        Ok(())
    }
}

/// Control characters, and those that turn the direction of writing: a foreign name is printed as it is.
pub fn steers_a_terminal(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Numbers of a step that shapes do not hold.
fn check_numbers(step: &Step) -> Result<(), String> {
    let shifts: &[u32] = match step {
        Step::Add { shift_left } => shift_left,
        Step::Concat { shift_left, .. } => shift_left,
        Step::Activate { drop, .. } => std::slice::from_ref(drop),
        Step::AddConstant(AddConstant { shift_left, .. }) => std::slice::from_ref(shift_left),
        _ => &[],
    };
    if shifts.iter().any(|&shift| shift > 31) {
        return Err("a shift is larger than 31".into());
    }
    match step {
        Step::Scale { factor: 0 } => Err("a factor is 0".into()),
        Step::ScaleByPosition { factors, unit } => check_position_factors(factors, *unit),
        Step::Linear(Linear { weight_bits, .. }) if !(2..=24).contains(weight_bits) => {
            Err(format!("weights of {weight_bits} bits; 2 to 24 are allowed"))
        }
        Step::AddConstant(AddConstant { bits, .. }) if !(2..=32).contains(bits) => {
            Err(format!("constants of {bits} bits; 2 to 32 are allowed"))
        }
        Step::Linear(Linear { weight_fraction, .. }) if weight_fraction.unsigned_abs() > SCALE_MAX as u32 => {
            Err(format!("weights with {weight_fraction} fraction bits are out of range"))
        }
        _ => Ok(()),
    }
}

/// Every product of one factor per axis is positive and fits a word.
fn check_position_factors(factors: &[Vec<u32>], unit: u32) -> Result<(), String> {
    let largest = factors.iter().map(|list| list.iter().max().copied().unwrap_or(1));
    let product = largest.fold(1u32, |product, most| product.saturating_mul(most));
    match unit == 0 || product == u32::MAX || factors.iter().flatten().any(|&factor| factor == 0) {
        true => Err("a factor by position is 0, or their product does not fit a word".into()),
        false => Ok(()),
    }
}

/// What an integer means must follow from what its step's inputs mean; a public factor's meaning is free.
fn check_scales(step: &Step, inputs: &[&TensorSpec], output: &TensorSpec) -> Result<(), String> {
    let scale = |tensor: &TensorSpec| (tensor.fraction, tensor.divisor);
    let shifted = |shifts: &[u32]| {
        inputs
            .iter()
            .zip(shifts)
            .all(|(input, &shift)| (input.fraction + shift as i32, input.divisor) == scale(output))
    };
    let consistent = match step {
        Step::Scale { .. } => true,
        Step::Linear(linear) => (inputs[0].fraction + linear.weight_fraction, 1) == scale(output),
        Step::Activate { drop, .. } => {
            (inputs[0].fraction - *drop as i32, inputs[0].divisor) == scale(output)
        }
        Step::SumPool(window) => {
            let (halvings, odd) = split_taps(window.taps());
            let divisor = u64::from(inputs[0].divisor) * odd as u64;
            (inputs[0].fraction + halvings as i32, divisor) == (output.fraction, u64::from(output.divisor))
        }
        Step::ScaleByPosition { unit, .. } => {
            let (halvings, odd) = split_taps(*unit as usize);
            let divisor = u64::from(inputs[0].divisor) * odd as u64;
            (inputs[0].fraction + halvings as i32, divisor) == (output.fraction, u64::from(output.divisor))
        }
        Step::Add { shift_left } => shifted(shift_left),
        Step::AddConstant(AddConstant { shift_left, .. }) => shifted(std::slice::from_ref(shift_left)),
        Step::Concat { shift_left, .. } => shifted(shift_left),
        _ => scale(inputs[0]) == scale(output),
    };
    if consistent { Ok(()) } else { Err("the output's scale does not follow from the inputs'".into()) }
}

/// The number of taps as 2^k times an odd number.
pub(crate) fn split_taps(taps: usize) -> (u32, usize) {
    let halvings = taps.trailing_zeros();

    (halvings, taps >> halvings)
}

fn invalid(place: &str, problem: String) -> PlanError {
    PlanError::Invalid { place: place.chars().take(200).collect(), problem }
}
