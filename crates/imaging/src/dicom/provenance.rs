//! To whom and to what a scan belongs, for the writer of a DICOM object that is derived from it (a segmentation), and for nobody else.
//!
//! A [`Provenance`] is made by the reader, when it is asked for ([`open`](crate::open())), and handed over beside the scan, never in it:
//! what is given a scan has no way to it. It has no `Debug`, no `Clone` and no serde form, and all that can be had of it are encoded data elements, by using it up.
//!
//! ```
//! fn used_up(provenance: blindscan_imaging::Provenance) -> usize { provenance.into_elements().slices.len() }
//! ```
//!
//! ```compile_fail,E0277
//! fn shown(_: impl std::fmt::Debug) {}
//! fn of(provenance: blindscan_imaging::Provenance) { shown(provenance) }
//! ```
//!
//! ```compile_fail,E0599
//! fn copied(provenance: &blindscan_imaging::Provenance) -> blindscan_imaging::Provenance { provenance.clone() }
//! ```
//!
//! | part | of | for |
//! |---|---|---|
//! | patient and study modules (PS3.3 C.7.1.1, C.7.2.1) | the first file, as they stand there | the derived object's own |
//! | frame of reference (C.7.4.1) | the first file; all files agree | the derived object's own |
//! | references (C.12.2, 10.3) | each file; each slice with its frame | what it was derived from |

use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

use super::dictionary::{Tag, tags};
use super::elements::{DataSet, Value};
use super::series::Slice;

/// A value that is longer is none that the standard allows here, and is left out.
const VALUE_BYTES_MAX: usize = 1024;
/// The same for UIDs (PS3.5 section 9).
const UID_BYTES_MAX: usize = 64;

/// What a derived object takes over as it stands, with the value representation of each.
const TAKEN_OVER: [(Tag, &[u8; 2]); 13] = [
    (tags::SPECIFIC_CHARACTER_SET, b"CS"),
    (tags::STUDY_DATE, b"DA"),
    (tags::STUDY_TIME, b"TM"),
    (tags::ACCESSION_NUMBER, b"SH"),
    (tags::REFERRING_PHYSICIAN_NAME, b"PN"),
    (tags::PATIENT_NAME, b"PN"),
    (tags::PATIENT_ID, b"LO"),
    (tags::PATIENT_BIRTH_DATE, b"DA"),
    (tags::PATIENT_SEX, b"CS"),
    (tags::STUDY_INSTANCE_UID, b"UI"),
    (tags::STUDY_ID, b"SH"),
    (tags::FRAME_OF_REFERENCE_UID, b"UI"),
    (tags::POSITION_REFERENCE_INDICATOR, b"LO"),
];

/// To whom and to what a scan belongs; opaque. It is not erased when it is dropped, as the file that it was read from is not.
pub struct Provenance {
    first: Rc<FileSource>,
    /// Along the third axis of the volume.
    slices: Vec<Reference>,
}

/// What is handed to the writer of a derived object: data elements in Explicit VR Little Endian, in the order of their tags.
pub struct DerivedElements {
    /// For the object: patient, study, frame of reference, and the sequence of all files that were read.
    pub object: Vec<u8>,
    /// For each slice along the third axis of the volume: the file that it came from, and its frame in a file of several.
    pub slices: Vec<Vec<u8>>,
}

impl Provenance {
    /// Of slices in their order along the stack, when their sources were kept. There is at least one.
    pub(super) fn of(slices: &[Slice]) -> Option<Provenance> {
        let references = slices.iter().map(Reference::of).collect::<Option<Vec<_>>>()?;
        Some(Provenance { first: references[0].source.clone(), slices: references })
    }

