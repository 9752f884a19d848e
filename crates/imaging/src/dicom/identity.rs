//! What must be one in a stack of slices: patient, frame of reference, acquisition.
//!
//! For this the patient's number is not kept, and it is never shown: it becomes a hash under a key that this process drew at random and
//! that dies with it, and two hashes are compared. Acquisitions may follow one another along the stack (step-and-shoot CT
//! counts one per table position); those that alternate in space are two stacks in one series, and are refused.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

use super::dictionary::tags;
use super::elements::DataSet;
use super::series::Slice;
use crate::ImagingError;
use crate::error::At;

/// To whom and where an image belongs. It has no `Debug` on purpose.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    patient: u64,
    frame_of_reference: String,
    acquisition: Option<i64>,
    /// SOPInstanceUID; empty when there is none.
    pub(crate) object: String,
}

impl Identity {
    pub(crate) fn read(data: &DataSet) -> Identity {
        let owned = |tag| data.text(tag).unwrap_or_default().to_string();
        Identity {
            patient: patient(data),
            frame_of_reference: owned(tags::FRAME_OF_REFERENCE_UID),
            acquisition: data.text(tags::ACQUISITION_NUMBER).and_then(|text| text.trim().parse().ok()),
            object: owned(tags::SOP_INSTANCE_UID),
        }
    }
}

/// The patient's number; where it is empty, name and day of birth.
fn patient(data: &DataSet) -> u64 {
    static KEY: OnceLock<RandomState> = OnceLock::new();
    let trimmed = |tag| {
        let bytes = data.bytes(tag).unwrap_or_default();
        bytes.trim_ascii().strip_suffix(b"\0").unwrap_or(bytes.trim_ascii())
    };
    let number = trimmed(tags::PATIENT_ID);
    let known_as = match number.is_empty() {
        false => (number, &b""[..]),
        true => (trimmed(tags::PATIENT_NAME), trimmed(tags::PATIENT_BIRTH_DATE)),
    };
    KEY.get_or_init(RandomState::new).hash_one(known_as)
}

/// Refuses slices of several patients or frames of reference.
pub(crate) fn refuse_mixed(slices: &[Slice], at: &At) -> Result<(), ImagingError> {
    const ADVICE: &str = "put the files that belong together into a folder of their own";
    let patients = groups(slices, |slice| slice.instance.identity.patient);
    if patients.len() > 1 {
        return Err(at.series(
            format!("its files belong to {} patients ({})", patients.len(), listed(&patients)),
            "find out how they came together, and put the files of one patient into a folder of their own",
        ));
    }
    let frames = groups(slices, |slice| slice.instance.identity.frame_of_reference.clone());
    if frames.len() > 1 {
        return Err(at.series(
            format!(
                "its slices lie in {} frames of reference, whose positions cannot be compared ({})",
                frames.len(),
                listed(&frames)
            ),
            ADVICE,
        ));
    }
    Ok(())
}

/// Refuses acquisitions that alternate along the stack; notes when several follow one another. The slices are in their order
/// along the stack.
pub(crate) fn check_acquisitions(slices: &[Slice], at: &At) -> Result<Option<String>, ImagingError> {
    let acquisition = |slice: &Slice| slice.instance.identity.acquisition;
    let all = groups(slices, acquisition);
    let runs = 1 + slices.windows(2).filter(|pair| acquisition(&pair[0]) != acquisition(&pair[1])).count();
    if runs > all.len() {
        return Err(at.series(
            format!(
                "its slices belong to {} acquisitions that take turns along the stack ({})",
                all.len(),
                listed(&all)
            ),
            "put the files of each acquisition (AcquisitionNumber) into a folder of their own",
        ));
    }
    Ok((all.len() > 1).then(|| {
        format!("the stack was made in {} acquisitions, one behind the other along the stack", all.len())
    }))
}

/// Slices that agree: how many, and the first's file.
fn groups<K: PartialEq>(slices: &[Slice], key: impl Fn(&Slice) -> K) -> Vec<(K, usize, String)> {
    let mut all: Vec<(K, usize, String)> = Vec::new();
    for slice in slices {
        let key = key(slice);
        match all.iter_mut().find(|(known, ..)| *known == key) {
            Some((_, count, _)) => *count += 1,
            None => all.push((key, 1, slice.file.display().to_string())),
        }
    }
    all
}

/// For instance "4 slices as I0, 2 as I4".
fn listed<K>(groups: &[(K, usize, String)]) -> String {
    const SHOWN: usize = 6;
    let shown: Vec<String> =
        groups.iter().take(SHOWN).map(|(_, count, file)| format!("{count} with {file}")).collect();
    format!("{}{}", shown.join(", "), if groups.len() > SHOWN { ", ..." } else { "" })
}
