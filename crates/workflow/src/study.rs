//! What was read of a scan or a tensor before any network is known, and the words for it on the screen and in reports.
//!
//! Nothing of it goes to a server, and none of it says who the patient is: kinds, numbers and the names of files. The digest
//! covers grey values alone.

use std::path::{Path, PathBuf};

use blindscan_graph::fixed::Clamped;
use blindscan_graph::ir::Tensor;
use blindscan_graph::npy;
use blindscan_imaging::{Axis, Facts, GreyKind, OpenOptions, Preparation, Scan, SliceFact, Voxels};
use serde::{Deserialize, Serialize};

use crate::error::{At, Result};
use crate::hex;
use crate::slices::listed;

/// How a scan is read and judged.
#[derive(Clone, Debug, Default)]
pub struct StudyOptions {
    /// What grey values mean, where the file does not say it or is wrong.
    pub unit: Option<GreyKind>,
    /// A card that says what the model takes.
    pub card: Option<PathBuf>,
}

/// An input as it was read.
pub struct Study {
    /// Where it was read from.
    pub path: PathBuf,
    /// What it held.
    pub content: StudyContent,
    /// The last preparation of the scan, so that one that is judged by a card and then by the same words in a plan is
    /// prepared once.
    pub(crate) prepared: Option<Preparation>,
}

/// A scan or a tensor.
pub enum StudyContent {
    /// A volume or a picture.
    Scan(Box<Scan>),
    /// A tensor from a `.npy` file, with the file's shape.
    Tensor(Tensor),
}

impl Study {
    /// Reads a scan, a picture or a `.npy` file. `unit` is the user's word for what grey values mean.
    pub fn open(path: &Path, unit: Option<GreyKind>) -> Result<Self> {
        let content = match path.extension().is_some_and(|extension| extension == "npy") {
            true => StudyContent::Tensor(npy::read(path).at(path)?),
            false => StudyContent::Scan(Box::new(Scan::open_with(path, &OpenOptions { unit })?)),
        };
        Ok(Self { path: path.into(), content, prepared: None })
    }

    /// What was found, for a report. `axis` is the network's, along which slices are counted.
    pub fn found(&self, axis: Axis) -> Found {
        match &self.content {
            StudyContent::Tensor(tensor) => Found {
                form: "tensor".into(),
                size: tensor.shape.clone(),
                digest: tensor_digest(tensor),
                ..Found::default()
            },
            StudyContent::Scan(scan) => Found {
                digest: scan_digest(scan),
                slices: scan.slices(axis).iter().map(FoundSlice::of).collect(),
                axis: matches!(**scan, Scan::Volume(_)).then(|| axis.to_string()),
                ..Found::of(scan.facts())
            },
        }
    }
}

/// What was read, as reports have it: the reader's words for what it found and assumed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Found {
    /// `volume`, `picture` or `tensor`.
    pub form: String,
    /// Voxels along the file's three axes; of a picture columns, rows, 1; of a tensor its shape.
    pub size: Vec<usize>,
    /// What grey values mean.
    pub kind: Option<String>,
    /// How that is known.
    pub kind_known_by: Option<String>,
    /// The file's code of the modality.
    pub modality: Option<String>,
    /// Where the file's axes run, as letters of R L A P S I; null when the file does not say.
    pub axes: Option<String>,
    /// Millimetres between voxels along the file's axes.
    pub spacing_mm: Option<[f64; 3]>,
    /// From voxel indices to the patient's millimetres (right, front, head).
    pub grid: Option<[[f64; 4]; 3]>,
    /// Steps between the slices of a series.
    pub steps_mm: Option<FoundSteps>,
    /// The axis along which the network's slices lie.
    pub axis: Option<String>,
    /// The slices along that axis.
    pub slices: Vec<FoundSlice>,
    /// Files read.
    pub files_read: usize,
    /// Files left aside, and why.
    pub left_aside: Vec<FoundAside>,
    /// BLAKE3 of the grey values and their number along each axis; no tag is in it.
    pub digest: String,
    /// Input values that were clamped to the declared range, over all images that were run.
    pub clamped: Option<Clamped>,
}

/// Steps along the normal of the slices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoundSteps {
    mean: f64,
    shortest: f64,
    longest: f64,
    off_line: f64,
}

/// One slice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoundSlice {
    /// What `--slices` takes, counted from 0.
    pub number: usize,
    /// Millimetres along the normal of the slices.
    pub place_mm: f64,
    /// DICOM's InstanceNumber, which a PACS shows.
    pub instance: Option<i64>,
    /// Its frame in a file of several, counted from 1.
    pub frame: Option<usize>,
    /// Whether the network was run on it; null where none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segmented: Option<bool>,
}

/// A file that was not read. The screen shows where it lies; a report, which may leave the house, its own name alone,
/// because folders are often named after a patient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoundAside {
    #[serde(serialize_with = "without_folders")]
    file: String,
    reason: String,
}

