//! How much a server's plan may ask of a client: counted from the plan alone, before anything is built of it.
//!
//! A plan that is valid may still describe a network that nobody could run. What it asks for is an upper bound, read off
//! the shapes in one pass; the default leaves room for a hundred times the largest network this program is measured on.
#![deny(clippy::wildcard_enum_match_arm)]

use blindscan_graph::plan::{Load, PublicPlan};

use crate::SessionError;

/// The most that a plan may ask for, an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Elements of all tensors together, and of what a max pool gathers: four bytes each at a time.
    pub elements: u64,
    /// Comparisons: some 55 transfers of four bytes each.
    pub comparisons: u64,
    /// Multiplications of the linear layers.
    pub multiplications: u64,
    /// Linear layers: each is fitted into polynomials by a search.
    pub linear_layers: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { elements: 1 << 32, comparisons: 1 << 32, multiplications: 1 << 42, linear_layers: 2048 }
    }
}

impl Limits {
    /// Refuses a valid plan that asks for more.
    pub fn check(&self, plan: &PublicPlan) -> Result<(), SessionError> {
        let asked = asked(plan);
        let compared = [
            ("elements", asked.elements, self.elements),
            ("comparisons", asked.comparisons, self.comparisons),
            ("multiplications", asked.multiplications, self.multiplications),
            ("linear layers", asked.linear_layers, self.linear_layers),
        ];
        match compared.into_iter().find(|(_, found, most)| found > most) {
            None => Ok(()),
            Some((what, found, most)) => Err(SessionError::TooLarge { what, found, most }),
        }
    }
}

/// What a plan asks for, at most: the load of its steps, its tensors, and the labels of the answer.
fn asked(plan: &PublicPlan) -> Limits {
    let count = |tensor: usize| plan.tensors[tensor].count() as u64;
    // Taken apart, so that a new kind of load cannot be passed over. Weights are in the multiplications.
    let Load { linear_layers, multiplications, weights: _, comparisons, gathered } = plan.load_of_steps();
    Limits {
        elements: (0..plan.tensors.len()).map(count).fold(gathered, u64::saturating_add),
        comparisons: count(plan.output).saturating_add(comparisons),
        multiplications,
        linear_layers,
    }
}

#[cfg(test)]
#[allow(clippy::wildcard_enum_match_arm)]
pub(crate) mod tests {
    use blindscan_graph::ir::{Classes, Head, Window};
    use blindscan_graph::plan::{Answer, MaxPool, PlanNode, TensorSpec};

    use super::*;

    fn plan() -> PublicPlan {
        blindscan_graph::random::random_plan(2).0.public
    }

    #[test]
    fn small_plans_are_within_the_limits() {
        for seed in 0..20 {
            let plan = blindscan_graph::random::random_plan(seed).0.public;
            assert!(Limits::default().check(&plan).is_ok(), "seed {seed}");
        }
    }

    #[test]
    fn each_limit_is_held() {
        let asked = asked(&plan());
        assert!(asked.check(&plan()).is_ok());
        let less = [
            Limits { elements: asked.elements - 1, ..asked },
            Limits { comparisons: asked.comparisons - 1, ..asked },
            Limits { multiplications: asked.multiplications - 1, ..asked },
            Limits { linear_layers: asked.linear_layers - 1, ..asked },
        ];
        for limits in less {
            assert!(matches!(limits.check(&plan()), Err(SessionError::TooLarge { .. })), "{limits:?}");
        }
    }

    /// A plan that is valid, and whose max pool would never end.
    pub(crate) fn endless() -> PublicPlan {
        let mut plan = plan();
        let line =
            |extent: usize| TensorSpec { shape: vec![1, 1, extent], ..plan.tensors[plan.input].clone() };
        let kernel = 1 << 16;
        let window = Window {
            kernel: vec![kernel],
            strides: vec![1],
            dilations: vec![1],
            pads_begin: vec![0],
            pads_end: vec![0],
        };
        let input = TensorSpec { ring_bits: 32, bound: 1, ..line(1 << 27) };
        let output = TensorSpec { shape: vec![1, 1, (1 << 27) - kernel + 1], ..input.clone() };
        plan.nodes = vec![PlanNode {
            name: "pool".into(),
            step: MaxPool { window }.into(),
            inputs: vec![0],
            output: 1,
        }];
        (plan.tensors, plan.input, plan.output) = (vec![input, output], 0, 1);
        plan.answer = Answer::of(Head::Logits, Classes::Single, &plan.tensors[1].shape, plan.answer.policy);
        plan
    }

    #[test]
    fn a_valid_plan_that_would_never_end_is_refused() {
        let plan = endless();
        plan.validate().unwrap();
        assert!(matches!(Limits::default().check(&plan), Err(SessionError::TooLarge { .. })));
    }
}
