//! The check of a public plan: nothing that passes here can make a later step panic or allocate without bound.
//!
//! A plan may come from a peer. It is checked once, when it is loaded or received.

use super::{PLAN_VERSION, PlanError, PlanNode, PublicPlan, TensorSpec, output_shape};
use crate::operators::shapes::count;
use crate::operators::{OutputUnit, Unit};

/// Most nodes and tensors.
const NODES_MAX: usize = 10_000;
/// Most elements of all tensors together.
const TOTAL_MAX: u64 = 1 << 34;
/// Longest name in bytes.
const NAME_MAX: usize = 1024;
/// Most classes that may have names.
const CLASSES_MAX: usize = 65_536;
/// Scales lie within 2^-SCALE_MAX..2^SCALE_MAX.
pub(crate) const SCALE_MAX: i32 = 256;

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
        node.step.operator().check_numbers()?;
        let units: Vec<Unit> = inputs.iter().map(|tensor| tensor.unit()).collect();
        let consistent = match node.step.operator().meaning(&units) {
            OutputUnit::Is(unit) => unit == output.unit(),
            OutputUnit::Free => true,
            OutputUnit::Contradictory => false,
        };
        if !consistent {
            return Err("the output's scale does not follow from the inputs'".into());
        }
        if node.step.keeps_ring() && inputs.iter().any(|input| input.ring_bits < output.ring_bits) {
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
            let least = self.suite.ring_bits_min(&node.step);
            if node.inputs.iter().any(|&input| self.tensors[input].ring_bits < least) {
                let dropped = node.step.bits_dropped();
                return Err(invalid(
                    &node.name,
                    format!("{dropped} bits cannot be dropped from its input's ring"),
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
    /// What its integers mean.
    fn unit(&self) -> Unit {
        Unit { fraction: self.fraction, divisor: self.divisor.into() }
    }

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

fn invalid(place: &str, problem: String) -> PlanError {
    PlanError::Invalid { place: place.chars().take(200).collect(), problem }
}
