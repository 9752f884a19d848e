//! Tensors from scans: what is cut, scaled, resized and refused.

use blindscan_input_spec::{Axis, GreyScale, InPlane, Modality, Normalisation, ToEightBit, Trained};

use super::*;
use crate::geometry::Affine;
use crate::kind::KnownBy;
use crate::origin::Origin;
use crate::{Picture, Volume, Voxels};

fn spec() -> InputSpec {
    InputSpec {
        modality: Modality::Ct,
        in_plane: InPlane::AsStored,
        size: None,
        ..InputSpec::ct_min_max((1, 1), vec![-1, 0, 2])
    }
}

/// Tensors of the planes with the numbers `which`, in this order.
fn planes(scan: &Scan, spec: &InputSpec, which: &[usize]) -> Result<Vec<PatchTensor>, ImagingError> {
    let preparation = Preparation::new(scan, spec)?;
    which.iter().map(|&number| preparation.tensor(scan, &preparation.patch(number))).collect()
}

fn volume(values: Vec<f32>, size: [usize; 3], kind: GreyKind) -> Scan {
    let volume = Volume::new(Voxels::compact(values), size, Affine::from_spacing_mm([1.0; 3]), kind);
    Scan::Volume(volume.with_origin(Origin { modality: Some("CT".into()), ..Origin::default() }))
}

fn ramp_volume() -> Scan {
    volume((0..24).map(|v| v as f32).collect(), [2, 3, 4], GreyKind::EightBit)
}

fn refusal(scan: &Scan, spec: &InputSpec) -> String {
    match Preparation::new(scan, spec) {
        Err(error @ ImagingError::Misfit(_)) => error.to_string(),
        other => panic!("expected a misfit, got {other:?}"),
    }
}

#[test]
fn channels_are_neighbours_scaled_by_the_whole_volume_and_zeros_beyond_its_ends() {
    let tensors = planes(&ramp_volume(), &spec(), &[0, 3]).unwrap();
    assert_eq!(tensors[0].shape, [3, 3, 2]);
    assert_eq!(tensors[0].values[..6], [0.0; 6]);
    assert_eq!(tensors[0].values[6], 0.0);
    assert_eq!(tensors[0].values[7], 1.0 / 23.0);
    assert_eq!(tensors[0].values[12], 12.0 / 23.0);
    assert_eq!((tensors[1].values[5], tensors[1].values[11]), (17.0 / 23.0, 1.0));
    assert_eq!(tensors[1].values[12..], [0.0; 6]);
}

#[test]
fn linear_and_clip_give_what_they_say_within_the_range() {
    let scan = volume(vec![-2000.0, -1000.0, -300.0, 400.0, 3000.0, 0.0], [6, 1, 1], GreyKind::Hounsfield);
    let mut wanted = InputSpec { grey: GreyScale::Hounsfield, slice_offsets: vec![0], ..spec() };
    wanted.normalisation = Normalisation::Clip { low: -1000.0, high: 400.0 };
    assert_eq!(planes(&scan, &wanted, &[0]).unwrap()[0].values[..5], [0.0, 0.0, 0.5, 1.0, 1.0]);
    wanted.normalisation = Normalisation::Linear { offset: 0.0, divisor: 1000.0 };
    wanted.range = (-1.0, 1.0);
    assert_eq!(planes(&scan, &wanted, &[0]).unwrap()[0].values[..5], [-1.0, -1.0, -0.3, 0.4, 1.0]);
}

#[test]
fn scans_of_another_kind_are_refused_with_what_came_and_what_to_do() {
    let hounsfield = volume(vec![-1000.0, 40.0], [2, 1, 1], GreyKind::Hounsfield);
    let text = refusal(&hounsfield, &spec());
    assert!(
        text.contains("Hounsfield units came") && text.contains("8-bit") && text.contains("convert"),
        "{text}"
    );

    let wanted = InputSpec { grey: GreyScale::Hounsfield, ..spec() };
    assert!(refusal(&ramp_volume(), &wanted).contains("original CT"));

    let picture = Scan::Picture(Picture::new(1, 2, Voxels::U8(vec![1, 2]), GreyKind::EightBit));
    assert!(refusal(&picture, &spec()).contains("a volume was expected"));
    assert!(
        refusal(&picture, &InputSpec { modality: Modality::Any, ..spec() }).contains("neighbouring slices")
    );
    assert!(
        refusal(&ramp_volume(), &InputSpec { modality: Modality::Xray, ..spec() })
            .contains("a single picture")
    );
}

