//! What the answer is: what its labels say and where they lie, so that nobody has to guess it from a shape.
//!
//! Both are axes of the plan's output. They are settled when the plan is made, are part of its digest, and are checked in
//! plans from peers.

use serde::{Deserialize, Serialize};

use crate::ir::{Classes, Head, Tensor};

/// What the image owner gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The head that stood in the model.
    pub head: Head,
    /// What each label says.
    pub meaning: Meaning,
    /// Where the labels lie.
    pub places: Places,
    /// Labels only, or the logits.
    pub policy: OutputPolicy,
    /// Names of the classes, in order, or of the findings of a model that answers yes or no to each; may be empty.
    pub class_names: Vec<String>,
}

/// What a label says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Meaning {
    /// Which of several classes: the index of the largest logit along an axis, ties to the lower index.
    Class {
        /// The class axis, of extent 2 or more.
        axis: usize,
    },
    /// Yes or no: 1 where the logit is >= 0.
    YesNo,
    /// Yes or no to each of several findings (a multi-label model).
    Findings {
        /// The axis of the findings, of extent 2 or more.
        axis: usize,
    },
    /// The logits stand for themselves: nothing says along which axis classes would be compared.
    Values,
}

/// Where labels lie, beside the axis of classes or findings. Axes that are not named have extent 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Places {
    /// One label (or one per finding) for the whole image.
    Whole,
    /// A mask: one label for each pixel of a plane.
    Plane {
        /// The axis of the rows.
        rows: usize,
        /// The axis of the columns, behind that of the rows.
        columns: usize,
    },
    /// A mask of a block: one label for each of its voxels.
    Block {
        /// The axis of the planes.
        depth: usize,
        /// The axis of the rows, behind that of the planes.
        rows: usize,
        /// The axis of the columns, behind that of the rows.
        columns: usize,
    },
    /// Anything else: a list of labels or values.
    List,
}

/// How much of the answer is opened to the image owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputPolicy {
    /// Argmax runs inside the protocol.
    Labels,
    /// The logits are opened.
    Logits,
}

impl Meaning {
    /// What the labels of logits of this shape say.
    fn of(classes: Classes, shape: &[usize]) -> Self {
        match classes {
            Classes::Along(axis) if shape[axis] > 1 => Self::Class { axis },
            Classes::Along(_) | Classes::Single => match axis_of_findings(shape) {
                Some(axis) => Self::Findings { axis },
                None => Self::YesNo,
            },
            Classes::Unknown => Self::Values,
        }
    }

    /// The axis of classes or findings.
    fn axis(&self) -> Option<usize> {
        match *self {
            Self::Class { axis } | Self::Findings { axis } => Some(axis),
            Self::YesNo | Self::Values => None,
        }
    }
}

/// The axis of a multi-label model's findings: the entries of a vector of logits, or the channels before two or three spatial
/// axes.
fn axis_of_findings(shape: &[usize]) -> Option<usize> {
    match several(shape, None)[..] {
        [only] => Some(only),
        [channels, _, _, ..] if several(shape, None).len() + 1 == shape.len() => Some(channels),
        _ => None,
    }
}

/// The axes of more than one entry, beside one.
fn several(shape: &[usize], beside: Option<usize>) -> Vec<usize> {
    (0..shape.len()).filter(|&axis| shape[axis] > 1 && Some(axis) != beside).collect()
}

impl Places {
    fn of(meaning: Meaning, shape: &[usize]) -> Self {
        if meaning == Meaning::Values {
            return Self::List;
        }
        let beside = meaning.axis();
        let spatial: Vec<usize> = (1..shape.len()).filter(|&axis| Some(axis) != beside).collect();
        match (&several(shape, beside)[..], &spatial[..]) {
            ([], _) => Self::Whole,
            (&[rows, columns], _) => Self::Plane { rows, columns },
            // A plane of one row or one column.
            (&[_], &[rows, columns]) => Self::Plane { rows, columns },
            (&[depth, rows, columns], _) => Self::Block { depth, rows, columns },
            _ => Self::List,
        }
    }

    /// The axes that are named, in order.
    fn axes(&self) -> Vec<usize> {
        match *self {
            Self::Whole | Self::List => Vec::new(),
            Self::Plane { rows, columns } => vec![rows, columns],
            Self::Block { depth, rows, columns } => vec![depth, rows, columns],
        }
    }
}

