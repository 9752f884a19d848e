//! NIfTI-1 files (`.nii`, `.nii.gz`), read within bounds and written whole.
//!
//! | bytes | field | use |
//! |---|---|---|
//! | 0 | `sizeof_hdr` | 348, in the file's byte order |
//! | 40 | `dim[8]` | number of axes and their sizes |
//! | 70, 72 | `datatype`, `bitpix` | see `header::Datatype` |
//! | 76 | `pixdim[8]` | handedness of the qform, spacings |
//! | 108 | `vox_offset` | where voxels begin |
//! | 112, 116 | `scl_slope`, `scl_inter` | value = slope * stored + inter, when slope is not 0 |
//! | 252.. | `qform_code`, `sform_code`, quaternion, offsets, `srow` | the affine; the sform is preferred |
//! | 344 | `magic` | `n+1` |
//!
//! Source: R. Cox et al., `nifti1.h`, nifti.nimh.nih.gov. The size that the header declares is compared with the caps and with what
//! the compressed bytes can hold before anything is inflated; then exactly so many bytes are.

mod header;
mod qform;
#[cfg(test)]
mod tests;
mod write;

use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::error::At;
use crate::files::{Endian, can_inflate_to, inflate, read_capped};
use crate::origin::Origin;
use crate::volume::Volume;
use crate::voxels::Voxels;
use crate::{ImagingError, mask::Mask};

use header::{Datatype, GridFields, HEADER_BYTES, Header};
pub(crate) use write::mask_bytes;

/// Reads a volume.
pub(crate) fn read(path: &Path) -> Result<Volume, ImagingError> {
    let at = At(path);
    let (header, bytes) = read_checked(path)?;
    let voxels = decode(&header, &bytes[header.voxels_start..]);
    match voxels.not_finite() {
        0 => {}
        count => {
            return Err(at.unsupported(
                format!("{count} of its voxels are not numbers (NaN or infinite)"),
                "replace them by the background's value",
            ));
        }
    }
    let (kind, known_by) = voxels.guess_kind();
    let mut notes =
        vec![format!("that the values are {kind} is {known_by}; state the unit where this is wrong")];
    if !header.grid.is_oriented() {
        notes.push(
            "the file does not say how the patient lies: its axes are taken as columns, rows, slices".into(),
        );
    }
    if header.grid.is_oriented() && header.affine.looks_made_up(header.size) {
        notes.push(
            "the grid begins at 0 0 0 and only scales, as some tools write when the place was lost: its directions are taken at their word"
                .into(),
        );
    }
    if let Voxels::U8(values) = &voxels
        && is_like_a_mask(values)
    {
        notes.push("it holds so few different values that it may be a mask and no scan".into());
    }
    let origin = Origin { known_by, notes, ..Origin::default() };
    let volume = Volume::new(voxels, header.size, header.affine, kind).with_origin(origin);
    let volume = if header.grid.is_oriented() { volume } else { volume.without_orientation() };
    Ok(volume.with_grid_source(header.grid))
}

/// Whether there are no more different values than masks have labels.
fn is_like_a_mask(values: &[u8]) -> bool {
    const LABELS: usize = 8;
    let mut seen = [false; 256];
    values.iter().for_each(|&value| seen[usize::from(value)] = true);
    values.len() > 64 && seen.iter().filter(|&&is_there| is_there).count() <= LABELS
}

/// Reads labels: whole numbers from 0 to 255.
pub(crate) fn read_labels(path: &Path) -> Result<Mask, ImagingError> {
    let volume = read(path)?;
    match volume.voxels() {
        Voxels::U8(labels) => Ok(Mask::from_parts(labels.clone(), volume.size(), Some(*volume.affine()))),
        _ => Err(At(path).unsupported(
            "a mask holds whole numbers from 0 to 255, this file holds others",
            "give the file of the mask and not of the image",
        )),
    }
}

