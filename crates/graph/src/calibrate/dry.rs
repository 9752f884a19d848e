//! The plan of a model without samples: every refusal that does not depend on the values that samples reach.

use super::{Options, Task};
use crate::draft::draft;
use crate::ir::{Classes, Graph};
use crate::plan::{InputSpec, OutputPolicy, PlanError, PublicPlan};

/// Makes a plan as [`super::calibrate`] does, all values taken to reach 1: its steps, shapes and checks are the real plan's, its
/// scales and rings are not. `None` where those did not fit a ring, for samples may say otherwise.
pub fn dry_run(
    graph: &Graph,
    input_spec: &InputSpec,
    options: &Options,
) -> Result<Option<PublicPlan>, PlanError> {
    check(graph, input_spec, options)?;
    let draft = draft(graph)?;
    let seen = vec![1.0; graph.values.len()];
    let least_bounds = vec![0; draft.tensors.len()];
    let task = Task { draft: &draft, seen: &seen, least_bounds, range: input_spec.range, options };
    let attempt = match task.narrowest() {
        Ok(attempt) => attempt,
        Err(PlanError::TooWide { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let plan = task.assemble(graph, input_spec, attempt).public;
    plan.validate()?;
    Ok(Some(plan))
}

/// What is wrong with the options, the input's specification or the axis of labels.
pub(super) fn check(graph: &Graph, input_spec: &InputSpec, options: &Options) -> Result<(), PlanError> {
    options.check()?;
    if options.policy == OutputPolicy::Labels && graph.classes == Classes::Unknown {
        return Err(PlanError::ClassAxis { shape: graph.values[graph.output].shape.clone() });
    }
    let shape = &graph.values[graph.input].shape;
    match input_spec.problem().or_else(|| input_spec.mismatch(shape)) {
        Some(problem) => Err(PlanError::InputSpec(problem)),
        None => Ok(()),
    }
}
