//! Known-answer images mixed into a batch: a server with another model, or one that answers wrongly, gives itself away.
//!
//! A set is a folder of images and `answers.json`, which holds for each a digest of its input and one of its answer: noted by
//! the plan's owner from the model, or by the client at an earlier run (`blindscan canaries`). The server sees neither input
//! nor answer, so it cannot tell these images from others; one that cheats in a share c of its jobs is missed by N of them
//! with probability (1 - c)^N. Inputs are made one ahead of the job that runs, so that no pause before a job tells which it is.
//!
//! Nothing that depends on the comparison reaches the server: the whole batch is run, whatever came of a part of it. Who
//! complains to the server's operator of a wrong answer tells him something; that is for a person to do.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use blindscan_graph::fixed;
use blindscan_graph::ir::Tensor;
use blindscan_graph::plan::PublicPlan;
use blindscan_inference::Output;
use blindscan_session::PlanDigest;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::error::{At, CanaryError, Result};
use crate::files::write_new;
use crate::fit::FittedStudy;
use crate::hex;
use crate::random::Random;
use crate::reference;
use crate::report::{CanaryReport, WrongCanary};
use crate::slices::selection;
use crate::study::Study;

/// The file of noted answers in the folder of a set.
const ANSWERS: &str = "answers.json";

/// Images with known answers in a batch.
#[derive(Clone, Debug, Default)]
pub struct CanaryOptions {
    /// How many are mixed in.
    pub count: usize,
    /// Folder of these images, with the answers that were noted.
    pub set: Option<PathBuf>,
}

/// What is known of a set of images.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notes {
    /// Digest of the plan that the answers are of.
    plan_digest: String,
    answers: Vec<Note>,
}

/// One image and what is known of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    /// Name in the folder.
    file: String,
    /// Slice of a scan; 0 for pictures and tensors.
    slice: usize,
    /// Digest of the input as integers.
    input: String,
    /// Digest of the answer.
    answer: String,
}

impl Notes {
    /// Notes the answers of every image of a set, as `answer` gives them for an input, in floats and in integers; of a scan
    /// those of the slices that are listed, or of the middle one.
    pub fn take(
        set: UnnotedSet,
        slices: Option<&str>,
        plan: &PublicPlan,
        mut answer: impl FnMut(&Tensor, &[i64]) -> Result<Output>,
    ) -> Result<Self> {
        let mut answers = Vec::new();
        for file in set.files {
            let source = FittedStudy::open(&set.folder.join(&file), None, plan)?;
            let slices = match slices {
                Some(text) => selection(text, source.count())?,
                None => vec![source.count() / 2],
            };
            for slice in slices {
                let tensor = source.tensor(slice, plan)?;
                let input = fixed::quantise_input(plan, &tensor)?;
                let output = answer(&tensor, &input)?;
                answers.push(Note {
                    file: file.clone(),
                    slice,
                    input: digest(&input),
                    answer: digest(&reference::values(&output)),
                });
            }
        }
        Ok(Self { plan_digest: hex(&plan.digest()), answers })
    }

    /// How many answers are noted.
    pub fn count(&self) -> usize {
        self.answers.len()
    }

    /// Writes the notes into their folder, whole or not at all.
    pub fn write(&self, folder: &Path) -> Result<PathBuf> {
        let path = folder.join(ANSWERS);
        write_new(&path, &serde_json::to_vec_pretty(self)?)?;
        Ok(path)
    }

    fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(ANSWERS);
        let text =
            std::fs::read(&path).map_err(|source| CanaryError::NotNoted { path: path.clone(), source })?;
        serde_json::from_slice(&text).at(&path)
    }
}

/// A folder of images whose answers are not noted yet. Each was read once; none is kept, for scans are large.
pub struct UnnotedSet {
    folder: PathBuf,
    files: Vec<String>,
}

impl UnnotedSet {
    /// Reads every image of a folder, and refuses one that cannot be read. A folder with notes is refused.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(ANSWERS);
        if path.exists() {
            return Err(CanaryError::Noted { path }.into());
        }
        let files = files(folder)?;
        for file in &files {
            Study::open(&folder.join(file), None)?;
        }
        match files.is_empty() {
            true => Err(CanaryError::NoImage { folder: folder.into() }.into()),
            false => Ok(Self { folder: folder.into(), files }),
        }
    }
}

