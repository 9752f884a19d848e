//! A study as it comes: nothing left out in silence, nothing mixed, the header taken at its word.

use dicom_core::value::{DataSetSequence, PrimitiveValue};
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;

use super::tests::{file_of, number, refusal, save, series, slice, stack, text};
use super::*;
use crate::geometry::{PatientMm, VoxelIndex, dot};
use crate::kind::{GreyKind, KnownBy};

const EXPLICIT: &str = uids::EXPLICIT_VR_LITTLE_ENDIAN;

/// A series of six slices, of which `change` alters each by its number.
fn changed(change: impl Fn(usize, &mut InMemDicomObject)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..6 {
        let mut object = slice("1.2", 10.0 * number as f64, number as i16);
        change(number, &mut object);
        save(object, EXPLICIT, &folder.path().join(format!("I{number}")));
    }
    folder
}

fn put(object: &mut InMemDicomObject, tag: Tag, vr: VR, value: &str) {
    object.put(text(tag, vr, value));
}

fn at_place(object: &mut InMemDicomObject, x: f64, z: f64) {
    put(object, tags::IMAGE_POSITION_PATIENT, VR::DS, &format!("{x}\\-20\\{z}"));
}

fn aside(volume: &Volume) -> Vec<String> {
    volume.origin().left_aside.iter().map(ToString::to_string).collect()
}

/// The bytes of an implicit little-endian element.
fn implicit(tag: Tag, value: &[u8]) -> Vec<u8> {
    let mut bytes = [tag.0.to_le_bytes(), tag.1.to_le_bytes()].concat();
    bytes.extend((value.len() as u32).to_le_bytes());
    bytes.extend(value);
    bytes
}

fn item(content: &[u8]) -> Vec<u8> {
    implicit(Tag(0xfffe, 0xe000), content)
}

/// An enhanced CT of frames at these places, whose groups have the VR UN and a defined length.
fn enhanced(places: &[f64]) -> InMemDicomObject {
    let position = |z: f64| {
        let mut text = format!("0\\0\\{z}");
        text.extend((text.len() % 2 == 1).then_some(' '));
        let place = implicit(tags::IMAGE_POSITION_PATIENT, text.as_bytes());
        item(&implicit(tags::PLANE_POSITION_SEQUENCE, &item(&place)))
    };
    let groups: Vec<u8> = places.iter().flat_map(|&z| position(z)).collect();
    let mut object = slice("1.2", 0.0, 0);
    object.remove_element(tags::IMAGE_POSITION_PATIENT);
    put(&mut object, tags::SOP_CLASS_UID, VR::UI, uids::ENHANCED_CT_IMAGE_STORAGE);
    put(&mut object, tags::NUMBER_OF_FRAMES, VR::IS, &places.len().to_string());
    if !places.is_empty() {
        let groups = PrimitiveValue::U8(groups.into_iter().collect());
        object.put(DataElement::new(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, VR::UN, groups));
    }
    let stored = (0..6 * places.len() as u16).map(|i| 1000 + i / 6);
    object.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(stored.collect())));
    object
}