fn without_folders<S: serde::Serializer>(file: &str, to: S) -> Result<S::Ok, S::Error> {
    let name = Path::new(file).file_name().map_or(file.into(), |name| name.to_string_lossy());
    to.serialize_str(&name)
}

impl FoundSlice {
    fn of(fact: &SliceFact) -> Self {
        let &SliceFact { number, place_mm, instance, frame } = fact;
        Self { number, place_mm, instance, frame, segmented: None }
    }

    /// Place and the numbers by which others know it.
    pub fn words(&self) -> String {
        let mut words = format!("{:.1} mm", self.place_mm);
        if let Some(instance) = self.instance {
            words += &format!(", instance {instance}");
        }
        if let Some(frame) = self.frame {
            words += &format!(", frame {frame}");
        }
        words
    }
}

impl Found {
    fn of(facts: Facts) -> Self {
        let left_aside = facts
            .left_aside
            .iter()
            .map(|left| FoundAside { file: left.path.display().to_string(), reason: left.reason.clone() });
        Self {
            form: if facts.is_volume { "volume" } else { "picture" }.into(),
            size: facts.size.to_vec(),
            kind: Some(facts.kind.to_string()),
            kind_known_by: Some(facts.kind_known_by.to_string()),
            modality: facts.modality,
            axes: facts.axes,
            spacing_mm: facts.spacing_mm,
            grid: facts.grid,
            steps_mm: facts.steps.map(|steps| FoundSteps {
                mean: steps.mean_mm,
                shortest: steps.shortest_mm,
                longest: steps.longest_mm,
                off_line: steps.off_line_mm,
            }),
            files_read: facts.files_read,
            left_aside: left_aside.collect(),
            ..Self::default()
        }
    }

    /// Marks the slices on which the network was run.
    pub fn mark(&mut self, which: &[usize]) {
        for slice in &mut self.slices {
            slice.segmented = Some(which.contains(&slice.number));
        }
    }

    /// Millilitres of one voxel, where the grid has millimetres.
    pub fn voxel_ml(&self) -> Option<f64> {
        let [[a, b, c, _], [d, e, f, _], [g, h, i, _]] = self.grid?;
        Some((a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)).abs() / 1000.0)
    }

    /// Everything that was found and assumed, a line each.
    pub fn lines(&self) -> Vec<String> {
        let size: Vec<String> = self.size.iter().map(ToString::to_string).collect();
        let mut what = format!("{} of {}", self.form, size.join(" x "));
        if let Some([x, y, z]) = self.spacing_mm {
            what += &format!(" voxels, {x:.4} x {y:.4} x {z:.4} mm each");
        }
        if self.form == "volume" {
            let unknown = "axes not known: as stored".to_string();
            what += &format!(", {}", self.axes.as_ref().map_or(unknown, |axes| format!("axes {axes}")));
        }
        if self.form != "tensor" {
            let modality = self.modality.as_deref().unwrap_or("not said by the file");
            what += &format!(", modality {modality}, {} file(s)", self.files_read);
        }
        let mut lines = vec![format!("read: {what}")];
        if let (Some(kind), Some(by)) = (&self.kind, &self.kind_known_by) {
            lines.push(format!("grey values: {kind} ({by})"));
        }
        if let Some(steps) = &self.steps_mm {
            lines.push(format!(
                "steps between slices: {:.3} mm on average, {:.3} to {:.3} mm, at most {:.3} mm off their line",
                steps.mean, steps.shortest, steps.longest, steps.off_line
            ));
        }
        lines
            .extend(self.left_aside.iter().map(|left| format!("left aside: {}: {}", left.file, left.reason)));
        lines.extend(self.run_on());
        lines
            .extend(self.clamped.filter(|clamped| clamped.count() > 0).map(|clamped| clamped_line(&clamped)));
        lines
    }

    /// On which slices the network was run, when that is known.
    fn run_on(&self) -> Option<String> {
        let axis = self.axis.as_deref()?;
        let run: Vec<&FoundSlice> =
            self.slices.iter().filter(|slice| slice.segmented == Some(true)).collect();
        let (first, last) = (run.first()?, run.last()?);
        let numbers: Vec<usize> = run.iter().map(|slice| slice.number).collect();
        let places = match run.len() {
            1 => first.words(),
            _ => format!("{} to {}", first.words(), last.words()),
        };
        Some(format!(
            "run on {} of {} {axis} slices: {} ({places})",
            run.len(),
            self.slices.len(),
            listed(&numbers)
        ))
    }
}

/// Clamped values in words, loud where they are many.
fn clamped_line(clamped: &Clamped) -> String {
    let loud = "; WARNING: the model was made for other values, do not rely on this answer";
    format!("clamped: {clamped}{}", if clamped.is_much() { loud } else { "" })
}

