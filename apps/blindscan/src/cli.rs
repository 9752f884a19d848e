//! The command line: what can be asked, in the words of the help page.

mod shared;

use std::path::PathBuf;

use blindscan_imaging::GreyKind;
use blindscan_session::PlanDigest;
use blindscan_wire::fingerprint::Fingerprint;
use clap::{Args, Parser, Subcommand};

pub(crate) use shared::{CanaryArgs, ImportArgs, MakingArgs, Ot, ServerArgs, StudyArgs};

/// Where a client's identity is unless the command line says so.
pub(crate) const CLIENT_KEYS: &str = "blindscan-keys";
/// Where a server's is.
pub(crate) const SERVER_KEYS: &str = "blindscan-server-keys";

/// Runs a vendor's network on a hospital's scan so that neither sees the other's.
#[derive(Debug, Parser)]
#[command(name = "blindscan", version, about, max_term_width = 110)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Segment the bundled CT slice blind, with two processes on this machine
    Demo(DemoArgs),
    /// Say of every node of an ONNX model whether it can be run, and what to do where it cannot
    Check(CheckArgs),
    /// Turn an ONNX model into its integer plan, print it, and save it with --out
    Plan(PlanArgs),
    /// Say what a model will cost, before anything runs
    Estimate(EstimateArgs),
    /// Hold float, integer and private evaluation side by side on one input
    Compare(CompareArgs),
    /// Make the identity of a client or a server
    Keys(KeysArgs),
    /// Serve a model (the model owner's side)
    Serve(ServeArgs),
    /// Do the offline phase ahead of time (the image owner's side)
    Prepare(PrepareArgs),
    /// Say what a scan is, and whether it fits a model, without sending anything (the image owner's side)
    Look(LookArgs),
    /// Segment slices of a scan (the image owner's side)
    Segment(SegmentArgs),
    /// Classify one image (the image owner's side)
    Classify(ClassifyArgs),
    /// Time the workloads of a folder, both parties as two processes
    Bench(BenchArgs),
    /// Note the answers of a folder of images, for `--canaries` of segment and classify
    Canaries(CanariesArgs),
    /// List the clients that have failed consistency checks, or let one in again (the model owner's side)
    Clients(PeersArgs),
    /// List the servers that have failed consistency checks, or trust one again (the image owner's side)
    Servers(PeersArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Where mask.nii.gz, covered.nii.gz, overlay.png and report.json go
    #[arg(long, default_value = "blindscan-demo")]
    pub(crate) out: PathBuf,
    /// The folder with the demo's scan and model (default: demo/covid-ct of a checkout)
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data: Option<PathBuf>,
    /// Slice of the scan, counted from 0
    #[arg(long)]
    pub(crate) slice: Option<usize>,
    /// Which oblivious transfers make the stock
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) ot: Ot,
    /// Print each layer too
    #[arg(long)]
    pub(crate) layers: bool,
    /// Print the report as JSON instead
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 accepted, so plan, estimate and serve take the model too; 3 refused; 1 it cannot be read; 2 the command line is wrong."
)]
pub(crate) struct CheckArgs {
    /// The model
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) import: ImportArgs,
    /// Print every node, not only what stands in the way
    #[arg(long)]
    pub(crate) all: bool,
    /// Print JSON: the same, with every node
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// The model
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) options: MakingArgs,
    /// Folder for the saved plan (plan.public may be given away, plan.weights may not)
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct EstimateArgs {
    /// The model, or a folder with a saved plan
    #[arg(required_unless_present = "server")]
    pub(crate) model: Option<PathBuf>,
    /// Ask a server for its public plan instead: its join line
    #[arg(long, conflicts_with = "model")]
    pub(crate) server: Option<String>,
    /// Folder of this client's identity, for --server
    #[arg(long)]
    pub(crate) keys: Option<PathBuf>,
    /// The link: bandwidth and round trip, such as 1gbit:1ms
    #[arg(long, default_value = "10gbit:0.1ms")]
    pub(crate) link: String,
    /// Which oblivious transfers make the stock
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) ot: Ot,
    /// How many images or slices on one connection
    #[arg(long, default_value_t = 1)]
    pub(crate) images: u64,
    /// Print each layer too
    #[arg(long)]
    pub(crate) layers: bool,
    /// Measure this machine's speed first (some seconds) instead of assuming one
    #[arg(long)]
    pub(crate) calibrate_machine: bool,
    #[command(flatten)]
    pub(crate) options: MakingArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// The model, or a folder with a saved plan
    pub(crate) model: PathBuf,
    /// An image, a scan, a .npy file, or a folder of them: a line each, and a summary
    pub(crate) input: PathBuf,
    /// Slices of a scan, counted from 0: one (7), a range (5..9, the end not included), or all: a line each, and a summary
    #[arg(long, conflicts_with = "slice")]
    pub(crate) slices: Option<String>,
    /// File for the report as JSON: a line for each image, and a summary, not tensor by tensor
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Another framework's float answer, .npy
    #[arg(long)]
    pub(crate) expected: Option<PathBuf>,
    /// Run both parties too
    #[arg(long)]
    pub(crate) private: bool,
    /// Run them as two processes over TLS instead of in memory
    #[arg(long, requires = "private")]
    pub(crate) processes: bool,
    /// Slice of a scan, counted from 0 (default: the middle)
    #[arg(long)]
    pub(crate) slice: Option<usize>,
    /// What grey values mean, where the file does not say it or is wrong: hu, eight-bit or other
    #[arg(long)]
    pub(crate) unit: Option<GreyKind>,
    /// Which oblivious transfers make the stock
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) ot: Ot,
    #[command(flatten)]
    pub(crate) options: MakingArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    pub(crate) action: KeysAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysAction {
    /// Make a new identity and print its fingerprint
    New {
        /// Folder for it
        #[arg(long, default_value = "blindscan-keys")]
        dir: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the fingerprint of an identity
    Show {
        /// Folder of it
        #[arg(long, default_value = "blindscan-keys")]
        dir: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct PeersArgs {
    #[command(subcommand)]
    pub(crate) action: PeersAction,
    /// Folder of the own identity (default: that of `serve`, or of a client)
    #[arg(long, global = true)]
    pub(crate) keys: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PeersAction {
    /// Print them, with how many checks each has failed
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Forget the failed checks of one, so that it is no longer refused; exit code 3 when it had none
    Lift {
        /// Its fingerprint
        fingerprint: Fingerprint,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The model, or a folder with a saved plan
    #[arg(long)]
    pub(crate) model: PathBuf,
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:7443")]
    pub(crate) listen: String,
    /// The host name that clients use, for the join line (default: the address, or this machine's name when all addresses are listened on)
    #[arg(long)]
    pub(crate) host: Option<String>,
    /// The clients that may come: a file of names and fingerprints
    #[arg(long)]
    pub(crate) clients: Option<PathBuf>,
    /// Enrol one new client: puts a one-time secret into the join line (needs --clients)
    #[arg(long, requires = "clients")]
    pub(crate) enrol: bool,
    /// Folder of this server's identity, of the keys of its stock and of the count of failed checks; made when absent
    #[arg(long, default_value = SERVER_KEYS)]
    pub(crate) keys: PathBuf,
    /// Folder for prepared stock
    #[arg(long, default_value = "blindscan-server-stock")]
    pub(crate) stock: PathBuf,
    /// Clients served at the same time
    #[arg(long, default_value_t = 4)]
    pub(crate) clients_max: usize,
    /// Seconds that a wait for the client may take
    #[arg(long, default_value_t = 120)]
    pub(crate) deadline: u64,
    #[command(flatten)]
    pub(crate) options: MakingArgs,
    /// Print events as JSON lines
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CanariesArgs {
    /// Folder of images; answers.json is written into it
    pub(crate) set: PathBuf,
    /// Take the answers from the clear integer form of this model, or of a saved plan, which must be the plan that is served
    #[arg(long, required_unless_present = "server")]
    pub(crate) model: Option<PathBuf>,
    /// Take the answers from a server that is trusted today: its join line, or @FILE that holds it
    #[arg(long, conflicts_with = "model")]
    pub(crate) server: Option<String>,
    /// Slices of scans, as for `segment` (default: the middle one of each)
    #[arg(long)]
    pub(crate) slices: Option<String>,
    /// Folder of this client's identity, for --server
    #[arg(long, default_value = CLIENT_KEYS)]
    pub(crate) keys: PathBuf,
    /// Digest of the plan that was agreed on
    #[arg(long, value_name = "HEX")]
    pub(crate) plan_digest: Option<PlanDigest>,
    /// Seconds that a wait for the server may take
    #[arg(long, default_value_t = 120)]
    pub(crate) deadline: u64,
    /// Which oblivious transfers make the stock
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) ot: Ot,
    #[command(flatten)]
    pub(crate) options: MakingArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PrepareArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// How many images to prepare for, canaries included
    #[arg(long, default_value_t = 1)]
    pub(crate) count: usize,
    /// Folder for the stock
    #[arg(long)]
    pub(crate) stock: PathBuf,
    /// Print each layer too
    #[arg(long)]
    pub(crate) layers: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 the scan fits (or there was no card to judge it by); 3 it does not fit; 1 it cannot be read; 2 the command line is wrong."
)]
pub(crate) struct LookArgs {
    /// A NIfTI file, a DICOM file or folder, an image, or a .npy file
    pub(crate) study: PathBuf,
    #[command(flatten)]
    pub(crate) options: StudyArgs,
    /// Judge by what this server sent at an earlier connection: its join line, or @FILE that holds it; nothing is sent
    #[arg(long, conflicts_with = "card")]
    pub(crate) server: Option<String>,
    /// Folder of this client's identity, where cards of servers are kept
    #[arg(long, default_value = "blindscan-keys")]
    pub(crate) keys: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SegmentArgs {
    /// A NIfTI file, a DICOM folder, or an image
    pub(crate) scan: PathBuf,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) canaries: CanaryArgs,
    #[command(flatten)]
    pub(crate) study: StudyArgs,
    /// Where mask.nii.gz (or mask.png), overlay.png and report.json go; for some slices only, covered.nii.gz says which
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// Slices, counted from 0: all, or a list of slices and ranges, such as 3,7..20,30..60:5 (ends not included, steps of 5)
    #[arg(long, default_value = "all")]
    pub(crate) slices: String,
    /// Use what `prepare` made
    #[arg(long)]
    pub(crate) stock: Option<PathBuf>,
    /// Compare with the clear integer answer of this model (which only its owner has)
    #[arg(long)]
    pub(crate) reference: Option<PathBuf>,
    /// Compare with an expert's mask
    #[arg(long)]
    pub(crate) expert: Option<PathBuf>,
    /// Print each layer too
    #[arg(long)]
    pub(crate) layers: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ClassifyArgs {
    /// An image, or a .npy file for models of tensors
    pub(crate) image: PathBuf,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) canaries: CanaryArgs,
    #[command(flatten)]
    pub(crate) study: StudyArgs,
    /// Slice of a scan of several, counted from 0
    #[arg(long)]
    pub(crate) slice: Option<usize>,
    /// Where report.json goes
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
    /// Use what `prepare` made
    #[arg(long)]
    pub(crate) stock: Option<PathBuf>,
    /// Compare with the clear integer answer of this model (which only its owner has)
    #[arg(long)]
    pub(crate) reference: Option<PathBuf>,
    /// Put every value of the answer into the report
    #[arg(long)]
    pub(crate) values: bool,
    /// Print each layer too
    #[arg(long)]
    pub(crate) layers: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// ONNX models, each with NAME.in.npy beside it where it has one
    #[arg(required = true)]
    pub(crate) models: Vec<PathBuf>,
    /// Put a slow link between the two, such as 100mbit:40ms
    #[arg(long)]
    pub(crate) link: Option<String>,
    /// Which oblivious transfers make the stock
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) ot: Ot,
    /// Print each layer too
    #[arg(long)]
    pub(crate) layers: bool,
    #[command(flatten)]
    pub(crate) options: MakingArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