#[test]
fn sequences_of_unknown_vr_are_read_and_an_enhanced_object_without_places_is_refused() {
    let (_folder, path) = file_of(enhanced(&[4.0, 0.0, 2.0]), EXPLICIT);
    let Scan::Volume(volume) = open_file(&path, false).unwrap().0 else { panic!("frames make a volume") };
    let grey: Vec<f32> = (0..3).map(|k| volume.value(VoxelIndex([0, 0, k]))).collect();
    assert_eq!(grey, [1.0, 2.0, 0.0]);
    assert_eq!(Scan::Volume(volume).slices(crate::Axis::Axial)[1].frame, Some(3));

    let mut without = enhanced(&[4.0, 0.0, 2.0]);
    without.remove_element(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
    let (_folder, path) = file_of(without, EXPLICIT);
    let text = open_file(&path, false).err().unwrap().to_string();
    assert!(text.contains("3 of its 3 frames have no position"), "{text}");
}

#[test]
fn a_top_level_position_counts_when_the_functional_groups_are_empty() {
    let folder = changed(|_, object| {
        let empty = InMemDicomObject::new_empty();
        let items = dicom_core::value::Value::from(DataSetSequence::from(vec![empty]));
        object.put(DataElement::new(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, VR::SQ, items));
    });
    assert_eq!(stack(folder.path()).affine().spacing_mm(), [0.75, 0.5, 10.0]);
}

#[test]
fn frames_with_one_position_are_stacked_by_their_spacing_and_it_is_said() {
    let mut object = slice("1.2", 5.0, 0);
    put(&mut object, tags::NUMBER_OF_FRAMES, VR::IS, "3");
    put(&mut object, tags::SLICE_THICKNESS, VR::DS, "0.4");
    object.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16((0..18).collect())));
    let open = |object: InMemDicomObject| {
        let (_folder, path) = file_of(object, EXPLICIT);
        let Scan::Volume(volume) = open_file(&path, false).unwrap().0 else { panic!("frames make a volume") };
        volume
    };
    let volume = open(object.clone());
    assert!((volume.affine().spacing_mm()[2] - 0.4).abs() < 1e-9);
    assert!(volume.notes()[0].contains("by SliceThickness"), "{:?}", volume.notes());
    put(&mut object, tags::SPACING_BETWEEN_SLICES, VR::DS, "-3");
    let volume = open(object.clone());
    assert!(volume.notes()[0].contains("by SpacingBetweenSlices"), "{:?}", volume.notes());
    // Against the normal: the first frame stays at 5 mm, and the last lies lowest.
    let places = |volume: &Volume| {
        let place = |k| volume.affine().apply(VoxelIndex([0, 0, k])).0[2];
        [0, 1, 2].map(|k| (volume.value(VoxelIndex([0, 0, k])) + 1000.0, place(k)))
    };
    assert_eq!(places(&volume), [(12.0, -1.0), (6.0, 2.0), (0.0, 5.0)]);
    object.remove_element(tags::SPACING_BETWEEN_SLICES);
    // Absolute places along z, upwards and, with a normal that points down, downwards.
    put(&mut object, tags::GRID_FRAME_OFFSET_VECTOR, VR::DS, "5\\7\\9");
    assert_eq!(places(&open(object.clone())), [(0.0, 5.0), (6.0, 7.0), (12.0, 9.0)]);
    let mut turned = object.clone();
    put(&mut turned, tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "1\\0\\0\\0\\-1\\0");
    assert_eq!(places(&open(turned)), [(12.0, 9.0), (6.0, 7.0), (0.0, 5.0)]);
    put(&mut object, tags::GRID_FRAME_OFFSET_VECTOR, VR::DS, "0\\2\\4");
    let volume = open(object.clone());
    assert!((volume.affine().spacing_mm()[2] - 2.0).abs() < 1e-9);
    object.remove_element(tags::GRID_FRAME_OFFSET_VECTOR);
    object.remove_element(tags::SLICE_THICKNESS);
    let volume = open(object);
    assert!(!volume.orientation().physical && volume.notes()[0].contains("do not say where they lie"));
}

#[test]
fn rounded_directions_become_unit_vectors_at_a_right_angle() {
    let turned = |orientation: &'static str| {
        stack(changed(|_, o| put(o, tags::IMAGE_ORIENTATION_PATIENT, VR::DS, orientation)).path())
    };
    // Two decimals of a turn about two axes: a cosine of 0.0085, and rows off unit length.
    let volume = turned("0.94\\0.33\\0.06\\-0.34\\0.93\\0.09");
    let [row, column] = [0, 1].map(|axis| volume.affine().step_mm(axis));
    assert!(dot(row, column).abs() < 1e-12);
    let spacing = volume.affine().spacing_mm();
    assert!((spacing[0] - 0.75).abs() < 1e-12 && (spacing[1] - 0.5).abs() < 1e-12, "{spacing:?}");
    assert!(volume.affine().unsheared().is_some(), "a mask gets a qform");
    assert!(volume.notes().iter().any(|note| note.contains("is rounded")), "{:?}", volume.notes());
    // Five decimals are taken the same way in silence, a better pair as it is.
    let volume = turned("0.93629\\0.35122\\0\\-0.35122\\0.93629\\0");
    assert!((volume.affine().spacing_mm()[0] - 0.75).abs() < 1e-12);
    assert!(volume.notes().iter().all(|note| !note.contains("is rounded")), "{:?}", volume.notes());
}

