//! What a model takes, as a file: the card beside a model, or the one that a client keeps of a server.
//!
//! A client keeps the input specification of each server that it has seen beside its keys, under the server's fingerprint. A scan can
//! then be judged before anything is sent; `look` does nothing else. The plan that comes at the next connection is judged again.

use std::path::{Path, PathBuf};

use blindscan_graph::plan::{Axis, GreyScale, InputSpec, Modality, Normalisation, PublicPlan};
use blindscan_wire::fingerprint::Fingerprint;
use serde::{Deserialize, Serialize};

use crate::error::{At, Result, WorkflowError};
use crate::files::write_whole;
use crate::hex;

/// What a model takes. Fields of a model's card that say how its plan is made are passed over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// The model's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The digest of the plan that it was taken from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_digest: Option<String>,
    /// The shape of the network's input; a model's card leaves it to the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_shape: Option<Vec<usize>>,
    /// Names of the classes or findings.
    #[serde(default)]
    pub class_names: Vec<String>,
    /// What a scan must be, and how it becomes the input.
    pub input: InputSpec,
}

impl Card {
    /// The card of a plan.
    pub fn of(plan: &PublicPlan) -> Self {
        Self {
            name: Some(plan.name.clone()),
            plan_digest: Some(hex(&plan.digest())),
            input_shape: Some(plan.tensors[plan.input].shape.clone()),
            class_names: plan.answer.class_names.clone(),
            input: plan.input_spec.clone(),
        }
    }

    /// Reads a card.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).at(path)?;
        toml::from_str(&text)
            .map_err(|source| WorkflowError::NoCard { path: path.into(), source: Box::new(source) })
    }

    /// The card that this client keeps of a server, and where; `None` when it has not seen the server yet, or when the card
    /// is of another version of this program: the server sends it anew.
    pub fn kept(keys: &Path, server: &Fingerprint) -> Option<(Self, PathBuf)> {
        let path = place(keys, server);
        Self::read(&path).ok().map(|card| (card, path))
    }

    /// Keeps the card of a server, in place of an older one.
    pub fn keep(&self, keys: &Path, server: &Fingerprint) -> Result<()> {
        let path = place(keys, server);
        let folder = path.parent().expect("a card lies in a folder");
        let text = toml::to_string(self)?;
        std::fs::create_dir_all(folder).at(folder)?;
        write_whole(&path, text.as_bytes())
    }

    /// What the model takes, in words.
    pub fn words(&self) -> String {
        expectation(&self.input, self.input_shape.as_deref())
    }
}

fn place(keys: &Path, server: &Fingerprint) -> PathBuf {
    keys.join("servers").join(format!("{server}.toml"))
}

/// What a network takes, as one sentence's part.
pub fn expectation(spec: &InputSpec, shape: Option<&[usize]>) -> String {
    let form = match spec.modality {
        Modality::Ct => "CT volumes",
        Modality::Mr => "MR volumes",
        Modality::Pet => "PET volumes",
        Modality::Ultrasound => "ultrasound volumes or pictures",
        Modality::Xray => "single X-ray pictures",
        Modality::Mammogram => "single mammograms",
        Modality::Any => "volumes or pictures of any modality",
        Modality::Tensor => {
            let shape = shape.map_or(String::new(), |shape| format!(" of shape {shape:?}"));
            let (low, high) = spec.range;
            return format!("tensors (.npy){shape} with values from {low} to {high}");
        }
    };
    let grey = match spec.grey {
        GreyScale::Hounsfield => "in Hounsfield units",
        GreyScale::EightBit if spec.to_eight_bit.is_some() => {
            "in 8-bit grey values (deeper ones are converted)"
        }
        GreyScale::EightBit => "in 8-bit grey values (0 to 255)",
        GreyScale::Any => "on any grey scale",
    };
    let size = match (spec.size, shape) {
        (Some((rows, columns)), _) | (None, Some(&[_, _, rows, columns])) => {
            format!("{rows} rows and {columns} columns")
        }
        _ => "any size".into(),
    };
    let resized = if spec.resize { " (other sizes are resized)" } else { "" };
    format!("{form} {grey}, {size}{resized}; {}{}{}", slices(spec), scale(spec), trained(spec))
}

