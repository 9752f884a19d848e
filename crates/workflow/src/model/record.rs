//! How a plan came about: said with it, and kept beside a saved plan for its owner's quality file.
//!
//! `plan.record.json` is the model owner's, as the weights are: it is never sent.

use std::path::Path;

use crate::error::{At, ModelError, Result};
use crate::files::write_whole;
use serde::{Deserialize, Serialize};

/// The file beside a saved plan.
const FILE: &str = "plan.record.json";
/// Ranges that were fitted to fewer samples are often left by others.
const SAMPLES_ADVISED: usize = 8;

/// How a plan came about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanRecord {
    /// The program's version.
    pub program: String,
    /// What ranges were fitted to.
    pub fitted_to: FittedTo,
    /// How many samples.
    pub samples: usize,
    /// BLAKE3 of the prepared samples, hexadecimal.
    pub samples_digest: String,
    /// Bits asked for, of activations.
    pub activation_bits: u32,
    /// Of the input.
    pub input_bits: u32,
    /// Of the weights.
    pub weight_bits: u32,
    /// Layers whose channels were equalised or folded, as sentences.
    pub changes: Vec<String>,
}

/// What ranges were fitted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FittedTo {
    /// Samples that the card or the command line names, or that lie beside the model.
    Samples,
    /// The very input that is compared.
    TheInput,
    /// Inputs that were made up, for none were given.
    Synthetic,
}

impl PlanRecord {
    /// What a person should know: sentences.
    pub fn notes(&self) -> Vec<String> {
        let few = self.samples < SAMPLES_ADVISED;
        let doubt = match self.fitted_to {
            FittedTo::Synthetic => Some(format!(
                "ranges were fitted to synthetic inputs, for no samples were given: real inputs may leave them; \
                 give {SAMPLES_ADVISED} or more real ones with --calibrate"
            )),
            FittedTo::TheInput => Some(format!(
                "ranges were fitted to the input itself: in service errors will be larger than here; \
                 give {SAMPLES_ADVISED} or more other inputs with --calibrate"
            )),
            FittedTo::Samples if few => Some(format!(
                "ranges were fitted to {} sample(s): others often leave them; give {SAMPLES_ADVISED} or more with --calibrate",
                self.samples
            )),
            FittedTo::Samples => None,
        };
        doubt.into_iter().chain(self.changes.iter().cloned()).collect()
    }

    /// Writes the record into a saved plan's folder, whole or not at all.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        write_whole(&path, &serde_json::to_vec_pretty(self)?)
    }

    /// Removes the record of another plan that was saved here before.
    pub fn remove(folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).at_place(|| format!("{} could not be removed", path.display()))
            }
            _ => Ok(()),
        }
    }

    /// The record of a saved plan; none where the folder has none.
    pub fn load(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read(&path).at(&path)?;
        serde_json::from_slice(&text).map(Some).map_err(|source| ModelError::NoRecord { path, source }.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(fitted_to: FittedTo, samples: usize) -> PlanRecord {
        PlanRecord {
            program: "0".into(),
            fitted_to,
            samples,
            samples_digest: "00".into(),
            activation_bits: 9,
            input_bits: 9,
            weight_bits: 12,
            changes: Vec::new(),
        }
    }

    #[test]
    fn few_synthetic_and_self_fitted_samples_are_said_and_enough_real_ones_are_not() {
        assert_eq!(record(FittedTo::Samples, 8).notes(), [""; 0]);
        let note = |fitted_to, samples| record(fitted_to, samples).notes().concat();
        assert!(note(FittedTo::Samples, 7).contains("7 sample(s)"));
        assert!(note(FittedTo::TheInput, 1).contains("the input itself"));
        assert!(note(FittedTo::Synthetic, 4).contains("synthetic"));
        let changed = PlanRecord { changes: vec!["a change".into()], ..record(FittedTo::Samples, 9) };
        assert_eq!(changed.notes(), ["a change"]);
    }

    #[test]
    fn a_record_is_kept_beside_its_plan_and_a_damaged_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(PlanRecord::load(folder.path()).unwrap(), None);
        let kept = record(FittedTo::Synthetic, 4);
        kept.save(folder.path()).unwrap();
        assert_eq!(PlanRecord::load(folder.path()).unwrap(), Some(kept));
        PlanRecord::remove(folder.path()).unwrap();
        assert_eq!(PlanRecord::load(folder.path()).unwrap(), None);
        PlanRecord::remove(folder.path()).unwrap();
        std::fs::write(folder.path().join(FILE), "{").unwrap();
        assert!(PlanRecord::load(folder.path()).unwrap_err().one_line().contains("make the plan again"));
    }
}
