//! What the samples reach in floats, and how far a plan's answers lie from theirs.

use crate::equalise::{no_sizes, raise_sizes};
use crate::fixed::{dequantise, evaluate, quantise_input};
use crate::float;
use crate::ir::{Graph, Tensor};
use crate::plan::{FixedPlan, InputSpec, PlanError};

/// How far two float runs of one function may lie apart, relative to the largest logit.
const FLOATS_AGREE: f32 = 1e-4;

/// The float runs of the samples, whose elements are first clamped to the declared range.
pub(super) struct ClearRuns {
    /// The largest magnitude of each channel of each value.
    pub(super) sizes: Vec<Vec<f64>>,
    /// The logits of each sample.
    logits: Vec<Tensor>,
}

impl ClearRuns {
    pub(super) fn of(graph: &Graph, input_spec: &InputSpec, samples: &[Tensor]) -> Result<Self, PlanError> {
        if samples.is_empty() {
            return Err(PlanError::NoSamples);
        }
        let (low, high) = input_spec.range;
        let mut runs = Self { sizes: no_sizes(graph), logits: Vec::with_capacity(samples.len()) };
        for (index, sample) in samples.iter().enumerate() {
            let mut clamped = sample.clone();
            clamped.data.iter_mut().for_each(|x| *x = x.clamp(low, high));
            let logits = float::evaluate_with(graph, &clamped, &mut |value, tensor| {
                raise_sizes(&mut runs.sizes[value], &tensor.data);
            })
            .map_err(|error| PlanError::Sample { index, reason: error.to_string() })?;
            runs.logits.push(logits);
        }
        match runs.sizes.iter().position(|sizes| sizes.iter().any(|size| !size.is_finite())) {
            Some(value) => {
                let reason = format!("value {} is not finite", graph.values[value].name);
                Err(PlanError::Sample { index: 0, reason })
            }
            None => Ok(runs),
        }
    }

    /// Whether the logits of each sample are the same but for rounding, relative to the largest of them.
    pub(super) fn agree_with(&self, other: &Self) -> bool {
        let alike = |(a, b): (&Tensor, &Tensor)| {
            let most = b.data.iter().fold(0f32, |most, x| most.max(x.abs()));
            a.shape == b.shape
                && a.data.iter().zip(&b.data).all(|(a, b)| (a - b).abs() <= FLOATS_AGREE * most)
        };
        self.logits.iter().zip(&other.logits).all(alike)
    }

    /// The mean square of the plan's errors on the samples.
    pub(super) fn error_of(&self, plan: &FixedPlan, samples: &[Tensor]) -> Result<f64, PlanError> {
        let mut sum = 0.0;
        for (sample, float) in samples.iter().zip(&self.logits) {
            let integers = quantise_input(&plan.public, sample)?;
            let logits = evaluate(&plan.public, &plan.weights, &integers)?.logits;
            let fixed = dequantise(&plan.public, plan.public.output, &logits);
            sum += fixed.data.iter().zip(&float.data).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
        }
        Ok(sum / samples.len() as f64)
    }
}
