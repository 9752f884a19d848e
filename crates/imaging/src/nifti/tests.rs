//! NIfTI: every datatype in both byte orders, orientation, damage, and masks that come back on the very same grid.

use super::*;
use crate::geometry::{Affine, VoxelIndex};
use crate::kind::GreyKind;
use crate::{
    Axis, InPlane, MaskWords, Patch, PatchLabels, Slicing, read_mask, write_labelled_mask, write_mask,
};

/// A file put together by hand, for the fields that the writer never writes.
struct File {
    bytes: Vec<u8>,
    big: bool,
}

impl File {
    fn new(big: bool, size: [i16; 3], datatype: i16, bits: i16, voxels: &[u8]) -> File {
        let mut file = File { bytes: vec![0; 352], big };
        file.i32(0, 348);
        file.i16(40, 3);
        for (axis, extent) in size.into_iter().enumerate() {
            file.i16(42 + 2 * axis, extent);
            file.f32(80 + 4 * axis, 1.0);
        }
        file.i16(70, datatype);
        file.i16(72, bits);
        file.f32(108, 352.0);
        file.bytes[344..348].copy_from_slice(b"n+1\0");
        file.bytes.extend_from_slice(voxels);
        file
    }

    fn put<const N: usize>(&mut self, offset: usize, mut le: [u8; N]) {
        if self.big {
            le.reverse();
        }
        self.bytes[offset..offset + N].copy_from_slice(&le);
    }

    fn i16(&mut self, offset: usize, value: i16) {
        self.put(offset, value.to_le_bytes());
    }

    fn i32(&mut self, offset: usize, value: i32) {
        self.put(offset, value.to_le_bytes());
    }

    fn f32(&mut self, offset: usize, value: f32) {
        self.put(offset, value.to_le_bytes());
    }

    fn sform(mut self, rows: [[f32; 4]; 3]) -> File {
        self.i16(254, 1);
        for (i, value) in rows.into_iter().flatten().enumerate() {
            self.f32(280 + 4 * i, value);
        }
        self
    }

    fn read(&self) -> Result<Volume, ImagingError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scan.nii");
        std::fs::write(&path, &self.bytes).unwrap();
        read(&path)
    }

    fn refusal(&self) -> String {
        self.read().unwrap_err().to_string()
    }
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

const OBLIQUE: [[f32; 4]; 3] = [[0.0, -0.8, 0.1, 12.5], [0.8, 0.0, 0.0, -7.25], [0.0, 0.1, 2.5, 100.0]];

#[test]
fn every_datatype_is_read_in_both_byte_orders() {
    type Encode = fn(i8) -> Vec<u8>;
    let types: [(i16, i16, bool, Encode); 10] = [
        (2, 8, false, |v| vec![v as u8]),
        (256, 8, true, |v| vec![v as u8]),
        (4, 16, true, |v| i16::from(v).to_le_bytes().to_vec()),
        (512, 16, false, |v| (v as u16).to_le_bytes().to_vec()),
        (8, 32, true, |v| i32::from(v).to_le_bytes().to_vec()),
        (768, 32, false, |v| (v as u32).to_le_bytes().to_vec()),
        (1024, 64, true, |v| i64::from(v).to_le_bytes().to_vec()),
        (1280, 64, false, |v| (v as u64).to_le_bytes().to_vec()),
        (16, 32, true, |v| f32::from(v).to_le_bytes().to_vec()),
        (64, 64, true, |v| f64::from(v).to_le_bytes().to_vec()),
    ];
    for (code, bits, signed, encode) in types {
        let values: [i8; 2] = if signed { [-100, 3] } else { [100, 3] };
        for big in [false, true] {
            let voxels: Vec<u8> = values
                .iter()
                .flat_map(|&v| {
                    let mut bytes = encode(v);
                    if big {
                        bytes.reverse();
                    }
                    bytes
                })
                .collect();
            let volume = File::new(big, [2, 1, 1], code, bits, &voxels).read().unwrap();
            let came = [volume.voxels().get(0), volume.voxels().get(1)];
            assert_eq!(came, values.map(f32::from), "datatype {code}, big endian {big}");
        }
    }
}

#[test]
fn slope_and_intercept_make_hounsfield_units() {
    let mut file = File::new(false, [2, 1, 1], 512, 16, &[0, 0, 24, 4]);
    file.f32(112, 1.0);
    file.f32(116, -1024.0);
    let volume = file.read().unwrap();
    assert_eq!((volume.voxels(), volume.kind()), (&Voxels::I16(vec![-1024, 24]), GreyKind::Hounsfield));
    file.f32(112, f32::NAN);
    assert_eq!(file.read().unwrap().voxels(), &Voxels::I16(vec![0, 1048]));
}