    /// Uses it up for the elements of a derived object.
    pub fn into_elements(self) -> DerivedElements {
        let mut known = HashSet::new();
        let files = self.slices.iter().filter(|slice| known.insert(&slice.source.instance));
        let instances = files.map(|file| file.elements(false)).collect::<Vec<_>>();
        let series = [
            element(tags::SERIES_INSTANCE_UID, b"UI", &self.first.series),
            sequence(tags::REFERENCED_INSTANCE_SEQUENCE, &instances),
        ];
        let all_series = sequence(tags::REFERENCED_SERIES_SEQUENCE, &[series.concat()]);
        let taken_over = self.first.taken_over.iter();
        let mut object: BTreeMap<Tag, Vec<u8>> =
            taken_over.map(|(tag, vr, value)| (*tag, element(*tag, vr, value))).collect();
        object.insert(tags::REFERENCED_SERIES_SEQUENCE, all_series);
        DerivedElements {
            object: object.into_values().flatten().collect(),
            slices: self.slices.iter().map(|slice| slice.elements(true)).collect(),
        }
    }
}

/// What one file says of its patient, its study and itself.
pub(super) struct FileSource {
    class: Vec<u8>,
    instance: Vec<u8>,
    series: Vec<u8>,
    /// Tag, value representation and value; a value that is there and empty stays so.
    taken_over: Vec<(Tag, &'static [u8; 2], Vec<u8>)>,
}

impl FileSource {
    pub(super) fn read(data: &DataSet) -> FileSource {
        let value = |tag, bytes_max| match data.elements.get(&tag) {
            Some(Value::Bytes(value)) if value.len() <= bytes_max => Some(value.to_vec()),
            _ => None,
        };
        let uid = |tag| value(tag, UID_BYTES_MAX).unwrap_or_default();
        let taken_over = TAKEN_OVER.iter().filter_map(|&(tag, vr)| {
            let bytes_max = if vr == b"UI" { UID_BYTES_MAX } else { VALUE_BYTES_MAX };
            Some((tag, vr, value(tag, bytes_max)?))
        });
        FileSource {
            class: uid(tags::SOP_CLASS_UID),
            instance: uid(tags::SOP_INSTANCE_UID),
            series: uid(tags::SERIES_INSTANCE_UID),
            taken_over: taken_over.collect(),
        }
    }
}

/// A file, and a frame in it when it has several, counted from 1.
struct Reference {
    source: Rc<FileSource>,
    frame: Option<usize>,
}

impl Reference {
    fn of(slice: &Slice) -> Option<Reference> {
        let frame = (slice.instance.frames.len() > 1).then_some(slice.number + 1);
        Some(Reference { source: slice.instance.source.clone()?, frame })
    }

    fn elements(&self, with_frame: bool) -> Vec<u8> {
        let mut elements = element(tags::REFERENCED_SOP_CLASS_UID, b"UI", &self.source.class);
        elements.extend(element(tags::REFERENCED_SOP_INSTANCE_UID, b"UI", &self.source.instance));
        if let Some(frame) = self.frame.filter(|_| with_frame) {
            elements.extend(element(tags::REFERENCED_FRAME_NUMBER, b"IS", frame.to_string().as_bytes()));
        }
        elements
    }
}

/// An element of a short value; values have an even length.
fn element(tag: Tag, vr: &[u8; 2], value: &[u8]) -> Vec<u8> {
    let mut bytes = tag_bytes(tag).to_vec();
    bytes.extend(vr);
    let length =
        u16::try_from(value.len().next_multiple_of(2)).expect("values are capped when they are read");
    bytes.extend(length.to_le_bytes());
    bytes.extend(value);
    if !value.len().is_multiple_of(2) {
        bytes.push(if vr == b"UI" { 0 } else { b' ' });
    }
    bytes
}

/// A sequence of items, all lengths stated.
fn sequence(tag: Tag, items: &[Vec<u8>]) -> Vec<u8> {
    let mut content = Vec::new();
    for item in items {
        content.extend([0xfe, 0xff, 0x00, 0xe0]);
        content.extend((item.len() as u32).to_le_bytes());
        content.extend(item);
    }
    let mut bytes = tag_bytes(tag).to_vec();
    bytes.extend(b"SQ\0\0");
    bytes.extend((content.len() as u32).to_le_bytes());
    bytes.extend(content);
    bytes
}

fn tag_bytes(Tag(group, element): Tag) -> [u8; 4] {
    let ([g0, g1], [e0, e1]) = (group.to_le_bytes(), element.to_le_bytes());
    [g0, g1, e0, e1]
}

#[cfg(test)]
mod tests {
    use dicom_core::VR;
    use dicom_dictionary_std::uids::{CT_IMAGE_STORAGE, EXPLICIT_VR_LITTLE_ENDIAN};

