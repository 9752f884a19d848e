//! DICOM: series made by another writer (dicom-rs) are sorted, placed and checked; damage is refused and never panics.

use std::path::{Path, PathBuf};

use dicom_core::value::{DataSetSequence, PixelFragmentSequence, PrimitiveValue};
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};

use super::*;
use crate::geometry::VoxelIndex;
use crate::kind::GreyKind;
use crate::voxels::Voxels;

pub(super) fn text(tag: Tag, vr: VR, value: &str) -> DataElement<InMemDicomObject> {
    DataElement::new(tag, vr, PrimitiveValue::from(value))
}

pub(super) fn number(tag: Tag, value: u16) -> DataElement<InMemDicomObject> {
    DataElement::new(tag, VR::US, PrimitiveValue::from(value))
}

/// A CT slice of 2 rows and 3 columns at `z` mm, signed 16 bits, HU = stored - 1000, all voxels `value`.
pub(super) fn slice(series: &str, z: f64, value: i16) -> InMemDicomObject {
    InMemDicomObject::from_element_iter([
        text(tags::MODALITY, VR::CS, "CT"),
        text(tags::PATIENT_NAME, VR::PN, "SECRET^NAME"),
        text(tags::PATIENT_ID, VR::LO, "SECRET-ID"),
        text(tags::SERIES_INSTANCE_UID, VR::UI, series),
        text(tags::IMAGE_POSITION_PATIENT, VR::DS, &format!("-10\\-20\\{z}")),
        text(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "1\\0\\0\\0\\1\\0"),
        text(tags::PIXEL_SPACING, VR::DS, "0.5\\0.75"),
        text(tags::RESCALE_SLOPE, VR::DS, "1"),
        text(tags::RESCALE_INTERCEPT, VR::DS, "-1000"),
        text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2"),
        number(tags::SAMPLES_PER_PIXEL, 1),
        number(tags::ROWS, 2),
        number(tags::COLUMNS, 3),
        number(tags::BITS_ALLOCATED, 16),
        number(tags::BITS_STORED, 16),
        number(tags::HIGH_BIT, 15),
        number(tags::PIXEL_REPRESENTATION, 1),
        DataElement::new(
            tags::PIXEL_DATA,
            VR::OW,
            PrimitiveValue::U16([value as u16; 6].into_iter().collect()),
        ),
    ])
}

pub(super) fn save(object: InMemDicomObject, transfer_syntax: &str, path: &Path) {
    let meta = FileMetaTableBuilder::new()
        .transfer_syntax(transfer_syntax)
        .media_storage_sop_class_uid(uids::CT_IMAGE_STORAGE)
        .media_storage_sop_instance_uid("1.2.3");
    object.with_meta(meta).unwrap().write_to_file(path).unwrap();
}

/// A folder of slices at these places, in this order of names.
pub(super) fn series(places: &[f64]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (number, &z) in places.iter().enumerate() {
        save(
            slice("1.2", z, z as i16),
            uids::EXPLICIT_VR_LITTLE_ENDIAN,
            &folder.path().join(format!("{number}.dcm")),
        );
    }
    folder
}

pub(super) fn file_of(object: InMemDicomObject, transfer_syntax: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.dcm");
    save(object, transfer_syntax, &path);
    (folder, path)
}

pub(super) fn stack(folder: &Path) -> Volume {
    match open_folder(folder, false).unwrap().0 {
        Scan::Volume(volume) => volume,
        Scan::Picture(_) => panic!("slices make a volume"),
    }
}

pub(super) fn refusal(folder: &tempfile::TempDir) -> String {
    let text = open_folder(folder.path(), false).err().unwrap().to_string();
    assert!(!text.contains("SECRET"), "{text}");
    text
}

#[test]
fn slices_are_sorted_by_place_and_put_into_the_patients_space() {
    let volume = stack(series(&[30.0, 10.0, 40.0, 20.0]).path());
    assert_eq!((volume.size(), volume.kind()), ([3, 2, 4], GreyKind::Hounsfield));
    let grey: Vec<f32> = (0..4).map(|k| volume.value(VoxelIndex([0, 0, k]))).collect();
    assert_eq!(grey, [-990.0, -980.0, -970.0, -960.0]);
    // Columns are 0.75 mm apart and run to the left, rows 0.5 mm to the back; LPS becomes RAS.
    let expected = [[-0.75, 0.0, 0.0, 10.0], [0.0, -0.5, 0.0, 20.0], [0.0, 0.0, 10.0, 10.0]];
    assert_eq!(volume.affine().0, expected);
    assert_eq!(volume.orientation().letters(), "LPS");
}