/// Images and their names in a folder: all but the notes and hidden files.
fn files(folder: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(folder).at(folder)?;
    let mut names = Vec::new();
    for entry in entries {
        match entry?.file_name().into_string() {
            Ok(name) if name == ANSWERS || name.starts_with('.') => {}
            Ok(name) => names.push(name),
            Err(name) => {
                let name = name.display().to_string();
                return Err(CanaryError::Name { folder: folder.into(), name }.into());
            }
        }
    }
    names.sort();
    Ok(names)
}

/// Canaries drawn from their set: all that can be done before a server is asked. Each image was read once; none is kept.
pub struct DrawnCanaries {
    folder: PathBuf,
    /// Digest of the plan that the answers are of; none when no canary was asked for.
    plan_digest: Option<String>,
    notes: Vec<Note>,
}

/// The canaries of one batch.
pub struct Canaries {
    drawn: Vec<(Note, Vec<i64>)>,
}

/// What is run at one position of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// An image that was asked for.
    Image(usize),
    /// A canary, by its number.
    Canary(usize),
}

impl DrawnCanaries {
    /// Draws as many canaries as are asked for; each image of the set once before any comes twice.
    pub fn draw(options: &CanaryOptions, rng: &mut Random) -> Result<Self> {
        let (Some(folder), count @ 1..) = (&options.set, options.count) else {
            return Ok(Self { folder: PathBuf::new(), plan_digest: None, notes: Vec::new() });
        };
        let Notes { plan_digest, answers } = Notes::read(folder)?;
        if answers.is_empty() {
            return Err(CanaryError::NoAnswer { path: folder.join(ANSWERS) }.into());
        }
        let mut notes = Vec::new();
        while notes.len() < count {
            let mut round = answers.clone();
            round.shuffle(rng);
            notes.extend(round.into_iter().take(count - notes.len()));
        }
        for file in files_of(&notes) {
            Study::open(&place(folder, file)?, None)?;
        }
        Ok(Self { folder: folder.clone(), plan_digest: Some(plan_digest), notes })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.notes.len()
    }

    /// The canaries as inputs of a plan, which must be the one whose answers were noted; one image is in memory at a time.
    pub fn fitted(self, plan: &PublicPlan) -> Result<Canaries> {
        let Self { folder, plan_digest, notes } = self;
        let served = PlanDigest(plan.digest());
        if let Some(noted) = plan_digest.filter(|noted| *noted != served.to_string()) {
            return Err(CanaryError::OtherPlan { path: folder.join(ANSWERS), noted, served }.into());
        }
        let mut drawn = Vec::with_capacity(notes.len());
        for file in files_of(&notes) {
            let source = FittedStudy::open(&place(&folder, file)?, None, plan)?;
            for note in notes.iter().filter(|note| note.file == file) {
                drawn.push((note.clone(), input(&folder, note, &source, plan)?));
            }
        }
        Ok(Canaries { drawn })
    }
}

/// The files of these notes, each once.
fn files_of(notes: &[Note]) -> BTreeSet<&str> {
    notes.iter().map(|note| note.file.as_str()).collect()
}

impl Canaries {
    /// The order of a batch: its images in their order, canaries at random positions between.
    pub fn mixed(&self, images: &[usize], rng: &mut Random) -> Vec<Slot> {
        let mut order: Vec<Option<usize>> = vec![None; images.len()];
        order.extend((0..self.drawn.len()).map(Some));
        order.shuffle(rng);
        let mut images = images.iter();
        let slot = |canary: Option<usize>| match canary {
            Some(number) => Slot::Canary(number),
            None => Slot::Image(*images.next().expect("as many places as images")),
        };
        order.into_iter().map(slot).collect()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.drawn.len()
    }

    /// The input of a canary.
    pub fn input(&self, number: usize) -> &[i64] {
        &self.drawn[number].1
    }

