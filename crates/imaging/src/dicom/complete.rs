//! Signs that a series is not all that was made: slices lost at its ends, or thinned evenly, leave even steps behind.
//!
//! None is proof, because a PACS renumbers and a scanner reconstructs one acquisition twice: each becomes a note, and none a refusal.

use super::series::Slice;

/// A stated spacing that differs more from the mean step, as a share of it, is mentioned.
const STEP_SHARE: f64 = 0.05;

/// Notes on slices in their order along the stack, whose steps are `mean_mm` on average.
pub(crate) fn notes(slices: &[Slice], mean_mm: f64) -> Vec<String> {
    [numbers(slices), images(slices), spacing(slices, mean_mm)].into_iter().flatten().collect()
}

/// InstanceNumbers that do not run in steps of one, up or down. Frames of one file share theirs.
fn numbers(slices: &[Slice]) -> Option<String> {
    if slices.iter().any(|slice| slice.instance.frames.len() > 1) {
        return None;
    }
    let numbers: Vec<i64> = slices.iter().map(|slice| slice.instance.number).collect::<Option<_>>()?;
    let all_step = |by: i64| numbers.windows(2).all(|pair| pair[0].checked_add(by) == Some(pair[1]));
    (!all_step(1) && !all_step(-1)).then(|| {
        let (low, high) = (numbers.iter().min(), numbers.iter().max());
        format!(
            "its InstanceNumbers, from {} to {} for {} slices, do not run in steps of one along the stack: slices may be missing",
            low.unwrap_or(&0),
            high.unwrap_or(&0),
            numbers.len()
        )
    })
}

/// More ImagesInAcquisition than there are slices.
pub(crate) fn images(slices: &[Slice]) -> Option<String> {
    let stated = slices.iter().filter_map(|slice| slice.instance.images_in_acquisition).max()?;
    (stated > slices.len() as i64).then(|| {
        format!(
            "its ImagesInAcquisition is {stated}, but only {} slices are there: slices may be missing",
            slices.len()
        )
    })
}

/// A SpacingBetweenSlices unlike the steps.
fn spacing(slices: &[Slice], mean_mm: f64) -> Option<String> {
    let unlike = |mm: &f64| (mm - mean_mm).abs() > STEP_SHARE * mean_mm;
    let stated =
        slices.iter().filter_map(|slice| slice.frame().between_slices_mm).map(f64::abs).find(unlike)?;
    Some(format!(
        "its SpacingBetweenSlices is {stated:.2} mm, but its slices lie {mean_mm:.2} mm apart, which is taken: slices may be missing"
    ))
}
