//! What can go wrong between a graph and its fixed plan.

/// A node that cannot be brought into integers, and what to do instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The node's name in the model.
    pub node: String,
    /// Why, and the remedy.
    pub reason: String,
}

/// Errors of making, saving, loading and evaluating fixed plans.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// Nodes that no integer steps express: all of them at once.
    #[error("{} node(s) cannot be computed in integers:{}", .0.len(), listed(.0))]
    Unsupported(Vec<Problem>),
    /// The float evaluation of a sample failed, most likely because its shape is not the model's.
    #[error("sample {index} cannot be evaluated: {reason}")]
    Sample {
        /// Which sample, from 0.
        index: usize,
        /// What the evaluation said.
        reason: String,
    },
    /// There was nothing to fit scales to.
    #[error("fitting scales needs at least one sample input; give one that is typical for the model")]
    NoSamples,
    /// An option is outside its range.
    #[error("{option} is {given}, but must lie in {low}..={high}")]
    Option {
        /// Its name.
        option: &'static str,
        /// Its value.
        given: f64,
        /// Smallest value.
        low: f64,
        /// Largest value.
        high: f64,
    },
    /// Labels are asked for, and nothing says along which axis.
    #[error(
        "its answer has shape {shape:?}, and nothing in the file says which axis is the classes': state it with --class-axis AXIS \
         (or class_axis in the model's .toml), or open the values with --policy logits"
    )]
    ClassAxis {
        /// Of the answer.
        shape: Vec<usize>,
    },
    /// The input specification contradicts itself.
    #[error("input specification: {0}")]
    InputSpec(&'static str),
    /// A tensor needs more bits than a ring may have, even at the least precision.
    #[error(
        "tensor {tensor} needs {needed} bits and a ring has at most {allowed}, even at the least precision; \
         narrow the layer before it, or allow calibrated ranges if only proven ones were allowed"
    )]
    TooWide {
        /// Its name.
        tensor: String,
        /// Bits that its bound needs.
        needed: u32,
        /// The most that are allowed.
        allowed: u32,
    },
    /// The integers of the samples kept leaving the bounds that were fitted to them.
    #[error("no bounds hold the integers of the samples; give the plan more bits, or more typical samples")]
    Unstable,
    /// A public plan contradicts itself. From a peer or a file: do not use it.
    #[error("public plan, {place}: {problem}")]
    Invalid {
        /// The node, tensor or field.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// Weights that do not belong to the plan.
    #[error("weights do not fit the public plan, {place}: {problem}")]
    Weights {
        /// The node.
        place: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// An input of the wrong length.
    #[error("the model takes {expected} input values, {found} were given")]
    InputLength {
        /// What the plan says.
        expected: usize,
        /// What came.
        found: usize,
    },
    /// An input holds something that is not a number.
    #[error("input value {index} is not a finite number")]
    NotFinite {
        /// Its index.
        index: usize,
    },
    /// A file that is not what its name says, or is damaged.
    #[error("{file}: {problem}")]
    File {
        /// The file's name, without its folder.
        file: &'static str,
        /// What is wrong, and what to do.
        problem: &'static str,
    },
    /// A file that could not be read or written.
    #[error("{file} cannot be read or written")]
    Io {
        /// The file's name, without its folder.
        file: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

fn listed(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("\n  {}: {}", problem.node, problem.reason)).collect()
}