#[test]
fn doubles_and_gaps_are_named_by_their_place() {
    let text = refusal(&series(&[10.0, 20.0, 20.0, 30.0]));
    assert!(text.contains("same place, 20.00 mm"), "{text}");
    let text = refusal(&series(&[10.0, 20.0, 30.0, 50.0, 60.0]));
    assert!(text.contains("between 30.00 mm and 50.00 mm"), "{text}");
    let volume = stack(series(&[10.0, 20.0, 30.3, 40.0]).path());
    assert!(volume.notes()[0].contains("steps between slices are uneven, from 9.70 to 10.30 mm"));
}

#[test]
fn several_series_are_named_by_their_number_of_images() {
    let folder = series(&[10.0, 20.0]);
    save(slice("1.3", 10.0, 0), uids::EXPLICIT_VR_LITTLE_ENDIAN, &folder.path().join("other.dcm"));
    let text = refusal(&folder);
    assert!(text.contains("2 series (one of 2 with 0.dcm, one of 1 with other.dcm)"), "{text}");
}

#[test]
fn what_is_no_image_is_left_aside_and_a_damaged_slice_is_not() {
    let folder = series(&[10.0, 20.0]);
    std::fs::write(folder.path().join("LICENSE"), "free").unwrap();
    let report = InMemDicomObject::from_element_iter([text(tags::MODALITY, VR::CS, "SR")]);
    save(report, uids::EXPLICIT_VR_LITTLE_ENDIAN, &folder.path().join("report.dcm"));
    let volume = stack(folder.path());
    assert_eq!(volume.size()[2], 2);
    let aside: Vec<String> = volume.origin().left_aside.iter().map(|file| file.to_string()).collect();
    assert_eq!(aside.len(), 2, "{aside:?}");
    assert!(aside[0].starts_with("LICENSE was left aside: a text"), "{aside:?}");
    assert!(aside[1].starts_with("report.dcm was left aside: an object without rows"), "{aside:?}");
    std::fs::write(folder.path().join("2.dcm"), "cut").unwrap();
    assert!(refusal(&folder).contains("DICM"));
    let empty = tempfile::tempdir().unwrap();
    assert!(refusal(&empty).contains("no DICOM image"));
}

#[test]
fn slices_of_another_size_or_turn_are_refused() {
    let folder = series(&[10.0, 20.0]);
    let mut turned = slice("1.2", 30.0, 0);
    turned.put(text(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "1\\0\\0\\0\\0\\-1"));
    save(turned, uids::EXPLICIT_VR_LITTLE_ENDIAN, &folder.path().join("z.dcm"));
    assert!(refusal(&folder).contains("not parallel"));
    let mut small = slice("1.2", 30.0, 0);
    small.put(number(tags::ROWS, 1));
    save(small, uids::EXPLICIT_VR_LITTLE_ENDIAN, &folder.path().join("z.dcm"));
    assert!(refusal(&folder).contains("2 rows and 3 columns"));
}

#[test]
fn one_slice_of_a_ct_is_a_volume_in_every_uncompressed_coding() {
    for coding in [uids::EXPLICIT_VR_LITTLE_ENDIAN, uids::IMPLICIT_VR_LITTLE_ENDIAN, "1.2.840.10008.1.2.2"] {
        let (_folder, path) = file_of(slice("1.2", 5.0, -24), coding);
        let Scan::Volume(volume) = open_file(&path, false).unwrap().0 else {
            panic!("a CT slice is a volume")
        };
        assert_eq!(volume.voxels(), &Voxels::I16(vec![-1024; 6]), "{coding}");
    }
}

