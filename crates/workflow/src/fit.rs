//! From what was read to the network's input, as the input specification says; or a refusal that says why not.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use blindscan_graph::fixed::{self, Clamped};
use blindscan_graph::ir::Tensor;
use blindscan_graph::npy;
use blindscan_graph::plan::{self, GreyScale, InputSpec, Modality, PublicPlan};
use blindscan_imaging::geometry::PlaneIndex;
use blindscan_imaging::{
    self as imaging, Axis, Filter, Form, InPlane, Kind, Normalisation, Preparation, Request, Scan,
    ToEightBit, Trained,
};

use crate::study::{Content, Found, Study};

/// What a job takes its inputs from: a study that fits the plan.
pub struct Source {
    study: Study,
    /// What the network wants of a scan; nothing of a tensor.
    request: Option<Request>,
    notes: Vec<String>,
}

impl Source {
    /// Opens a file for a plan, and refuses what does not fit its input specification. `unit` is the user's word for what grey
    /// values mean.
    pub fn open(path: &Path, unit: Option<Kind>, plan: &PublicPlan) -> Result<Self> {
        Self::new(Study::open(path, unit)?, plan)
    }

    /// Holds a study against a plan.
    pub fn new(study: Study, plan: &PublicPlan) -> Result<Self> {
        let Fit { request, notes } = fit(&study, &plan.input_spec, Some(&plan.tensors[plan.input].shape))?;
        Ok(Self { study, request, notes })
    }

    /// How many images the source holds.
    pub fn count(&self) -> usize {
        self.scan().map_or(1, |(scan, request)| scan.plane_count(request.axis))
    }

    /// The float input of one image.
    pub fn tensor(&self, index: usize, plan: &PublicPlan) -> Result<Tensor> {
        Ok(self.input(index, plan)?.0)
    }

    /// The float input of one image, and what of it lies outside the declared range: a scan's values are clamped here, a
    /// tensor's when it becomes integers.
    pub fn input(&self, index: usize, plan: &PublicPlan) -> Result<(Tensor, Clamped)> {
        let Some((scan, request)) = self.scan() else {
            let tensor = self.whole_tensor(&plan.tensors[plan.input].shape)?;
            let clamped = fixed::clamped(plan, &tensor);
            return Ok((tensor, clamped));
        };
        let (low, high) = request.range;
        let unclamped = Request { range: (f32::MIN, f32::MAX), ..request.clone() };
        let shape = &plan.tensors[plan.input].shape;
        let mut tensor = one(&Preparation::new(scan, &unclamped)?, index, shape)?;
        let clamped = fixed::clamped(plan, &tensor);
        tensor.data.iter_mut().for_each(|value| *value = value.clamp(low, high));
        Ok((tensor, clamped))
    }

    /// The scan, when there is one.
    pub fn scan(&self) -> Option<(&Scan, &Request)> {
        match (&self.study.content, &self.request) {
            (Content::Scan(scan), Some(request)) => Some((scan, request)),
            _ => None,
        }
    }

    /// What was read, for the screen and reports; `which` were run, and `clamped` counts over these.
    pub fn found_of(&self, which: &[usize], clamped: Clamped) -> Found {
        let axis = self.request.as_ref().map_or(Axis::Axial, |request| request.axis);
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
            Content::Tensor(tensor) => shaped(&self.study.path, tensor.clone(), shape),
            Content::Scan(_) => unreachable!("a scan that fits has a request"),
        }
    }
}