    use super::super::elements::Encoding;
    use super::super::parser::Parser;
    use super::super::tests::{file_of, save, slice, text};
    use super::super::{open_file, open_folder};
    use super::*;
    use crate::files::Endian;

    /// The written elements, read back by the reader.
    fn parsed(bytes: &[u8]) -> DataSet<'_> {
        let encoding = Encoding { endian: Endian::Little, explicit: true };
        Parser::new(bytes, encoding).data_set(&mut 0, bytes.len(), false, 0).unwrap()
    }

    fn theirs(Tag(group, element): Tag) -> dicom_core::Tag {
        dicom_core::Tag(group, element)
    }

    /// A slice that says to whom it belongs.
    fn of_a_patient(z: f64, instance: &str) -> dicom_object::InMemDicomObject {
        let mut object = slice("1.2.3", z, 7);
        for (tag, vr, value) in [
            (tags::SOP_CLASS_UID, VR::UI, CT_IMAGE_STORAGE),
            (tags::SOP_INSTANCE_UID, VR::UI, instance),
            (tags::STUDY_INSTANCE_UID, VR::UI, "1.2.99"),
            (tags::FRAME_OF_REFERENCE_UID, VR::UI, "1.2.77"),
            (tags::PATIENT_NAME, VR::PN, "DOE^JANE"),
            (tags::PATIENT_ID, VR::LO, "P1"),
            (tags::ACCESSION_NUMBER, VR::SH, "A42"),
        ] {
            object.put(text(theirs(tag), vr, value));
        }
        object
    }

    #[test]
    fn a_derived_object_gets_patient_study_and_frame_of_reference_as_they_stand() {
        let (_folder, path) = file_of(of_a_patient(5.0, "1.2.3.1"), EXPLICIT_VR_LITTLE_ENDIAN);
        let elements = open_file(&path, true).unwrap().1.unwrap().into_elements();
        let object = parsed(&elements.object);
        for (tag, value) in [
            (tags::PATIENT_NAME, "DOE^JANE"),
            (tags::PATIENT_ID, "P1"),
            (tags::ACCESSION_NUMBER, "A42"),
            (tags::STUDY_INSTANCE_UID, "1.2.99"),
            (tags::FRAME_OF_REFERENCE_UID, "1.2.77"),
        ] {
            assert_eq!(object.text(tag), Some(value));
        }
        assert!(!object.has(tags::PATIENT_SEX), "what the file leaves out is not made up");
        let written: Vec<Tag> = object.elements.keys().copied().collect();
        assert!(written.is_sorted());
    }

    #[test]
    fn a_series_has_one_reference_per_slice_in_the_order_of_the_stack() {
        let folder = tempfile::tempdir().unwrap();
        for (z, instance) in [(30.0, "1.2.3.30"), (10.0, "1.2.3.10"), (20.0, "1.2.3.20")] {
            save(of_a_patient(z, instance), EXPLICIT_VR_LITTLE_ENDIAN, &folder.path().join(instance));
        }
        let elements = open_folder(folder.path(), true).unwrap().1.unwrap().into_elements();
        let instances: Vec<String> = elements
            .slices
            .iter()
            .map(|slice| {
                let slice = parsed(slice);
                assert_eq!(slice.text(tags::REFERENCED_SOP_CLASS_UID), Some(CT_IMAGE_STORAGE));
                assert!(!slice.has(tags::REFERENCED_FRAME_NUMBER));
                slice.text(tags::REFERENCED_SOP_INSTANCE_UID).unwrap().to_string()
            })
            .collect();
        assert_eq!(instances, ["1.2.3.10", "1.2.3.20", "1.2.3.30"]);
        let object = parsed(&elements.object);
        let series = object.items(tags::REFERENCED_SERIES_SEQUENCE);
        assert_eq!((series.len(), series[0].text(tags::SERIES_INSTANCE_UID)), (1, Some("1.2.3")));
        assert_eq!(series[0].items(tags::REFERENCED_INSTANCE_SEQUENCE).len(), 3);
    }

