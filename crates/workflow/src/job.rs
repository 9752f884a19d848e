//! The image owner's jobs: images of a source through a connection, watched, with a report.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::Scope;
use std::time::Instant;

use blindscan_graph::fixed::{self, Clamped};
use blindscan_inference::roles::Phase;
use blindscan_inference::stock::StockFolder;
use blindscan_inference::{AssignedPlan, OtKind, Output};
use blindscan_protocols::two_party::Party;
use blindscan_wire::Channel;
use blindscan_wire::fingerprint::Fingerprint;
use blindscan_wire::script::Seat;

use crate::canaries::{Canaries, Slot};
use crate::connection::Connection;
use crate::error::{At, Result, WorkflowError};
use crate::events::Events;
use crate::fit::FittedStudy;
use crate::random::random;
use crate::report::{CanaryReport, JobReport, LayerReport, SeatReport};
use crate::watch::{Watch, phase_bytes, turns};
use crate::{hex, machine, transfers};

/// What came of a job.
pub struct Finished {
    /// One answer per image.
    pub outputs: Vec<Output>,
    /// Time, bytes, memory.
    pub report: JobReport,
}

/// Runs images through the network, one after another: memory does not grow with their number.
pub fn run_images(
    connection: &mut Connection,
    source: &FittedStudy,
    which: &[usize],
    stock: Option<&StockFolder>,
    canaries: &Canaries,
    begun: Instant,
    events: &dyn Events,
) -> Result<Finished> {
    let phases: &[Phase] = if stock.is_some() { &[Phase::Online] } else { &[Phase::Offline, Phase::Online] };
    let kind = if stock.is_none() { Some(connection.settle()?) } else { None };
    let cost = connection.client.plan().cost(Party::ImageOwner, kind.unwrap_or_default());
    let mut watch = Watch::new(cost, which.len() + canaries.count(), phases, events);
    let mut outputs = Vec::with_capacity(which.len());
    let mut clamped = Clamped::default();
    let mut known = Vec::new();
    let batch = canaries.mixed(which, &mut random());
    let plan = connection.client.plan().plan().clone();
    std::thread::scope(|scope| -> Result<()> {
        let inputs = made_ahead(scope, &batch, |slot| match slot {
            Slot::Image(index) => {
                let (tensor, outside) = source.input(index, &plan)?;
                Ok((fixed::quantise_input(&plan, &tensor)?, outside))
            }
            Slot::Canary(number) => Ok((canaries.input(number).to_vec(), Clamped::default())),
        });
        for (position, &slot) in batch.iter().enumerate() {
            let Connection { client, channel, .. } = &mut *connection;
            let (input, outside) = inputs.recv().expect("an input is made for every place of the batch")?;
            clamped += outside;
            let output = match stock {
                Some(folder) => client.run_prepared(&input, folder, &mut watch, channel)?,
                None => client.run(&input, &mut watch, channel)?,
            };
            match slot {
                Slot::Image(_) => outputs.push(output),
                Slot::Canary(number) => known.push((position, number, output)),
            }
        }
        Ok(())
    })?;
    let mut report = report(connection, kind, watch, begun);
    report.images = outputs.len() as u64;
    report.canaries = canaries.judge(&known);
    report.untrusted = report.canaries.as_ref().and_then(CanaryReport::complaint);
    report.input = Some(source.found_of(which, clamped));
    report.card = Some(connection.client.plan().plan().input_spec.clone());
    report.notes = source.notes().to_vec();
    Ok(Finished { outputs, report })
}

/// Makes the inputs of a batch in their order, one ahead of the job that runs: no pause before a job tells what it is of.
fn made_ahead<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    batch: &'scope [Slot],
    make: impl Fn(Slot) -> Result<T> + Send + 'scope,
) -> Receiver<Result<T>> {
    let (ready, inputs) = sync_channel(1);
    scope.spawn(move || {
        for &slot in batch {
            // Nobody takes an input any more when a job has failed.
            if ready.send(make(slot)).is_err() {
                return;
            }
        }
    });
    inputs
}

/// Where the answers of a job go: into `out`, or into a folder in it that says that they are not to be trusted.
pub fn place(out: &Path, report: &JobReport) -> Result<PathBuf> {
    if report.untrusted.is_none() {
        return Ok(out.into());
    }
    let place = out.join("UNTRUSTED");
    std::fs::create_dir_all(&place).at(&place)?;
    Ok(place)
}

/// Refuses a job for which the prepared stock cannot suffice, before any of it is spent.
pub fn check_stock(stock: Option<&StockFolder>, images: usize) -> Result<()> {
    let Some(folder) = stock else { return Ok(()) };
    let unused = folder.unused()?.len();
    match unused == 0 || unused >= images {
        true => Ok(()),
        false => Err(WorkflowError::TooLittleStock { images, unused }),
    }
}

/// The report of what a connection has done; `kind` made its stock, unless that was there before.
pub fn report(connection: &Connection, kind: Option<OtKind>, watch: Watch<'_>, begun: Instant) -> JobReport {
    let (layers, images) = watch.finish();
    let seconds =
        |phase: &str| layers.iter().filter(|layer| layer.phase == phase).map(|layer| layer.seconds).sum();
    let traffic = connection.channel.traffic();
    let raw = connection.channel.raw_traffic();
    let plan = connection.client.plan();
    let mut report = JobReport {
        model: plan.plan().name.clone(),
        plan_digest: hex(&plan.digest()),
        suite: transfers::suite(plan.plan().suite, kind),
        seats: connection.seats.iter().map(|seat| seat_of(plan, seat)).collect(),
        ot: kind.map(|kind| transfers::name(kind).into()),
        bytes: phase_bytes(&layers),
        overhead_bytes: (raw.bytes_sent + raw.bytes_received)
            .saturating_sub(traffic.bytes_sent + traffic.bytes_received),
        turns: turns(&layers),
        images,
        ..JobReport::default()
    };
    report.seconds.offline = seconds("offline");
    report.seconds.online = seconds("online");
    report.layers = layers.into_iter().filter(LayerReport::happened).collect();
    close(&mut report, begun);
    report
}

fn seat_of(plan: &AssignedPlan, &(seat, fingerprint): &(Seat, Fingerprint)) -> SeatReport {
    let seats = plan.seats();
    let role = seats.iter().find(|(own, _)| *own == seat);
    let role = role.map_or_else(|| format!("seat {}", seat.0), |(_, role)| role.to_string());
    SeatReport { seat: seat.0, role, fingerprint: fingerprint.to_string() }
}

/// What is known only at the very end, and when the job began.
pub fn close(report: &mut JobReport, begun: Instant) {
    report.program = concat!("blindscan ", env!("CARGO_PKG_VERSION")).into();
    report.started = machine::utc_before(begun.elapsed());
    report.seconds.total = begun.elapsed().as_secs_f64();
    report.peak_memory_bytes = machine::peak_memory_bytes();
    report.cpu_seconds = machine::cpu_seconds();
}
