//! What specifications are refused, and that each format gives back what was written.

use super::*;

/// A specification that uses every field.
fn in_millimetres() -> InputSpec {
    InputSpec {
        modality: Modality::Mr,
        slice_offsets: vec![],
        slice_offsets_mm: vec![-2.5, 0.0, 2.5],
        in_plane: InPlane::AsStored,
        trained: Trained {
            spacing_mm: Some([0.5, 0.5, 2.5]),
            field_of_view_mm: Some([256.0, 256.0]),
            tolerance: Some(0.2),
        },
        to_eight_bit: Some(ToEightBit::Voi { low: 0.5, high: 99.5 }),
        ..InputSpec::ct_min_max((512, 512), vec![])
    }
}

#[test]
fn a_card_may_leave_out_what_it_does_not_need() {
    let card = "modality = 'xray'\ngrey = 'eight-bit'\nnormalisation = { kind = 'linear', offset = 0.0, divisor = 255.0 }\n\
                slice_offsets = [0]\naxis = 'axial'\nsize = [150, 125]\nresize = true\nrange = [0.0, 1.0]\n";
    assert_eq!(toml::from_str::<InputSpec>(card).unwrap(), InputSpec::xray((150, 125)));
    let with = format!(
        "{card}to_eight_bit = {{ voi = {{ low = 0.5, high = 99.5 }} }}\n[trained]\nspacing_mm = [2.0, 2.0, 1.0]\n"
    );
    let spec: InputSpec = toml::from_str(&with).unwrap();
    assert_eq!(spec.to_eight_bit, Some(ToEightBit::Voi { low: 0.5, high: 99.5 }));
    assert_eq!(spec.trained.spacing_mm, Some([2.0, 2.0, 1.0]));
}

#[test]
fn input_specifications_that_contradict_themselves_are_refused() {
    assert_eq!(in_millimetres().problem(), None);
    let trained = |change: fn(&mut Trained)| {
        let mut spec = in_millimetres();
        change(&mut spec.trained);
        spec
    };
    let refused = [
        InputSpec { slice_offsets: vec![0], ..in_millimetres() },
        InputSpec { slice_offsets_mm: vec![], ..in_millimetres() },
        InputSpec { slice_offsets_mm: vec![f32::NAN], ..in_millimetres() },
        InputSpec { slice_offsets_mm: vec![0.0; 1025], ..in_millimetres() },
        InputSpec { grey: GreyScale::Hounsfield, ..in_millimetres() },
        InputSpec { to_eight_bit: Some(ToEightBit::Voi { low: 50.0, high: 50.0 }), ..in_millimetres() },
        InputSpec {
            to_eight_bit: Some(ToEightBit::Percentiles { low: -1.0, high: 50.0 }),
            ..in_millimetres()
        },
        InputSpec {
            to_eight_bit: Some(ToEightBit::Window { low: 0.0, high: f32::INFINITY }),
            ..in_millimetres()
        },
        trained(|t| t.spacing_mm = Some([1.0, 0.0, 1.0])),
        trained(|t| t.field_of_view_mm = Some([f32::NAN, 1.0])),
        trained(|t| t.tolerance = Some(-0.1)),
    ];
    for spec in refused {
        assert!(spec.problem().is_some(), "{spec:?}");
    }
}

#[test]
fn the_input_specification_reads_the_same_in_all_formats() {
    let clip = Normalisation::Clip { low: -1000.0, high: 400.0 };
    let specs = [
        InputSpec::tensor((-1.5, 2.0)),
        InputSpec::xray((150, 125)),
        InputSpec { normalisation: clip, ..InputSpec::ct_min_max((128, 128), vec![-5, -2, 0, 2, 5]) },
        InputSpec::ct_min_max((512, 512), vec![0]),
        in_millimetres(),
        InputSpec {
            to_eight_bit: Some(ToEightBit::Window { low: 0.0, high: 4095.0 }),
            ..InputSpec::xray((9, 9))
        },
    ];
    for spec in specs {
        let text = toml::to_string(&spec).unwrap();
        assert_eq!(toml::from_str::<InputSpec>(&text).unwrap(), spec, "{text}");
        let text = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<InputSpec>(&text).unwrap(), spec, "{text}");
        let bytes = postcard::to_stdvec(&spec).unwrap();
        assert_eq!(postcard::from_bytes::<InputSpec>(&bytes).unwrap(), spec);
    }
    let table: Normalisation = toml::from_str("kind = \"volume-min-max\"").unwrap();
    assert_eq!(table, Normalisation::VolumeMinMax);
}
