//! NIfTI-1 files of labels, on the grid of the scan that they belong to.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::grid_of;
use super::header::{GridFields, HEADER_BYTES};
use crate::mask::{Mask, MaskWords};
use crate::volume::Volume;

/// NIFTI_INTENT_LABEL: the voxels are indices into a list of names.
const INTENT_LABEL: i16 = 1002;
/// NIFTI_ECODE_COMMENT: an extension of plain text.
const EXTENSION_COMMENT: i32 = 6;
/// The header's description holds so many bytes, the last of which is 0.
const DESCRIPTION_BYTES: usize = 80;

/// A whole file of labels, 8 bits each; gzipped on demand. Sizes fit 16 bits: they came from a file's header or from DICOM.
pub(crate) fn mask_bytes(
    volume: &Volume,
    mask: &Mask,
    words: &MaskWords<'_>,
    gzip: bool,
) -> std::io::Result<Vec<u8>> {
    let extension = extension(words.label_names);
    let mut bytes = header(mask.size(), &grid_of(volume), words.description, extension.len())?;
    bytes.extend_from_slice(&extension);
    bytes.extend_from_slice(mask.labels());
    if !gzip {
        return Ok(bytes);
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&bytes)?;
    encoder.finish()
}

/// The four bytes behind the header that say whether extensions follow, and the one that lists the labels.
fn extension(label_names: &[String]) -> Vec<u8> {
    if label_names.is_empty() {
        return vec![0; 4];
    }
    let lines = label_names.iter().enumerate().map(|(label, name)| {
        let name: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        format!("{label}\t{name}\n")
    });
    let mut text: Vec<u8> = lines.collect::<String>().into_bytes();
    // An extension's length, its two numbers included, is a multiple of 16.
    text.resize((text.len() + 8).next_multiple_of(16) - 8, 0);
    let mut bytes = vec![1, 0, 0, 0];
    bytes.extend((text.len() as i32 + 8).to_le_bytes());
    bytes.extend(EXTENSION_COMMENT.to_le_bytes());
    bytes.extend(text);
    bytes
}

fn header(
    size: [usize; 3],
    grid: &GridFields,
    description: &str,
    extension_bytes: usize,
) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; HEADER_BYTES];
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
    put(68, &INTENT_LABEL.to_le_bytes());
    put(70, &2i16.to_le_bytes());
    put(72, &8i16.to_le_bytes());
    put_f32s(&mut put, 76, &grid.pixdim);
    put(108, &((HEADER_BYTES + extension_bytes) as f32).to_le_bytes());
    put(112, &1f32.to_le_bytes());
    put(123, &[grid.xyzt_units]);
    put(148, shortened(description).as_bytes());
    put(252, &grid.qform_code.to_le_bytes());
    put(254, &grid.sform_code.to_le_bytes());
    put_f32s(&mut put, 256, &grid.qform);
    put_f32s(&mut put, 280, &grid.srow);
    put(328, b"labels");
    put(344, b"n+1\0");
    Ok(bytes)
}

/// As much of the description as the header holds, cut between characters.
fn shortened(description: &str) -> &str {
    let text = if description.is_empty() { "blindscan mask" } else { description };
    let end = (0..DESCRIPTION_BYTES.min(text.len() + 1)).rev().find(|&end| text.is_char_boundary(end));
    &text[..end.unwrap_or(0)]
}

fn put_f32s(put: &mut impl FnMut(usize, &[u8]), offset: usize, values: &[f32]) {
    for (i, value) in values.iter().enumerate() {
        put(offset + 4 * i, &value.to_le_bytes());
    }
}
