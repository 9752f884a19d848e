//! NIfTI-1 files of labels, on the grid of the scan that they belong to.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::header::{GridFields, HEADER_BYTES};

/// Bytes before the first voxel: the header and four zeros that say "no extensions".
const VOXELS_START: usize = HEADER_BYTES + 4;

/// A whole file of labels, 8 bits each; gzipped on demand. Sizes fit 16 bits: they came from a file's header or from DICOM.
pub(crate) fn mask_bytes(
    labels: &[u8],
    size: [usize; 3],
    grid: &GridFields,
    gzip: bool,
) -> std::io::Result<Vec<u8>> {
    let mut bytes = header(size, grid)?;
    bytes.extend_from_slice(labels);
    if !gzip {
        return Ok(bytes);
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&bytes)?;
    encoder.finish()
}

fn header(size: [usize; 3], grid: &GridFields) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; VOXELS_START];
    let mut put = |offset: usize, field: &[u8]| bytes[offset..offset + field.len()].copy_from_slice(field);
    put(0, &(HEADER_BYTES as i32).to_le_bytes());
    put(38, b"r");
    put(40, &3i16.to_le_bytes());
    for (axis, &extent) in size.iter().enumerate() {
        let extent = i16::try_from(extent).map_err(|_| {
            std::io::Error::other(format!("NIfTI-1 allows 32767 voxels along an axis, not {extent}"))
        })?;
        put(42 + 2 * axis, &extent.to_le_bytes());
    }
    for axis in 4..8 {
        put(40 + 2 * axis, &1i16.to_le_bytes());
    }
    put(70, &2i16.to_le_bytes());
    put(72, &8i16.to_le_bytes());
    put_f32s(&mut put, 76, &grid.pixdim);
    put(108, &(VOXELS_START as f32).to_le_bytes());
    put(112, &1f32.to_le_bytes());
    put(123, &[grid.xyzt_units]);
    put(148, b"blindscan mask");
    put(252, &grid.qform_code.to_le_bytes());
    put(254, &grid.sform_code.to_le_bytes());
    put_f32s(&mut put, 256, &grid.qform);
    put_f32s(&mut put, 280, &grid.srow);
    put(344, b"n+1\0");
    Ok(bytes)
}

fn put_f32s(put: &mut impl FnMut(usize, &[u8]), offset: usize, values: &[f32]) {
    for (i, value) in values.iter().enumerate() {
        put(offset + 4 * i, &value.to_le_bytes());
    }
}