/// How the channels are cut out.
fn slices(spec: &InputSpec) -> String {
    if matches!(spec.modality, Modality::Xray | Modality::Mammogram) {
        return String::new();
    }
    let axis = match spec.axis {
        Axis::Axial => "axial",
        Axis::Coronal => "coronal",
        Axis::Sagittal => "sagittal",
    };
    let list = |offsets: Vec<String>| offsets.join(", ");
    match (&spec.slice_offsets[..], &spec.slice_offsets_mm[..]) {
        ([0], _) => format!("{axis} slices one by one; "),
        (_, []) => {
            let offsets = list(spec.slice_offsets.iter().map(ToString::to_string).collect());
            format!("{axis} slices with their neighbours at {offsets}; ")
        }
        (_, mm) => {
            let offsets = list(mm.iter().map(ToString::to_string).collect());
            format!("{axis} slices with those at {offsets} mm; ")
        }
    }
}

/// What the network was trained on, where the card says it.
fn trained(spec: &InputSpec) -> String {
    let mut words = String::new();
    if let Some([rows, columns, slices]) = spec.trained.spacing_mm {
        words += &format!("; trained on {rows} x {columns} mm pixels and slices {slices} mm apart");
    }
    if let Some([height, width]) = spec.trained.field_of_view_mm {
        words += &format!("; trained on planes of {height} x {width} mm");
    }
    words
}

/// How grey values are scaled.
fn scale(spec: &InputSpec) -> String {
    match spec.normalisation {
        Normalisation::Linear { offset, divisor } => {
            let (low, high) = spec.range;
            format!("(grey - {offset}) / {divisor}, clamped to {low} to {high}")
        }
        Normalisation::VolumeMinMax => "scaled between the scan's smallest and largest value".into(),
        Normalisation::Clip { low, high } => format!("grey values {low} to {high}, others are clipped"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL_CARD: &str = r#"
        name = "x"
        calibration = "scan.nii.gz"
        class_names = ["background", "lesion"]
        weight_bits = 10
        [input]
        modality = "ct"
        grey = "hounsfield"
        normalisation = { kind = "clip", low = -1000.0, high = 400.0 }
        slice_offsets = [-1, 0, 1]
        axis = "axial"
        size = [128, 96]
        resize = false
        range = [0.0, 1.0]
    "#;

    #[test]
    fn a_models_card_says_what_it_takes() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("card.toml");
        std::fs::write(&path, MODEL_CARD).unwrap();
        let words = Card::read(&path).unwrap().words();
        for part in ["CT volumes", "Hounsfield", "128 rows and 96 columns", "-1, 0, 1", "-1000 to 400"] {
            assert!(words.contains(part), "{words}");
        }
        std::fs::write(&path, "name = \"x\"\n").unwrap();
        let error = Card::read(&path).unwrap_err().one_line();
        assert!(error.contains("card.toml") && error.contains("[input]"), "{error}");
    }

    #[test]
    fn the_card_of_a_server_is_kept_by_its_fingerprint_and_replaced() {
        let place = tempfile::tempdir().unwrap();
        let (one, two) = (Fingerprint::from_bytes([1; 32]), Fingerprint::from_bytes([2; 32]));
        let card = Card {
            name: Some("x".into()),
            plan_digest: Some("ab".into()),
            input_shape: Some(vec![1, 1, 8, 9]),
            class_names: vec!["no".into(), "yes".into()],
            input: InputSpec::xray((8, 9)),
        };
        card.keep(place.path(), &one).unwrap();
        assert_eq!(Card::kept(place.path(), &one).unwrap().0, card);
        assert!(Card::kept(place.path(), &two).is_none());
        let newer = Card { input: InputSpec::tensor((0.0, 1.0)), ..card };
        newer.keep(place.path(), &one).unwrap();
        let (kept, path) = Card::kept(place.path(), &one).unwrap();
        assert_eq!(kept, newer);
        std::fs::write(path, "of = 'another version'").unwrap();
        assert!(Card::kept(place.path(), &one).is_none());
        assert!(newer.words().contains("tensors (.npy) of shape [1, 1, 8, 9]"), "{}", newer.words());
    }
}