impl Answer {
    /// The answer of logits of this shape, where the model compares classes as it says.
    pub fn of(head: Head, classes: Classes, shape: &[usize], policy: OutputPolicy) -> Self {
        let meaning = Meaning::of(classes, shape);
        Self { head, meaning, places: Places::of(meaning, shape), policy, class_names: Vec::new() }
    }

    /// The class axis of the logits, when classes are compared.
    pub fn class_axis(&self) -> Option<usize> {
        match self.meaning {
            Meaning::Class { axis } => Some(axis),
            Meaning::YesNo | Meaning::Findings { .. } | Meaning::Values => None,
        }
    }

    /// What is wrong with the answer of logits of this shape.
    pub(super) fn problem(&self, shape: &[usize]) -> Option<String> {
        self.problem_of_axes(shape).or_else(|| self.problem_of_names(shape))
    }

    fn problem_of_axes(&self, shape: &[usize]) -> Option<String> {
        let rank = shape.len();
        let named = self.meaning.axis();
        if named.is_some_and(|axis| axis >= rank) {
            return Some(format!("the axis of its classes or findings is not one of the output's {rank}"));
        }
        if named.is_some_and(|axis| shape[axis] == 1) {
            return Some(
                "the axis of its classes or findings has one entry, which is to be no such axis".into(),
            );
        }
        if let Head::Softmax { axis } | Head::ArgMax { axis } = self.head
            && axis >= rank
        {
            return Some(format!("the head's axis is not one of the output's {rank}"));
        }
        if self.meaning == Meaning::Values
            && (self.policy, self.places) != (OutputPolicy::Logits, Places::List)
        {
            return Some("plain values are no labels and form no mask".into());
        }
        let axes = self.places.axes();
        let in_order =
            axes.is_sorted_by(|a, b| a < b) && axes.iter().all(|&axis| axis < rank && Some(axis) != named);
        let others_are_one =
            (0..rank).all(|axis| Some(axis) == named || axes.contains(&axis) || shape[axis] == 1);
        match self.places {
            Places::Whole | Places::Plane { .. } | Places::Block { .. } if !in_order || !others_are_one => {
                Some(format!("its labels do not lie as it says in an output of shape {shape:?}"))
            }
            Places::Whole | Places::Plane { .. } | Places::Block { .. } | Places::List => None,
        }
    }

    fn problem_of_names(&self, shape: &[usize]) -> Option<String> {
        let (wanted, what) = match self.meaning {
            Meaning::Class { axis } => (shape[axis], "classes"),
            Meaning::Findings { axis } => (shape[axis], "findings, each a yes or no"),
            Meaning::YesNo => (2, "classes: no and yes"),
            Meaning::Values => (0, "classes, for its answer is plain values"),
        };
        let given = self.class_names.len();
        (given != 0 && given != wanted).then(|| format!("{given} class names for {wanted} {what}"))
    }
}

impl super::PublicPlan {
    /// How many classes are compared and how many places are labelled: the class axis' extent (1 without one), and the rest.
    pub fn classes_and_places(&self) -> (usize, usize) {
        let shape = &self.tensors[self.output].shape;
        let classes = self.answer.class_axis().map_or(1, |axis| shape[axis]);

        (classes, Tensor::count(shape) / classes)
    }

    /// How many findings the model answers yes or no to, each by a logit of its own (a multi-label model).
    pub fn findings(&self) -> Option<usize> {
        match self.answer.meaning {
            Meaning::Findings { axis } => Some(self.tensors[self.output].shape[axis]),
            Meaning::Class { .. } | Meaning::YesNo | Meaning::Values => None,
        }
    }

    /// Rows and columns of the mask that the model gives of a plane.
    pub fn mask_size(&self) -> Option<(usize, usize)> {
        let shape = &self.tensors[self.output].shape;
        match (self.answer.meaning, self.answer.places) {
            (Meaning::Class { .. } | Meaning::YesNo, Places::Plane { rows, columns }) => {
                Some((shape[rows], shape[columns]))
            }
            (Meaning::Findings { .. } | Meaning::Values, Places::Plane { .. })
            | (_, Places::Whole | Places::Block { .. } | Places::List) => None,
        }
    }
}
