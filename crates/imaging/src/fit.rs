//! Whether a specification is sound, and a scan what the network was made for: form, modality, kind of grey values, size, millimetres.
//!
//! What is refused is a [`Misfit`](crate::Misfit) with what came, what was expected and what to do; what is only unusual is a note.

use blindscan_input_spec::{GreyScale, InputSpec, Modality};

use crate::ImagingError;
use crate::error::misfit;
use crate::geometry::{PlaneIndex, length};
use crate::kind::GreyKind;
use crate::kind::KnownBy;
use crate::origin::Origin;
use crate::scan::Scan;
use crate::slicing::Slicing;
use crate::volume::Volume;

/// No network here takes an input of more values; a specification of more is a mistake or an attack.
const TENSOR_VALUES_MAX: usize = 1 << 28;

/// Refuses what no scan could fit. The specification comes from the model owner: nothing in it is trusted.
pub(crate) fn check_spec(spec: &InputSpec) -> Result<(), ImagingError> {
    spec.problem().map_or(Ok(()), |problem| {
        Err(misfit(
            format!("an unsound input specification ({problem})"),
            "a sound one".into(),
            "ask the model owner to correct the model's input specification",
        ))
    })
}

/// Whether a network was made for volumes or for pictures.
enum Form {
    Volume,
    Picture,
    Any,
}

/// Nothing says how the slices of a volume would become a network's tensor when it is no scan: there only a picture is taken.
fn form(modality: Modality) -> Form {
    match modality {
        Modality::Ct | Modality::Mr | Modality::Pet => Form::Volume,
        Modality::Xray | Modality::Mammogram | Modality::Tensor => Form::Picture,
        Modality::Ultrasound | Modality::Any => Form::Any,
    }
}

/// The codes of DICOM files that fit (PS3.3 section C.7.3.1.1.1), and the name for people; `None` takes any.
fn codes(modality: Modality) -> Option<(&'static [&'static str], &'static str)> {
    Some(match modality {
        Modality::Ct => (&["CT"], "CT"),
        Modality::Mr => (&["MR"], "MR"),
        Modality::Pet => (&["PT"], "PT"),
        Modality::Ultrasound => (&["US"], "US"),
        Modality::Xray => (&["CR", "DX", "RG"], "a projection X-ray (CR, DX, RG)"),
        Modality::Mammogram => (&["MG"], "a mammogram (MG)"),
        Modality::Any | Modality::Tensor => return None,
    })
}

/// What grey values must mean; `None` takes any.
fn expected_kind(grey: GreyScale) -> Option<GreyKind> {
    match grey {
        GreyScale::Hounsfield => Some(GreyKind::Hounsfield),
        GreyScale::EightBit => Some(GreyKind::EightBit),
        GreyScale::Any => None,
    }
}

/// Holds the scan's form against the network's.
pub(crate) fn check_form(scan: &Scan, spec: &InputSpec) -> Result<(), ImagingError> {
    match (scan, form(spec.modality)) {
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
        (Scan::Picture(_), _) if spec.slice_offsets != [0] || !spec.slice_offsets_mm.is_empty() => {
            Err(misfit(
                "a single picture".into(),
                format!("a volume from which {} neighbouring slices are taken", spec.channels()),
                "give a NIfTI file or the folder of a DICOM series",
            ))
        }
        _ => Ok(()),
    }
}

