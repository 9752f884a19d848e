//! From a file to the network's input, as the plan's input specification says; and from labels back to files.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use blindscan_graph::ir::Tensor;
use blindscan_graph::npy;
use blindscan_graph::plan::{self, GreyScale, InputSpec, Modality, PublicPlan};
use blindscan_imaging::{
    self as imaging, Axis, Filter, Form, InPlane, Kind, Normalisation, Preparation, Request, Scan,
    ToEightBit, Trained,
};

/// What a job takes its inputs from.
pub(crate) enum Source {
    /// A scan, and what the network wants of it.
    Scan(Box<(Scan, Request)>),
    /// A tensor from a `.npy` file.
    Tensor(Tensor),
}

impl Source {
    /// Opens a file for a plan, and refuses what does not fit its input specification.
    pub(crate) fn open(path: &Path, plan: &PublicPlan) -> Result<Self> {
        let shape = &plan.tensors[plan.input].shape;
        if is_npy(path) {
            return Ok(Self::Tensor(read_npy(path, shape)?));
        }
        let request = match plan.input_spec.modality {
            Modality::Tensor => plain_request(path, shape)?,
            _ => request(&plan.input_spec),
        };
        let scan = Scan::open(path).with_context(|| format!("{}", path.display()))?;
        Preparation::new(&scan, &request).with_context(|| format!("{}", path.display()))?;
        Ok(Self::Scan(Box::new((scan, request))))
    }

    /// How many images the source holds.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Scan(scan) => scan.0.plane_count(scan.1.axis),
            Self::Tensor(_) => 1,
        }
    }

    /// The float input of one image.
    pub(crate) fn tensor(&self, index: usize, plan: &PublicPlan) -> Result<Tensor> {
        match self {
            Self::Tensor(tensor) => Ok(tensor.clone()),
            Self::Scan(scan) => {
                let (scan, request) = scan.as_ref();
                one(&Preparation::new(scan, request)?, index, &plan.tensors[plan.input].shape)
            }
        }
    }

    /// The scan, when there is one.
    pub(crate) fn scan(&self) -> Option<(&Scan, &Request)> {
        match self {
            Self::Scan(scan) => Some((&scan.0, &scan.1)),
            Self::Tensor(_) => None,
        }
    }
}

/// Sample inputs from a file: the slices that are named, or a few spread over the scan.
pub(crate) fn samples(
    path: &Path,
    spec: &InputSpec,
    shape: &[usize],
    slices: &[usize],
) -> Result<Vec<Tensor>> {
    if is_npy(path) {
        return Ok(vec![read_npy(path, shape)?]);
    }
    let scan = Scan::open(path).with_context(|| format!("{}", path.display()))?;
    let request = request(spec);
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
pub(crate) fn plain(path: &Path, shape: &[usize]) -> Result<Tensor> {
    if is_npy(path) {
        return read_npy(path, shape);
    }
    let request = plain_request(path, shape)?;
    let scan = Scan::open(path).with_context(|| format!("{}", path.display()))?;
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
pub(crate) fn read_npy(path: &Path, shape: &[usize]) -> Result<Tensor> {
    let tensor = npy::read(path).with_context(|| format!("{}", path.display()))?;
    let (expected, found) = (shape.iter().product::<usize>(), tensor.data.len());
    ensure!(
        expected == found,
        "{} has shape {:?}; the model takes {:?}",
        path.display(),
        tensor.shape,
        shape
    );
    Ok(Tensor { shape: shape.to_vec(), data: tensor.data })
}

fn one(preparation: &Preparation<'_>, index: usize, shape: &[usize]) -> Result<Tensor> {
    let made = preparation.tensor(blindscan_imaging::geometry::PlaneIndex(index))?;
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
        axis: match spec.axis {
            plan::Axis::Axial => Axis::Axial,
            plan::Axis::Coronal => Axis::Coronal,
            plan::Axis::Sagittal => Axis::Sagittal,
        },
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

fn is_npy(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "npy")
}

/// Which images of `count`: `all`, one (`7`), or a range whose end is not included (`5..9`).
pub(crate) fn selection(text: &str, count: usize) -> Result<Vec<usize>> {
    let number = |part: &str| {
        part.parse::<usize>()
            .with_context(|| format!("--slices takes a number, a range such as 5..9, or all; not {text}"))
    };
    let which: Vec<usize> = match text.split_once("..") {
        _ if text == "all" => (0..count).collect(),
        Some((first, end)) => (number(first)?..number(end)?).collect(),
        None => vec![number(text)?],
    };
    match which.iter().find(|&&index| index >= count) {
        Some(index) => bail!("slice {index} was asked for, and the scan has {count} (counted from 0)"),
        None if which.is_empty() => bail!("--slices {text} names no slice"),
        None => Ok(which),
    }
}

#[cfg(test)]
mod tests {
    use super::selection;

    #[test]
    fn slices_are_one_a_range_or_all() {
        assert_eq!(selection("2", 5).unwrap(), [2]);
        assert_eq!(selection("1..3", 5).unwrap(), [1, 2]);
        assert_eq!(selection("all", 3).unwrap(), [0, 1, 2]);
        for wrong in ["5", "3..6", "3..3", "x", "-1", ""] {
            assert!(selection(wrong, 5).is_err(), "{wrong}");
        }
    }
}