#[test]
fn an_origin_at_zero_leaves_the_directions_as_they_are() {
    let letters = |origin: f64| {
        let folder = changed(|number, object| {
            let place = format!("{origin}\\{origin}\\{}", origin + 10.0 * number as f64);
            put(object, tags::IMAGE_POSITION_PATIENT, VR::DS, &place);
            put(object, tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "-1\\0\\0\\0\\-1\\0");
        });
        *stack(folder.path()).orientation()
    };
    assert_eq!(letters(0.0), letters(0.001));
    assert!(letters(0.0).physical);
}

#[test]
fn a_slice_that_cannot_be_read_is_refused_by_its_name_wherever_it_lies() {
    let refused = |content: &[u8], name: &str, reason: &str| {
        let folder = changed(|_, _| ());
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        let said = refusal(&folder);
        assert!(said.contains(name) && said.contains(reason), "{said}");
    };
    refused(b"", "I6", "empty");
    refused(b"", "below/I6.dcm", "empty");
    refused(b"", "1.2.840.7", "empty");
    refused(&[0x99; 3000], "I6", "nothing in it says what it is");
    refused(b"<html>404</html>", "I6.dcm", "DICM");
    refused(&[8, 0, 5, 0, 10, 0, 0, 0, b'I', b'S', b'O'], "I6", "without its head");
    let mut object = slice("1.2", 60.0, 6);
    put(&mut object, tags::SOP_CLASS_UID, VR::UI, uids::CT_IMAGE_STORAGE);
    object.remove_element(tags::PIXEL_DATA);
    let (_folder, path) = file_of(object, EXPLICIT);
    refused(&std::fs::read(path).unwrap(), "I6", "pixels are missing");
}

#[test]
fn slices_in_folders_below_and_without_their_first_bytes_are_read() {
    let folder = changed(|_, _| ());
    let below = folder.path().join("more/deeper");
    std::fs::create_dir_all(&below).unwrap();
    std::fs::rename(folder.path().join("I5"), below.join("I5")).unwrap();
    let whole = std::fs::read(folder.path().join("I0")).unwrap();
    assert_eq!(stack(folder.path()).size()[2], 6);
    for cut in [128, 132] {
        std::fs::write(folder.path().join("I0"), &whole[cut..]).unwrap();
        assert_eq!(stack(folder.path()).size()[2], 6, "{cut} bytes lost");
    }
}

