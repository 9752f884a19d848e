//! Real scans, where the folder of test data stands beside the repository; each test says so when it does not.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use blindscan_imaging::geometry::{PlaneIndex, VoxelIndex};
use blindscan_imaging::{
    Axis, GreyKind, ImagingError, InPlane, Mask, Patch, PatchLabels, PatchTensor, Preparation, Scan, Slicing,
    Volume, Voxels, dice, overlay_png, read_mask, write_mask,
};
use blindscan_input_spec::InputSpec;

/// A path in the data of the shared folder, which lies beside the repository.
fn shared(path: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")).join(path)
}

fn volume(path: &Path) -> Volume {
    match Scan::open(path).unwrap() {
        Scan::Volume(volume) => volume,
        Scan::Picture(_) => panic!("{} should be a volume", path.display()),
    }
}

/// Runs `work` on a thread of its own, so that a reader that hangs fails the test.
fn within<T: Send + 'static>(limit: Duration, what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(work()));
    receiver
        .recv_timeout(limit)
        .unwrap_or_else(|e| panic!("{what}: no answer within {limit:?}, or a panic ({e})"))
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared")]
fn every_odd_dicom_file_is_read_or_refused_with_a_reason() {
    let folder = shared("dicom-odd");
    let mut read = Vec::new();
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "dcm") {
            continue;
        }
        files += 1;
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let begun = Instant::now();
        let opened = within(Duration::from_secs(60), &name, move || Scan::open(&path));
        match opened {
            Ok(scan) => {
                println!("read     {name} in {:.2?}: {scan:?}", begun.elapsed());
                read.push(name);
            }
            Err(ImagingError::Io { .. }) => panic!("{name} should be readable"),
            Err(error) => println!("refused  {name} in {:.2?}: {error}", begun.elapsed()),
        }
    }
    assert_eq!(files, 63);
    for name in [
        "CT_small.dcm",
        "MR_small.dcm",
        "MR_small_RLE.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_implicit.dcm",
        "MR_small_padded.dcm",
        "image_dfl.dcm",
        "JPGLosslessP14SV1_1s_1f_8b.dcm",
        "JPEG-LL.dcm",
        "693_UNCI.dcm",
    ] {
        assert!(read.iter().any(|r| r == name), "{name} should be read");
    }
    // The enhanced objects among them do not say where their frames lie.
    for name in [
        "MR_truncated.dcm",
        "rtstruct.dcm",
        "SC_rgb.dcm",
        "liver.dcm",
        "JPEG2000.dcm",
        "no_meta.dcm",
        "emri_small.dcm",
        "emri_small_RLE.dcm",
    ] {
        assert!(!read.iter().any(|r| r == name), "{name} should be refused");
    }
}