#[test]
fn the_sform_is_preferred_then_the_qform_then_spacings() {
    let mut file = File::new(false, [2, 2, 2], 2, 8, &[0; 8]).sform(OBLIQUE);
    // A quarter turn about z: the first axis runs to the front, the second to the left.
    file.i16(252, 1);
    let half = 0.5f32.sqrt();
    for (i, value) in [0.0, 0.0, half, 5.0, 6.0, 7.0].into_iter().enumerate() {
        file.f32(256 + 4 * i, value);
    }
    file.f32(76, -1.0);
    file.f32(84, 3.0);
    assert_eq!(file.read().unwrap().affine().0[0][3], 12.5);

    file.i16(254, 0);
    let expected = Affine([[0.0, -3.0, 0.0, 5.0], [1.0, 0.0, 0.0, 6.0], [0.0, 0.0, -1.0, 7.0]]);
    let volume = file.read().unwrap();
    assert!(volume.affine().is_close_to(&expected), "{:?}", volume.affine());
    assert_eq!(volume.orientation().letters(), "ALI");

    file.i16(252, 0);
    let volume = file.read().unwrap();
    assert_eq!(volume.affine(), &Affine::from_spacing_mm([1.0, 3.0, 1.0]));
    assert!(!volume.orientation().physical);
    assert!(volume.notes().iter().any(|note| note.contains("does not say how the patient lies")));
}

#[test]
fn a_file_cut_at_any_byte_is_an_error() {
    let whole = File::new(false, [3, 2, 2], 4, 16, &[5; 24]).bytes;
    let packed = gzipped(&whole);
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [("cut.nii", &whole), ("cut.nii.gz", &packed)] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        assert!(read(&path).is_ok());
        for length in 0..bytes.len() {
            std::fs::write(&path, &bytes[..length]).unwrap();
            assert!(read(&path).is_err(), "{name} cut to {length} bytes");
        }
    }
}

#[test]
fn an_altered_gzip_stream_is_found_by_its_check_sum() {
    let mut packed = gzipped(&File::new(false, [3, 2, 2], 2, 8, &[5; 12]).bytes);
    let check = packed.len() - 8;
    packed[check] ^= 1;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.nii.gz");
    std::fs::write(&path, packed).unwrap();
    assert!(read(&path).unwrap_err().to_string().contains("gzip"));
}

#[test]
fn declared_sizes_are_held_against_caps_and_compressed_bytes_before_inflating() {
    let huge = File::new(false, [32767, 32767, 32767], 2, 8, &[]);
    assert!(matches!(huge.read(), Err(ImagingError::TooLarge { .. })));
    // 512 Mi voxels would be allowed, but not from a few hundred compressed bytes.
    let bomb = gzipped(&File::new(false, [1024, 1024, 512], 2, 8, &[0; 4096]).bytes);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.nii.gz");
    std::fs::write(&path, bomb).unwrap();
    let text = read(&path).unwrap_err().to_string();
    assert!(text.contains("cannot hold"), "{text}");
}

#[test]
fn headers_that_say_what_is_not_read_are_refused_with_a_reason() {
    let base = || File::new(false, [2, 1, 1], 2, 8, &[0; 16]);
    let with = |change: fn(&mut File), reason: &str| {
        let mut file = base();
        change(&mut file);
        let text = file.refusal();
        assert!(text.contains(reason), "{text}");
    };
    with(|f| f.i32(0, 540), "NIfTI-2");
    with(|f| f.bytes[344..347].copy_from_slice(b"ni1"), ".hdr/.img");
    with(|f| f.i16(70, 128), "datatype 128");
    with(|f| f.i16(72, 16), "16 bits");
    with(|f| f.i16(40, 9), "9 axes");
    with(|f| f.i16(42, -2), "axis of -2");
    with(
        |f| {
            f.i16(40, 4);
            f.i16(48, 5)
        },
        "several volumes",
    );
    with(|f| f.f32(108, f32::NAN), "vox_offset");
    with(|f| f.f32(112, f32::INFINITY), "infinite");
    with(|f| f.i16(254, 1), "places no voxels");
    let not_a_number = File::new(false, [1, 1, 1], 16, 32, &f32::NAN.to_le_bytes());
    assert!(not_a_number.refusal().contains("1 of its voxels"));
}

#[test]
fn masks_lie_on_the_very_grid_of_the_scan() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = File::new(true, [3, 4, 5], 4, 16, &[1; 120]).sform(OBLIQUE);
    file.i16(252, 1);
    file.f32(264, 0.5);
    file.f32(76, -1.0);
    file.bytes[123] = 10;
    let volume = file.read().unwrap();
    let slicing = Slicing::new(&volume, Axis::Axial, InPlane::Display);
    let (rows, columns) = slicing.plane_size();
    let labels = (0..rows * columns).map(|i| (i % 3) as u8).collect();
    let patch = Patch::Plane { slicing, index: crate::geometry::PlaneIndex(3) };
    let mut mask = Mask::empty(&volume);
    mask.lay(&patch, &PatchLabels::plane(rows, columns, labels)).unwrap();

    for name in ["mask.nii.gz", "mask.nii"] {
        let path = folder.path().join(name);
        write_mask(&volume, &mask, &path).unwrap();
        assert_eq!(read_mask(&path).unwrap(), mask);
        let again = read(&path).unwrap();
        let fields = |volume: &Volume| *volume.grid_source::<GridFields>().unwrap();
        assert_eq!(fields(&again), fields(&volume), "all fields that place the grid");
        assert_eq!((again.affine(), again.size()), (volume.affine(), volume.size()));
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "no temporary file is left");
}

