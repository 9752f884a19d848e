//! Tensors from scans: what is cut, scaled, resized and refused.

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
    let mut wanted = Request { expected_kind: Some(Kind::Hounsfield), slice_offsets: vec![0], ..request() };
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
        refusal(&ramp_volume(), &Request { form: Form::Picture, ..request() }).contains("a single picture")
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
    let strict =
        |tolerance| Request { trained: Trained { tolerance: Some(tolerance), ..trained }, ..wanted.clone() };
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
    let wanted = Request { form: Form::Picture, normalisation: linear, slice_offsets: vec![0], ..request() };
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
