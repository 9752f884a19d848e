//! What a volume or a picture remembers of where it came from: how its unit is known, its slices' numbers, files left aside, notes.
//!
//! Nothing here says who the patient is: that part of a file is [`Provenance`](crate::Provenance), which no scan holds.

use std::fmt;
use std::path::PathBuf;

use crate::kind::{GreyKind, KnownBy};

/// Steps between the slices of a stack, in millimetres along its normal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Steps {
    /// The mean.
    pub mean_mm: f64,
    /// The shortest.
    pub shortest_mm: f64,
    /// The longest.
    pub longest_mm: f64,
    /// How far the slice that fits worst lies from the straight line through all positions.
    pub off_line_mm: f64,
}

/// A file that was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftAside {
    /// Where it lies, from the folder that was opened.
    pub path: PathBuf,
    /// Why, as a part of a sentence.
    pub reason: String,
}

impl fmt::Display for LeftAside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was left aside: {}", self.path.display(), self.reason)
    }
}

/// What a volume or a picture remembers of where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) known_by: KnownBy,
    /// Why the kind is not what one would expect: part of a refusal.
    pub(crate) kind_remark: Option<String>,
    pub(crate) modality: Option<String>,
    /// Along the third file axis.
    pub(crate) sources: Vec<SliceSource>,
    pub(crate) steps: Option<Steps>,
    pub(crate) files_read: usize,
    pub(crate) left_aside: Vec<LeftAside>,
    pub(crate) notes: Vec<String>,
}

/// By which numbers others know a slice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SliceSource {
    pub(crate) instance: Option<i64>,
    pub(crate) frame: Option<usize>,
}

impl Default for Origin {
    fn default() -> Origin {
        Origin {
            known_by: KnownBy::Header,
            kind_remark: None,
            modality: None,
            sources: Vec::new(),
            steps: None,
            files_read: 1,
            left_aside: Vec::new(),
            notes: Vec::new(),
        }
    }
}

/// The note when the user's word contradicts the file's.
pub(crate) fn overruled(was: GreyKind, stated: GreyKind, known_by: &KnownBy) -> Option<String> {
    (was != stated && !matches!(known_by, KnownBy::Guess(_))).then(|| {
        format!("the values are taken as {stated}, as stated; by the file they are {was} ({known_by})")
    })
}
