//! What tests read of reports and masks.

use std::fs;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::Value;

/// A report from its file.
pub(crate) fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// A number of a report, by the path of its key.
pub(crate) fn number(report: &Value, pointer: &str) -> u64 {
    report
        .pointer(pointer)
        .and_then(Value::as_u64)
        .unwrap_or_else(|| panic!("{pointer} is no count: {report}"))
}

/// A real number of a report.
pub(crate) fn real(report: &Value, pointer: &str) -> f64 {
    report
        .pointer(pointer)
        .and_then(Value::as_f64)
        .unwrap_or_else(|| panic!("{pointer} is no number: {report}"))
}

/// Bytes of a phase: sent, received.
pub(crate) fn bytes(report: &Value, phase: &str) -> (u64, u64) {
    let of = |way: &str| number(report, &format!("/bytes/{phase}/{way}"));
    (of("sent"), of("received"))
}

/// Every key that other programs rely on is there, if only as null.
pub(crate) fn assert_keys(report: &Value) {
    let keys = [
        "/equals_reference",
        "/values_total",
        "/values_equal",
        "/dice/reference",
        "/dice/float",
        "/dice/expert",
        "/seconds/offline",
        "/seconds/online",
        "/seconds/total",
        "/bytes/offline/sent",
        "/bytes/offline/received",
        "/bytes/online/sent",
        "/bytes/online/received",
        "/turns",
        "/peak_memory_bytes",
    ];
    for key in keys {
        assert!(report.pointer(key).is_some(), "{key} is missing: {report}");
    }
    assert!(number(report, "/peak_memory_bytes") > 1 << 20);
    assert!(real(report, "/seconds/total") > 0.0);
}

/// The verdict is that every one of so many values is right.
pub(crate) fn assert_equal(report: &Value, values: u64) {
    assert_eq!(report["equals_reference"], true);
    assert_eq!((number(report, "/values_total"), number(report, "/values_equal")), (values, values));
    assert_eq!(real(report, "/dice/reference"), 1.0);
}

/// A NIfTI file's header without its type of voxels, and its voxels.
pub(crate) fn nifti(path: &Path) -> ([usize; 3], Vec<u8>, Vec<u8>) {
    let mut content = Vec::new();
    GzDecoder::new(fs::File::open(path).unwrap()).read_to_end(&mut content).unwrap();
    let extent =
        |axis: usize| usize::from(u16::from_le_bytes([content[42 + 2 * axis], content[43 + 2 * axis]]));
    let size = [extent(0), extent(1), extent(2)];
    let affine = content[280..328].to_vec();
    (size, affine, content.split_off(content.len() - size.iter().product::<usize>()))
}
