//! NIfTI files, plain and compressed: what a client opens as a scan.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use blindscan_imaging::{Axis, Scan};
use libfuzzer_sys::fuzz_target;

/// Scans are opened by path. One file per process, in memory where the system has such a place.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
    folder.join(format!("blindscan-fuzz-{}.nii", std::process::id()))
});

fuzz_target!(|bytes: &[u8]| {
    fs::write(&*FILE, bytes).expect("the input can be written");
    if let Ok(Scan::Volume(volume)) = Scan::open(&FILE) {
        assert_eq!(volume.voxels().len(), volume.size().iter().product::<usize>());
        assert!(volume.plane_count(Axis::Axial) > 0);
    }
});