/// How a study fits a network.
pub struct Fit {
    /// What the network wants of a scan; nothing of a tensor.
    request: Option<Request>,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// Holds a study against an input specification, and the shape of the network's input where that is known.
pub fn fit(study: &Study, spec: &InputSpec, shape: Option<&[usize]>) -> Result<Fit> {
    let scan = match &study.content {
        Content::Scan(scan) => scan,
        Content::Tensor(tensor) => {
            if let Some(shape) = shape {
                check_shape(&study.path, &tensor.shape, shape)?;
            }
            let prepared = (spec.modality != Modality::Tensor)
                .then(|| "a tensor was given to a network of scans: it is taken for a prepared input".into());
            return Ok(Fit { request: None, notes: prepared.into_iter().collect() });
        }
    };
    let request = match (spec.modality, shape) {
        (Modality::Tensor, Some(shape)) => plain_request(&study.path, shape)?,
        (Modality::Tensor, None) => bail!("a scan came, and the model takes tensors; give a .npy file"),
        _ => sized(request(spec), shape),
    };
    let preparation =
        Preparation::new(scan, &request).with_context(|| format!("{}", study.path.display()))?;
    let (rows, columns) = preparation.tensor_size();
    let channels = request.channels();
    if let Some(shape) = shape {
        ensure!(
            channels * rows * columns == shape.iter().product::<usize>(),
            "{} makes {channels} channels of {rows} x {columns}; the model takes {shape:?}",
            study.path.display()
        );
    }
    let notes = scan.notes().iter().cloned().chain(preparation.notes()).collect();
    Ok(Fit { request: Some(request), notes })
}

/// A network that names no size takes that of its input.
fn sized(request: Request, shape: Option<&[usize]>) -> Request {
    match (request.size, shape) {
        (None, Some(&[_, _, rows, columns])) => Request { size: Some((rows, columns)), ..request },
        _ => request,
    }
}

/// Sample inputs from a file: the slices that are named, or a few spread over the scan.
pub fn samples(path: &Path, spec: &InputSpec, shape: &[usize], slices: &[usize]) -> Result<Vec<Tensor>> {
    if is_npy(path) {
        return Ok(vec![read_npy(path, shape)?]);
    }
    let scan = Scan::open(path)?;
    let request = sized(request(spec), Some(shape));
    let preparation = Preparation::new(&scan, &request).with_context(|| format!("{}", path.display()))?;
    let count = scan.plane_count(request.axis);
    let which: Vec<usize> = match (slices.is_empty(), count) {
        (false, _) if count > 1 => slices.to_vec(),
        (_, 1) => vec![0],
        _ => (0..8).map(|i| (2 * i + 1) * count / 16).collect(),
    };
    which
        .into_iter()
        .map(|index| one(&preparation, index, shape).with_context(|| format!("{}", path.display())))
        .collect()
}

/// The input of a model without an input specification: a `.npy` tensor, or a picture as grey / 255.
pub fn plain(path: &Path, shape: &[usize]) -> Result<Tensor> {
    if is_npy(path) {
        return read_npy(path, shape);
    }
    let request = plain_request(path, shape)?;
    let scan = Scan::open(path)?;
    one(&Preparation::new(&scan, &request).with_context(|| format!("{}", path.display()))?, 0, shape)
}

/// How a picture becomes the input of a model that does not say: grey / 255, one channel.
fn plain_request(path: &Path, shape: &[usize]) -> Result<Request> {
    ensure!(
        shape.len() == 4 && shape[1] == 1,
        "{}: the model has no card that says how an image becomes its input of shape {shape:?}; write one beside it, or give a .npy file",
        path.display()
    );
    Ok(Request {
        form: Form::Picture,
        modality: None,
        expected_kind: Some(Kind::EightBit),
        to_eight_bit: None,
        normalisation: Normalisation::Linear { offset: 0.0, divisor: 255.0 },
        slice_offsets: vec![0],
        slice_offsets_mm: Vec::new(),
        trained: Trained::default(),
        axis: Axis::Axial,
        in_plane: InPlane::Display,
        size: Some((shape[2], shape[3])),
        resize: Some(Filter::Bicubic),
        range: (0.0, 1.0),
    })
}

/// A tensor from a `.npy` file, with the model's shape.
pub fn read_npy(path: &Path, shape: &[usize]) -> Result<Tensor> {
    shaped(path, npy::read(path).with_context(|| format!("{}", path.display()))?, shape)
}

/// The tensor in the model's shape.
fn shaped(path: &Path, tensor: Tensor, shape: &[usize]) -> Result<Tensor> {
    check_shape(path, &tensor.shape, shape)?;
    Ok(Tensor { shape: shape.to_vec(), data: tensor.data })
}

/// The shapes must be the same but for axes of extent one: any other change of shape would mix the values up.
fn check_shape(path: &Path, found: &[usize], shape: &[usize]) -> Result<()> {
    let several = |shape: &[usize]| -> Vec<usize> { shape.iter().copied().filter(|&n| n != 1).collect() };
    ensure!(
        several(found) == several(shape),
        "{} has shape {found:?}; the model takes {shape:?}",
        path.display()
    );
    Ok(())
}

fn one(preparation: &Preparation<'_>, index: usize, shape: &[usize]) -> Result<Tensor> {
    let made = preparation.tensor(PlaneIndex(index))?;
    let (expected, found) = (shape.iter().product::<usize>(), made.values.len());
    ensure!(
        expected == found,
        "slice {index} makes {} channels of {} x {}; the model takes {shape:?}",
        made.channels,
        made.rows,
        made.columns
    );
    Ok(Tensor { shape: shape.to_vec(), data: made.values })
}

/// The plan's words in the imaging crate's.
fn request(spec: &InputSpec) -> Request {
    Request {
        form: match spec.modality {
            Modality::Ct | Modality::Mr | Modality::Pet => Form::Volume,
            Modality::Xray | Modality::Mammogram => Form::Picture,
            Modality::Ultrasound | Modality::Any | Modality::Tensor => Form::Any,
        },
        modality: match spec.modality {
            Modality::Ct => Some(imaging::Modality::Ct),
            Modality::Mr => Some(imaging::Modality::Mr),
            Modality::Pet => Some(imaging::Modality::Pet),
            Modality::Ultrasound => Some(imaging::Modality::Ultrasound),
            Modality::Xray => Some(imaging::Modality::Xray),
            Modality::Mammogram => Some(imaging::Modality::Mammogram),
            Modality::Any | Modality::Tensor => None,
        },
        expected_kind: match spec.grey {
            GreyScale::Hounsfield => Some(Kind::Hounsfield),
            GreyScale::EightBit => Some(Kind::EightBit),
            GreyScale::Any => None,
        },
        to_eight_bit: spec.to_eight_bit.map(|rule| match rule {
            plan::ToEightBit::Window { low, high } => ToEightBit::Window { low, high },
            plan::ToEightBit::Percentiles { low, high } => ToEightBit::Percentiles { low, high },
            plan::ToEightBit::Voi { low, high } => ToEightBit::Voi { low, high },
        }),
        normalisation: match spec.normalisation {
            plan::Normalisation::Linear { offset, divisor } => Normalisation::Linear { offset, divisor },
            plan::Normalisation::VolumeMinMax => Normalisation::VolumeMinMax,
            plan::Normalisation::Clip { low, high } => Normalisation::Clip { low, high },
        },
        slice_offsets: spec.slice_offsets.clone(),
        slice_offsets_mm: spec.slice_offsets_mm.clone(),
        axis: imaging_axis(spec.axis),
        in_plane: match spec.in_plane {
            plan::InPlane::Display => InPlane::Display,
            plan::InPlane::AsStored => InPlane::AsStored,
        },
        size: spec.size,
        resize: spec.resize.then_some(Filter::Bicubic),
        range: spec.range,
        trained: Trained {
            spacing_mm: spec.trained.spacing_mm,
            field_of_view_mm: spec.trained.field_of_view_mm,
            tolerance: spec.trained.tolerance,
        },
    }
}

/// The axis along which a network's slices lie.
pub fn imaging_axis(axis: plan::Axis) -> Axis {
    match axis {
        plan::Axis::Axial => Axis::Axial,
        plan::Axis::Coronal => Axis::Coronal,
        plan::Axis::Sagittal => Axis::Sagittal,
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
