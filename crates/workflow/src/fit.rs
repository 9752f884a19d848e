//! From what was read to the network's input, as the input specification says; or a refusal that says why not.

use std::path::Path;

use blindscan_graph::fixed::{self, Clamped};
use blindscan_graph::ir::Tensor;
use blindscan_graph::npy;
use blindscan_graph::plan::{InputSpec, Modality, PublicPlan};
use blindscan_imaging::{self as imaging, Axis, GreyKind, Preparation, Scan};

use crate::card::Card;
use crate::connection::{ServerOptions, kept_card};
use crate::error::{At, InputError, Result};
use crate::study::{Found, Study, StudyContent, StudyOptions};

impl Study {
    /// Reads the study of a job, and holds it against the cards that are there: the one that was given, and the one kept of the
    /// server. Nothing has been sent when this refuses.
    pub fn before_connecting(path: &Path, options: &StudyOptions, server: &ServerOptions) -> Result<Self> {
        let mut study = Self::open(path, options.unit)?;
        if let Some(card) = &options.card {
            study.fit(&Card::read(card)?).at_place(|| format!("judged by {}", card.display()))?;
        }
        if let Some((card, place)) = kept_card(&server.server, &server.keys)? {
            study.fit(&card).at_place(|| {
                format!(
                    "judged by what this server took at the last connection ({}; `blindscan estimate --server` asks it again)",
                    place.display()
                )
            })?;
        }
        Ok(study)
    }

    /// Holds the study against a card.
    pub fn fit(&mut self, card: &Card) -> Result<StudyFit> {
        fit(self, &card.input, card.input_shape.as_deref())
    }
}

/// What a job takes its inputs from: a study that fits the plan.
pub struct FittedStudy {
    study: Study,
    /// How a scan becomes the network's input; nothing of a tensor.
    preparation: Option<Preparation>,
    notes: Vec<String>,
}

impl FittedStudy {
    /// Opens a file for a plan, and refuses what does not fit its input specification. `unit` is the user's word for what grey
    /// values mean.
    pub fn open(path: &Path, unit: Option<GreyKind>, plan: &PublicPlan) -> Result<Self> {
        Self::new(Study::open(path, unit)?, plan)
    }

    /// Holds a study against a plan.
    pub fn new(mut study: Study, plan: &PublicPlan) -> Result<Self> {
        let StudyFit { preparation, notes } =
            fit(&mut study, &plan.input_spec, Some(&plan.tensors[plan.input].shape))?;
        Ok(Self { study, preparation, notes })
    }

    /// How many images the source holds.
    pub fn count(&self) -> usize {
        self.preparation.as_ref().map_or(1, Preparation::patch_count)
    }

    /// The float input of one image.
    pub fn tensor(&self, index: usize, plan: &PublicPlan) -> Result<Tensor> {
        Ok(self.input(index, plan)?.0)
    }

    /// The float input of one image, and what of it lies outside the declared range: a scan's values are clamped here, a
    /// tensor's when it becomes integers.
    pub fn input(&self, index: usize, plan: &PublicPlan) -> Result<(Tensor, Clamped)> {
        let Some((scan, preparation)) = self.scan() else {
            let tensor = self.whole_tensor(&plan.tensors[plan.input].shape)?;
            let clamped = fixed::clamped(plan, &tensor);
            return Ok((tensor, clamped));
        };
        let (low, high) = preparation.spec().range;
        let made = preparation.tensor_unclamped(scan, &preparation.patch(index))?;
        let mut tensor = of_shape(made, index, &plan.tensors[plan.input].shape)?;
        let clamped = fixed::clamped(plan, &tensor);
        tensor.data.iter_mut().for_each(|value| *value = value.clamp(low, high));
        Ok((tensor, clamped))
    }

    /// The scan, when there is one.
    pub fn scan(&self) -> Option<(&Scan, &Preparation)> {
        match (&self.study.content, &self.preparation) {
            (StudyContent::Scan(scan), Some(preparation)) => Some((scan, preparation)),
            _ => None,
        }
    }

    /// What was read, for the screen and reports; `which` were run, and `clamped` counts over these.
    pub fn found_of(&self, which: &[usize], clamped: Clamped) -> Found {
        let axis = self.preparation.as_ref().map_or(Axis::Axial, |preparation| preparation.spec().axis);
        let mut found = self.study.found(axis);
        found.mark(which);
        found.clamped = Some(clamped);
        found
    }

    /// What the user should know of the study, and of how it fits: sentences.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    fn whole_tensor(&self, shape: &[usize]) -> Result<Tensor> {
        match &self.study.content {
            StudyContent::Tensor(tensor) => shaped(&self.study.path, tensor.clone(), shape),
            StudyContent::Scan(_) => unreachable!("a scan that fits has a preparation"),
        }
    }
}

