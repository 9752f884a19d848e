//! `report.json`: what a job found and did, in keys that other programs rely on, and the same on the screen.

use std::path::{Path, PathBuf};

use blindscan_graph::plan::InputSpec;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::files::write_whole;
use crate::study::Found;

/// What one job did.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct JobReport {
    /// The model's name.
    pub model: String,
    /// Digest of the public plan, hexadecimal.
    pub plan_digest: String,
    /// The protocols, the rounding and the kind of oblivious transfer.
    pub suite: String,
    /// Who took part; empty where both parties ran in one process.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub seats: Vec<SeatReport>,
    /// The kind of oblivious transfer that made the stock, `softspoken` or `ferret`; null for stock that was prepared.
    #[serde(default)]
    pub ot: Option<String>,
    /// Whether the answer equals the clear integer model's; null when there was nothing to compare with.
    pub equals_reference: Option<bool>,
    /// Values compared.
    pub values_total: Option<u64>,
    /// Values that were equal.
    pub values_equal: Option<u64>,
    /// Overlap of masks.
    pub dice: Dice,
    /// Wall time.
    pub seconds: WallSeconds,
    /// Payload bytes as this end counted them.
    pub bytes: PhaseBytes,
    /// Bytes on the socket above the payload: frames and TLS, both directions.
    pub overhead_bytes: u64,
    /// Times this end waited for an answer.
    pub turns: u64,
    /// Peak resident memory of this process.
    pub peak_memory_bytes: u64,
    /// Processor time of this process.
    pub cpu_seconds: f64,
    /// Layer by layer.
    pub layers: Vec<LayerReport>,
    /// Slices or images done.
    pub images: u64,
    /// The program and its version.
    #[serde(default)]
    pub program: String,
    /// When the job began, in UTC.
    #[serde(default)]
    pub started: String,
    /// What was read: kind, unit, grid, slices, files left aside, digest of the grey values.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub input: Option<Found>,
    /// What the model takes: the plan's input specification.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub card: Option<InputSpec>,
    /// What the reader and the preparation noticed and could live with.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Each class of a mask, over the slices that were segmented.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub classes: Vec<ClassReport>,
    /// Each finding of a model that answers yes or no to several.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub findings: Vec<FindingReport>,
    /// Probabilities by the model's own head, in the logits' order, when the server's policy opens the logits.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub probabilities: Option<Vec<f64>>,
    /// The class of each image, for classification.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub label: Option<u32>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub class: Option<String>,
    /// The logits, when the server's policy opens them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub logits: Option<Vec<f64>>,
    /// Every value of the answer, when they were asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub values: Option<Vec<i64>>,
    /// Files written.
    pub files: Vec<String>,
    /// What came of the images with known answers that were mixed in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub canaries: Option<CanaryReport>,
    /// Why the answers are not to be trusted; absent when nothing speaks against them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub untrusted: Option<String>,
}

/// One of those that took part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeatReport {
    /// Its number.
    pub seat: u8,
    /// What it has in this suite: `image owner` or `model owner`.
    pub role: String,
    /// The fingerprint of its certificate.
    pub fingerprint: String,
}

/// Images with known answers in a batch.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CanaryReport {
    /// How many were asked.
    pub asked: usize,
    /// How many were answered as was noted.
    pub right: usize,
    /// The others.
    pub wrong: Vec<WrongCanary>,
}

/// A known answer that did not come.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WrongCanary {
    /// The image's file in the set.
    pub file: String,
    /// Its slice.
    pub slice: usize,
    /// Its place in the batch, counted from 0.
    pub position: usize,
}

impl CanaryReport {
    /// Why the answers of the batch are not to be trusted.
    pub fn complaint(&self) -> Option<String> {
        let named = |wrong: &WrongCanary| format!("{} slice {}", wrong.file, wrong.slice);
        let wrong: Vec<String> = self.wrong.iter().map(named).collect();
        (!wrong.is_empty()).then(|| {
            format!(
                "{} of {} images with known answers were answered WRONGLY ({}): the server runs another model, or cheats, or one of the machines is broken. No answer of this batch is to be trusted; its files are in a folder UNTRUSTED. Do not tell the server by a program; ask its operator",
                wrong.len(),
                self.asked,
                wrong.join(", ")
            )
        })
    }
}

/// One class of a mask.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassReport {
    /// The mask's value.
    pub label: u32,
    /// The class's name, when the model names its classes.
    pub name: Option<String>,
    /// Voxels, or pixels of a picture, on the scan's own grid.
    pub voxels: u64,
    /// Their volume in millilitres, when the grid has millimetres.
    pub ml: Option<f64>,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FindingReport {
    /// Its name, when the model names its findings.
    pub name: Option<String>,
    /// Whether its logit is not negative.
    pub present: bool,
    /// By the model's sigmoid, when the server's policy opens the logits.
    pub probability: Option<f64>,
}

/// Dice coefficients; null when there was nothing to compare with.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Dice {
    /// Against the clear integer model.
    pub reference: Option<f64>,
    /// Against the float model.
    pub float: Option<f64>,
    /// Against the expert's mask.
    pub expert: Option<f64>,
}

/// Wall seconds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct WallSeconds {
    /// Keys, base transfers and stock.
    pub offline: f64,
    /// From the input to the answer.
    pub online: f64,
    /// Everything from connecting to the written files.
    pub total: f64,
}

/// Payload bytes by phase.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PhaseBytes {
    /// Offline, set-up included.
    pub offline: Ways,
    /// Online.
    pub online: Ways,
}

/// Payload bytes both ways.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Ways {
    /// Sent by this end.
    pub sent: u64,
    /// Received by this end.
    pub received: u64,
}

/// One layer in one phase, summed over images.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LayerReport {
    /// `offline` or `online`.
    pub phase: String,
    /// The layer's name in the model.
    pub name: String,
    /// What it does.
    pub kind: String,
    /// Wall seconds.
    pub seconds: f64,
    /// Bytes sent.
    pub sent: u64,
    /// Bytes received.
    pub received: u64,
    /// Turns.
    pub turns: u64,
}

impl LayerReport {
    /// Whether this layer took part in this phase.
    pub fn happened(&self) -> bool {
        self.seconds > 0.0 || self.sent + self.received > 0
    }
}

impl JobReport {
    /// Writes `report.json` into a folder, whole or not at all.
    pub fn write(&self, folder: &Path) -> Result<PathBuf> {
        let path = folder.join("report.json");
        write_whole(&path, &serde_json::to_vec_pretty(self)?)?;
        Ok(path)
    }
}
