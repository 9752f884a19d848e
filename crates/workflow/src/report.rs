//! `report.json`: what a job found and did, in keys that other programs rely on, and the same on the screen.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use blindscan_graph::plan::InputSpec;
use serde::{Deserialize, Serialize};

use crate::study::Found;

/// What one job did.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// The model's name.
    pub model: String,
    /// Digest of the public plan, hexadecimal.
    pub plan_digest: String,
    /// The protocols, the rounding and the kind of oblivious transfer.
    pub suite: String,
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
    pub seconds: Seconds,
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
    /// How it went, for people.
    fn line(&self) -> String {
        format!("known answers: {} of {} right", self.right, self.asked)
    }

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
pub struct Seconds {
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

impl Report {
    /// Writes `report.json` into a folder, whole or not at all.
    pub fn write(&self, folder: &Path) -> Result<PathBuf> {
        let path = folder.join("report.json");
        let text = serde_json::to_vec_pretty(self)?;
        let written = tempfile::NamedTempFile::new_in(folder).and_then(|mut file| {
            file.write_all(&text)?;
            Ok(file.persist(&path)?)
        });
        written.with_context(|| format!("{} could not be written", path.display()))?;
        Ok(path)
    }

    /// What a person reads: the result, what was read and noticed, the totals; each layer too when asked.
    pub fn screen(&self, layers: bool) -> String {
        let mut lines: Vec<String> =
            self.untrusted.iter().map(|reason| format!("UNTRUSTED: {reason}")).collect();
        lines.extend(self.result_lines());
        lines.extend(self.canaries.iter().map(CanaryReport::line));
        lines.extend(self.proof_lines());
        lines.extend(self.files.iter().map(|file| format!("wrote {file}")));
        lines.extend(self.reading_lines());
        let text: String = lines.into_iter().map(|line| line + "\n").collect();
        text + &self.totals(layers)
    }

    /// What was read, assumed and noticed.
    pub fn reading_lines(&self) -> Vec<String> {
        let notes = self.notes.iter().map(|note| format!("note: {note}"));
        self.input.iter().flat_map(Found::lines).chain(notes).collect()
    }

    /// The answer.
    fn result_lines(&self) -> Vec<String> {
        let named = |name: &Option<String>| name.as_ref().map_or(String::new(), |name| format!(" {name}"));
        let mut lines = Vec::new();
        for class in &self.classes {
            let ml = class.ml.map_or(String::new(), |ml| format!(", {ml:.3} ml"));
            lines.push(format!("class {}{}: {} voxels{ml}", class.label, named(&class.name), class.voxels));
        }
        for (index, finding) in self.findings.iter().enumerate() {
            let word = if finding.present { "yes" } else { "no" };
            let probability = finding.probability.map_or(String::new(), |p| format!(" ({p:.4})"));
            lines.push(format!("finding {index}{}: {word}{probability}", named(&finding.name)));
        }
        if let Some(label) = self.label {
            let class = self.class.as_ref().map_or(String::new(), |class| format!(": {class}"));
            lines.push(format!("class {label}{class}"));
            if let Some(probabilities) = &self.probabilities {
                let all: Vec<String> = probabilities.iter().map(|p| format!("{p:.4}")).collect();
                lines.push(format!("probabilities: {}", all.join(", ")));
            }
        }
        if !lines.is_empty() {
            lines.push("for research, not for diagnosis".into());
        }
        lines
    }

    /// How the answer compares with references.
    fn proof_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let (Some(equal), Some(total), Some(same)) =
            (self.equals_reference, self.values_total, self.values_equal)
        {
            let word = if equal { "yes" } else { "NO" };
            lines.push(format!("equals the clear integer model: {word}, {same} of {total} values"));
        }
        for (name, value) in [
            ("the clear integer model", self.dice.reference),
            ("the float model", self.dice.float),
            ("the expert's mask", self.dice.expert),
        ] {
            lines.extend(value.map(|value| format!("Dice against {name}: {value:.4}")));
        }
        lines
    }

    /// Time and bytes of each phase, and of each layer when asked.
    pub fn totals(&self, layers: bool) -> String {
        use std::fmt::Write;
        let mut text = String::new();
        let mb = |bytes: u64| bytes as f64 / 1e6;
        let _ =
            writeln!(text, "{:<44} {:>9} {:>10} {:>10} {:>7}", "", "seconds", "MB sent", "MB recv", "turns");
        for phase in ["offline", "online"] {
            for layer in self.layers.iter().filter(|layer| layers && layer.phase == phase) {
                let name: String = format!("  {} {}", layer.kind, layer.name).chars().take(44).collect();
                let _ = writeln!(
                    text,
                    "{name:<44} {:>9.2} {:>10.3} {:>10.3} {:>7}",
                    layer.seconds,
                    mb(layer.sent),
                    mb(layer.received),
                    layer.turns
                );
            }
            let (seconds, ways) = match phase {
                "offline" => (self.seconds.offline, self.bytes.offline),
                _ => (self.seconds.online, self.bytes.online),
            };
            let turns: u64 =
                self.layers.iter().filter(|layer| layer.phase == phase).map(|layer| layer.turns).sum();
            let _ = writeln!(
                text,
                "{phase:<44} {seconds:>9.2} {:>10.3} {:>10.3} {turns:>7}",
                mb(ways.sent),
                mb(ways.received)
            );
        }
        let _ = writeln!(text, "{:<44} {:>9.2}", "total", self.seconds.total);
        let _ = writeln!(text, "plan digest {}", self.plan_digest);
        let _ = writeln!(
            text,
            "frames and TLS add {:.3} MB; peak memory {:.0} MB; processor {:.1} s",
            mb(self.overhead_bytes),
            mb(self.peak_memory_bytes),
            self.cpu_seconds
        );
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_comes_first_and_layers_when_asked() {
        let layer =
            LayerReport { phase: "online".into(), name: "conv7".into(), turns: 1, ..LayerReport::default() };
        let report = Report {
            classes: vec![
                ClassReport { label: 0, name: Some("background".into()), voxels: 900, ml: Some(2.88) },
                ClassReport { label: 1, name: None, voxels: 100, ml: None },
            ],
            findings: vec![FindingReport {
                name: Some("mass".into()),
                present: true,
                probability: Some(0.75),
            }],
            notes: vec!["the steps differ".into()],
            input: Some(Found { form: "picture".into(), ..Found::default() }),
            files: vec!["out/mask.nii.gz".into()],
            layers: vec![layer],
            ..Report::default()
        };
        let lines: Vec<String> = report.screen(false).lines().map(str::to_string).collect();
        assert_eq!(lines[0], "class 0 background: 900 voxels, 2.880 ml");
        assert_eq!(lines[1], "class 1: 100 voxels");
        assert_eq!(lines[2], "finding 0 mass: yes (0.7500)");
        let place = |part: &str| lines.iter().position(|line| line.contains(part)).unwrap();
        assert!(place("wrote") < place("read: picture") && place("read: picture") < place("note: the steps"));
        assert!(place("note: the steps") < place("offline"));
        assert!(!report.screen(false).contains("conv7") && report.screen(true).contains("conv7"));
    }
}
