//! Options that several commands share, and how the library takes them.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use blindscan_graph::onnx;
use blindscan_graph::plan::OutputPolicy;
use blindscan_imaging::GreyKind;
use blindscan_session::PlanDigest;
use blindscan_workflow::canaries::CanaryOptions;
use blindscan_workflow::connection::ServerOptions;
use blindscan_workflow::model::{self, PlanOptions};
use blindscan_workflow::study::StudyOptions;
use blindscan_workflow::transfers::OtChoice;
use clap::{Args, ValueEnum};

use super::CLIENT_KEYS;

/// What an ONNX file may leave open. Each may stand in the model's .toml too; the command line goes first.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ImportArgs {
    /// The input's shape, batch 1 included: 1x1x512x512, or NAME=1x1x512x512
    #[arg(long, value_name = "SHAPE")]
    pub(crate) shape: Option<String>,
    /// Extent of a named axis that the file leaves open: h=512 (may be repeated)
    #[arg(long = "dim", value_name = "NAME=EXTENT")]
    pub(crate) dims: Vec<String>,
    /// Which of several outputs is computed
    #[arg(long, value_name = "NAME")]
    pub(crate) output: Option<String>,
    /// The axis of the output along which classes are compared, counted from 0
    #[arg(long, value_name = "AXIS")]
    pub(crate) class_axis: Option<usize>,
}

impl ImportArgs {
    /// As the importer takes them.
    pub(crate) fn parsed(&self) -> Result<onnx::Options> {
        let (input_name, input_shape) = match &self.shape {
            Some(text) => parsed_shape(text).map(|(name, shape)| (name, Some(shape)))?,
            None => (None, None),
        };
        Ok(onnx::Options {
            input_name,
            input_shape,
            dimensions: self.dims.iter().map(|text| parsed_extent(text)).collect::<Result<_>>()?,
            output: self.output.clone(),
            class_axis: self.class_axis,
        })
    }
}

/// A shape, and the input's name where one stands before it.
fn parsed_shape(text: &str) -> Result<(Option<String>, Vec<usize>)> {
    let (name, extents) = match text.rsplit_once('=') {
        Some((name, extents)) => (Some(name.into()), extents),
        None => (None, text),
    };
    let shape: Option<Vec<usize>> =
        extents.split(['x', ',']).map(|extent| extent.parse().ok().filter(|&extent| extent > 0)).collect();
    let shape = shape.with_context(|| {
        format!("--shape takes extents, such as 1x1x512x512 or x=1x1x512x512; not {text}")
    })?;
    Ok((name, shape))
}

/// A named axis and its extent.
fn parsed_extent(text: &str) -> Result<(String, usize)> {
    let parsed = text.rsplit_once('=').and_then(|(name, extent)| Some((name, extent.parse().ok()?)));
    let (name, extent) =
        parsed.with_context(|| format!("--dim takes a name and an extent, such as h=512; not {text}"))?;
    Ok((name.into(), extent))
}

/// Which oblivious transfers make the stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ot {
    /// Ferret on links slower than 1 Gbit/s, else SoftSpoken
    Auto,
    /// For fast links: least work
    Softspoken,
    /// For slow links: fewest bytes
    Ferret,
}

impl Ot {
    /// As jobs take it.
    pub(crate) fn choice(self) -> OtChoice {
        match self {
            Self::Auto => OtChoice::Auto,
            Self::Softspoken => OtChoice::Softspoken,
            Self::Ferret => OtChoice::Ferret,
        }
    }
}

/// A choice of widths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AccuracyArg {
    /// Weights of 10 bits, activations and input of 9
    Fast,
    /// Weights of 12 bits, activations and input of 9
    Good,
    /// 12 bits for all
    Best,
}