    /// Holds the answers, by position in the batch, against the notes; nothing when there were no canaries.
    pub fn judge(&self, answers: &[(usize, usize, Output)]) -> Option<CanaryReport> {
        let wrong: Vec<WrongCanary> = answers
            .iter()
            .filter(|(_, number, output)| digest(&reference::values(output)) != self.drawn[*number].0.answer)
            .map(|(position, number, _)| {
                let Note { file, slice, .. } = &self.drawn[*number].0;
                WrongCanary { file: file.clone(), slice: *slice, position: *position }
            })
            .collect();
        let asked = answers.len();
        (asked > 0).then(|| CanaryReport { asked, right: asked - wrong.len(), wrong })
    }
}

/// Where a noted image lies: in the folder of the set, and nowhere else.
fn place(folder: &Path, file: &str) -> Result<PathBuf, CanaryError> {
    match Path::new(file).components().count() == 1 && !file.starts_with('.') {
        true => Ok(folder.join(file)),
        false => Err(CanaryError::Outside { path: folder.join(ANSWERS), name: file.into() }),
    }
}

/// The input of a noted image, which must be the one that was noted.
fn input(folder: &Path, note: &Note, source: &FittedStudy, plan: &PublicPlan) -> Result<Vec<i64>> {
    let path = folder.join(&note.file);
    if note.slice >= source.count() {
        return Err(CanaryError::NoSlice { path, slice: note.slice }.into());
    }
    let input = fixed::quantise_input(plan, &source.tensor(note.slice, plan)?)?;
    match digest(&input) == note.input {
        true => Ok(input),
        false => Err(CanaryError::Changed { path }.into()),
    }
}

/// Names integers: an input or an answer.
fn digest(values: &[i64]) -> String {
    let mut hash = blake3::Hasher::new_derive_key("blindscan 1 input or answer of a canary");
    values.iter().for_each(|value| {
        hash.update(&value.to_le_bytes());
    });
    hash.finalize().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::random;

    fn canaries(count: usize) -> Canaries {
        let note = |number: usize| Note {
            file: format!("{number}.npy"),
            slice: 0,
            input: String::new(),
            answer: digest(&[number as i64]),
        };
        Canaries { drawn: (0..count).map(|number| (note(number), vec![])).collect() }
    }

    #[test]
    fn images_keep_their_order_and_canaries_come_at_every_position() {
        let canaries = canaries(2);
        let mut seen = [0; 5];
        for _ in 0..200 {
            let order = canaries.mixed(&[7, 3, 9], &mut random());
            let images: Vec<Slot> =
                order.iter().copied().filter(|slot| matches!(slot, Slot::Image(_))).collect();
            assert_eq!(images, [7, 3, 9].map(Slot::Image));
            for (position, slot) in order.iter().enumerate() {
                seen[position] += u32::from(matches!(slot, Slot::Canary(_)));
            }
            assert_eq!(order.len(), 5);
        }
        assert_eq!(seen.iter().sum::<u32>(), 400);
        // 80 each, standard deviation 7.
        assert!(seen.iter().all(|&count| (38..122).contains(&count)), "{seen:?}");
    }

    #[test]
    fn a_wrong_answer_is_named_with_its_file_and_position() {
        let canaries = canaries(3);
        let answer = |position, number, label| (position, number, Output::Labels(vec![label]));
        let right = canaries.judge(&[answer(0, 1, 1), answer(4, 0, 0)]).unwrap();
        assert_eq!((right.asked, right.right, right.wrong.len()), (2, 2, 0));
        let judged = canaries.judge(&[answer(1, 2, 2), answer(3, 1, 0)]).unwrap();
        assert_eq!((judged.asked, judged.right), (2, 1));
        assert_eq!((judged.wrong[0].file.as_str(), judged.wrong[0].position), ("1.npy", 3));
        assert!(canaries.judge(&[]).is_none());
    }

    #[test]
    fn a_digest_tells_values_apart() {
        assert_ne!(digest(&[1, 2]), digest(&[2, 1]));
        assert_ne!(digest(&[0]), digest(&[0, 0]));
        assert_eq!(digest(&[-1]), digest(&[-1]));
    }
}