#[test]
fn what_is_no_slice_is_left_aside_with_its_name_and_a_reason() {
    let folder = changed(|_, _| ());
    let file = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    file("._I0.dcm", &[0, 5, 0x16, 7, 0, 2, 0, 0]);
    file(".DS_Store", &[0, 0, 0, 1]);
    file("DICOMDIR", &std::fs::read(folder.path().join("I0")).unwrap());
    file("viewer.exe", b"MZ\x90");
    file("README", b"how to look at this");
    file("done.txt", b"");
    let object = |name: &str, change: &dyn Fn(&mut InMemDicomObject)| {
        let mut object = slice("7.7", 99.0, 0);
        change(&mut object);
        save(object, EXPLICIT, &folder.path().join(name));
    };
    object("page", &|o| {
        put(o, tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "RGB");
        o.put(number(tags::SAMPLES_PER_PIXEL, 3));
    });
    object("seg", &|o| put(o, tags::SOP_CLASS_UID, VR::UI, uids::SEGMENTATION_STORAGE));
    object("bits", &|o| _ = o.put(number(tags::BITS_ALLOCATED, 1)));
    object("dose", &|o| put(o, tags::MODALITY, VR::CS, "RTDOSE"));
    object("state", &|o| put(o, tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.11.1"));
    object("contours", &|o| put(o, tags::SOP_CLASS_UID, VR::UI, uids::RT_STRUCTURE_SET_STORAGE));
    object("grey page", &|o| {
        put(o, tags::SOP_CLASS_UID, VR::UI, uids::SECONDARY_CAPTURE_IMAGE_STORAGE);
        o.remove_element(tags::IMAGE_POSITION_PATIENT);
    });
    let volume = stack(folder.path());
    assert_eq!(volume.size()[2], 6);
    let said = aside(&volume);
    let expected = [
        (".DS_Store", "operating system"),
        ("._I0.dcm", "AppleDouble"),
        ("DICOMDIR", "directory of a medium"),
        ("README", "a text"),
        ("bits", "1 bit"),
        ("contours", "contours"),
        ("done.txt", "another kind"),
        ("dose", "dose"),
        ("grey page", "capture"),
        ("page", "colour"),
        ("seg", "segmentation"),
        ("state", "presentation state"),
        ("viewer.exe", "another kind"),
    ];
    assert_eq!(said.len(), expected.len(), "{said:?}");
    for (sentence, (name, reason)) in said.iter().zip(expected) {
        assert!(sentence.starts_with(name) && sentence.contains(reason), "{sentence}");
    }
}

#[test]
fn slices_of_two_patients_frames_of_reference_or_modalities_make_no_volume() {
    let mixed = |change: &dyn Fn(&mut InMemDicomObject), words: &str| {
        let folder = changed(|number, object| {
            if number >= 4 {
                change(object)
            }
        });
        let said = refusal(&folder);
        assert!(said.contains(words), "{said}");
        said
    };
    let said =
        mixed(&|o| put(o, tags::PATIENT_ID, VR::LO, "SECRET-TOO"), "2 patients (4 with I0, 2 with I4)");
    assert!(!said.contains("SECRET"), "{said}");
    mixed(&|o| put(o, tags::FRAME_OF_REFERENCE_UID, VR::UI, "1.9"), "2 frames of reference");
    mixed(&|o| put(o, tags::MODALITY, VR::CS, "OT"), "several modalities");
    // Without a number the name counts; a blank behind the number does not.
    let nameless = |number: usize, object: &mut InMemDicomObject| {
        put(object, tags::PATIENT_ID, VR::LO, "");
        put(object, tags::PATIENT_NAME, VR::PN, if number == 2 { "SECRET^A" } else { "SECRET^B" });
    };
    assert!(refusal(&changed(nameless)).contains("2 patients"));
    let padded = |number: usize, object: &mut InMemDicomObject| {
        put(object, tags::PATIENT_ID, VR::LO, if number == 2 { "7" } else { "7 " });
    };
    assert_eq!(stack(changed(padded).path()).size()[2], 6);
}

#[test]
fn acquisitions_may_follow_one_another_but_not_take_turns() {
    let numbered = |number_of: fn(usize) -> usize| {
        changed(|number, o| put(o, tags::ACQUISITION_NUMBER, VR::IS, &number_of(number).to_string()))
    };
    let said = refusal(&numbered(|number| number % 2));
    assert!(said.contains("2 acquisitions that take turns"), "{said}");
    let volume = stack(numbered(|number| number / 2).path());
    assert!(volume.notes()[0].contains("3 acquisitions"), "{:?}", volume.notes());
    assert!(stack(numbered(|_| 1).path()).notes().is_empty());
}

#[test]
fn the_same_object_twice_is_dropped_and_one_uid_for_all_is_not() {
    let uid = |o: &mut InMemDicomObject, uid: &str| put(o, tags::SOP_INSTANCE_UID, VR::UI, uid);
    let folder = changed(|number, o| uid(o, &format!("1.2.{number}")));
    std::fs::copy(folder.path().join("I3"), folder.path().join("copy of I3")).unwrap();
    let volume = stack(folder.path());
    assert_eq!((volume.size()[2], volume.origin().files_read), (6, 6));
    assert!(aside(&volume)[0].contains("a copy of"), "{:?}", aside(&volume));
    assert_eq!(stack(changed(|_, o| uid(o, "1.2.3")).path()).size()[2], 6);
}

#[test]
fn a_high_bit_that_may_not_be_is_passed_over_and_said() {
    let folder = changed(|_, o| {
        o.put(number(tags::BITS_STORED, 12));
        o.put(number(tags::PIXEL_REPRESENTATION, 0));
        o.put(number(tags::HIGH_BIT, 15));
        o.put(DataElement::new(
            tags::PIXEL_DATA,
            VR::OW,
            PrimitiveValue::U16([807u16; 6].into_iter().collect()),
        ));
    });
    let volume = stack(folder.path());
    assert_eq!(volume.value(VoxelIndex([0, 0, 0])), -193.0);
    assert!(volume.notes()[0].contains("HighBit is 15"), "{:?}", volume.notes());
}

#[test]
fn padding_counts_in_no_ends() {
    let padded = |limit: Option<&str>| {
        changed(move |number, o| {
            o.put(DataElement::new(tags::PIXEL_PADDING_VALUE, VR::SS, PrimitiveValue::from(-2000i16)));
            if limit.is_some() {
                o.put(DataElement::new(
                    tags::PIXEL_PADDING_RANGE_LIMIT,
                    VR::SS,
                    PrimitiveValue::from(-1990i16),
                ));
            }
            let stored = [-2000i16, -1995, 5, 6, 7, 100 + number as i16].map(|v| v as u16);
            o.put(DataElement::new(
                tags::PIXEL_DATA,
                VR::OW,
                PrimitiveValue::U16(stored.into_iter().collect()),
            ));
        })
    };
    let volume = stack(padded(None).path());
    assert_eq!(volume.grey_range(), (-2995.0, -895.0));
    let volume = stack(padded(Some("limit")).path());
    assert_eq!(volume.grey_range(), (-995.0, -895.0));
    assert!(volume.is_padding(VoxelIndex([1, 0, 3])) && !volume.is_padding(VoxelIndex([2, 0, 3])));
}

#[test]
fn padding_is_read_from_the_same_bits_as_the_pixels() {
    let padded = |signed: u16, padding: u16, limit: Option<u16>, stored: [u16; 6]| {
        let folder = changed(|_, o| {
            o.put(number(tags::BITS_STORED, 12));
            o.put(number(tags::HIGH_BIT, 11));
            o.put(number(tags::PIXEL_REPRESENTATION, signed));
            o.put(number(tags::PIXEL_PADDING_VALUE, padding));
            if let Some(limit) = limit {
                o.put(number(tags::PIXEL_PADDING_RANGE_LIMIT, limit));
            }
            o.put(DataElement::new(
                tags::PIXEL_DATA,
                VR::OW,
                PrimitiveValue::U16(stored.into_iter().collect()),
            ));
        });
        stack(folder.path()).grey_range()
    };
    assert_eq!(padded(0, 65535, None, [65535, 4095, 5, 6, 7, 8]), (-995.0, -992.0));
    // -2000 in 12 bits, with and without the sign drawn down.
    for padding in [0xf830, 0x0830] {
        assert_eq!(padded(1, padding, None, [0xf830, 0x0830, 5, 6, 7, 8]), (-995.0, -992.0));
    }
    // 4090 to 4100 is no range of 12 bits from 4 to 4090.
    assert_eq!(padded(0, 4090, Some(4100), [4091, 4092, 5, 6, 7, 8]), (-995.0, -992.0));
}

#[test]
fn the_rescale_type_is_taken_at_its_word_and_named() {
    let typed = |value: &'static str| stack(changed(|_, o| put(o, tags::RESCALE_TYPE, VR::LO, value)).path());
    assert_eq!(
        (typed("HU").kind(), &typed("HU").origin().known_by),
        (GreyKind::Hounsfield, &KnownBy::Header)
    );
    let unspecified = typed("US");
    assert_eq!(unspecified.kind(), GreyKind::Hounsfield);
    assert!(unspecified.notes()[0].contains("RescaleType is US"), "{:?}", unspecified.notes());
    let other = typed("Z_EFF");
    assert_eq!(other.kind(), GreyKind::Other);
    assert!(other.origin().kind_remark.as_ref().unwrap().contains("RescaleType is Z_EFF"));
    let shown = typed("Mrs Secret").origin().kind_remark.clone().unwrap();
    assert!(!shown.contains("Secret"), "{shown}");
    let empty = stack(changed(|_, o| put(o, tags::RESCALE_SLOPE, VR::DS, "")).path());
    assert!(empty.origin().kind_remark.as_ref().unwrap().contains("RescaleSlope"));
}

#[test]
fn half_of_a_rescale_is_taken_with_a_note_and_makes_no_hounsfield_units() {
    let halved = |modality: &'static str, missing: Tag, (tag, value): (Tag, &'static str)| {
        stack(
            changed(move |_, o| {
                put(o, tags::MODALITY, VR::CS, modality);
                put(o, tag, VR::DS, value);
                o.remove_element(missing);
            })
            .path(),
        )
    };
    let volume = halved("PT", tags::RESCALE_INTERCEPT, (tags::RESCALE_SLOPE, "2.5"));
    assert_eq!(volume.value(VoxelIndex([0, 0, 4])), 10.0);
    let note = &volume.notes()[0];
    assert!(note.contains("RescaleIntercept is missing") && note.contains("0 is taken"), "{note}");
    let volume = halved("PT", tags::RESCALE_SLOPE, (tags::RESCALE_INTERCEPT, "-7"));
    assert_eq!(volume.value(VoxelIndex([0, 0, 4])), -3.0);
    let note = &volume.notes()[0];
    assert!(note.contains("RescaleSlope is missing") && note.contains("1 is taken"), "{note}");
    let volume = halved("CT", tags::RESCALE_INTERCEPT, (tags::RESCALE_SLOPE, "1"));
    assert_eq!(volume.kind(), GreyKind::Other);
    assert!(volume.origin().kind_remark.as_ref().unwrap().contains("RescaleIntercept is missing"));
}

#[test]
fn signs_of_missing_slices_are_said() {
    let notes =
        |change: &dyn Fn(usize, &mut InMemDicomObject)| stack(changed(change).path()).notes().to_vec();
    let stating = |tag: Tag, vr: VR, value: &'static str| notes(&|_, o| put(o, tag, vr, value));
    let numbered = |number_of: &dyn Fn(usize) -> usize| {
        notes(&|number, o| put(o, tags::INSTANCE_NUMBER, VR::IS, &number_of(number).to_string()))
    };
    let silent = |notes: Vec<String>| assert!(notes.is_empty(), "{notes:?}");
    let said = |notes: Vec<String>, words: &str| {
        assert!(notes.len() == 1 && notes[0].contains(words), "{notes:?}");
    };
    silent(numbered(&|number| 7 + number));
    silent(numbered(&|number| 60 - number));
    said(numbered(&|number| 1 + 2 * number), "from 1 to 11 for 6 slices");
    said(numbered(&|number| [1, 3, 2, 4, 5, 6][number]), "steps of one");
    silent(stating(tags::IMAGES_IN_ACQUISITION, VR::IS, "6"));
    said(stating(tags::IMAGES_IN_ACQUISITION, VR::IS, "40"), "is 40, but only 6 slices");
    silent(stating(tags::SPACING_BETWEEN_SLICES, VR::DS, "-10.2"));
    said(stating(tags::SPACING_BETWEEN_SLICES, VR::DS, "5"), "is 5.00 mm, but its slices lie 10.00 mm apart");
}

#[test]
fn rounded_positions_are_one_stack_and_a_missing_slice_is_not() {
    let at = |places: &[f64]| series(places);
    for (step, decimals) in [(0.625, 10.0), (0.25, 10.0), (0.02, 1000.0), (1.0 / 3.0, 10.0)] {
        let place = |number: usize| (number as f64 * step * decimals).round() / decimals;
        let all: Vec<f64> = (0..12).map(place).collect();
        let volume = stack(at(&all).path());
        assert!((volume.affine().spacing_mm()[2] - step).abs() < 0.01, "{step}");
        for missing in 1..11 {
            let rest: Vec<f64> = (0..12).filter(|&number| number != missing).map(place).collect();
            let said = refusal(&at(&rest));
            assert!(said.contains("slices are missing") || said.contains("straight line"), "{said}");
        }
    }
    for three in [[0.0, 5.0, 15.0], [0.0, 10.0, 15.0]] {
        assert!(refusal(&at(&three)).contains("slices are missing"));
    }
}

#[test]
fn a_drift_that_nobody_sees_is_made_straight_and_a_tilt_stays() {
    let drifting =
        |mm: f64| stack(changed(|number, o| at_place(o, mm * number as f64, 10.0 * number as f64)).path());
    assert_eq!(drifting(0.001).affine().step_mm(2), [0.0, 0.0, 10.0]);
    assert_eq!(drifting(2.0).affine().step_mm(2), [-2.0, 0.0, 10.0]);
    let PatientMm(corner) = drifting(0.001).affine().apply(VoxelIndex([0, 0, 0]));
    assert_eq!(corner, [0.0, 20.0, 0.0]);
}

#[test]
fn a_projection_image_is_a_picture_even_with_a_place_and_alone_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let mut xray = slice("1.2", 5.0, 7);
    put(&mut xray, tags::MODALITY, VR::CS, "CR");
    save(xray.clone(), EXPLICIT, &folder.path().join("a"));
    assert!(matches!(open_file(&folder.path().join("a"), false).unwrap().0, Scan::Picture(_)));
    let scan = open_folder(folder.path(), false).unwrap().0;
    assert!(matches!(scan, Scan::Picture(_)));
    assert_eq!(scan.facts().modality.as_deref(), Some("CR"));
    save(xray, EXPLICIT, &folder.path().join("b"));
    assert!(refusal(&folder).contains("2 single pictures"));
}

