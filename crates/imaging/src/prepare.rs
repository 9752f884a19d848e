//! From a scan to the tensors that a network wants, or a refusal that says why not.
//!
//! | step | what | where |
//! |---|---|---|
//! | 1 | the scan is held against the [`Request`]: volume or picture, modality, kind of grey values, millimetres, size | `request`, `fit` |
//! | 2 | each channel's plane is cut out; beyond the scan's ends a channel is zeros | here |
//! | 3 | grey values of more than 8 bits become 8 bits, if they must and may | `eight_bit` |
//! | 4 | the plane is resized, if it must and may be: 8-bit planes with 8-bit rounding, others in floats | `resize` |
//! | 5 | grey becomes real input by [`Normalisation`], then is clamped to the declared range | here |
//!
//! A [`Tensor`] has no identity: no path, no place in space, no name.

use std::fmt;

use crate::eight_bit::Rendering;
use crate::fit;
use crate::geometry::PlaneIndex;
use crate::planes::{GreyPlane, Slicing};
use crate::request::{Normalisation, Request, misfit};
use crate::resize::{Filter, resize_8bit, resize_float};
use crate::volume::Kind;
use crate::{ImagingError, Scan};

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
    /// `None` where grey values are taken as they are.
    rendering: Option<Rendering>,
    grey_to_real: Ramp,
    notes: Vec<String>,
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
        request.check()?;
        fit::check_form(scan, request)?;
        let modality = fit::check_modality(scan, request)?;
        fit::check_kind(scan, request)?;
        let slicing = match scan {
            Scan::Volume(volume) => Some(Slicing::new(volume, request.axis, request.in_plane)),
            Scan::Picture(_) => None,
        };
        let wanted = request.to_eight_bit.filter(|_| request.expected_kind == Some(Kind::EightBit));
        let (rendering, rendered) = match wanted {
            Some(rule) => Rendering::of(scan, rule)?.unzip(),
            None => (None, None),
        };
        let grey_to_real = Ramp { offset: 0.0, divisor: 1.0 };
        let mut preparation =
            Preparation { scan, request, slicing, rendering, grey_to_real, notes: Vec::new() };
        preparation.check_size()?;
        preparation.grey_to_real = preparation.ramp()?;
        let trained = fit::check_trained(scan, preparation.slicing.as_ref(), request)?;
        let empty = preparation.empty_channels();
        preparation.notes = modality.into_iter().chain(rendered).chain(trained).chain(empty).collect();
        Ok(preparation)
    }

    /// What about this scan is unusual for this network, or was assumed, though not refused: sentences for the user.
    pub fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn empty_channels(&self) -> Option<String> {
        let count = self.plane_count();
        let channels = self.request.channels();
        let is_empty = |&channel: &usize| {
            self.slicing.is_some()
                && (0..count).all(|plane| self.source(PlaneIndex(plane), channel).is_none())
        };
        let empty = (0..channels).filter(is_empty).count();
        (empty > 0).then(|| {
            format!(
                "the scan has {count} slices along the {} axis, so that {empty} of the network's {channels} channels are always empty",
                self.request.axis
            )
        })
    }

    /// The plane that makes a channel; `None` beyond the scan's ends.
    fn source(&self, plane: PlaneIndex, channel: usize) -> Option<PlaneIndex> {
        let (Some(slicing), Scan::Volume(volume)) = (self.slicing, self.scan) else { return Some(plane) };
        match self.request.slice_offsets_mm.get(channel) {
            Some(&mm) => {
                let [_, _, step] = fit::spacing_mm(volume, &slicing, self.request);
                slicing.nearest(plane, f64::from(mm) / step)
            }
            None => slicing.neighbour(plane, self.request.slice_offsets[channel]),
        }
    }

    fn ramp(&self) -> Result<Ramp, ImagingError> {
        Ok(match self.request.normalisation {
            Normalisation::Linear { offset, divisor } => Ramp { offset, divisor },
            Normalisation::Clip { low, high } => Ramp { offset: low, divisor: high - low },
            Normalisation::VolumeMinMax => {
                let (low, high) = match self.scan {
                    Scan::Volume(volume) => volume.grey_range(),
                    Scan::Picture(picture) => picture.grey_range(),
                };
                let (low, high) = match self.rendering {
                    Some(rendering) => (rendering.grey(low), rendering.grey(high)),
                    None => (low, high),
                };
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
        let channels = self.request.channels();
        let mut values = Vec::with_capacity(channels * rows * columns);
        for channel in 0..channels {
            match self.source(plane, channel) {
                Some(source) => values.extend(self.channel(self.grey(source)?)),
                None => values.resize(values.len() + rows * columns, 0.0),
            }
        }
        Ok(Tensor { channels, rows, columns, values })
    }

    fn channel(&self, mut grey: GreyPlane) -> Vec<f32> {
        if let Some(rendering) = self.rendering {
            grey.values.iter_mut().for_each(|value| *value = rendering.grey(*value));
            grey.kind = Kind::EightBit;
        }
        let Ramp { offset, divisor } = self.grey_to_real;
        let (low, high) = self.request.range;
        let to_real = |v: f32| {
            let v = match self.request.normalisation {
                Normalisation::Clip { low, high } => v.clamp(low, high),
                _ => v,
            };
            ((v - offset) / divisor).clamp(low, high)
        };
        resized(&grey, self.tensor_size(), self.request.resize).into_iter().map(to_real).collect()
    }

    fn check_size(&self) -> Result<(), ImagingError> {
        let (own, wanted) = (self.own_size(), self.tensor_size());
        let values = wanted.0.checked_mul(wanted.1).and_then(|n| n.checked_mul(self.request.channels()));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Affine, Axis};
    use crate::planes::InPlane;
    use crate::request::{Form, Modality, ToEightBit, Trained};
    use crate::{Picture, Volume, Voxels};

    fn request() -> Request {
        Request {
            form: Form::Volume,
            modality: None,
            expected_kind: Some(Kind::EightBit),
            to_eight_bit: None,
            slice_offsets_mm: vec![],
            trained: Trained::default(),
            normalisation: Normalisation::VolumeMinMax,
            slice_offsets: vec![-1, 0, 2],
            axis: Axis::Axial,
            in_plane: InPlane::AsStored,
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

    #[test]
    fn a_file_of_another_modality_is_refused_and_one_without_is_said() {
        let of = |code: Option<&str>| {
            let origin = crate::facts::Origin { modality: code.map(String::from), ..Default::default() };
            let Scan::Volume(volume) = ramp_volume() else { unreachable!() };
            Scan::Volume(volume.with_origin(origin))
        };
        let wanted = Request { modality: Some(Modality::Ct), ..request() };
        for code in ["MR", "PT", "US", "MG", "DX"] {
            let text = refusal(&of(Some(code)), &wanted);
            assert!(text.contains(&format!("modality {code} came, CT was expected")), "{text}");
        }
        assert_eq!(Preparation::new(&of(Some("CT")), &wanted).unwrap().notes(), [] as [&str; 0]);
        for code in [None, Some("OT")] {
            assert!(Preparation::new(&of(code), &wanted).unwrap().notes()[0].contains("not checked"));
        }
        let chest = Request { modality: Some(Modality::Xray), ..request() };
        assert!(refusal(&of(Some("MG")), &chest).contains("a projection X-ray (CR, DX, RG) was expected"));
        assert!(Preparation::new(&of(Some("CR")), &chest).is_ok());
    }

    #[test]
    fn neighbours_in_millimetres_follow_the_body_and_the_steps() {
        let stack = |step: f64| {
            let affine = Affine([[1.0, 0.0, 0.0, 5.0], [0.0, 1.0, 0.0, 5.0], [0.0, 0.0, step, 5.0]]);
            Scan::Volume(Volume::new(Voxels::U8((0..8).collect()), [1, 1, 8], affine, Kind::EightBit))
        };
        let linear = Normalisation::Linear { offset: 0.0, divisor: 1.0 };
        let wanted = Request {
            slice_offsets: vec![],
            slice_offsets_mm: vec![-11.0, 0.0, 5.0, 31.0],
            normalisation: linear,
            range: (0.0, 255.0),
            in_plane: InPlane::Display,
            ..request()
        };
        let of = |scan: &Scan| planes(scan, &wanted, &[3]).unwrap().remove(0).values;
        assert_eq!(of(&stack(5.0)), [1.0, 3.0, 4.0, 0.0]);
        assert_eq!(of(&stack(-5.0)), [5.0, 3.0, 2.0, 0.0]);
        // Of thick slices the nearest: 5 mm lie nearer to the next than to the target's own, 2 mm would not.
        assert_eq!(of(&stack(8.0)), [2.0, 3.0, 4.0, 7.0]);
        assert_eq!(of(&stack(20.0)), [2.0, 3.0, 3.0, 5.0]);
    }

    #[test]
    fn a_scan_of_other_millimetres_is_said_or_refused_as_the_card_wants() {
        let trained = Trained { spacing_mm: Some([1.0, 1.0, 5.0]), ..Trained::default() };
        let wanted = Request { trained, slice_offsets: vec![0], ..request() };
        let notes = Preparation::new(&ramp_volume(), &wanted).unwrap().notes().join("; ");
        assert_eq!(notes, "the scan has 1.00 mm between slices, the network was trained on 5 mm");
        let strict = |tolerance| Request {
            trained: Trained { tolerance: Some(tolerance), ..trained },
            ..wanted.clone()
        };
        assert!(
            refusal(&ramp_volume(), &strict(0.5))
                .contains("1.00 mm between slices came, 5 mm, 50 % more or less")
        );
        assert!(Preparation::new(&ramp_volume(), &strict(0.81)).unwrap().notes().is_empty());
        // Resizing halves the spacing that the network sees; the field of view stays.
        let field = Trained {
            spacing_mm: Some([0.5, 0.5, 1.0]),
            field_of_view_mm: Some([3.0, 2.0]),
            tolerance: Some(0.01),
        };
        let resized = Request { size: Some((6, 4)), resize: Some(Filter::Bicubic), trained: field, ..wanted };
        assert!(Preparation::new(&ramp_volume(), &resized).unwrap().notes().is_empty());
    }

    #[test]
    fn one_slice_for_a_network_of_several_is_said() {
        let scan = volume(vec![0.0, 1.0], [2, 1, 1], Kind::EightBit);
        let notes = Preparation::new(&scan, &request()).unwrap().notes();
        assert!(notes[0].contains("2 of the network's 3 channels are always empty"), "{notes:?}");
    }

    #[test]
    fn deep_pictures_fit_a_network_of_eight_bits_by_its_cards_rule_alone() {
        let deep = Scan::Picture(Picture::new(1, 3, Voxels::I16(vec![0, 2000, 4000]), Kind::Other));
        let linear = Normalisation::Linear { offset: 0.0, divisor: 255.0 };
        let wanted =
            Request { form: Form::Picture, normalisation: linear, slice_offsets: vec![0], ..request() };
        assert!(refusal(&deep, &wanted).contains("convert the scan to 8 bits"));
        let rule = ToEightBit::Window { low: 0.0, high: 4000.0 };
        let wanted = Request { to_eight_bit: Some(rule), ..wanted };
        assert_eq!(planes(&deep, &wanted, &[0]).unwrap()[0].values, [0.0, 128.0 / 255.0, 1.0]);
        assert!(Preparation::new(&deep, &wanted).unwrap().notes()[0].contains("more than 8 bits"));
        let eight = Scan::Picture(Picture::new(1, 3, Voxels::U8(vec![0, 51, 255]), Kind::EightBit));
        assert_eq!(planes(&eight, &wanted, &[0]).unwrap()[0].values, [0.0, 0.2, 1.0]);
    }

    #[test]
    fn a_guess_is_named_in_the_refusal() {
        let origin =
            crate::facts::Origin { known_by: crate::KnownBy::Guess("none below -500"), ..Default::default() };
        let Scan::Volume(body) = volume(vec![-200.0, 40.0], [2, 1, 1], Kind::Other) else { unreachable!() };
        let wanted = Request { expected_kind: Some(Kind::Hounsfield), ..request() };
        let text = refusal(&Scan::Volume(body.with_origin(origin)), &wanted);
        assert!(text.contains("a guess: none below -500") && text.contains("--unit hu"), "{text}");
    }
}
