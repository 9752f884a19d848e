//! The tags and UIDs of DICOM that are used here, by the standard's names (PS3.6). A test holds them against another's dictionary.

/// Group and element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tag(pub(crate) u16, pub(crate) u16);

/// Data elements.
pub(crate) mod tags {
    use super::Tag;

    macro_rules! tags {
        ($($name:ident = ($group:literal, $element:literal),)*) => {
            $(pub(crate) const $name: Tag = Tag($group, $element);)*

            #[cfg(test)]
            pub(super) const ALL: &[(Tag, dicom_core::Tag)] = &[$(($name, dicom_dictionary_std::tags::$name),)*];
        };
    }

    tags! {
        TRANSFER_SYNTAX_UID = (0x0002, 0x0010),
        SPECIFIC_CHARACTER_SET = (0x0008, 0x0005),
        SOP_CLASS_UID = (0x0008, 0x0016),
        SOP_INSTANCE_UID = (0x0008, 0x0018),
        STUDY_DATE = (0x0008, 0x0020),
        STUDY_TIME = (0x0008, 0x0030),
        ACCESSION_NUMBER = (0x0008, 0x0050),
        MODALITY = (0x0008, 0x0060),
        REFERRING_PHYSICIAN_NAME = (0x0008, 0x0090),
        REFERENCED_SERIES_SEQUENCE = (0x0008, 0x1115),
        REFERENCED_INSTANCE_SEQUENCE = (0x0008, 0x114a),
        REFERENCED_SOP_CLASS_UID = (0x0008, 0x1150),
        REFERENCED_SOP_INSTANCE_UID = (0x0008, 0x1155),
        REFERENCED_FRAME_NUMBER = (0x0008, 0x1160),
        PATIENT_NAME = (0x0010, 0x0010),
        PATIENT_ID = (0x0010, 0x0020),
        PATIENT_BIRTH_DATE = (0x0010, 0x0030),
        PATIENT_SEX = (0x0010, 0x0040),
        SLICE_THICKNESS = (0x0018, 0x0050),
        SPACING_BETWEEN_SLICES = (0x0018, 0x0088),
        STUDY_INSTANCE_UID = (0x0020, 0x000d),
        SERIES_INSTANCE_UID = (0x0020, 0x000e),
        STUDY_ID = (0x0020, 0x0010),
        ACQUISITION_NUMBER = (0x0020, 0x0012),
        INSTANCE_NUMBER = (0x0020, 0x0013),
        IMAGE_POSITION_PATIENT = (0x0020, 0x0032),
        IMAGE_ORIENTATION_PATIENT = (0x0020, 0x0037),
        FRAME_OF_REFERENCE_UID = (0x0020, 0x0052),
        IMAGES_IN_ACQUISITION = (0x0020, 0x1002),
        POSITION_REFERENCE_INDICATOR = (0x0020, 0x1040),
        PLANE_POSITION_SEQUENCE = (0x0020, 0x9113),
        PLANE_ORIENTATION_SEQUENCE = (0x0020, 0x9116),
        SAMPLES_PER_PIXEL = (0x0028, 0x0002),
        PHOTOMETRIC_INTERPRETATION = (0x0028, 0x0004),
        NUMBER_OF_FRAMES = (0x0028, 0x0008),
        ROWS = (0x0028, 0x0010),
        COLUMNS = (0x0028, 0x0011),
        PIXEL_SPACING = (0x0028, 0x0030),
        BITS_ALLOCATED = (0x0028, 0x0100),
        BITS_STORED = (0x0028, 0x0101),
        HIGH_BIT = (0x0028, 0x0102),
        PIXEL_REPRESENTATION = (0x0028, 0x0103),
        PIXEL_PADDING_VALUE = (0x0028, 0x0120),
        PIXEL_PADDING_RANGE_LIMIT = (0x0028, 0x0121),
        WINDOW_CENTER = (0x0028, 0x1050),
        WINDOW_WIDTH = (0x0028, 0x1051),
        RESCALE_INTERCEPT = (0x0028, 0x1052),
        RESCALE_SLOPE = (0x0028, 0x1053),
        RESCALE_TYPE = (0x0028, 0x1054),
        VOILUT_FUNCTION = (0x0028, 0x1056),
        MODALITY_LUT_SEQUENCE = (0x0028, 0x3000),
        VOILUT_SEQUENCE = (0x0028, 0x3010),
        PIXEL_MEASURES_SEQUENCE = (0x0028, 0x9110),
        PIXEL_VALUE_TRANSFORMATION_SEQUENCE = (0x0028, 0x9145),
        PRESENTATION_LUT_SHAPE = (0x2050, 0x0020),
        GRID_FRAME_OFFSET_VECTOR = (0x3004, 0x000c),
        SHARED_FUNCTIONAL_GROUPS_SEQUENCE = (0x5200, 0x9229),
        PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE = (0x5200, 0x9230),
        FLOAT_PIXEL_DATA = (0x7fe0, 0x0008),
        DOUBLE_FLOAT_PIXEL_DATA = (0x7fe0, 0x0009),
        PIXEL_DATA = (0x7fe0, 0x0010),
    }
}

/// Transfer syntaxes.
pub(crate) mod uids {
    macro_rules! uids {
        ($($name:ident = $uid:literal,)*) => {
            $(pub(crate) const $name: &str = $uid;)*

            #[cfg(test)]
            pub(super) const ALL: &[(&str, &str)] = &[$(($name, dicom_dictionary_std::uids::$name),)*];
        };
    }

    uids! {
        IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2",
        EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1",
        DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1.99",
        JPEG_BASELINE8_BIT = "1.2.840.10008.1.2.4.50",
        JPEG_EXTENDED12_BIT = "1.2.840.10008.1.2.4.51",
        JPEG_LOSSLESS = "1.2.840.10008.1.2.4.57",
        JPEG_LOSSLESS_SV1 = "1.2.840.10008.1.2.4.70",
        RLE_LOSSLESS = "1.2.840.10008.1.2.5",
    }

    /// Retired, still met.
    pub(crate) const EXPLICIT_VR_BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_uids_are_those_of_another_dictionary() {
        for (ours, theirs) in tags::ALL {
            assert_eq!((ours.0, ours.1), (theirs.0, theirs.1));
        }
        for (ours, theirs) in uids::ALL {
            assert_eq!(ours, theirs);
        }
    }
}