#[test]
fn wishes_of_the_file_that_are_not_fulfilled_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let notes = |change: &dyn Fn(&mut InMemDicomObject)| {
        let mut xray = slice("1.2", 5.0, 7);
        put(&mut xray, tags::MODALITY, VR::CS, "DX");
        for tag in [tags::RESCALE_SLOPE, tags::RESCALE_INTERCEPT] {
            xray.remove_element(tag);
        }
        change(&mut xray);
        save(xray, EXPLICIT, &folder.path().join("a"));
        open_file(&folder.path().join("a"), false).unwrap().0.notes().to_vec()
    };
    assert_eq!(notes(&|_| ()), [] as [&str; 0]);
    let eight_bit = |o: &mut InMemDicomObject| {
        o.put(number(tags::BITS_ALLOCATED, 8));
        o.put(number(tags::BITS_STORED, 8));
        o.put(number(tags::HIGH_BIT, 7));
        o.put(number(tags::PIXEL_REPRESENTATION, 0));
        put(o, tags::WINDOW_CENTER, VR::DS, "100\\50");
        put(o, tags::WINDOW_WIDTH, VR::DS, "40\\20");
    };
    assert!(notes(&eight_bit)[0].contains("window"));
    assert!(notes(&|o| put(o, tags::PRESENTATION_LUT_SHAPE, VR::CS, "INVERSE"))[0].contains("inverted"));
}

#[test]
fn slices_are_known_by_their_place_and_instance_number() {
    let folder = changed(|number, o| put(o, tags::INSTANCE_NUMBER, VR::IS, &(60 - number).to_string()));
    let scan = open_folder(folder.path(), false).unwrap().0;
    let slices = scan.slices(crate::Axis::Axial);
    assert_eq!((slices[1].place_mm, slices[1].instance), (10.0, Some(59)));
    let steps = scan.facts().steps.unwrap();
    assert_eq!((steps.mean_mm, steps.shortest_mm, steps.longest_mm), (10.0, 10.0, 10.0));
    assert!(scan.slices(crate::Axis::Coronal)[0].instance.is_none());
}

#[test]
fn nothing_that_is_shown_names_the_patient() {
    let folder = changed(|_, _| ());
    let scan = open_folder(folder.path(), false).unwrap().0;
    let shown = format!("{scan:?} {:?}", scan.facts());
    assert!(!shown.contains("SECRET"), "{shown}");
}
