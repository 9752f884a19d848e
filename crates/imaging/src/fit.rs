//! Whether a scan is what a network was made for: form, modality, kind of grey values, millimetres.
//!
//! What is refused is a [`Misfit`](crate::Misfit) with what came, what was expected and what to do; what is only unusual is a note.

use crate::facts::{Origin, place_mm};
use crate::geometry::{PlaneIndex, length};
use crate::planes::Slicing;
use crate::request::{Form, Request, misfit};
use crate::volume::Volume;
use crate::voxels::Kind;
use crate::{ImagingError, KnownBy, Scan};

/// Holds the scan's form against the network's.
pub(crate) fn check_form(scan: &Scan, request: &Request) -> Result<(), ImagingError> {
    match (scan, request.form) {
        (Scan::Picture(_), Form::Volume) => Err(misfit(
            "a single picture".into(),
            "a volume".into(),
            "give a NIfTI file or the folder of a DICOM series",
        )),
        (Scan::Volume(_), Form::Picture) => Err(misfit(
            "a volume".into(),
            "a single picture".into(),
            "give a PNG, a JPEG or a DICOM file of one projection image",
        )),
        (Scan::Picture(_), _) if request.slice_offsets != [0] || !request.slice_offsets_mm.is_empty() => {
            Err(misfit(
                "a single picture".into(),
                format!("a volume from which {} neighbouring slices are taken", request.channels()),
                "give a NIfTI file or the folder of a DICOM series",
            ))
        }
        _ => Ok(()),
    }
}

/// Holds the file's modality against the network's; a note when the file has no word for it.
pub(crate) fn check_modality(scan: &Scan, request: &Request) -> Result<Option<String>, ImagingError> {
    let Some(wanted) = request.modality else { return Ok(None) };
    match origin(scan).modality.as_deref() {
        Some(code) if wanted.codes().contains(&code) => Ok(None),
        None | Some("OT") => Ok(Some(format!(
            "the file does not say its modality; that it is {wanted}, which the network was made for, is not checked"
        ))),
        Some(code) => Err(misfit(
            format!("modality {code}"),
            wanted.to_string(),
            "give a scan of this modality, or take a network that was made for the one that came",
        )),
    }
}

/// Holds the kind of grey values against the network's.
pub(crate) fn check_kind(scan: &Scan, request: &Request) -> Result<(), ImagingError> {
    if let Scan::Picture(picture) = scan
        && picture.is_coloured()
    {
        return Err(misfit(
            "a colour picture".into(),
            "a grey one".into(),
            "give the scan itself and not a photograph or a coloured rendering of it",
        ));
    }
    let Some(expected) = request.expected_kind.filter(|&expected| expected != scan.kind()) else {
        return Ok(());
    };
    if expected == Kind::EightBit && request.to_eight_bit.is_some() {
        return Ok(());
    }
    let origin = origin(scan);
    let reason = match (&origin.kind_remark, &origin.known_by) {
        (Some(remark), _) => format!(" ({remark})"),
        (None, KnownBy::Guess(reason)) => format!(" (a guess: {reason})"),
        (None, _) => String::new(),
    };
    Err(misfit(format!("a scan in {}{reason}", scan.kind()), expected.to_string(), advice(expected, origin)))
}

fn advice(expected: Kind, origin: &Origin) -> &'static str {
    let is_guess = matches!(origin.known_by, KnownBy::Guess(_));
    match expected {
        Kind::EightBit => {
            "convert the scan to 8 bits in the way that the network's training images were, or take a network for this scale"
        }
        Kind::Hounsfield if is_guess => {
            "where the guess is wrong state the unit (--unit hu); else give the original CT and not an export on another scale"
        }
        Kind::Hounsfield if origin.kind_remark.is_some() => {
            "export the CT in Hounsfield units, or, where its values are in these all the same, state the unit (--unit hu)"
        }
        Kind::Hounsfield => {
            "give the original CT (DICOM with rescale values, or NIfTI in Hounsfield units) and not an 8-bit export"
        }
        Kind::Other => "give a scan on the scale that the network was trained on",
    }
}

/// Holds the scan's millimetres against those that the network was trained on.
pub(crate) fn check_trained(
    scan: &Scan,
    slicing: Option<&Slicing>,
    request: &Request,
) -> Result<Vec<String>, ImagingError> {
    let trained = &request.trained;
    if trained.spacing_mm.is_none() && trained.field_of_view_mm.is_none() {
        return Ok(Vec::new());
    }
    let (Scan::Volume(volume), Some(slicing)) = (scan, slicing) else {
        return Ok(vec![
            "the picture has no spacing in millimetres to hold against that of the training".into(),
        ]);
    };
    let [between_rows, between_columns, between_slices] = spacing_mm(volume, slicing, request);
    let (own_rows, own_columns) = slicing.plane_size();
    let (rows, columns) = request.size.unwrap_or((own_rows, own_columns));
    let field = [between_rows * own_rows as f64, between_columns * own_columns as f64];
    let spacing = [field[0] / rows as f64, field[1] / columns as f64, between_slices];
    let mut pairs = Vec::new();
    if let Some(wanted) = trained.spacing_mm {
        pairs.extend(
            ["between rows", "between columns", "between slices"].into_iter().zip(spacing).zip(wanted),
        );
    }
    if let Some(wanted) = trained.field_of_view_mm {
        pairs.extend(["from top to bottom", "from side to side"].into_iter().zip(field).zip(wanted));
    }
    let mut notes = Vec::new();
    for ((what, came), wanted) in pairs {
        let share = (came / f64::from(wanted) - 1.0).abs();
        match trained.tolerance {
            Some(tolerance) if share > f64::from(tolerance) => {
                return Err(misfit(
                    format!("{came:.2} mm {what}"),
                    format!("{wanted} mm, {:.0} % more or less", 100.0 * tolerance),
                    "give a scan made as the network's training scans were, or resample it",
                ));
            }
            None if share > UNUSUAL_SHARE => notes
                .push(format!("the scan has {came:.2} mm {what}, the network was trained on {wanted} mm")),
            _ => {}
        }
    }
    Ok(notes)
}

/// A network that states no tolerance is told of what differs more than this.
const UNUSUAL_SHARE: f64 = 0.25;

/// Millimetres between rows, between columns, and between planes along their normal.
pub(crate) fn spacing_mm(volume: &Volume, slicing: &Slicing, request: &Request) -> [f64; 3] {
    let [row, column, plane] = slicing.file_axes();
    let along = |axis: usize| length(volume.affine().step_mm(axis));
    let between_planes = match slicing.plane_count() {
        1 => along(plane),
        _ => {
            let place = |number| place_mm(volume, request.axis, PlaneIndex(number));
            (place(1) - place(0)).abs()
        }
    };
    [along(row), along(column), between_planes]
}

fn origin(scan: &Scan) -> &Origin {
    match scan {
        Scan::Volume(volume) => volume.origin(),
        Scan::Picture(picture) => picture.origin(),
    }
}
