//! What is known of ONNX's operators. Each has one row, in the file of its family: how it is computed on data and on constants, what to
//! do instead, and what shape it gives, so that the nodes behind a refused one are checked too.

use super::super::Refusal;
use super::super::call::Call;
use super::super::draft::GraphDraft;
use super::super::fold::Fold;
use super::{Translated, Used, activation, affine, elsewhere, head, layout, linear, pad, pick, pool};

/// Turns a node on data into steps.
pub(super) type Translate = fn(&Call, &mut GraphDraft, Used) -> Result<Translated, Refusal>;

/// An operator of the file.
pub(in super::super) struct OnnxOperator {
    name: &'static str,
    /// The function for a node on data; `None` when it is not computed privately.
    pub(in super::super) translate: Option<Translate>,
    /// What to do instead, where it cannot be computed.
    pub(in super::super) remedy: &'static str,
    /// The function for a node of constants; `None` when it is not computed at import.
    pub(in super::super) fold: Option<Fold>,
    /// The shape of its answer.
    pub(in super::super) shape: ShapeRule,
    /// Whether it may be the last node of a model, and is then applied to the answer.
    pub(in super::super) is_head: bool,
    /// Whether a head stays a head behind it.
    pub(in super::super) passes_heads: bool,
    /// Whether it does to integers what it does to floats: it moves them.
    pub(in super::super) moves_integers: bool,
    /// Refuses a node on data of unknown shape that no shape could save.
    pub(in super::super) check_early: fn(&Call) -> Result<(), Refusal>,
}

/// How the shape of an answer follows, where the node itself is refused.
#[derive(Clone, Copy)]
pub(in super::super) enum ShapeRule {
    /// It is that of the first input.
    OfFirst,
    /// It is the common shape of all inputs.
    OfAll,
    /// By a function of its own.
    Own(fn(&Call, &GraphDraft) -> Option<Vec<usize>>),
    /// It is not known here.
    Unknown,
}

/// The remedy where there is no better one.
pub(super) const REPLACE: &str =
    "replace it by Conv, Gemm, Relu, pooling, Add or Concat, or end the model before it";

const FAMILIES: [&[OnnxOperator]; 9] = [
    linear::OPERATORS,
    affine::OPERATORS,
    activation::OPERATORS,
    pool::OPERATORS,
    layout::OPERATORS,
    pick::OPERATORS,
    pad::OPERATORS,
    head::OPERATORS,
    elsewhere::OPERATORS,
];

/// Any other operator.
const UNLISTED: &OnnxOperator = &OnnxOperator::refused("", REPLACE);
const UNLISTED_NORMALIZATION: &OnnxOperator = &OnnxOperator::refused("", REPLACE).like_first();

/// The row of an operator, by its name in the file.
pub(in super::super) fn operator(name: &str) -> &'static OnnxOperator {
    let listed = FAMILIES.into_iter().flatten().find(|operator| operator.name == name);
    listed.unwrap_or(if name.ends_with("Normalization") { UNLISTED_NORMALIZATION } else { UNLISTED })
}

impl OnnxOperator {
    pub(super) const fn computed(name: &'static str, translate: Translate) -> Self {
        Self { translate: Some(translate), ..Self::refused(name, REPLACE) }
    }

    pub(super) const fn refused(name: &'static str, remedy: &'static str) -> Self {
        Self {
            name,
            translate: None,
            remedy,
            fold: None,
            shape: ShapeRule::Unknown,
            is_head: false,
            passes_heads: false,
            moves_integers: false,
            check_early: |_| Ok(()),
        }
    }

    pub(super) const fn or(self, remedy: &'static str) -> Self {
        Self { remedy, ..self }
    }

    pub(super) const fn folds(self, fold: Fold) -> Self {
        Self { fold: Some(fold), ..self }
    }

    pub(super) const fn like_first(self) -> Self {
        Self { shape: ShapeRule::OfFirst, ..self }
    }

    pub(super) const fn like_all(self) -> Self {
        Self { shape: ShapeRule::OfAll, ..self }
    }

    pub(super) const fn shaped(self, rule: fn(&Call, &GraphDraft) -> Option<Vec<usize>>) -> Self {
        Self { shape: ShapeRule::Own(rule), ..self }
    }

    pub(super) const fn head(self) -> Self {
        Self { is_head: true, ..self }
    }

    pub(super) const fn passing_heads(self) -> Self {
        Self { passes_heads: true, moves_integers: true, ..self }
    }

    pub(super) const fn moving_integers(self) -> Self {
        Self { moves_integers: true, ..self }
    }

    pub(super) const fn checked_early(self, check: fn(&Call) -> Result<(), Refusal>) -> Self {
        Self { check_early: check, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operator_has_one_row() {
        let mut names: Vec<&str> = FAMILIES.into_iter().flatten().map(|operator| operator.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(names.iter().all(|name| !name.is_empty()));
    }
}