    #[test]
    fn frames_of_one_file_are_one_file_and_one_reference_each() {
        let mut object = of_a_patient(5.0, "1.2.3.1");
        object.put(text(theirs(tags::NUMBER_OF_FRAMES), VR::IS, "3"));
        object.put(text(theirs(tags::SPACING_BETWEEN_SLICES), VR::DS, "-2"));
        let pixels = dicom_core::value::PrimitiveValue::U16((0..18).collect());
        object.put(dicom_core::DataElement::new(theirs(tags::PIXEL_DATA), VR::OW, pixels));
        let (_folder, path) = file_of(object, EXPLICIT_VR_LITTLE_ENDIAN);
        let elements = open_file(&path, true).unwrap().1.unwrap().into_elements();
        let frames: Vec<_> = elements
            .slices
            .iter()
            .map(|slice| parsed(slice).text(tags::REFERENCED_FRAME_NUMBER).unwrap().to_string())
            .collect();
        assert_eq!(frames, ["3", "2", "1"], "stacked against the normal");
        let object = parsed(&elements.object);
        let series = object.items(tags::REFERENCED_SERIES_SEQUENCE);
        assert_eq!(series[0].items(tags::REFERENCED_INSTANCE_SEQUENCE).len(), 1);
    }

    #[test]
    fn nothing_is_kept_of_a_patient_unless_it_is_asked_for() {
        let (_folder, path) = file_of(of_a_patient(5.0, "1.2.3.1"), EXPLICIT_VR_LITTLE_ENDIAN);
        assert!(open_file(&path, false).unwrap().1.is_none());
        assert!(open_folder(path.parent().unwrap(), false).unwrap().1.is_none());
    }

    #[test]
    fn a_value_that_is_there_and_empty_stays_so() {
        let mut object = of_a_patient(5.0, "1.2.3.1");
        object.put(text(theirs(tags::PATIENT_BIRTH_DATE), VR::DA, ""));
        let (_folder, path) = file_of(object, EXPLICIT_VR_LITTLE_ENDIAN);
        let elements = open_file(&path, true).unwrap().1.unwrap().into_elements();
        let object = parsed(&elements.object);
        assert!(object.has(tags::PATIENT_BIRTH_DATE) && object.bytes(tags::PATIENT_BIRTH_DATE).is_none());
    }

    #[test]
    fn a_uid_that_is_too_long_adds_no_elements_to_the_derived_object() {
        let mut object = of_a_patient(5.0, "1.2.3.1");
        object.put(text(theirs(tags::SERIES_INSTANCE_UID), VR::UI, &"1".repeat(65_536 + 10)));
        let (_folder, path) = file_of(object, dicom_dictionary_std::uids::IMPLICIT_VR_LITTLE_ENDIAN);
        let elements = open_file(&path, true).unwrap().1.unwrap().into_elements();
        let object = parsed(&elements.object);
        let series = object.items(tags::REFERENCED_SERIES_SEQUENCE);
        assert!(series[0].bytes(tags::SERIES_INSTANCE_UID).is_none());
        assert_eq!(series[0].elements.len(), 2);
    }

    #[test]
    fn a_value_longer_than_the_standard_allows_is_left_out() {
        let mut object = of_a_patient(5.0, "1.2.3.1");
        object.put(text(theirs(tags::PATIENT_NAME), VR::PN, &"N".repeat(VALUE_BYTES_MAX + 2)));
        let (_folder, path) = file_of(object, EXPLICIT_VR_LITTLE_ENDIAN);
        let elements = open_file(&path, true).unwrap().1.unwrap().into_elements();
        assert!(!parsed(&elements.object).has(tags::PATIENT_NAME));
        assert!(parsed(&elements.object).has(tags::PATIENT_ID));
    }
}