#[test]
fn an_x_ray_is_a_picture_whose_smallest_value_is_black() {
    let mut xray = InMemDicomObject::from_element_iter([
        text(tags::MODALITY, VR::CS, "DX"),
        text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME1"),
        number(tags::SAMPLES_PER_PIXEL, 1),
        number(tags::ROWS, 1),
        number(tags::COLUMNS, 2),
        number(tags::BITS_ALLOCATED, 8),
        number(tags::BITS_STORED, 8),
        number(tags::HIGH_BIT, 7),
        number(tags::PIXEL_REPRESENTATION, 0),
        DataElement::new(tags::PIXEL_DATA, VR::OB, PrimitiveValue::U8([0u8, 200].into_iter().collect())),
    ]);
    let (_folder, path) = file_of(xray.clone(), uids::EXPLICIT_VR_LITTLE_ENDIAN);
    let Scan::Picture(picture) = open_file(&path, false).unwrap().0 else { panic!("an X-ray is a picture") };
    assert_eq!((picture.grey(), picture.kind()), (&Voxels::U8(vec![255, 55]), GreyKind::EightBit));

    xray.put(number(tags::SAMPLES_PER_PIXEL, 3));
    let (_folder, path) = file_of(xray, uids::EXPLICIT_VR_LITTLE_ENDIAN);
    assert!(open_file(&path, false).err().unwrap().to_string().contains("3 samples per pixel"));
}

#[test]
fn frames_of_one_file_are_sorted_by_their_own_places() {
    let sequence = |tag, items: Vec<InMemDicomObject>| {
        DataElement::new(tag, VR::SQ, dicom_core::value::Value::from(DataSetSequence::from(items)))
    };
    let frame = |z: f64| {
        let position = text(tags::IMAGE_POSITION_PATIENT, VR::DS, &format!("0\\0\\{z}"));
        InMemDicomObject::from_element_iter([sequence(
            tags::PLANE_POSITION_SEQUENCE,
            vec![InMemDicomObject::from_element_iter([position])],
        )])
    };
    let shared = InMemDicomObject::from_element_iter([
        sequence(
            tags::PLANE_ORIENTATION_SEQUENCE,
            vec![InMemDicomObject::from_element_iter([text(
                tags::IMAGE_ORIENTATION_PATIENT,
                VR::DS,
                "1\\0\\0\\0\\1\\0",
            )])],
        ),
        sequence(
            tags::PIXEL_MEASURES_SEQUENCE,
            vec![InMemDicomObject::from_element_iter([text(tags::PIXEL_SPACING, VR::DS, "1\\1")])],
        ),
    ]);
    let mut object = slice("1.2", 0.0, 0);
    object.put(text(tags::NUMBER_OF_FRAMES, VR::IS, "3"));
    object
        .put(sequence(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, vec![frame(4.0), frame(0.0), frame(2.0)]));
    object.put(sequence(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, vec![shared]));
    let stored = (0..18u16).map(|i| 1000 + i / 6);
    object.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(stored.collect())));
    for coding in [uids::EXPLICIT_VR_LITTLE_ENDIAN, uids::IMPLICIT_VR_LITTLE_ENDIAN] {
        let (_folder, path) = file_of(object.clone(), coding);
        let Scan::Volume(volume) = open_file(&path, false).unwrap().0 else { panic!("frames make a volume") };
        let grey: Vec<f32> = (0..3).map(|k| volume.value(VoxelIndex([0, 0, k]))).collect();
        assert_eq!(grey, [1.0, 2.0, 0.0], "{coding}");
        assert_eq!(volume.affine().spacing_mm(), [1.0, 1.0, 2.0]);
    }
}

#[test]
fn a_file_cut_at_any_byte_is_an_error() {
    let (_folder, path) = file_of(slice("1.2", 5.0, 7), uids::EXPLICIT_VR_LITTLE_ENDIAN);
    let whole = std::fs::read(&path).unwrap();
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(open_file(&path, false).is_err(), "cut to {length} bytes");
    }
}