#[test]
fn another_reader_finds_the_same_labels_in_the_same_place() {
    use ::nifti::{IntoNdArray, NiftiObject, ReaderOptions};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mask.nii.gz");
    let volume = File::new(false, [3, 4, 5], 2, 8, &[1; 60]).sform(OBLIQUE).read().unwrap();
    let mask = Mask::from_parts((0..60).collect(), [3, 4, 5], Some(*volume.affine()));
    write_mask(&volume, &mask, &path).unwrap();

    let object = ReaderOptions::new().read_file(&path).unwrap();
    let header = object.header();
    assert_eq!((header.sform_code, header.srow_x, header.srow_z), (1, OBLIQUE[0], OBLIQUE[2]));
    let array = object.into_volume().into_ndarray::<u8>().unwrap();
    assert_eq!(array.shape(), [3, 4, 5]);
    for VoxelIndex([i, j, k]) in [VoxelIndex([0, 0, 0]), VoxelIndex([2, 1, 0]), VoxelIndex([1, 3, 4])] {
        assert_eq!(usize::from(array[[i, j, k]]), i + 3 * (j + 4 * k));
    }
}

#[test]
fn a_masks_header_says_that_it_holds_labels_and_which() {
    use ::nifti::{IntoNdArray, NiftiObject, ReaderOptions};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mask.nii.gz");
    let volume = File::new(false, [3, 4, 5], 2, 8, &[1; 60]).sform(OBLIQUE).read().unwrap();
    let mask = Mask::from_parts((0..60).collect(), [3, 4, 5], Some(*volume.affine()));
    let label_names = ["background".to_string(), "Blutgef\u{e4}\u{df}".to_string()];
    // 79 bytes end within the last letter of this, which takes two.
    let description = format!("{}\u{e4}", "x".repeat(78));
    let words = MaskWords { label_names: &label_names, description: &description };
    write_labelled_mask(&volume, &mask, &words, &path).unwrap();
    assert_eq!(read_mask(&path).unwrap(), mask);

    let object = ReaderOptions::new().read_file(&path).unwrap();
    assert_eq!(
        (object.header().intent_code, &object.header().descrip[..78]),
        (1002, "x".repeat(78).as_bytes())
    );
    let comments: Vec<_> = object.extensions().iter().map(|e| (e.code(), e.data().to_vec())).collect();
    assert_eq!(comments.len(), 1);
    assert_eq!(comments[0].0, 6);
    let text = String::from_utf8(comments[0].1.clone()).unwrap();
    assert_eq!(text.trim_end_matches('\0'), "0\tbackground\n1\tBlutgef\u{e4}\u{df}\n");
    assert_eq!(object.into_volume().into_ndarray::<u8>().unwrap()[[2, 1, 0]], 5);
}

#[test]
fn the_unit_of_a_nifti_is_a_guess_and_is_said_and_the_users_word_overrules_it() {
    use crate::{KnownBy, OpenOptions};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("body.nii");
    let stored: Vec<u8> = [-200i16, 40].iter().flat_map(|v| v.to_le_bytes()).collect();
    std::fs::write(&path, File::new(false, [2, 1, 1], 4, 16, &stored).sform(OBLIQUE).bytes).unwrap();
    let guessed = crate::Scan::open(&path).unwrap().facts();
    assert!(matches!(guessed.kind_known_by, KnownBy::Guess(reason) if reason.contains("-500")));
    assert_eq!(guessed.kind, GreyKind::Other);
    assert!(guessed.notes.iter().any(|note| note.contains("guess")), "{:?}", guessed.notes);

    let open = |unit| crate::Scan::open_with(&path, &OpenOptions { unit: Some(unit) });
    let stated = open(GreyKind::Hounsfield).unwrap().facts();
    assert_eq!((stated.kind, stated.kind_known_by), (GreyKind::Hounsfield, KnownBy::Stated));
    let text = open(GreyKind::EightBit).unwrap_err().to_string();
    assert!(text.contains("whole numbers from 0 to 255"), "{text}");
}

#[test]
fn an_image_is_no_mask() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scan.nii");
    std::fs::write(&path, File::new(false, [1, 1, 1], 4, 16, &[0, 0x80]).bytes).unwrap();
    assert!(read_mask(&path).unwrap_err().to_string().contains("a mask holds whole numbers"));
}

proptest::proptest! {
    #[test]
    fn no_header_makes_the_reader_panic(noise in proptest::collection::vec((0usize..360, 0u8..=255), 0..12)) {
        let mut file = File::new(false, [3, 2, 2], 4, 16, &[5; 24]).sform(OBLIQUE);
        for (place, byte) in noise {
            file.bytes[place] = byte;
        }
        let _ = file.read();
    }
}