#[test]
fn another_size_is_refused_or_resized_as_the_request_says() {
    let wanted = InputSpec { size: Some((6, 4)), ..spec() };
    let text = refusal(&ramp_volume(), &wanted);
    assert!(text.contains("3 rows and 2 columns") && text.contains("6 rows and 4 columns"), "{text}");
    let wanted = InputSpec { resize: true, slice_offsets: vec![0], ..wanted };
    let tensor = &planes(&ramp_volume(), &wanted, &[0]).unwrap()[0];
    assert_eq!((&tensor.shape[..], tensor.values.len()), (&[1, 6, 4][..], 24));
    // 8-bit pixels 0 and 1 a quarter and three quarters mixed are rounded to 0 and 1 before they are scaled.
    assert_eq!(tensor.values[..4], [0.0, 0.0, 1.0 / 23.0, 1.0 / 23.0]);
}

#[test]
fn a_hostile_request_is_refused_and_allocates_nothing() {
    let resize = true;
    let bad = [
        InputSpec { slice_offsets: vec![], ..spec() },
        InputSpec { size: Some((0, 4)), resize, ..spec() },
        InputSpec { size: Some((usize::MAX, usize::MAX)), resize, ..spec() },
        InputSpec { size: Some((1 << 20, 1 << 20)), resize, ..spec() },
        InputSpec { range: (1.0, 0.0), ..spec() },
        InputSpec { range: (f32::NAN, 1.0), ..spec() },
        InputSpec { normalisation: Normalisation::Linear { offset: 0.0, divisor: 0.0 }, ..spec() },
        InputSpec { normalisation: Normalisation::Clip { low: 1.0, high: 1.0 }, ..spec() },
    ];
    for wanted in bad {
        refusal(&ramp_volume(), &wanted);
    }
    let extreme = InputSpec { slice_offsets: vec![i32::MIN, i32::MAX], ..spec() };
    assert!(planes(&ramp_volume(), &extreme, &[1]).unwrap()[0].values.iter().all(|&v| v == 0.0));
}

#[test]
fn an_even_scan_cannot_be_scaled_by_its_ends() {
    assert!(refusal(&volume(vec![7.0; 4], [2, 2, 1], GreyKind::EightBit), &spec()).contains("all equal"));
}

#[test]
fn a_plane_that_is_not_there_is_an_error() {
    assert!(matches!(planes(&ramp_volume(), &spec(), &[4]), Err(ImagingError::NoSuchPlane { count: 4, .. })));
}

#[test]
fn a_file_of_another_modality_is_refused_and_one_without_is_said() {
    let of = |code: Option<&str>| {
        let origin = Origin { modality: code.map(String::from), ..Default::default() };
        let Scan::Volume(volume) = ramp_volume() else { unreachable!() };
        Scan::Volume(volume.with_origin(origin))
    };
    let wanted = InputSpec { modality: Modality::Ct, ..spec() };
    for code in ["MR", "PT", "US", "MG", "DX"] {
        let text = refusal(&of(Some(code)), &wanted);
        assert!(text.contains(&format!("modality {code} came, CT was expected")), "{text}");
    }
    assert_eq!(Preparation::new(&of(Some("CT")), &wanted).unwrap().notes(), [] as [&str; 0]);
    for code in [None, Some("OT")] {
        assert!(Preparation::new(&of(code), &wanted).unwrap().notes()[0].contains("not checked"));
    }
    let xray = |code: &str| {
        let origin = Origin { modality: Some(code.into()), ..Origin::default() };
        Scan::Picture(Picture::new(1, 2, Voxels::U8(vec![1, 2]), GreyKind::EightBit).with_origin(origin))
    };
    let chest = InputSpec::xray((1, 2));
    assert!(refusal(&xray("MG"), &chest).contains("a projection X-ray (CR, DX, RG) was expected"));
    assert!(Preparation::new(&xray("CR"), &chest).is_ok());
}

