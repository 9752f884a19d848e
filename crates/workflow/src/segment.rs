//! Slices of a scan in, a mask on the scan's own grid out.

use std::path::{Path, PathBuf};
use std::time::Instant;

use blindscan_graph::plan::PublicPlan;
use blindscan_imaging::geometry::PlaneIndex;
use blindscan_imaging::{
    GreyPlane, Mask, MaskWords, Patch, PatchLabels, Preparation, Scan, dice, overlay_png, read_mask,
    write_labelled_mask, write_mask, write_picture_mask,
};

use crate::canaries::{CanaryOptions, DrawnCanaries};
use crate::connection::{ServerOptions, connect, stock};
use crate::error::{InputError, Result};
use crate::events::Events;
use crate::fit::FittedStudy;
use crate::job::{self, run_images};
use crate::out::OutFolder;
use crate::random::random;
use crate::reference;
use crate::report::{ClassReport, JobReport};
use crate::slices::{listed, selection};
use crate::study::{Study, StudyOptions};

/// What is segmented, by whom, and what comes of it.
#[derive(Clone, Debug)]
pub struct SegmentOptions {
    /// Who segments.
    pub server: ServerOptions,
    /// How the scan is read and judged.
    pub study: StudyOptions,
    /// Images with known answers among the slices.
    pub canaries: CanaryOptions,
    /// Folder for the mask, the overlay and the report.
    pub out: PathBuf,
    /// Which slices, as [`selection`] reads them.
    pub slices: String,
    /// Folder of prepared stock.
    pub stock: Option<PathBuf>,
    /// The model, to compare with its clear integer answer.
    pub reference: Option<PathBuf>,
    /// An expert's mask, to compare with.
    pub expert: Option<PathBuf>,
}

/// Segments slices of a scan, and writes mask, overlay and report into the folder of answers.
pub fn segment(scan: &Path, options: &SegmentOptions, events: &dyn Events) -> Result<JobReport> {
    let begun = Instant::now();
    let server = &options.server;
    let stock = options.stock.as_deref().map(|folder| stock(folder, server)).transpose()?;
    let out = OutFolder::make(&options.out)?;
    let study = Study::before_connecting(scan, &options.study, server)?;
    let canaries = DrawnCanaries::draw(&options.canaries, &mut random())?;
    let expert = options.expert.as_deref().map(read_mask).transpose()?;
    let (mut connection, (job, canaries)) = connect(server, events)?.judged(|plan| {
        let canaries = canaries.fitted(plan)?;
        let job = Job::new(study, plan, &options.slices, expert.as_ref())?;
        job::check_stock(stock.as_ref(), job.which.len() + canaries.count())?;
        Ok((job, canaries))
    })?;
    let plan = connection.client.plan().plan().clone();

    let finished =
        run_images(&mut connection, &job.source, &job.which, stock.as_ref(), &canaries, begun, events)?;
    connection.leave()?;

    let mut report = finished.report;
    let place = job::place(out.path(), &report)?;
    let (rows, columns) = job.size;
    let masks: Vec<PatchLabels> = finished
        .outputs
        .iter()
        .map(|output| PatchLabels::plane(rows, columns, reference::labels(&plan, output)))
        .collect();
    let answer =
        MaskFiles { source: &job.source, which: &job.which, masks: &masks, names: &plan.answer.class_names };
    answer.write(&place, &mut report)?;
    if let Some(path) = &options.reference {
        reference::compare(path, &plan, &job.source, &job.which, &finished.outputs, &mut report, events)?;
    }
    if let (Some(expert), Some((scan, preparation))) = (expert, job.source.scan()) {
        report.dice.expert = Some(dice_of(scan, preparation, &job.which, &masks, &expert)?);
    }
    job::close(&mut report, begun);
    report.files.push(place.join("report.json").display().to_string());
    report.write(&place)?;
    Ok(report)
}

/// What is segmented: all that can be refused is refused when this is made.
struct Job {
    source: FittedStudy,
    which: Vec<usize>,
    /// Rows and columns of the answer.
    size: (usize, usize),
}

impl Job {
    fn new(study: Study, plan: &PublicPlan, slices: &str, expert: Option<&Mask>) -> Result<Self> {
        let source = FittedStudy::new(study, plan)?;
        let (scan, _) = source.scan().ok_or(InputError::NoScan)?;
        let which = selection(slices, source.count())?;
        if let (Some(expert), Scan::Volume(volume)) = (expert, scan) {
            expert.check_grid(volume)?;
        }
        Ok(Self { size: mask_size(plan)?, source, which })
    }
}