/// Opens an enhanced object whose frames have no places under the name of another class, of which none are demanded.
fn frames_without_places(path: &Path) -> Scan {
    const ENHANCED_MR: &[u8] = b"1.2.840.10008.5.1.4.1.1.4.1";
    let mut bytes = std::fs::read(path).unwrap();
    let places: Vec<usize> =
        (0..bytes.len() - ENHANCED_MR.len()).filter(|&i| bytes[i..].starts_with(ENHANCED_MR)).collect();
    assert!(!places.is_empty(), "{}", path.display());
    places.into_iter().for_each(|i| bytes[i + ENHANCED_MR.len() - 1] = b'9');
    let folder = tempfile::tempdir().unwrap();
    let altered = folder.path().join("frames.dcm");
    std::fs::write(&altered, bytes).unwrap();
    Scan::open(&altered).unwrap()
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared")]
fn the_same_voxels_come_from_every_coding() {
    let folder = shared("dicom-odd");
    let voxels = |name: &str| volume(&folder.join(name)).voxels().clone();
    let plain = voxels("MR_small.dcm");
    for name in ["MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_implicit.dcm", "MR_small_padded.dcm"]
    {
        assert!(voxels(name) == plain, "{name}");
    }
    let frames = |name: &str| match frames_without_places(&folder.join(name)) {
        Scan::Volume(volume) => volume.voxels().clone(),
        Scan::Picture(_) => panic!("{name} should be a volume"),
    };
    let plain = frames("emri_small.dcm");
    for name in ["emri_small_RLE.dcm", "emri_small_big_endian.dcm"] {
        assert!(frames(name) == plain, "{name}");
    }
}

/// Made with pydicom 3.0.2 and pylibjpeg-libjpeg 2.5.0: v = pixel_array * slope + intercept, row by row, then the sum of
/// v and the sum of v * (place mod 1009).
#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared")]
fn grey_values_equal_those_of_another_reader() {
    let folder = shared("dicom-odd");
    let known = [
        ("JPEG-LL.dcm", 3596452.0, 1824519645.0),
        ("JPGLosslessP14SV1_1s_1f_8b.dcm", 13572107.0, 6821295017.0),
        ("bad_sequence.dcm", -20086954.0, -10414543784.0),
        ("CT_small.dcm", -1950906.0, -943026894.0),
        ("MR_small_RLE.dcm", 2125338.0, 1081267324.0),
        ("693_UNCI.dcm", -270617240.0, -135325637783.0),
        ("image_dfl.dcm", 33322688.0, 16775118885.0),
        ("emri_small_RLE.dcm", 4493276.0, 2259466669.0),
        ("JPEG2000_UNC.dcm", 3527976.0, 1788588290.0),
        ("vlut_04.dcm", 33772018.0, 17028993089.0),
    ];
    for (name, sum, weighted) in known {
        let opened = match name.starts_with("emri") {
            true => frames_without_places(&folder.join(name)),
            false => Scan::open(&folder.join(name)).unwrap(),
        };
        let grey = match opened {
            Scan::Picture(picture) => picture.grey().clone(),
            Scan::Volume(volume) => volume.voxels().clone(),
        };
        let values = (0..grey.len()).map(|i| f64::from(grey.get(i)));
        assert_eq!(values.clone().sum::<f64>(), sum, "{name}");
        assert_eq!(values.enumerate().map(|(i, v)| v * (i % 1009) as f64).sum::<f64>(), weighted, "{name}");
    }
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared")]
fn odd_files_cut_or_altered_are_still_read_or_refused() {
    let folder = shared("dicom-odd");
    within(Duration::from_secs(300), "altered files", move || {
        let out = tempfile::tempdir().unwrap();
        let altered = out.path().join("altered.dcm");
        let mut state = 1u64;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as usize % below
        };
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let whole = std::fs::read(&path).unwrap();
            if whole.len() > 120_000 {
                continue;
            }
            for round in 0..24 {
                let mut bytes = whole.clone();
                if round % 3 == 0 {
                    bytes.truncate(random(whole.len()));
                }
                // The head is short: most changes go there, where they matter.
                for _ in 0..round % 5 {
                    let end = if round % 2 == 0 { bytes.len() } else { bytes.len().min(3000) };
                    if end > 0 {
                        bytes[random(end)] = random(256) as u8;
                    }
                }
                std::fs::write(&altered, bytes).unwrap();
                let _ = Scan::open(&altered);
            }
        }
    });
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared")]
fn a_real_ct_series_becomes_a_volume_in_hounsfield_units() {
    let folder = shared("ct/dicom-series-CRLM-CT-1004");
    let ct = volume(&folder);
    assert_eq!((ct.size(), ct.kind()), ([512, 512, 41], GreyKind::Hounsfield));
    let [x, y, z] = ct.affine().spacing_mm();
    assert!((x - 0.797).abs() < 1e-3 && (y - 0.797).abs() < 1e-3 && (z - 5.0).abs() < 1e-3);
    assert_eq!(ct.orientation().letters(), "LPS");
    assert!(ct.voxels().range().0 <= -1000.0 && ct.voxels().range().1 > 300.0);
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared")]
fn nifti_and_dicom_of_one_patient_agree_voxel_by_voxel() {
    let folder = shared("ct/soft-tissue-sarcoma");
    let from_nifti = volume(&folder.join("STS_001_CT_image.nii.gz"));
    let from_dicom = volume(&folder.join("STS_001_dicom"));
    assert_eq!(from_dicom.size(), from_nifti.size());
    for (a, b) in from_dicom.affine().0.iter().flatten().zip(from_nifti.affine().0.iter().flatten()) {
        assert!((a - b).abs() < 1e-2, "{:?} {:?}", from_dicom.affine(), from_nifti.affine());
    }
    let different = (0..from_nifti.voxels().len())
        .filter(|&i| from_nifti.voxels().get(i) != from_dicom.voxels().get(i))
        .count();
    assert_eq!(different, 0, "of {} voxels", from_nifti.voxels().len());
    let mask = read_mask(&folder.join("STS_001_CT_mask.nii.gz")).unwrap();
    mask.check_grid(&from_nifti).unwrap();
}

/// What the U-Net on `ct/covid19-ct-seg` wants. The training arrays were rows j and columns i of files that had lost their
/// directions.
fn covid_spec() -> InputSpec {
    InputSpec { in_plane: InPlane::AsStored, ..InputSpec::ct_min_max((128, 128), vec![-5, -2, 0, 2, 5]) }
}

/// The tensor of one plane.
fn tensor(scan: &Scan, spec: &InputSpec, plane: usize) -> Result<PatchTensor, ImagingError> {
    let preparation = Preparation::new(scan, spec)?;
    preparation.tensor(scan, &preparation.patch(plane))
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared")]
fn the_networks_planes_are_rows_j_and_columns_i_of_the_training_set() {
    let folder = shared("ct/covid19-ct-seg");
    let scan = Scan::open(&folder.join("coronacases_008_image_128.nii.gz")).unwrap();
    let tensor = tensor(&scan, &covid_spec(), 135).unwrap();
    assert_eq!(tensor.shape, [5, 128, 128]);
    let Scan::Volume(ct) = &scan else { panic!("a volume") };
    let (low, high) = ct.voxels().range();
    for (channel, k) in [130, 133, 135, 137, 140].into_iter().enumerate() {
        for (row, column) in [(0, 0), (40, 90), (64, 30), (127, 127)] {
            let grey = ct.value(VoxelIndex([column, row, k]));
            assert_eq!(tensor.values[(channel * 128 + row) * 128 + column], (grey - low) / (high - low));
        }
    }
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared")]
fn hounsfield_scans_are_refused_where_8_bit_is_wanted() {
    let folder = shared("ct");
    let scan = Scan::open(&folder.join("nsclc-radiomics-LUNG1-001/LUNG1-001_ct_256.nii.gz")).unwrap();
    let text = tensor(&scan, &covid_spec(), 60).unwrap_err().to_string();
    assert!(text.contains("a scan in Hounsfield units (a guess") && text.contains("8-bit"), "{text}");
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared")]
fn x_rays_of_full_size_become_the_small_grey_ones() {
    let folder = shared("chest-xray/originals");
    let spec = InputSpec::xray((150, 125));
    let mut count = 0;
    for class in ["NORMAL", "PNEUMONIA"] {
        for entry in std::fs::read_dir(folder.join(class)).unwrap() {
            let scan = Scan::open(&entry.unwrap().path()).unwrap();
            let tensor = tensor(&scan, &spec, 0).unwrap();
            assert_eq!(tensor.shape, [1, 150, 125]);
            let mean = tensor.values.iter().sum::<f32>() / tensor.values.len() as f32;
            assert!((0.2..0.8).contains(&mean), "an X-ray is neither black nor white: {mean}");
            count += 1;
        }
    }
    assert_eq!(count, 10);
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared")]
fn an_expert_mask_goes_through_planes_and_files_unchanged() {
    let folder = shared("ct/covid19-ct-seg");
    let ct = volume(&folder.join("coronacases_008_image_128.nii.gz"));
    let expert = read_mask(&folder.join("coronacases_008_infection_128.nii.gz")).unwrap();
    expert.check_grid(&ct).unwrap();
    let slicing = Slicing::new(&ct, Axis::Axial, InPlane::Display);
    let plane = |k| Patch::Plane { slicing, index: PlaneIndex(k) };
    let mut mask = Mask::empty(&ct);
    for k in 0..slicing.plane_count() {
        mask.lay(&plane(k), &expert.cut(&plane(k)).unwrap()).unwrap();
    }
    let out = tempfile::tempdir().unwrap();
    write_mask(&ct, &mask, &out.path().join("mask.nii.gz")).unwrap();
    let again = read_mask(&out.path().join("mask.nii.gz")).unwrap();
    assert_eq!(dice(again.labels(), expert.labels()).unwrap(), 1.0);
    assert!(again == expert);

    let picture = out.path().join("overlay.png");
    overlay_png(&slicing.grey(&ct, PlaneIndex(135)).unwrap(), &mask.cut(&plane(135)).unwrap(), &picture)
        .unwrap();
    let Scan::Picture(picture) = Scan::open(&picture).unwrap() else { panic!("a picture") };
    assert_eq!(picture.size(), (512, 512));
}

/// Another program opens the masks: the affine, the orientation and the labels must be the scan's own.
#[test]
fn nibabel_finds_masks_on_the_scans_grid() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/check_masks.py");
    let python = std::env::var("BLINDSCAN_PYTHON").unwrap_or_else(|_| "python3".into());
    let has_nibabel =
        Command::new(&python).args(["-c", "import nibabel"]).output().is_ok_and(|o| o.status.success());
    if !has_nibabel {
        eprintln!("skipped: {python} has no nibabel (name another by BLINDSCAN_PYTHON)");
        return;
    }
    let out = tempfile::tempdir().unwrap();
    let made = Command::new(&python).args([script, "make"]).arg(out.path()).status().unwrap();
    assert!(made.success());
    let mut count = 0;
    for entry in std::fs::read_dir(out.path()).unwrap() {
        let path = entry.unwrap().path();
        let ct = volume(&path);
        let slicing = Slicing::new(&ct, Axis::Axial, InPlane::Display);
        // What is light in the scan is 1 in the mask: so the script can see where each voxel went.
        let mut mask = Mask::empty(&ct);
        for index in (0..slicing.plane_count()).map(PlaneIndex) {
            let grey = slicing.grey(&ct, index).unwrap();
            let light = grey.values.iter().map(|&v| u8::from(v > 500.0)).collect();
            let labels = PatchLabels::plane(grey.rows, grey.columns, light);
            mask.lay(&Patch::Plane { slicing, index }, &labels).unwrap();
        }
        let name = path.file_name().unwrap().to_string_lossy().replace("scan", "mask");
        write_mask(&ct, &mask, &out.path().join(name)).unwrap();
        count += 1;
    }
    assert!(count >= 8);
    let checked = Command::new(&python).args([script, "check"]).arg(out.path()).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared")]
fn voxels_of_real_scans_are_kept_compactly() {
    let folder = shared("ct");
    let eight = volume(&folder.join("covid19-ct-seg/radiopaedia_29_86491_1_image_128.nii.gz"));
    assert!(matches!(eight.voxels(), Voxels::U8(_)));
    let lung = volume(&folder.join("nsclc-radiomics-LUNG1-001/LUNG1-001_ct_256.nii.gz"));
    assert!(matches!(lung.voxels(), Voxels::I16(_)) && lung.kind() == GreyKind::Hounsfield);
}
