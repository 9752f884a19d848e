//! DICOM: a single file, or a folder that holds one series.
//!
//! | step | where |
//! |---|---|
//! | the files of a folder are sorted into DICOM, left aside, and refused | `tree` |
//! | bytes become a bounded tree of data elements | `elements`, `parser` |
//! | the few attributes that are used become an `ImageObject` | `instance`, `pixel_format`, `frames`, `unit`, `voi`, `identity` |
//! | what is no image of a scan is left aside: segmentations, doses, reports, colour pages | `aside` |
//! | pixel data become grey values | `pixels` |
//! | slices of one patient, place and acquisition become a volume | `series`, `stack`, `identity`, `complete` |
//!
//! The tree is read here and not by `dicom-object`: that reader reserves by declared lengths, and it recurses once a
//! nested sequence, so that a file of a few hundred kB could overflow the stack, which no error handling survives. Ours borrows
//! slices of the file and counts depth and elements (docs/decisions/0028). Of compressed pixel data JPEG frames are decoded by
//! `jpeg-decoder`, behind a check of what the stream declares.

mod aside;
mod complete;
mod dictionary;
mod elements;
mod frames;
mod identity;
mod instance;
mod parser;
mod pixel_format;
mod pixels;
mod provenance;
mod series;
mod stack;
#[cfg(test)]
mod study_tests;
#[cfg(test)]
mod tests;
mod tree;
mod unit;
mod voi;

use std::path::{Path, PathBuf};

use crate::ImagingError;
use crate::error::At;
use crate::files::read_capped;
use crate::origin::LeftAside;
use crate::picture::Picture;
use crate::scan::Scan;
use crate::volume::Volume;
use crate::voxels::Voxels;

use elements::Content;
use instance::ImageObject;
pub use provenance::{DerivedElements, Provenance};
use series::Slice;
pub(crate) use tree::is_dicom;

/// Opens one file: a picture when it is one projection image, else a volume.
/// With `keep` also what a derived object must say.
pub(crate) fn open_file(path: &Path, keep: bool) -> Result<(Scan, Option<Provenance>), ImagingError> {
    let at = At(path);
    let bytes = read_capped(path)?;
    let content = Content::open(&bytes, &at)?;
    let data = content.data_set(&at)?;
    if let Some(aside::Reason::NoImage(what)) = aside::reason(&data, &at)? {
        return Err(at.unsupported(format!("it is {what}"), "give the image series"));
    }
    let instance = ImageObject::read(&data, &at)?.with_source(&data, keep);
    let frames = pixels::decode(&content, &data, &instance, &at)?;
    let slices = series::slices_of(instance, path.file_name().unwrap_or_default().into(), frames);
    if slices[0].instance.is_picture() {
        let (picture, provenance) = picture_of(slices);
        return Ok((Scan::Picture(picture), provenance));
    }
    let (volume, provenance) = volume_of(slices, &at)?;
    Ok((Scan::Volume(volume), provenance))
}

/// Opens the one series, or the one picture, in a folder and the folders below.
/// With `keep` also what a derived object must say.
pub(crate) fn open_folder(folder: &Path, keep: bool) -> Result<(Scan, Option<Provenance>), ImagingError> {
    let at = At(folder);
    let tree = tree::walk(folder)?;
    let mut reading = Reading { left_aside: tree.left_aside, ..Reading::new(folder, keep) };
    for path in tree.dicom {
        reading.add(path)?;
    }
    refuse_several(&reading.series, &at)?;
    let Reading { slices, mut left_aside, files_read, .. } = reading;
    if slices.is_empty() {
        return Err(no_image(&left_aside, &at));
    }
    let pictures = slices.iter().filter(|slice| slice.instance.is_picture()).count();
    if pictures == 1 && slices.len() == 1 {
        let (picture, provenance) = picture_of(slices);
        return Ok((Scan::Picture(picture.with_left_aside(left_aside)), provenance));
    }
    if pictures > 0 {
        return Err(at.series(
            format!("it holds {pictures} single pictures (projection images), which make no stack"),
            "give the one file that is meant",
        ));
    }
    let (slices, copies) = series::drop_copies(slices);
    let files_read = files_read - copies.len();
    left_aside.extend(copies);
    left_aside.sort_by(|a, b| a.path.cmp(&b.path));
    let (volume, provenance) = volume_of(slices, &at)?;
    Ok((Scan::Volume(volume.with_files(files_read, left_aside)), provenance))
}