/// Rows and columns of the answer.
fn mask_size(plan: &PublicPlan) -> Result<(usize, usize)> {
    plan.mask_size().ok_or_else(|| InputError::NoMask.into())
}

/// The answer on the scan's own grid.
struct MaskFiles<'a> {
    source: &'a FittedStudy,
    which: &'a [usize],
    /// One for each of `which`.
    masks: &'a [PatchLabels],
    /// Names of the classes.
    names: &'a [String],
}

impl MaskFiles<'_> {
    /// mask.nii.gz or mask.png, overlay.png of the slice with the largest area, and where only some slices were segmented
    /// covered.nii.gz, which is 1 there. Counts what each class covers.
    fn write(&self, out: &Path, report: &mut JobReport) -> Result<()> {
        let (scan, preparation) = self.source.scan().expect("only scans are segmented");
        let area = |mask: &PatchLabels| mask.labels().iter().filter(|&&label| label != 0).count();
        let shown =
            (0..self.masks.len()).max_by_key(|&index| area(&self.masks[index])).expect("at least one slice");
        let mut files = Vec::new();
        let grey = match scan {
            Scan::Volume(volume) => {
                let patches: Vec<Patch> = self.which.iter().map(|&index| preparation.patch(index)).collect();
                let mut mask = Mask::empty(volume);
                for (patch, labels) in patches.iter().zip(self.masks) {
                    mask.lay(patch, labels)?;
                }
                let covered = Mask::coverage(volume, &patches)?;
                let ml = report.input.as_ref().and_then(|input| input.voxel_ml());
                report.classes = self.classes(covered_labels(&mask, &covered), ml);
                let whole = self.which.len() == preparation.patch_count();
                let description = match whole {
                    true => "blindscan mask, every slice segmented".to_string(),
                    false => format!("blindscan mask, segmented {} only", listed(self.which)),
                };
                let words = MaskWords { label_names: self.names, description: &description };
                files.push(out.join("mask.nii.gz"));
                write_labelled_mask(volume, &mask, &words, &files[0])?;
                if !whole {
                    files.push(out.join("covered.nii.gz"));
                    write_mask(volume, &covered, &files[1])?;
                    report.notes.push(
                        "only some slices were segmented: 0 in mask.nii.gz means \"nothing found\" where covered.nii.gz is 1, and \"not segmented\" elsewhere"
                            .into(),
                    );
                }
                preparation.grey(scan, PlaneIndex(self.which[shown]))?
            }
            Scan::Picture(picture) => {
                let (rows, columns) = picture.size();
                let on_picture = self.masks[0].resized(rows, columns);
                report.classes = self.classes(on_picture.labels().iter().copied(), None);
                files.push(out.join("mask.png"));
                write_picture_mask(picture, &self.masks[0], &files[0])?;
                GreyPlane::of_picture(picture)
            }
        };
        files.push(out.join("overlay.png"));
        overlay_png(&grey, &self.masks[shown], files.last().expect("just pushed"))?;
        report.files.extend(files.iter().map(|path| path.display().to_string()));
        Ok(())
    }

    /// What each class covers: those that have a name, and those that were found.
    fn classes(&self, labels: impl Iterator<Item = u8>, voxel_ml: Option<f64>) -> Vec<ClassReport> {
        let mut voxels = [0u64; 256];
        labels.for_each(|label| voxels[usize::from(label)] += 1);
        let known = (0..256).filter(|&label| voxels[label] > 0 || label < self.names.len());
        let class = |label: usize| ClassReport {
            label: label as u32,
            name: self.names.get(label).cloned(),
            voxels: voxels[label],
            ml: voxel_ml.map(|ml| ml * voxels[label] as f64),
        };
        known.map(class).collect()
    }
}

/// The labels of the voxels that were segmented.
fn covered_labels<'a>(mask: &'a Mask, covered: &'a Mask) -> impl Iterator<Item = u8> + 'a {
    let pairs = mask.labels().iter().zip(covered.labels());
    pairs.filter(|&(_, &covered)| covered == 1).map(|(&label, _)| label)
}

/// The overlap with an expert's mask, over the slices that were asked for.
fn dice_of(
    scan: &Scan,
    preparation: &Preparation,
    which: &[usize],
    masks: &[PatchLabels],
    expert: &Mask,
) -> Result<f64> {
    let Scan::Volume(_) = scan else {
        return Ok(dice(masks[0].labels(), expert.labels())?);
    };
    let (rows, columns) = preparation.slicing().plane_size();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for (&index, mask) in which.iter().zip(masks) {
        ours.extend_from_slice(mask.resized(rows, columns).labels());
        theirs.extend_from_slice(expert.cut(&preparation.patch(index))?.labels());
    }
    Ok(dice(&ours, &theirs)?)
}