/// How an ONNX model becomes integers.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct MakingArgs {
    #[command(flatten)]
    pub(crate) import: ImportArgs,
    /// Sample inputs on which ranges are measured: images, scans or .npy files (default: those of the model's .toml)
    #[arg(long = "calibrate", value_name = "FILE")]
    pub(crate) calibrate: Vec<PathBuf>,
    /// Widths of integers: fewest bytes, the default, or smallest errors; --*-bits go before it
    #[arg(long, value_enum)]
    pub(crate) accuracy: Option<AccuracyArg>,
    /// Bits of activations
    #[arg(long)]
    pub(crate) activation_bits: Option<u32>,
    /// Bits of the input
    #[arg(long)]
    pub(crate) input_bits: Option<u32>,
    /// Bits of weights (default 12); layers with small outputs get up to two more, none more than 16
    #[arg(long)]
    pub(crate) weight_bits: Option<u32>,
    /// Refuse every range that is only calibrated
    #[arg(long)]
    pub(crate) proven_only: bool,
    /// What the image owner gets, against the model's .toml: labels or logits
    #[arg(long)]
    pub(crate) policy: Option<String>,
}

impl MakingArgs {
    /// As models are loaded.
    pub(crate) fn parsed(&self) -> Result<PlanOptions> {
        Ok(PlanOptions {
            import: self.import.parsed()?,
            calibrate: self.calibrate.clone(),
            accuracy: self.accuracy.map(|accuracy| match accuracy {
                AccuracyArg::Fast => model::Accuracy::Fast,
                AccuracyArg::Good => model::Accuracy::Good,
                AccuracyArg::Best => model::Accuracy::Best,
            }),
            activation_bits: self.activation_bits,
            input_bits: self.input_bits,
            weight_bits: self.weight_bits,
            proven_only: self.proven_only,
            policy: match self.policy.as_deref() {
                None => None,
                Some("labels") => Some(OutputPolicy::Labels),
                Some("logits") => Some(OutputPolicy::Logits),
                Some(other) => bail!("--policy is labels or logits, not {other}"),
            },
        })
    }
}

/// How to reach a server.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServerArgs {
    /// The join line that the server printed, or @FILE that holds it
    #[arg(long)]
    pub(crate) server: String,
    /// Folder of this client's identity, of the keys of its stock and of the count of failed checks; made when absent
    #[arg(long, default_value = CLIENT_KEYS)]
    pub(crate) keys: PathBuf,
    /// Digest of the plan that was agreed on, as `plan`, `estimate` and `serve` print it: a server with another is left
    #[arg(long, value_name = "HEX")]
    pub(crate) plan_digest: Option<PlanDigest>,
    /// Seconds that a wait for the server may take
    #[arg(long, default_value_t = 120)]
    pub(crate) deadline: u64,
    /// Which oblivious transfers make the stock
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) ot: Ot,
}

impl ServerArgs {
    /// As connections take it.
    pub(crate) fn options(&self) -> ServerOptions {
        ServerOptions {
            server: self.server.clone(),
            keys: self.keys.clone(),
            plan_digest: self.plan_digest,
            deadline: Duration::from_secs(self.deadline),
            ot: self.ot.choice(),
        }
    }
}

/// Images with known answers in a batch.
#[derive(Clone, Debug, Args)]
pub(crate) struct CanaryArgs {
    /// Mix in so many images whose answers are known, at random positions: a server that cheats in a share c of its jobs is missed with probability (1-c)^N. Each costs a job, and with --stock a prepared stock. Exit code 4 when one is answered wrongly
    #[arg(long, value_name = "N", default_value_t = 0, requires = "canary_set")]
    pub(crate) canaries: usize,
    /// Folder of these images, with the answers that `blindscan canaries` has noted
    #[arg(long, value_name = "DIR", requires = "canaries")]
    pub(crate) canary_set: Option<PathBuf>,
}

impl CanaryArgs {
    /// As jobs take it.
    pub(crate) fn options(&self) -> CanaryOptions {
        CanaryOptions { count: self.canaries, set: self.canary_set.clone() }
    }
}

/// How a scan is read and judged.
#[derive(Clone, Debug, Args)]
pub(crate) struct StudyArgs {
    /// What grey values mean, where the file does not say it or is wrong: hu, eight-bit or other
    #[arg(long)]
    pub(crate) unit: Option<GreyKind>,
    /// A card that says what the model takes: the .toml beside a model, or one kept of a server
    #[arg(long, value_name = "FILE")]
    pub(crate) card: Option<PathBuf>,
}

impl StudyArgs {
    /// As scans are opened.
    pub(crate) fn options(&self) -> StudyOptions {
        StudyOptions { unit: self.unit, card: self.card.clone() }
    }
}