fn scan_digest(scan: &Scan) -> String {
    let (voxels, size) = match scan {
        Scan::Volume(volume) => (volume.voxels(), volume.size()),
        Scan::Picture(picture) => {
            let (rows, columns) = picture.size();
            (picture.grey(), [columns, rows, 1])
        }
    };
    let mut hash = hasher(&size);
    match voxels {
        Voxels::U8(values) => {
            hash.update(b"u8").update(values);
        }
        Voxels::I16(values) => update(hash.update(b"i16"), values, |value| value.to_le_bytes()),
        Voxels::F32(values) => update(hash.update(b"f32"), values, |value| value.to_le_bytes()),
    }
    hex(hash.finalize().as_bytes())
}

fn tensor_digest(tensor: &Tensor) -> String {
    let mut hash = hasher(&tensor.shape);
    update(hash.update(b"f32"), &tensor.data, |value| value.to_le_bytes());
    hex(hash.finalize().as_bytes())
}

fn hasher(size: &[usize]) -> blake3::Hasher {
    let mut hash = blake3::Hasher::new_derive_key("blindscan 2026-11 grey values of an input");
    update(hash.update(&(size.len() as u64).to_le_bytes()), size, |extent| (extent as u64).to_le_bytes());
    hash
}

/// Adds numbers as bytes, many at a time.
fn update<T: Copy, const N: usize>(hash: &mut blake3::Hasher, values: &[T], bytes: impl Fn(T) -> [u8; N]) {
    for some in values.chunks(1 << 14) {
        hash.update(&some.iter().flat_map(|&value| bytes(value)).collect::<Vec<u8>>());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found() -> Found {
        let slice = |number| FoundSlice {
            number,
            place_mm: 5.0 * number as f64 - 300.0,
            instance: Some(6 - number as i64),
            frame: None,
            segmented: None,
        };
        Found {
            form: "volume".into(),
            size: vec![32, 24, 6],
            kind: Some("Hounsfield units".into()),
            kind_known_by: Some("a guess: air".into()),
            spacing_mm: Some([0.8, 0.8, 5.0]),
            grid: Some([[-0.8, 0.0, 0.0, 0.0], [0.0, -0.8, 0.0, 0.0], [0.0, 0.0, 5.0, 0.0]]),
            axis: Some("axial".into()),
            slices: (0..6).map(slice).collect(),
            left_aside: vec![FoundAside { file: "SR".into(), reason: "it holds no image".into() }],
            ..Found::default()
        }
    }

    #[test]
    fn every_assumption_has_a_line() {
        let mut found = found();
        found.mark(&[1, 2]);
        found.clamped = Some(Clamped { below: 0, above: 9, total: 100, range: (0.0, 1.0) });
        let text = found.lines().join("\n");
        for part in [
            "32 x 24 x 6",
            "axes not known",
            "modality not said",
            "Hounsfield units (a guess: air)",
            "left aside: SR: it holds no image",
            "run on 2 of 6 axial slices: 1, 2 (-295.0 mm, instance 5 to -290.0 mm, instance 4)",
            "clamped: 9 of 100",
            "WARNING: ",
        ] {
            assert!(text.contains(part), "{part} is missing in: {text}");
        }
        let unmarked = Found { slices: Vec::new(), clamped: None, ..found };
        assert!(!unmarked.lines().join("\n").contains("run on"));
    }

    #[test]
    fn a_report_names_a_file_left_aside_without_its_folders() {
        let mut found = found();
        found.left_aside[0].file = "DOE_JOHN/SR".into();
        assert!(found.lines().join("\n").contains("DOE_JOHN/SR"), "its owner finds the file");
        let report = serde_json::to_value(&found).unwrap();
        assert_eq!(report["left_aside"][0]["file"], "SR");
        assert!(!report.to_string().contains("DOE"));
    }

    #[test]
    fn a_voxel_has_the_volume_of_its_cell() {
        assert!((found().voxel_ml().unwrap() - 0.0032).abs() < 1e-12);
        assert!(Found::default().voxel_ml().is_none());
    }

    #[test]
    fn the_digest_follows_values_and_shape_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let of = |name: &str, shape: Vec<usize>, data: Vec<f32>| {
            let path = place.path().join(name);
            npy::write(&path, &Tensor { shape, data }).unwrap();
            Study::open(&path, None).unwrap().found(Axis::Axial).digest
        };
        let first = of("a.npy", vec![1, 2], vec![0.5, 1.5]);
        assert_eq!(first, of("b.npy", vec![1, 2], vec![0.5, 1.5]));
        assert_ne!(first, of("a.npy", vec![2, 1], vec![0.5, 1.5]));
        assert_ne!(first, of("a.npy", vec![1, 2], vec![0.5, 1.25]));
    }
}