/// The header, and bytes that hold all voxels it declares.
fn read_checked(path: &Path) -> Result<(Header, Vec<u8>), ImagingError> {
    let at = At(path);
    let bytes = read_capped(path)?;
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        let header = Header::parse(&bytes, &at)?;
        check_length(&header, bytes.len(), &at)?;
        return Ok((header, bytes));
    }
    let broken = |e: std::io::Error| at.damaged(format!("its gzip stream breaks off or is altered ({e})"));
    let start = inflate(MultiGzDecoder::new(&bytes[..]), HEADER_BYTES as u64).map_err(broken)?;
    let header = Header::parse(&start, &at)?;
    if !can_inflate_to(bytes.len() as u64, header.bytes_needed()) {
        return Err(at.damaged(format!(
            "its header declares {} bytes, which {} compressed bytes cannot hold",
            header.bytes_needed(),
            bytes.len()
        )));
    }
    let mut decoder = MultiGzDecoder::new(&bytes[..]);
    let inflated = inflate(&mut decoder, header.bytes_needed()).map_err(broken)?;
    check_length(&header, inflated.len(), &at)?;
    // One more read reaches the stream's end and with it the check sum.
    decoder.read(&mut [0; 64]).map_err(broken)?;
    Ok((header, inflated))
}

fn check_length(header: &Header, came: usize, at: &At) -> Result<(), ImagingError> {
    if (came as u64) < header.bytes_needed() {
        return Err(at.damaged(format!(
            "its header declares {} bytes, but only {came} are there",
            header.bytes_needed()
        )));
    }
    Ok(())
}

/// Stored numbers to grey values; the caller has checked the length.
fn decode(header: &Header, bytes: &[u8]) -> Voxels {
    let count = header.voxel_count();
    let endian = header.endian;
    if header.scaling.is_none() {
        match header.datatype {
            Datatype::U8 => return Voxels::U8(bytes[..count].to_vec()),
            Datatype::I16 => {
                return narrowed(
                    bytes[..2 * count]
                        .chunks_exact(2)
                        .map(|b| number::<2, i16>(endian, b, i16::from_le_bytes))
                        .collect(),
                );
            }
            _ => {}
        }
    }
    let (slope, inter) = header.scaling.unwrap_or((1.0, 0.0));
    let scaled = |stored: f64| (stored * slope + inter) as f32;
    let width = header.datatype.bytes();
    let values = bytes[..width * count]
        .chunks_exact(width)
        .map(|b| scaled(stored(header.datatype, endian, b)))
        .collect();
    Voxels::compact(values)
}

/// 16-bit files that hold 8-bit values only count as such.
fn narrowed(values: Vec<i16>) -> Voxels {
    if values.iter().all(|&v| (0..=255).contains(&v)) {
        return Voxels::U8(values.into_iter().map(|v| v as u8).collect());
    }
    Voxels::I16(values)
}

fn stored(datatype: Datatype, endian: Endian, bytes: &[u8]) -> f64 {
    match datatype {
        Datatype::U8 => f64::from(bytes[0]),
        Datatype::I8 => f64::from(bytes[0] as i8),
        Datatype::I16 => number(endian, bytes, i16::from_le_bytes).into(),
        Datatype::U16 => number(endian, bytes, u16::from_le_bytes).into(),
        Datatype::I32 => number(endian, bytes, i32::from_le_bytes).into(),
        Datatype::U32 => number(endian, bytes, u32::from_le_bytes).into(),
        Datatype::I64 => number(endian, bytes, i64::from_le_bytes) as f64,
        Datatype::U64 => number(endian, bytes, u64::from_le_bytes) as f64,
        Datatype::F32 => number(endian, bytes, f32::from_le_bytes).into(),
        Datatype::F64 => number(endian, bytes, f64::from_le_bytes),
    }
}

fn number<const N: usize, T>(endian: Endian, bytes: &[u8], from_le: fn([u8; N]) -> T) -> T {
    from_le(endian.bytes(bytes, 0).expect("a chunk has the datatype's width"))
}

/// The fields that place a mask: the very same as the scan's own file has, or new ones for scans that were no NIfTI files.
fn grid_of(volume: &Volume) -> GridFields {
    match volume.grid_source::<GridFields>() {
        Some(fields) => fields.for_mask(),
        None => GridFields::from_affine(volume.affine()),
    }
}