/// How a study fits a network.
pub struct StudyFit {
    /// How a scan becomes the network's input; nothing of a tensor.
    preparation: Option<Preparation>,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// Holds a study against an input specification, and the shape of the network's input where that is known.
pub fn fit(study: &mut Study, spec: &InputSpec, shape: Option<&[usize]>) -> Result<StudyFit> {
    let scan = match &study.content {
        StudyContent::Scan(scan) => scan,
        StudyContent::Tensor(tensor) => {
            if let Some(shape) = shape {
                check_shape(&study.path, &tensor.shape, shape)?;
            }
            let prepared = (spec.modality != Modality::Tensor)
                .then(|| "a tensor was given to a network of scans: it is taken for a prepared input".into());
            return Ok(StudyFit { preparation: None, notes: prepared.into_iter().collect() });
        }
    };
    let spec = match (spec.modality, shape) {
        (Modality::Tensor, Some(shape)) => plain_spec(&study.path, shape)?,
        (Modality::Tensor, None) => return Err(InputError::ScanForTensors.into()),
        _ => sized(spec, shape),
    };
    let preparation = match study.prepared.take() {
        Some(prepared) if *prepared.spec() == spec => prepared,
        _ => Preparation::new(scan, &spec).at(&study.path)?,
    };
    study.prepared = Some(preparation.clone());
    if let Some(shape) = shape {
        check_count(&study.path.display().to_string(), &preparation.tensor_shape(), shape)?;
    }
    let notes = scan.notes().iter().chain(preparation.notes()).cloned().collect();
    Ok(StudyFit { preparation: Some(preparation), notes })
}

/// A network that names no size takes that of its input.
fn sized(spec: &InputSpec, shape: Option<&[usize]>) -> InputSpec {
    match (spec.size, shape) {
        (None, Some(&[_, _, rows, columns])) => InputSpec { size: Some((rows, columns)), ..spec.clone() },
        _ => spec.clone(),
    }
}

/// Sample inputs from a file: the slices that are named, or a few spread over the scan.
pub fn samples(path: &Path, spec: &InputSpec, shape: &[usize], slices: &[usize]) -> Result<Vec<Tensor>> {
    if is_npy(path) {
        return Ok(vec![read_npy(path, shape)?]);
    }
    let scan = Scan::open(path)?;
    let preparation = Preparation::new(&scan, &sized(spec, Some(shape))).at(path)?;
    let count = preparation.patch_count();
    let which: Vec<usize> = match (slices.is_empty(), count) {
        (false, _) if count > 1 => slices.to_vec(),
        (_, 1) => vec![0],
        _ => (0..8).map(|i| (2 * i + 1) * count / 16).collect(),
    };
    which.into_iter().map(|index| one(&preparation, &scan, index, shape).at(path)).collect()
}

/// The input of a model without an input specification: a `.npy` tensor, or a picture as grey / 255.
pub fn plain(path: &Path, shape: &[usize]) -> Result<Tensor> {
    if is_npy(path) {
        return read_npy(path, shape);
    }
    let spec = plain_spec(path, shape)?;
    let scan = Scan::open(path)?;
    one(&Preparation::new(&scan, &spec).at(path)?, &scan, 0, shape)
}

/// How a picture becomes the input of a model that does not say: grey / 255, one channel.
fn plain_spec(path: &Path, shape: &[usize]) -> Result<InputSpec, InputError> {
    if shape.len() != 4 || shape[1] != 1 {
        return Err(InputError::NoCard { path: path.into(), shape: shape.to_vec() });
    }
    Ok(InputSpec { modality: Modality::Tensor, ..InputSpec::xray((shape[2], shape[3])) })
}

/// A tensor from a `.npy` file, with the model's shape.
pub fn read_npy(path: &Path, shape: &[usize]) -> Result<Tensor> {
    shaped(path, npy::read(path).at(path)?, shape)
}

/// The tensor in the model's shape.
fn shaped(path: &Path, tensor: Tensor, shape: &[usize]) -> Result<Tensor> {
    check_shape(path, &tensor.shape, shape)?;
    Ok(Tensor { shape: shape.to_vec(), data: tensor.data })
}

/// The shapes must be the same but for axes of extent one: any other change of shape would mix the values up.
fn check_shape(path: &Path, found: &[usize], shape: &[usize]) -> Result<(), InputError> {
    let several = |shape: &[usize]| -> Vec<usize> { shape.iter().copied().filter(|&n| n != 1).collect() };
    if several(found) != several(shape) {
        return Err(InputError::OtherShape {
            path: path.into(),
            found: found.to_vec(),
            shape: shape.to_vec(),
        });
    }
    Ok(())
}

fn one(preparation: &Preparation, scan: &Scan, index: usize, shape: &[usize]) -> Result<Tensor> {
    of_shape(preparation.tensor(scan, &preparation.patch(index))?, index, shape)
}

fn of_shape(made: imaging::PatchTensor, index: usize, shape: &[usize]) -> Result<Tensor> {
    check_count(&format!("slice {index}"), &made.shape, shape)?;
    Ok(Tensor { shape: shape.to_vec(), data: made.values })
}

/// What a scan, or its slice, makes must have as many values as the network takes.
fn check_count(what: &str, made: &[usize], shape: &[usize]) -> Result<(), InputError> {
    match made.iter().product::<usize>() == shape.iter().product::<usize>() {
        true => Ok(()),
        false => Err(InputError::OtherSize { what: what.into(), made: made.to_vec(), shape: shape.to_vec() }),
    }
}

fn is_npy(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "npy")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_of_another_shape_is_refused_with_both_and_axes_of_one_are_free() {
        let tensor =
            |shape: &[usize]| Tensor { shape: shape.to_vec(), data: vec![0.0; shape.iter().product()] };
        let path = Path::new("x.npy");
        let made = shaped(path, tensor(&[16, 12]), &[1, 1, 16, 12]).unwrap();
        assert_eq!(made.shape, [1, 1, 16, 12]);
        let error = shaped(path, tensor(&[1, 16, 12, 3]), &[1, 3, 16, 12]).err().unwrap().to_string();
        assert!(error.contains("[1, 16, 12, 3]") && error.contains("[1, 3, 16, 12]"), "{error}");
    }
}