/// Holds the file's modality against the network's; a note when the file has no word for it.
pub(crate) fn check_modality(scan: &Scan, spec: &InputSpec) -> Result<Option<String>, ImagingError> {
    let Some((codes, wanted)) = codes(spec.modality) else { return Ok(None) };
    match scan.origin().modality.as_deref() {
        Some(code) if codes.contains(&code) => Ok(None),
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
pub(crate) fn check_kind(scan: &Scan, spec: &InputSpec) -> Result<(), ImagingError> {
    if let Scan::Picture(picture) = scan
        && picture.is_coloured()
    {
        return Err(misfit(
            "a colour picture".into(),
            "a grey one".into(),
            "give the scan itself and not a photograph or a coloured rendering of it",
        ));
    }
    let Some(expected) = expected_kind(spec.grey).filter(|&expected| expected != scan.kind()) else {
        return Ok(());
    };
    if expected == GreyKind::EightBit && spec.to_eight_bit.is_some() {
        return Ok(());
    }
    let origin = scan.origin();
    let reason = match (&origin.kind_remark, &origin.known_by) {
        (Some(remark), _) => format!(" ({remark})"),
        (None, KnownBy::Guess(reason)) => format!(" (a guess: {reason})"),
        (None, _) => String::new(),
    };
    Err(misfit(format!("a scan in {}{reason}", scan.kind()), expected.to_string(), advice(expected, origin)))
}

fn advice(expected: GreyKind, origin: &Origin) -> &'static str {
    let is_guess = matches!(origin.known_by, KnownBy::Guess(_));
    match expected {
        GreyKind::EightBit => {
            "convert the scan to 8 bits in the way that the network's training images were, or take a network for this scale"
        }
        GreyKind::Hounsfield if is_guess => {
            "where the guess is wrong state the unit (--unit hu); else give the original CT and not an export on another scale"
        }
        GreyKind::Hounsfield if origin.kind_remark.is_some() => {
            "export the CT in Hounsfield units, or, where its values are in these all the same, state the unit (--unit hu)"
        }
        GreyKind::Hounsfield => {
            "give the original CT (DICOM with rescale values, or NIfTI in Hounsfield units) and not an 8-bit export"
        }
        GreyKind::Other => "give a scan on the scale that the network was trained on",
    }
}

/// Holds the size of the scan's planes against the network's.
pub(crate) fn check_size(slicing: &Slicing, spec: &InputSpec) -> Result<(), ImagingError> {
    let own = slicing.plane_size();
    let wanted = spec.size.unwrap_or(own);
    if count(spec.channels(), &[wanted.0, wanted.1]).is_none() {
        return Err(misfit(
            format!(
                "a plane of {} rows and {} columns for an input of more than {TENSOR_VALUES_MAX} values",
                own.0, own.1
            ),
            "a smaller input".into(),
            "check the model's input specification",
        ));
    }
    if own != wanted && !spec.resize {
        return Err(misfit(
            format!("a plane of {} rows and {} columns", own.0, own.1),
            format!("{} rows and {} columns", wanted.0, wanted.1),
            "resample the scan to this size, or take a model whose input specification allows resizing",
        ));
    }
    Ok(())
}

/// Refuses a patch of no values, or of more than a network takes.
pub(crate) fn check_values(channels: usize, extents: &[usize]) -> Result<(), ImagingError> {
    match count(channels, extents) {
        Some(1..) => Ok(()),
        Some(0) | None => Err(misfit(
            format!("a patch of {extents:?} voxels for {channels} channels"),
            format!("1 to {TENSOR_VALUES_MAX} values"),
            "check the size of the patches",
        )),
    }
}

/// How many values there are, when a network may take so many.
fn count(channels: usize, extents: &[usize]) -> Option<usize> {
    let all = extents.iter().try_fold(channels, |all, &extent| all.checked_mul(extent))?;
    (all <= TENSOR_VALUES_MAX).then_some(all)
}

/// Holds the scan's millimetres against those that the network was trained on.
pub(crate) fn check_trained(
    scan: &Scan,
    slicing: &Slicing,
    spec: &InputSpec,
) -> Result<Vec<String>, ImagingError> {
    let trained = &spec.trained;
    if trained.spacing_mm.is_none() && trained.field_of_view_mm.is_none() {
        return Ok(Vec::new());
    }
    let Scan::Volume(volume) = scan else {
        return Ok(vec![
            "the picture has no spacing in millimetres to hold against that of the training".into(),
        ]);
    };
    let [between_rows, between_columns, between_slices] = spacing_mm(volume, slicing);
    let (own_rows, own_columns) = slicing.plane_size();
    let (rows, columns) = spec.size.unwrap_or((own_rows, own_columns));
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

/// Where a network states no tolerance, what differs by more than this is noted.
const UNUSUAL_SHARE: f64 = 0.25;

/// Millimetres between rows, between columns, and between planes along their normal.
pub(crate) fn spacing_mm(volume: &Volume, slicing: &Slicing) -> [f64; 3] {
    let [row, column, plane] = slicing.file_axes();
    let along = |axis: usize| length(volume.affine().step_mm(axis));
    let between_planes = match slicing.plane_count() {
        1 => along(plane),
        _ => {
            let place = |number| volume.place_mm(slicing.axis(), PlaneIndex(number));
            (place(1) - place(0)).abs()
        }
    };
    [along(row), along(column), between_planes]
}
