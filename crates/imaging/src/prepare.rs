//! From a scan to the tensors that a network wants, or a refusal that says why not.
//!
//! | step | what |
//! |---|---|
//! | 1 | the scan is held against the [`Request`]: volume or picture, kind of grey values, colour, size; a [`Misfit`] says what came, what was expected, what to do |
//! | 2 | each channel's plane is cut out; beyond the scan's ends a channel is zeros |
//! | 3 | the plane is resized, if it must and may be: 8-bit planes with 8-bit rounding, others in floats |
//! | 4 | grey becomes real input by [`Normalisation`], then is clamped to the declared range |
//!
//! A [`Tensor`] has no identity: no path, no place in space, no name.

use std::fmt;

use crate::geometry::{Axis, PlaneIndex};
use crate::planes::{GreyPlane, InPlane, Slicing};
use crate::resize::{Filter, resize_8bit, resize_float};
use crate::volume::{Kind, Voxels};
use crate::{ImagingError, Misfit, Scan};

/// Whether the network was made for volumes or for pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Form {
    /// A volume in space: CT, MR.
    Volume,
    /// A single image: a projection X-ray.
    Picture,
    /// Either; not checked.
    #[default]
    Any,
}

/// How grey values become the network's real input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Normalisation {
    /// (grey - offset) / divisor.
    Linear {
        /// Subtracted first.
        offset: f32,
        /// Divided by then.
        divisor: f32,
    },
    /// (grey - min) / (max - min), with the ends of the whole volume or picture before any resizing.
    VolumeMinMax,
    /// Clamped to low..high, then to 0..1.
    Clip {
        /// Becomes 0.
        low: f32,
        /// Becomes 1.
        high: f32,
    },
}

/// What a network wants. It comes from the model owner: nothing in it is trusted.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Volume or picture.
    pub form: Form,
    /// What grey values must mean; `None` takes any.
    pub expected_kind: Option<Kind>,
    /// From grey to real input.
    pub normalisation: Normalisation,
    /// The planes that make the channels, relative to the target. For pictures `[0]`.
    pub slice_offsets: Vec<i32>,
    /// Across which planes are cut.
    pub axis: Axis,
    /// How planes are laid before the network.
    pub in_plane: InPlane,
    /// Rows and columns that the network wants; `None` takes any.
    pub size: Option<(usize, usize)>,
    /// How a plane of another size is resized; `None` refuses it. Pillow's default for grey images is bicubic.
    pub resize: Option<Filter>,
    /// The declared range of the real input; values outside are clamped.
    pub range: (f32, f32),
}

/// Real input of a network, without identity.
#[derive(Clone, PartialEq)]
pub struct Tensor {
    /// How many channels.
    pub channels: usize,
    /// How many rows.
    pub rows: usize,
    /// How many columns.
    pub columns: usize,
    /// Channel by channel, row by row.
    pub values: Vec<f32>,
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor({} x {} x {}, values not shown)", self.channels, self.rows, self.columns)
    }
}

/// Tensors of the planes with the numbers `which`, in this order.
pub fn planes(scan: &Scan, request: &Request, which: &[usize]) -> Result<Vec<Tensor>, ImagingError> {
    let preparation = Preparation::new(scan, request)?;
    which.iter().map(|&plane| preparation.tensor(PlaneIndex(plane))).collect()
}

/// No network here takes an input of more values; a request for more is a mistake or an attack.
const TENSOR_VALUES_MAX: usize = 1 << 28;

/// A scan that fits a request, checked once; tensors are made one by one, so that memory does not grow with the volume.
#[derive(Debug)]
pub struct Preparation<'a> {
    scan: &'a Scan,
    request: &'a Request,
    /// `None` for pictures.
    slicing: Option<Slicing>,
    grey_to_real: Ramp,
}

/// (grey - offset) / divisor.
#[derive(Clone, Copy)]
struct Ramp {
    offset: f32,
    divisor: f32,
}

/// The ends of a volume are the patient's.
impl fmt::Debug for Ramp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ramp(not shown)")
    }
}