#[test]
fn deep_nesting_is_refused_and_not_followed() {
    let mut bytes = vec![0; 128];
    bytes.extend(b"DICM");
    bytes.extend([2, 0, 0x10, 0, b'U', b'I', 20, 0]);
    bytes.extend(b"1.2.840.10008.1.2.1\0");
    for _ in 0..100_000 {
        // A private sequence of undefined length, and in it an item of undefined length.
        bytes.extend([9, 0, 1, 0x10, b'S', b'Q', 0, 0, 0xff, 0xff, 0xff, 0xff]);
        bytes.extend([0xfe, 0xff, 0, 0xe0, 0xff, 0xff, 0xff, 0xff]);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep.dcm");
    std::fs::write(&path, bytes).unwrap();
    assert!(open_file(&path, false).err().unwrap().to_string().contains("nested too deeply"));
}

#[test]
fn declared_sizes_beyond_the_file_are_refused() {
    let mut object = slice("1.2", 5.0, 7);
    object.put(number(tags::ROWS, 30000));
    object.put(number(tags::COLUMNS, 30000));
    let (_folder, path) = file_of(object.clone(), uids::EXPLICIT_VR_LITTLE_ENDIAN);
    assert!(matches!(open_file(&path, false), Err(ImagingError::TooLarge { .. })));
    object.put(number(tags::COLUMNS, 3000));
    let (_folder, path) = file_of(object.clone(), uids::EXPLICIT_VR_LITTLE_ENDIAN);
    assert!(open_file(&path, false).err().unwrap().to_string().contains("only 12 are there"));
    object.put(text(tags::NUMBER_OF_FRAMES, VR::IS, "4000000000"));
    let (_folder, path) = file_of(object, uids::EXPLICIT_VR_LITTLE_ENDIAN);
    assert!(matches!(open_file(&path, false), Err(ImagingError::TooLarge { .. })));
}

#[test]
fn many_frames_of_a_pixel_are_refused_before_any_is_described() {
    let mut object = slice("1.2", 5.0, 7);
    object.put(number(tags::ROWS, 1));
    object.put(number(tags::COLUMNS, 1));
    object.put(text(tags::NUMBER_OF_FRAMES, VR::IS, "500000000"));
    let (_folder, path) = file_of(object, uids::EXPLICIT_VR_LITTLE_ENDIAN);
    assert!(matches!(open_file(&path, false), Err(ImagingError::TooLarge { max: 100_000, .. })));
}

#[test]
fn run_lengths_that_cannot_fill_the_image_are_refused_before_it_is_allocated() {
    let mut object = slice("1.2", 5.0, 7);
    object.put(number(tags::ROWS, 20_000));
    object.put(number(tags::COLUMNS, 20_000));
    let mut coded = vec![0; 64];
    coded[..12].copy_from_slice(&[2, 0, 0, 0, 64, 0, 0, 0, 64, 0, 0, 0]);
    object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, PixelFragmentSequence::new_fragments(vec![coded])));
    let (_folder, path) = file_of(object, uids::RLE_LOSSLESS);
    assert!(open_file(&path, false).err().unwrap().to_string().contains("do not fill the image"));
}

#[test]
fn a_jpeg_stream_that_declares_another_size_never_reaches_the_decoder() {
    let mut object = slice("1.2", 5.0, 0);
    object.put(number(tags::BITS_ALLOCATED, 8));
    object.put(number(tags::BITS_STORED, 8));
    object.put(number(tags::HIGH_BIT, 7));
    object.put(number(tags::PIXEL_REPRESENTATION, 0));
    let mut stream = Vec::new();
    image::codecs::jpeg::JpegEncoder::new(&mut stream)
        .encode(&[90; 6], 3, 2, image::ExtendedColorType::L8)
        .unwrap();
    let frame_header = stream.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    let open_with = |object: &InMemDicomObject, stream: &[u8]| {
        let mut object = object.clone();
        let mut fragment = stream.to_vec();
        fragment.resize(fragment.len().next_multiple_of(2), 0);
        let pixels = PixelFragmentSequence::new_fragments(vec![fragment]);
        object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, pixels));
        let (_folder, path) = file_of(object, uids::JPEG_BASELINE8_BIT);
        open_file(&path, false).map(|(scan, _)| scan)
    };
    let Scan::Volume(volume) = open_with(&object, &stream).unwrap() else { panic!("a CT slice is a volume") };
    assert!((volume.voxels().get(0) - (90.0 - 1000.0)).abs() <= 1.0);
    stream[frame_header + 5] = 0x7f;
    let text = open_with(&object, &stream).unwrap_err().to_string();
    assert!(text.contains("declares 32514 x 3 pixels"), "{text}");
}

/// A lossless JPEG stream of `precision` bits, 3 pixels wide and 2 high: each pixel is one more than its left neighbour, and
/// the first of a row as the one above (ITU-T T.81 annex H, selection value 1).
fn lossless(frame: u8, precision: u8) -> Vec<u8> {
    let mut bytes = vec![0xff, 0xd8];
    let mut segment = |marker: u8, body: &[u8]| {
        bytes.extend([0xff, marker]);
        bytes.extend((body.len() as u16 + 2).to_be_bytes());
        bytes.extend(body);
    };
    segment(frame, &[precision, 0, 2, 0, 3, 1, 1, 0x11, 0]);
    // Differences of no bits are coded 0, those of one bit 10, behind which the bit says +1 or -1.
    segment(0xc4, &[&[0, 1, 1][..], &[0; 14], &[0, 1]].concat());
    segment(0xda, &[1, 1, 0, 1, 0, 0]);
    // Two rows of 0 101 101, filled with ones.
    bytes.extend([0b0101_1010, 0b1011_0111, 0xff, 0xd9]);
    bytes
}

