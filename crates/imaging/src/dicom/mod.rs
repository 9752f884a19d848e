//! DICOM: a single file, or a folder that holds one series.
//!
//! | step | where |
//! |---|---|
//! | bytes become a bounded tree of data elements | `elements` |
//! | the few attributes that are used become an `Instance`; identity is never read | `instance` |
//! | pixel data become grey values | `pixels` |
//! | slices are sorted along their normal, doubles and gaps are found, the grid gets its affine | `series` |
//!
//! The tree is read here and not by `dicom-object`: that reader reserves by declared lengths, and it recurses once a
//! nested sequence, so that a file of a few hundred kB could overflow the stack, which no error handling survives. Ours borrows
//! slices of the file and counts depth and elements. dicom-rs serves where its work is: the dictionary's tags and
//! transfer syntaxes, and the decoding of compressed pixel data, behind a check of what the stream declares.

mod elements;
mod instance;
mod pixels;
mod series;
#[cfg(test)]
mod tests;

use std::path::Path;

use crate::error::At;
use crate::facts::Origin;
use crate::files::read_capped;
use crate::limits::SERIES_FILES_MAX;
use crate::volume::Volume;
use crate::{ImagingError, Picture, Scan};

use elements::{Content, DataSet};
use instance::Instance;

/// Opens one file: a picture when it is one projection image, else a volume.
pub(crate) fn open_file(path: &Path) -> Result<Scan, ImagingError> {
    let at = At(path);
    let bytes = read_capped(path)?;
    let content = Content::open(&bytes, &at)?;
    let data = content.data_set(&at)?;
    let instance = Instance::read(&data, &at)?;
    let frames = pixels::decode(&content, &data, &instance, &at)?;
    if instance.is_picture() {
        let grey = pixels::as_picture(frames, &instance);
        let (rows, columns) = (instance.pixels.rows, instance.pixels.columns);
        let picture = Picture::new(rows, columns, grey, instance.kind());
        return Ok(Scan::Picture(picture.with_origin(Origin {
            known_by: instance.known_by(),
            modality: instance.modality_code,
            ..Origin::default()
        })));
    }
    let slices = series::slices_of(&instance, frames);
    let volume = if instance.is_unplaced_stack() {
        series::assemble_unplaced(slices)
    } else {
        series::assemble(slices, &at)?
    };
    Ok(Scan::Volume(volume))
}

/// Opens the one series in a folder (not in folders below).
pub(crate) fn open_folder(folder: &Path) -> Result<Volume, ImagingError> {
    let at = At(folder);
    let mut slices = Vec::new();
    let mut images_by_series: Vec<(String, usize)> = Vec::new();
    let mut skipped = 0;
    let mut voxels = 0u64;
    for path in dicom_files(folder)? {
        let at_file = At(&path);
        let bytes = read_capped(&path)?;
        let content = Content::open(&bytes, &at_file)?;
        let data = content.data_set(&at_file)?;
        if !holds_an_image(&data) {
            skipped += 1;
            continue;
        }
        let instance = Instance::read(&data, &at_file)?;
        count_series(&mut images_by_series, &instance.series_uid);
        // A second series ends the job; its pixels are not decoded, but the rest is counted for the message.
        if images_by_series.len() > 1 {
            continue;
        }
        voxels += instance.voxel_count();
        at.at_most("its voxels", voxels, crate::limits::VOXELS_MAX)?;
        let frames = pixels::decode(&content, &data, &instance, &at_file)?;
        slices.extend(series::slices_of(&instance, frames));
    }
    refuse_several(&images_by_series, &at)?;
    if slices.is_empty() {
        return Err(at.series(
            "it holds no DICOM image",
            "give the folder that the slices lie in (folders below are not searched)",
        ));
    }
    let volume = series::assemble(slices, &at)?;
    let note =
        format!("{skipped} DICOM files without an image (contours, reports and the like) were left aside");
    Ok(volume.with_notes(if skipped > 0 { vec![note] } else { Vec::new() }))
}

/// Files with the mark `DICM`, in the order of their names. Others are none of ours, but a `.dcm` without the mark is
/// damaged: leaving it out in silence would leave out a slice.
fn dicom_files(folder: &Path) -> Result<Vec<std::path::PathBuf>, ImagingError> {
    let at = At(folder);
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| at.read(e))? {
        let path = entry.map_err(|e| at.read(e))?.path();
        if path.is_file() {
            paths.push(path);
        }
        at.at_most("its files", paths.len() as u64, SERIES_FILES_MAX as u64)?;
    }
    paths.sort();
    let mut dicom = Vec::new();
    for path in paths {
        let is_directory_record = path.file_name().is_some_and(|name| name.eq_ignore_ascii_case("DICOMDIR"));
        match crate::files::Format::of(&path) {
            Ok(crate::files::Format::Dicom) if !is_directory_record => dicom.push(path),
            Ok(_) | Err(ImagingError::UnknownFormat { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(dicom)
}

fn holds_an_image(data: &DataSet) -> bool {
    use dicom_dictionary_std::tags;
    data.has(tags::ROWS)
        && [tags::PIXEL_DATA, tags::FLOAT_PIXEL_DATA, tags::DOUBLE_FLOAT_PIXEL_DATA]
            .iter()
            .any(|&t| data.has(t))
}

fn count_series(images_by_series: &mut Vec<(String, usize)>, uid: &str) {
    match images_by_series.iter_mut().find(|(known, _)| known == uid) {
        Some((_, images)) => *images += 1,
        None => images_by_series.push((uid.into(), 1)),
    }
}

fn refuse_several(images_by_series: &[(String, usize)], at: &At) -> Result<(), ImagingError> {
    if images_by_series.len() < 2 {
        return Ok(());
    }
    let mut counts: Vec<usize> = images_by_series.iter().map(|(_, images)| *images).collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let shown: Vec<String> = counts.iter().take(8).map(|count| format!("one of {count}")).collect();
    Err(at.series(
        format!(
            "it holds {} series ({}{} images)",
            counts.len(),
            shown.join(", "),
            if counts.len() > 8 { ", ..." } else { "" }
        ),
        "put the files of the series that is meant into a folder of its own",
    ))
}