#[test]
fn neighbours_in_millimetres_follow_the_body_and_the_steps() {
    let stack = |step: f64| {
        let affine = Affine([[1.0, 0.0, 0.0, 5.0], [0.0, 1.0, 0.0, 5.0], [0.0, 0.0, step, 5.0]]);
        Scan::Volume(Volume::new(Voxels::U8((0..8).collect()), [1, 1, 8], affine, GreyKind::EightBit))
    };
    let linear = Normalisation::Linear { offset: 0.0, divisor: 1.0 };
    let wanted = InputSpec {
        slice_offsets: vec![],
        slice_offsets_mm: vec![-11.0, 0.0, 5.0, 31.0],
        normalisation: linear,
        range: (0.0, 255.0),
        in_plane: InPlane::Display,
        ..spec()
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
    let wanted = InputSpec { trained, slice_offsets: vec![0], ..spec() };
    let notes = Preparation::new(&ramp_volume(), &wanted).unwrap().notes().join("; ");
    assert_eq!(notes, "the scan has 1.00 mm between slices, the network was trained on 5 mm");
    let strict = |tolerance| InputSpec {
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
    let resized = InputSpec { size: Some((6, 4)), resize: true, trained: field, ..wanted };
    assert!(Preparation::new(&ramp_volume(), &resized).unwrap().notes().is_empty());
}

#[test]
fn one_slice_for_a_network_of_several_is_said() {
    let scan = volume(vec![0.0, 1.0], [2, 1, 1], GreyKind::EightBit);
    let preparation = Preparation::new(&scan, &spec()).unwrap();
    let notes = preparation.notes();
    assert!(notes[0].contains("2 of the network's 3 channels are always empty"), "{notes:?}");
}

#[test]
fn deep_pictures_fit_a_network_of_eight_bits_by_its_cards_rule_alone() {
    let deep = Scan::Picture(Picture::new(1, 3, Voxels::I16(vec![0, 2000, 4000]), GreyKind::Other));
    let linear = Normalisation::Linear { offset: 0.0, divisor: 255.0 };
    let wanted =
        InputSpec { modality: Modality::Any, normalisation: linear, slice_offsets: vec![0], ..spec() };
    assert!(refusal(&deep, &wanted).contains("convert the scan to 8 bits"));
    let rule = ToEightBit::Window { low: 0.0, high: 4000.0 };
    let wanted = InputSpec { to_eight_bit: Some(rule), ..wanted };
    assert_eq!(planes(&deep, &wanted, &[0]).unwrap()[0].values, [0.0, 128.0 / 255.0, 1.0]);
    assert!(Preparation::new(&deep, &wanted).unwrap().notes()[0].contains("more than 8 bits"));
    let eight = Scan::Picture(Picture::new(1, 3, Voxels::U8(vec![0, 51, 255]), GreyKind::EightBit));
    assert_eq!(planes(&eight, &wanted, &[0]).unwrap()[0].values, [0.0, 0.2, 1.0]);
}

#[test]
fn a_guess_is_named_in_the_refusal() {
    let origin = Origin { known_by: KnownBy::Guess("none below -500"), ..Default::default() };
    let Scan::Volume(body) = volume(vec![-200.0, 40.0], [2, 1, 1], GreyKind::Other) else { unreachable!() };
    let wanted = InputSpec { grey: GreyScale::Hounsfield, ..spec() };
    let text = refusal(&Scan::Volume(body.with_origin(origin)), &wanted);
    assert!(text.contains("a guess: none below -500") && text.contains("--unit hu"), "{text}");
}

/// A volume on a turned grid, whose voxels are all different.
fn turned() -> Scan {
    let affine = Affine([[0.0, 0.0, 2.0, 3.0], [-1.0, 0.0, 0.0, 5.0], [0.0, -1.0, 0.0, 7.0]]);
    let origin = Origin { modality: Some("CT".into()), ..Origin::default() };
    let voxels = Voxels::U8((0..60).collect());
    Scan::Volume(Volume::new(voxels, [3, 4, 5], affine, GreyKind::EightBit).with_origin(origin))
}

#[test]
fn the_tensor_of_a_plane_is_that_of_a_block_of_depth_one() {
    for axis in [Axis::Axial, Axis::Coronal, Axis::Sagittal] {
        for in_plane in [InPlane::Display, InPlane::AsStored] {
            for in_mm in [false, true] {
                let mm = if in_mm { vec![-2.0, 0.0, 3.1] } else { vec![] };
                let offsets = if in_mm { vec![] } else { vec![-1, 0, 2] };
                let wanted =
                    InputSpec { axis, in_plane, slice_offsets: offsets, slice_offsets_mm: mm, ..spec() };
                let scan = turned();
                let preparation = Preparation::new(&scan, &wanted).unwrap();
                let slicing = *preparation.slicing();
                let (rows, columns) = slicing.plane_size();
                for plane in preparation.patches() {
                    let Patch::Plane { index, .. } = plane else { panic!("a plane") };
                    let origin = [slicing.depth_of(index) as i64, 0, 0];
                    let block = Patch::Block { slicing, origin, size: [1, rows, columns] };
                    let [of_plane, of_block] =
                        [plane, block].map(|patch| preparation.tensor(&scan, &patch).unwrap());
                    assert_eq!(of_block.shape, [3, 1, rows, columns]);
                    assert_eq!(of_plane.values, of_block.values);
                }
            }
        }
    }
}

#[test]
fn a_block_is_cut_in_the_networks_order_and_is_zero_beyond_the_ends() {
    let scan = volume((0..24).map(|v| v as f32).collect(), [2, 3, 4], GreyKind::EightBit);
    let wanted = InputSpec { slice_offsets: vec![0], ..spec() };
    let cut = Cut::Blocks { size: [2, 2, 2], step: [2, 2, 2] };
    let preparation = Preparation::of(&scan, &wanted, cut).unwrap();
    assert_eq!((preparation.patch_count(), preparation.tensor_shape()), (4, vec![1, 2, 2, 2]));
    let scaled = |values: &[f32]| values.iter().map(|v| v / 23.0).collect::<Vec<_>>();
    let last = preparation.tensor(&scan, &preparation.patch(3)).unwrap();
    assert_eq!(last.values, scaled(&[14.0, 15.0, 16.0, 17.0, 20.0, 21.0, 22.0, 23.0]));

    let slicing = *preparation.slicing();
    let corner = Patch::Block { slicing, origin: [3, -1, 1], size: [2, 2, 2] };
    let tensor = preparation.tensor(&scan, &corner).unwrap();
    assert_eq!(tensor.values, scaled(&[0.0, 0.0, 19.0, 0.0, 0.0, 0.0, 0.0, 0.0]));
    let far = Patch::Block { slicing, origin: [i64::MAX, i64::MIN, 0], size: [1, 1, 1] };
    assert_eq!(preparation.tensor(&scan, &far).unwrap().values, [0.0]);
    let huge = Patch::Block { slicing, origin: [0; 3], size: [usize::MAX, 2, 1] };
    assert!(preparation.tensor(&scan, &huge).is_err());
}

#[test]
fn what_blocks_show_comes_back_to_the_voxels_that_it_came_from() {
    let scan = turned();
    let Scan::Volume(volume) = &scan else { unreachable!() };
    for axis in [Axis::Axial, Axis::Coronal, Axis::Sagittal] {
        let wanted = InputSpec {
            axis,
            in_plane: InPlane::Display,
            slice_offsets: vec![0],
            normalisation: Normalisation::Linear { offset: 0.0, divisor: 1.0 },
            range: (0.0, 255.0),
            ..spec()
        };
        let cut = Cut::Blocks { size: [2, 3, 2], step: [1, 2, 2] };
        let preparation = Preparation::of(&scan, &wanted, cut).unwrap();
        let mut mask = crate::Mask::empty(volume);
        for patch in preparation.patches() {
            let tensor = preparation.tensor(&scan, &patch).unwrap();
            let labels = tensor.values.iter().map(|&v| v as u8).collect();
            mask.lay(&patch, &crate::PatchLabels::block(patch.size(), labels)).unwrap();
        }
        assert!(mask.labels().iter().map(|&label| label as usize).eq(0..60), "{axis}");
    }
}

#[test]
fn the_ends_of_a_volume_are_worked_out_once_however_many_tensors_are_made() {
    let scan = ramp_volume();
    let before = crate::volume::ends_worked_out();
    let preparation = Preparation::new(&scan, &spec()).unwrap();
    for patch in preparation.patches() {
        preparation.tensor(&scan, &patch).unwrap();
    }
    assert_eq!(crate::volume::ends_worked_out() - before, 1);
}