/// The only slice as a picture.
fn picture_of(slices: Vec<Slice>) -> (Picture, Option<Provenance>) {
    let provenance = Provenance::of(&slices);
    let instance = slices[0].instance.clone();
    let frames = slices.into_iter().map(|slice| slice.voxels).collect();
    (pixels::as_picture(frames, &instance), provenance)
}

fn volume_of(slices: Vec<Slice>, at: &At) -> Result<(Volume, Option<Provenance>), ImagingError> {
    let is_one_unplaced_file =
        slices.len() == slices[0].instance.frames.len() && slices[0].instance.is_unplaced_stack();
    if is_one_unplaced_file { Ok(series::assemble_unplaced(slices)) } else { series::assemble(slices, at) }
}

/// What has been read of a folder so far.
struct Reading<'a> {
    folder: &'a Path,
    /// Whether a derived object is to come.
    keep: bool,
    slices: Vec<Slice>,
    left_aside: Vec<LeftAside>,
    /// Of each series: its UID, how many images, the first one's file.
    series: Vec<(String, usize, PathBuf)>,
    files_read: usize,
    voxels: u64,
    frames: u64,
}

impl<'a> Reading<'a> {
    fn new(folder: &'a Path, keep: bool) -> Reading<'a> {
        Reading {
            folder,
            keep,
            slices: Vec::new(),
            left_aside: Vec::new(),
            series: Vec::new(),
            files_read: 0,
            voxels: 0,
            frames: 0,
        }
    }

    fn add(&mut self, path: PathBuf) -> Result<(), ImagingError> {
        let at = At(&path);
        let bytes = read_capped(&path)?;
        let content = Content::open(&bytes, &at)?;
        let data = content.data_set(&at)?;
        if let Some(aside::Reason::NoImage(what) | aside::Reason::NotThisScan(what)) =
            aside::reason(&data, &at)?
        {
            self.left_aside.push(tree::left_aside(self.folder, &path, what));
            return Ok(());
        }
        let instance = ImageObject::read(&data, &at)?.with_source(&data, self.keep);
        let file = path.strip_prefix(self.folder).unwrap_or(&path).to_path_buf();
        match self.series.iter_mut().find(|(uid, ..)| *uid == instance.series_uid) {
            Some((_, images, _)) => *images += 1,
            None => self.series.push((instance.series_uid.clone(), 1, file.clone())),
        }
        // A second series ends the job; its pixels are not decoded, but the rest is counted for the message.
        if self.series.len() > 1 {
            return Ok(());
        }
        self.voxels += instance.voxel_count();
        self.frames += instance.frames.len() as u64;
        At(self.folder).at_most("its voxels", self.voxels, crate::limits::VOXELS_MAX)?;
        At(self.folder).at_most("its frames", self.frames, crate::limits::DICOM_FRAMES_MAX)?;
        let frames: Vec<Voxels> = pixels::decode(&content, &data, &instance, &at)?;
        self.slices.extend(series::slices_of(instance, file, frames));
        self.files_read += 1;
        Ok(())
    }
}

fn no_image(left_aside: &[LeftAside], at: &At) -> ImagingError {
    const SHOWN: usize = 3;
    let shown: Vec<String> = left_aside
        .iter()
        .take(SHOWN)
        .map(|file| format!("{} is {}", file.path.display(), file.reason))
        .collect();
    let what = match shown.is_empty() {
        true => "it holds no DICOM image".to_string(),
        false => format!(
            "it holds no DICOM image of a scan ({}{})",
            shown.join("; "),
            if left_aside.len() > SHOWN { "; ..." } else { "" }
        ),
    };
    at.series(what, "give the folder that the slices lie in, or a file by its own name")
}

fn refuse_several(series: &[(String, usize, PathBuf)], at: &At) -> Result<(), ImagingError> {
    if series.len() < 2 {
        return Ok(());
    }
    let mut sorted: Vec<_> = series.iter().collect();
    sorted.sort_by_key(|(_, images, _)| std::cmp::Reverse(*images));
    let shown: Vec<String> = sorted
        .iter()
        .take(8)
        .map(|(_, count, file)| format!("one of {count} with {}", file.display()))
        .collect();
    Err(at.series(
        format!(
            "it holds {} series ({}{})",
            series.len(),
            shown.join(", "),
            if series.len() > 8 { ", ..." } else { "" }
        ),
        "put the files of the series that is meant into a folder of its own",
    ))
}
