//! `report.json`: what a job did, in keys that other programs rely on, and the same as a table.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// What one job did.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    /// The model's name.
    pub(crate) model: String,
    /// Digest of the public plan, hexadecimal.
    pub(crate) plan_digest: String,
    /// The protocols, the rounding and the kind of oblivious transfer.
    pub(crate) suite: String,
    /// The kind of oblivious transfer that made the stock, `softspoken` or `ferret`; null for stock that was prepared.
    #[serde(default)]
    pub(crate) ot: Option<String>,
    /// Whether the answer equals the clear integer model's; null when there was nothing to compare with.
    pub(crate) equals_reference: Option<bool>,
    /// Values compared.
    pub(crate) values_total: Option<u64>,
    /// Values that were equal.
    pub(crate) values_equal: Option<u64>,
    /// Overlap of masks.
    pub(crate) dice: Dice,
    /// Wall time.
    pub(crate) seconds: Seconds,
    /// Payload bytes as this end counted them.
    pub(crate) bytes: PhaseBytes,
    /// Bytes on the socket above the payload: frames and TLS, both directions.
    pub(crate) overhead_bytes: u64,
    /// Times this end waited for an answer.
    pub(crate) turns: u64,
    /// Peak resident memory of this process.
    pub(crate) peak_memory_bytes: u64,
    /// Processor time of this process.
    pub(crate) cpu_seconds: f64,
    /// Layer by layer.
    pub(crate) layers: Vec<LayerReport>,
    /// Slices or images done.
    pub(crate) images: u64,
    /// The class of each image, for classification.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) label: Option<u32>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) class: Option<String>,
    /// The logits, when the server's policy opens them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) logits: Option<Vec<f64>>,
    /// Every value of the answer, when they were asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) values: Option<Vec<i64>>,
    /// Files written.
    pub(crate) files: Vec<String>,
}

/// Dice coefficients; null when there was nothing to compare with.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Dice {
    /// Against the clear integer model.
    pub(crate) reference: Option<f64>,
    /// Against the float model.
    pub(crate) float: Option<f64>,
    /// Against the expert's mask.
    pub(crate) expert: Option<f64>,
}

/// Wall seconds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Seconds {
    /// Keys, base transfers and stock.
    pub(crate) offline: f64,
    /// From the input to the answer.
    pub(crate) online: f64,
    /// Everything from connecting to the written files.
    pub(crate) total: f64,
}

/// Payload bytes by phase.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct PhaseBytes {
    /// Offline, set-up included.
    pub(crate) offline: Ways,
    /// Online.
    pub(crate) online: Ways,
}

/// Payload bytes both ways.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ways {
    /// Sent by this end.
    pub(crate) sent: u64,
    /// Received by this end.
    pub(crate) received: u64,
}

/// One layer in one phase, summed over images.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct LayerReport {
    /// `offline` or `online`.
    pub(crate) phase: String,
    /// The layer's name in the model.
    pub(crate) name: String,
    /// What it does.
    pub(crate) kind: String,
    /// Wall seconds.
    pub(crate) seconds: f64,
    /// Bytes sent.
    pub(crate) sent: u64,
    /// Bytes received.
    pub(crate) received: u64,
    /// Turns.
    pub(crate) turns: u64,
}

impl LayerReport {
    /// Whether this layer took part in this phase.
    pub(crate) fn happened(&self) -> bool {
        self.seconds > 0.0 || self.sent + self.received > 0
    }
}

impl Report {
    /// Writes `report.json` into a folder, whole or not at all.
    pub(crate) fn write(&self, folder: &Path) -> Result<PathBuf> {
        let path = folder.join("report.json");
        let text = serde_json::to_vec_pretty(self)?;
        let written = tempfile::NamedTempFile::new_in(folder).and_then(|mut file| {
            file.write_all(&text)?;
            Ok(file.persist(&path)?)
        });
        written.with_context(|| format!("{} could not be written", path.display()))?;
        Ok(path)
    }

    /// The table that a person reads.
    pub(crate) fn table(&self) -> String {
        use std::fmt::Write;
        let mut text = String::new();
        let mb = |bytes: u64| bytes as f64 / 1e6;
        let _ =
            writeln!(text, "{:<44} {:>9} {:>10} {:>10} {:>7}", "", "seconds", "MB sent", "MB recv", "turns");
        for phase in ["offline", "online"] {
            for layer in self.layers.iter().filter(|layer| layer.phase == phase) {
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
        if let (Some(equal), Some(total), Some(same)) =
            (self.equals_reference, self.values_total, self.values_equal)
        {
            let word = if equal { "yes" } else { "NO" };
            let _ = writeln!(text, "equals the clear integer model: {word}, {same} of {total} values");
        }
        for (name, value) in [
            ("the clear integer model", self.dice.reference),
            ("the float model", self.dice.float),
            ("the expert's mask", self.dice.expert),
        ] {
            if let Some(value) = value {
                let _ = writeln!(text, "Dice against {name}: {value:.4}");
            }
        }
        for file in &self.files {
            let _ = writeln!(text, "wrote {file}");
        }
        text
    }
}