impl<'a> Preparation<'a> {
    /// Checks the request in itself, then the scan against it.
    pub fn new(scan: &'a Scan, request: &'a Request) -> Result<Preparation<'a>, ImagingError> {
        check_request(request)?;
        check_form(scan, request)?;
        check_kind(scan, request)?;
        let slicing = match scan {
            Scan::Volume(volume) => Some(Slicing::new(volume, request.axis, request.in_plane)),
            Scan::Picture(_) => None,
        };
        let mut preparation =
            Preparation { scan, request, slicing, grey_to_real: Ramp { offset: 0.0, divisor: 1.0 } };
        preparation.check_size()?;
        preparation.grey_to_real = ramp(scan, request)?;
        Ok(preparation)
    }

    /// What about this scan is unusual for this network, though not refused: sentences for the user.
    pub fn notes(&self) -> Vec<String> {
        self.empty_channels().into_iter().collect()
    }

    fn empty_channels(&self) -> Option<String> {
        let count = self.plane_count() as i64;
        let offsets = &self.request.slice_offsets;
        let empty = offsets.iter().filter(|&&offset| i64::from(offset).abs() >= count).count();
        (empty > 0).then(|| {
            format!(
                "the scan has {count} slices along the {} axis, so that {empty} of the network's {} channels are always empty",
                self.request.axis,
                offsets.len()
            )
        })
    }

    /// How many planes may be asked for.
    pub fn plane_count(&self) -> usize {
        self.slicing.map_or(1, |slicing| slicing.plane_count())
    }

    /// Rows and columns of the scan's own planes.
    pub fn own_size(&self) -> (usize, usize) {
        match (self.slicing, self.scan) {
            (Some(slicing), _) => slicing.plane_size(),
            (None, Scan::Picture(picture)) => picture.size(),
            (None, Scan::Volume(_)) => unreachable!("a volume is always sliced"),
        }
    }

    /// Rows and columns of the tensors.
    pub fn tensor_size(&self) -> (usize, usize) {
        self.request.size.unwrap_or_else(|| self.own_size())
    }

    /// How a volume is cut; `None` for a picture.
    pub fn slicing(&self) -> Option<&Slicing> {
        self.slicing.as_ref()
    }

    /// The grey values of one plane in the scan's own size: what overlays are drawn on.
    pub fn grey(&self, plane: PlaneIndex) -> Result<GreyPlane, ImagingError> {
        match (self.scan, self.slicing) {
            (Scan::Volume(volume), Some(slicing)) => slicing.grey(volume, plane),
            (Scan::Picture(picture), _) if plane.0 == 0 => Ok(GreyPlane::of_picture(picture)),
            _ => Err(ImagingError::NoSuchPlane { index: plane.0, count: 1, axis: self.request.axis }),
        }
    }

    /// The network's input for one plane.
    pub fn tensor(&self, plane: PlaneIndex) -> Result<Tensor, ImagingError> {
        if plane.0 >= self.plane_count() {
            return Err(ImagingError::NoSuchPlane {
                index: plane.0,
                count: self.plane_count(),
                axis: self.request.axis,
            });
        }
        let (rows, columns) = self.tensor_size();
        let channels = self.request.slice_offsets.len();
        let mut values = Vec::with_capacity(channels * rows * columns);
        for &offset in &self.request.slice_offsets {
            let source = match self.slicing {
                Some(slicing) => slicing.neighbour(plane, offset),
                None => Some(plane),
            };
            match source {
                Some(source) => values.extend(self.channel(&self.grey(source)?)),
                None => values.resize(values.len() + rows * columns, 0.0),
            }
        }
        Ok(Tensor { channels, rows, columns, values })
    }

    fn channel(&self, grey: &GreyPlane) -> Vec<f32> {
        let Ramp { offset, divisor } = self.grey_to_real;
        let (low, high) = self.request.range;
        let to_real = |v: f32| {
            let v = match self.request.normalisation {
                Normalisation::Clip { low, high } => v.clamp(low, high),
                _ => v,
            };
            ((v - offset) / divisor).clamp(low, high)
        };
        resized(grey, self.tensor_size(), self.request.resize).into_iter().map(to_real).collect()
    }

    fn check_size(&self) -> Result<(), ImagingError> {
        let (own, wanted) = (self.own_size(), self.tensor_size());
        let values =
            wanted.0.checked_mul(wanted.1).and_then(|n| n.checked_mul(self.request.slice_offsets.len()));
        if values.is_none_or(|values| values > TENSOR_VALUES_MAX) {
            return Err(misfit(
                format!(
                    "a plane of {} rows and {} columns for an input of more than {TENSOR_VALUES_MAX} values",
                    own.0, own.1
                ),
                "a smaller input".into(),
                "check the model's input specification",
            ));
        }
        if own != wanted && self.request.resize.is_none() {
            return Err(misfit(
                format!("a plane of {} rows and {} columns", own.0, own.1),
                format!("{} rows and {} columns", wanted.0, wanted.1),
                "resample the scan to this size, or take a model whose input specification allows resizing",
            ));
        }
        Ok(())
    }
}