/// A CT slice whose pixels are these JPEG frames of 16 bits, of which 12 are stored.
fn with_jpeg(coded: Vec<Vec<u8>>, transfer_syntax: &str, signed: u16) -> Result<Scan, ImagingError> {
    let mut object = slice("1.2", 5.0, 0);
    object.put(number(tags::BITS_STORED, 12));
    object.put(number(tags::HIGH_BIT, 11));
    object.put(number(tags::PIXEL_REPRESENTATION, signed));
    object.put(text(tags::NUMBER_OF_FRAMES, VR::IS, &coded.len().to_string()));
    object.put(text(tags::SPACING_BETWEEN_SLICES, VR::DS, "2"));
    let even = coded.into_iter().map(|mut frame| {
        frame.resize(frame.len().next_multiple_of(2), 0);
        frame
    });
    let pixels = PixelFragmentSequence::new_fragments(even.collect::<Vec<_>>());
    object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, pixels));
    let (_folder, path) = file_of(object, transfer_syntax);
    open_file(&path, false).map(|(scan, _)| scan)
}

#[test]
fn lossless_jpeg_gives_every_bit_with_and_without_a_sign_in_each_frame() {
    let grey = |scan: Scan| {
        let Scan::Volume(volume) = scan else { panic!("a CT slice is a volume") };
        (0..volume.voxels().len()).map(|i| volume.voxels().get(i)).collect::<Vec<_>>()
    };
    for syntax in [uids::JPEG_LOSSLESS, uids::JPEG_LOSSLESS_SV1] {
        let one = with_jpeg(vec![lossless(0xc3, 12)], syntax, 0).unwrap();
        assert_eq!(grey(one), [1048.0, 1049.0, 1050.0, 1048.0, 1049.0, 1050.0]);
        let signed = with_jpeg(vec![lossless(0xc3, 12)], syntax, 1).unwrap();
        assert_eq!(grey(signed)[..3], [-3048.0, -3047.0, -3046.0]);
        let two = with_jpeg(vec![lossless(0xc3, 12), lossless(0xc3, 11)], syntax, 0).unwrap();
        assert_eq!(grey(two)[5..9], [1050.0, 24.0, 25.0, 26.0]);
    }
}

#[test]
fn lossy_jpeg_of_12_bits_is_refused_with_what_to_do() {
    let refused = with_jpeg(vec![lossless(0xc1, 12)], uids::JPEG_EXTENDED12_BIT, 0).err().unwrap();
    let text = refused.to_string();
    assert!(text.contains("lossy JPEG of 12 bits") && text.contains("dcmdjpeg"), "{text}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(512))]
    #[test]
    fn no_altered_file_makes_the_reader_panic(noise in proptest::collection::vec((132usize..900, 0u8..=255), 1..8)) {
        let (_folder, path) = file_of(slice("1.2", 5.0, 7), uids::EXPLICIT_VR_LITTLE_ENDIAN);
        let mut bytes = std::fs::read(&path).unwrap();
        let length = bytes.len();
        for (place, byte) in noise {
            bytes[place % length] = byte;
        }
        std::fs::write(&path, bytes).unwrap();
        let _ = open_file(&path, false);
    }
}

#[test]
fn seeds_of_the_fuzz_target_are_read_and_altered_ones_are_read_or_refused() {
    let corpus = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/dicom"));
    let (_folder, path) = file_of(slice("1.2", 5.0, 7), uids::EXPLICIT_VR_LITTLE_ENDIAN);
    let open = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        open_file(&path, false).map(|_| ())
    };
    let mut state = 1u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % below
    };
    let mut codings = 0;
    for seed in std::fs::read_dir(corpus).unwrap() {
        let seed = std::fs::read(seed.unwrap().path()).unwrap();
        // The first byte counts the files behind the first; series are left to the fuzzer.
        let [0, whole @ ..] = &seed[..] else { continue };
        codings += 1;
        open(whole).unwrap();
        for _ in 0..60 {
            let mut bytes = whole.to_vec();
            for _ in 0..1 + random(4) {
                bytes[random(whole.len())] = random(256) as u8;
            }
            let _ = open(&bytes);
        }
    }
    assert_eq!(codings, 9);
}
