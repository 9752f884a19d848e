//! `segment`: slices of a scan in, a mask on the scan's own grid out.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use blindscan_graph::plan::PublicPlan;
use blindscan_imaging::geometry::PlaneIndex;
use blindscan_imaging::{
    GreyPlane, LabelPlane, Mask, Request, Scan, Slicing, dice, overlay_png, read_mask, write_mask,
    write_picture_mask,
};

use super::{Outcome, print_json};
use crate::cli::SegmentArgs;
use crate::connection::{Connection, connect, stock};
use crate::input::{Source, selection};
use crate::job::{self, run_images};
use crate::reference;
use crate::report::Report;

pub(crate) fn run(args: &SegmentArgs) -> Result<Outcome> {
    let begun = Instant::now();
    let stock = args.stock.as_deref().map(|folder| stock(folder, &args.server)).transpose()?;
    std::fs::create_dir_all(&args.out).with_context(|| format!("{}", args.out.display()))?;
    let mut connection = connect(&args.server)?;
    let plan = connection.client.plan().plan().clone();
    let source = Source::open(&args.scan, &plan)?;
    let (scan, request) =
        source.scan().context("segment wants a scan or an image; for tensors there is `classify`")?;
    let which = selection(&args.slices, source.count())?;
    let expert = args.expert.as_deref().map(read_mask).transpose()?;
    if let (Some(expert), Scan::Volume(volume)) = (&expert, scan) {
        expert.check_grid(volume)?;
    }
    let size = mask_size(&plan)?;

    let finished = run_images(&mut connection, &source, &which, stock.as_ref(), begun)?;
    let Connection { client, mut channel, .. } = connection;
    client.finish(&mut channel)?;

    let mut report = finished.report;
    let masks: Vec<LabelPlane> = finished
        .outputs
        .iter()
        .map(|output| LabelPlane::new(size.0, size.1, reference::labels(&plan, output)))
        .collect();
    write_files(scan, request, &which, &masks, &args.out, &mut report)?;
    if let Some(path) = &args.reference {
        reference::compare(path, &plan, &source, &which, &finished.outputs, &mut report)?;
    }
    if let Some(expert) = expert {
        report.dice.expert = Some(dice_of(scan, request, &which, &masks, &expert)?);
    }
    job::close(&mut report, begun);
    report.files.push(args.out.join("report.json").display().to_string());
    report.write(&args.out)?;
    if args.json {
        print_json(&report)?;
    } else {
        say_part!("{}", report.table());
    }
    Ok(if report.equals_reference == Some(false) { Outcome::No } else { Outcome::Done })
}

/// Rows and columns of the answer.
fn mask_size(plan: &PublicPlan) -> Result<(usize, usize)> {
    let mut shape = plan.tensors[plan.output].shape.clone();
    if let Some(axis) = plan.answer.class_axis {
        shape.remove(axis);
    }
    let spatial: Vec<usize> = shape.into_iter().filter(|&extent| extent > 1).collect();
    match spatial[..] {
        [rows, columns] => Ok((rows, columns)),
        _ => bail!("this server's model does not give masks; use `classify`"),
    }
}

/// mask.nii.gz or mask.png, and overlay.png of the slice with the largest area.
fn write_files(
    scan: &Scan,
    request: &Request,
    which: &[usize],
    masks: &[LabelPlane],
    out: &Path,
    report: &mut Report,
) -> Result<()> {
    let area = |mask: &LabelPlane| mask.labels().iter().filter(|&&label| label != 0).count();
    let shown = (0..masks.len()).max_by_key(|&index| area(&masks[index])).expect("at least one slice");
    let (mask_path, grey) = match scan {
        Scan::Volume(volume) => {
            let slicing = Slicing::new(volume, request.axis, request.in_plane);
            let mut mask = Mask::empty(volume);
            for (&index, plane) in which.iter().zip(masks) {
                mask.set_plane(&slicing, PlaneIndex(index), plane)?;
            }
            let path = out.join("mask.nii.gz");
            write_mask(volume, &mask, &path)?;
            (path, slicing.grey(volume, PlaneIndex(which[shown]))?)
        }
        Scan::Picture(picture) => {
            let path = out.join("mask.png");
            write_picture_mask(picture, &masks[0], &path)?;
            (path, GreyPlane::of_picture(picture))
        }
    };
    let overlay = out.join("overlay.png");
    overlay_png(&grey, &masks[shown], &overlay)?;
    report.files.extend([mask_path, overlay].map(|path| path.display().to_string()));
    Ok(())
}

/// The overlap with an expert's mask, over the slices that were asked for.
fn dice_of(
    scan: &Scan,
    request: &Request,
    which: &[usize],
    masks: &[LabelPlane],
    expert: &Mask,
) -> Result<f64> {
    let Scan::Volume(volume) = scan else {
        return Ok(dice(masks[0].labels(), expert.labels())?);
    };
    let slicing = Slicing::new(volume, request.axis, request.in_plane);
    let (rows, columns) = slicing.plane_size();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for (&index, mask) in which.iter().zip(masks) {
        ours.extend_from_slice(mask.resized(rows, columns).labels());
        theirs.extend_from_slice(expert.plane(&slicing, PlaneIndex(index))?.labels());
    }
    Ok(dice(&ours, &theirs)?)
}