fn resized(grey: &GreyPlane, to: (usize, usize), filter: Option<Filter>) -> Vec<f32> {
    let from = (grey.rows, grey.columns);
    match filter {
        Some(filter) if from != to && grey.kind == Kind::EightBit => {
            let pixels: Vec<u8> = grey.values.iter().map(|&v| v as u8).collect();
            resize_8bit(&pixels, from, to, filter).into_iter().map(f32::from).collect()
        }
        Some(filter) if from != to => resize_float(&grey.values, from, to, filter),
        _ => grey.values.clone(),
    }
}

fn misfit(came: String, expected: String, advice: &'static str) -> ImagingError {
    Misfit { came, expected, advice }.into()
}

/// What no scan could fit.
fn check_request(request: &Request) -> Result<(), ImagingError> {
    const ADVICE: &str = "ask the model owner to correct the model's input specification";
    let refuse = |came: &str, expected: &str| {
        Err(misfit(format!("an input specification with {came}"), expected.into(), ADVICE))
    };
    if request.slice_offsets.is_empty() {
        return refuse("no slice offsets", "at least one");
    }
    if request.size.is_some_and(|(rows, columns)| rows == 0 || columns == 0) {
        return refuse("a side of 0 pixels", "at least 1");
    }
    let (low, high) = request.range;
    if !(low.is_finite() && high.is_finite() && low <= high) {
        return refuse("a range that is empty or not finite", "a finite range whose low end comes first");
    }
    match request.normalisation {
        Normalisation::Linear { offset, divisor }
            if !(offset.is_finite() && divisor.is_finite() && divisor != 0.0) =>
        {
            refuse(
                "an offset or divisor that is 0 or not finite",
                "finite numbers and a divisor other than 0",
            )
        }
        Normalisation::Clip { low, high } if !(low.is_finite() && high.is_finite() && low < high) => {
            refuse("an empty window of grey values", "a finite window whose low end comes first")
        }
        _ => Ok(()),
    }
}

fn check_form(scan: &Scan, request: &Request) -> Result<(), ImagingError> {
    match (scan, request.form) {
        (Scan::Picture(_), Form::Volume) => Err(misfit(
            "a single picture".into(),
            "a volume".into(),
            "give a NIfTI file or the folder of a DICOM series",
        )),
        (Scan::Volume(_), Form::Picture) => Err(misfit(
            "a volume".into(),
            "a single picture".into(),
            "give a PNG, a JPEG or a DICOM file of one projection image",
        )),
        (Scan::Picture(_), _) if request.slice_offsets != [0] => Err(misfit(
            "a single picture".into(),
            format!("a volume from which {} neighbouring slices are taken", request.slice_offsets.len()),
            "give a NIfTI file or the folder of a DICOM series",
        )),
        _ => Ok(()),
    }
}

fn check_kind(scan: &Scan, request: &Request) -> Result<(), ImagingError> {
    if let Scan::Picture(picture) = scan
        && picture.is_coloured()
    {
        return Err(misfit(
            "a colour picture".into(),
            "a grey one".into(),
            "give the scan itself and not a photograph or a coloured rendering of it",
        ));
    }
    let Some(expected) = request.expected_kind.filter(|&expected| expected != scan.kind()) else {
        return Ok(());
    };
    let advice = match expected {
        Kind::EightBit => {
            "convert the scan to 8 bits in the way that the network's training images were, or take a network for this scale"
        }
        Kind::Hounsfield => {
            "give the original CT (DICOM with rescale values, or NIfTI in Hounsfield units) and not an 8-bit export"
        }
        Kind::Other => "give a scan on the scale that the network was trained on",
    };
    Err(misfit(format!("a scan in {}", scan.kind()), expected.to_string(), advice))
}

fn ramp(scan: &Scan, request: &Request) -> Result<Ramp, ImagingError> {
    Ok(match request.normalisation {
        Normalisation::Linear { offset, divisor } => Ramp { offset, divisor },
        Normalisation::Clip { low, high } => Ramp { offset: low, divisor: high - low },
        Normalisation::VolumeMinMax => {
            let voxels: &Voxels = match scan {
                Scan::Volume(volume) => volume.voxels(),
                Scan::Picture(picture) => picture.grey(),
            };
            let (low, high) = voxels.range();
            if low >= high {
                return Err(misfit(
                    "a scan whose voxels are all equal".into(),
                    "one with light and dark".into(),
                    "check that the scan was exported completely",
                ));
            }
            Ramp { offset: low, divisor: high - low }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Affine;
    use crate::{Picture, Volume};

    fn request() -> Request {
        Request {
            form: Form::Volume,
            expected_kind: Some(Kind::EightBit),
            normalisation: Normalisation::VolumeMinMax,
            slice_offsets: vec![-1, 0, 2],
            axis: Axis::Axial,
            in_plane: InPlane::Display,
            size: None,
            resize: None,
            range: (0.0, 1.0),
        }
    }

    fn volume(values: Vec<f32>, size: [usize; 3], kind: Kind) -> Scan {
        Scan::Volume(Volume::new(Voxels::compact(values), size, Affine::from_spacing_mm([1.0; 3]), kind))
    }

    fn ramp_volume() -> Scan {
        volume((0..24).map(|v| v as f32).collect(), [2, 3, 4], Kind::EightBit)
    }

    fn refusal(scan: &Scan, request: &Request) -> String {
        match Preparation::new(scan, request) {
            Err(error @ ImagingError::Misfit(_)) => error.to_string(),
            other => panic!("expected a misfit, got {other:?}"),
        }
    }

    #[test]
    fn channels_are_neighbours_scaled_by_the_whole_volume_and_zeros_beyond_its_ends() {
        let tensors = planes(&ramp_volume(), &request(), &[0, 3]).unwrap();
        assert_eq!((tensors[0].channels, tensors[0].rows, tensors[0].columns), (3, 3, 2));
        assert_eq!(tensors[0].values[..6], [0.0; 6]);
        assert_eq!(tensors[0].values[6], 0.0);
        assert_eq!(tensors[0].values[7], 1.0 / 23.0);
        assert_eq!(tensors[0].values[12], 12.0 / 23.0);
        assert_eq!((tensors[1].values[5], tensors[1].values[11]), (17.0 / 23.0, 1.0));
        assert_eq!(tensors[1].values[12..], [0.0; 6]);
    }

    #[test]
    fn linear_and_clip_give_what_they_say_within_the_range() {
        let scan = volume(vec![-2000.0, -1000.0, -300.0, 400.0, 3000.0, 0.0], [6, 1, 1], Kind::Hounsfield);
        let mut wanted =
            Request { expected_kind: Some(Kind::Hounsfield), slice_offsets: vec![0], ..request() };
        wanted.normalisation = Normalisation::Clip { low: -1000.0, high: 400.0 };
        assert_eq!(planes(&scan, &wanted, &[0]).unwrap()[0].values[..5], [0.0, 0.0, 0.5, 1.0, 1.0]);
        wanted.normalisation = Normalisation::Linear { offset: 0.0, divisor: 1000.0 };
        wanted.range = (-1.0, 1.0);
        assert_eq!(planes(&scan, &wanted, &[0]).unwrap()[0].values[..5], [-1.0, -1.0, -0.3, 0.4, 1.0]);
    }

    #[test]
    fn scans_of_another_kind_are_refused_with_what_came_and_what_to_do() {
        let hounsfield = volume(vec![-1000.0, 40.0], [2, 1, 1], Kind::Hounsfield);
        let text = refusal(&hounsfield, &request());
        assert!(
            text.contains("Hounsfield units came") && text.contains("8-bit") && text.contains("convert"),
            "{text}"
        );

        let wanted = Request { expected_kind: Some(Kind::Hounsfield), ..request() };
        assert!(refusal(&ramp_volume(), &wanted).contains("original CT"));

        let picture = Scan::Picture(Picture::new(1, 2, Voxels::U8(vec![1, 2]), Kind::EightBit));
        assert!(refusal(&picture, &request()).contains("a volume was expected"));
        assert!(refusal(&picture, &Request { form: Form::Any, ..request() }).contains("neighbouring slices"));
        assert!(
            refusal(&ramp_volume(), &Request { form: Form::Picture, ..request() })
                .contains("a single picture")
        );
    }

    #[test]
    fn another_size_is_refused_or_resized_as_the_request_says() {
        let wanted = Request { size: Some((6, 4)), ..request() };
        let text = refusal(&ramp_volume(), &wanted);
        assert!(text.contains("3 rows and 2 columns") && text.contains("6 rows and 4 columns"), "{text}");
        let wanted = Request { resize: Some(Filter::Bilinear), slice_offsets: vec![0], ..wanted };
        let tensor = &planes(&ramp_volume(), &wanted, &[0]).unwrap()[0];
        assert_eq!((tensor.rows, tensor.columns, tensor.values.len()), (6, 4, 24));
        // 8-bit pixels 0 and 1 a quarter and three quarters mixed are rounded to 0 and 1 before they are scaled.
        assert_eq!(tensor.values[..4], [0.0, 0.0, 1.0 / 23.0, 1.0 / 23.0]);
    }

    #[test]
    fn a_hostile_request_is_refused_and_allocates_nothing() {
        let resize = Some(Filter::Bicubic);
        let bad = [
            Request { slice_offsets: vec![], ..request() },
            Request { size: Some((0, 4)), resize, ..request() },
            Request { size: Some((usize::MAX, usize::MAX)), resize, ..request() },
            Request { size: Some((1 << 20, 1 << 20)), resize, ..request() },
            Request { range: (1.0, 0.0), ..request() },
            Request { range: (f32::NAN, 1.0), ..request() },
            Request { normalisation: Normalisation::Linear { offset: 0.0, divisor: 0.0 }, ..request() },
            Request { normalisation: Normalisation::Clip { low: 1.0, high: 1.0 }, ..request() },
        ];
        for wanted in bad {
            refusal(&ramp_volume(), &wanted);
        }
        let extreme = Request { slice_offsets: vec![i32::MIN, i32::MAX], ..request() };
        assert!(planes(&ramp_volume(), &extreme, &[1]).unwrap()[0].values.iter().all(|&v| v == 0.0));
    }

    #[test]
    fn an_even_scan_cannot_be_scaled_by_its_ends() {
        assert!(refusal(&volume(vec![7.0; 4], [2, 2, 1], Kind::EightBit), &request()).contains("all equal"));
    }

    #[test]
    fn a_plane_that_is_not_there_is_an_error() {
        assert!(matches!(
            planes(&ramp_volume(), &request(), &[4]),
            Err(ImagingError::NoSuchPlane { count: 4, .. })
        ));
    }
}
