//! Grey values of more than 8 bits brought to 8 bits, by the rule that a network's card states.
//!
//! A detector gives 10 to 16 bits; networks were trained on what a viewer made of them. The rule says where black and
//! white lie; between them the values run in a straight line and are rounded to whole numbers from 0 to 255.

use std::fmt;

use blindscan_input_spec::ToEightBit;

use crate::ImagingError;
use crate::error::misfit;
use crate::kind::GreyKind;
use crate::scan::Scan;

/// Where black and white lie in one scan. The ends may be the patient's: `Debug` does not show them.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Rendering {
    low: f32,
    high: f32,
}

impl fmt::Debug for Rendering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rendering(not shown)")
    }
}

impl Rendering {
    /// The rendering of a scan, and a note that says how it was found; nothing for values that have 8 bits.
    pub(crate) fn of(scan: &Scan, rule: ToEightBit) -> Result<Option<(Rendering, String)>, ImagingError> {
        if scan.kind() == GreyKind::EightBit {
            return Ok(None);
        }
        let ([low, high], by) = match (rule, window(scan)) {
            (ToEightBit::Window { low, high }, _) => ([low, high], "the window of the network's card"),
            (ToEightBit::Voi { .. }, Some(window)) => (window, "the window that the file names"),
            (ToEightBit::Percentiles { low, high } | ToEightBit::Voi { low, high }, _) => {
                (percentiles(scan, [low, high]), "percentiles of its grey values")
            }
        };
        if low >= high {
            return Err(misfit(
                "a scan whose voxels are all equal".into(),
                "one with light and dark".into(),
                "check that the scan was exported completely",
            ));
        }
        let note = format!("its grey values have more than 8 bits: they were brought to 8 bits by {by}");
        Ok(Some((Rendering { low, high }, note)))
    }

    /// A whole number from 0 to 255.
    pub(crate) fn grey(self, value: f32) -> f32 {
        ((value - self.low) * (255.0 / (self.high - self.low))).round().clamp(0.0, 255.0)
    }
}

fn window(scan: &Scan) -> Option<[f32; 2]> {
    match scan {
        Scan::Picture(picture) => picture.window(),
        Scan::Volume(_) => None,
    }
}

/// The values of these ranks, of those that are no padding; each the nearest that occurs.
fn percentiles(scan: &Scan, ranks: [f32; 2]) -> [f32; 2] {
    let mut values: Vec<f32> = match scan {
        Scan::Volume(volume) => volume.shown().collect(),
        Scan::Picture(picture) => picture.shown().collect(),
    };
    if values.is_empty() {
        return [0.0; 2];
    }
    let last = (values.len() - 1) as f64;
    ranks.map(|rank| {
        let index = (f64::from(rank) / 100.0 * last).round() as usize;
        *values.select_nth_unstable_by(index, f32::total_cmp).1
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Picture, Voxels};

    fn picture(values: Vec<f32>) -> Picture {
        Picture::new(1, values.len(), Voxels::compact(values), GreyKind::Other)
    }

    fn rendered(picture: Picture, rule: ToEightBit) -> (Vec<f32>, String) {
        let values: Vec<f32> = (0..picture.grey().len()).map(|i| picture.grey().get(i)).collect();
        let (rendering, note) = Rendering::of(&Scan::Picture(picture), rule).unwrap().unwrap();
        (values.into_iter().map(|v| rendering.grey(v)).collect(), note)
    }

    #[test]
    fn the_rule_says_where_black_and_white_lie() {
        let deep = || picture(vec![0.0, 1000.0, 2000.0, 3000.0, 4000.0]);
        let (grey, _) = rendered(deep(), ToEightBit::Window { low: 1000.0, high: 3000.0 });
        assert_eq!(grey, [0.0, 0.0, 128.0, 255.0, 255.0]);
        let (grey, note) = rendered(deep(), ToEightBit::Percentiles { low: 25.0, high: 100.0 });
        assert_eq!(grey, [0.0, 0.0, 85.0, 170.0, 255.0]);
        assert!(note.contains("percentiles"), "{note}");
    }

    #[test]
    fn the_files_window_goes_before_percentiles_and_padding_counts_in_none() {
        let voi = ToEightBit::Voi { low: 0.0, high: 100.0 };
        let deep = picture(vec![0.0, 1000.0, 3000.0]).with_window(Some([0.0, 2000.0]));
        let (grey, note) = rendered(deep, voi);
        assert_eq!(grey, [0.0, 128.0, 255.0]);
        assert!(note.contains("the file names"), "{note}");
        let padded = picture(vec![-9000.0, 1000.0, 3000.0]).with_padding(Some([-9000.0, -9000.0]));
        assert_eq!(rendered(padded, voi).0, [0.0, 0.0, 255.0]);
    }

    #[test]
    fn eight_bits_stay_as_they_are_and_an_even_scan_is_refused() {
        let voi = ToEightBit::Voi { low: 0.0, high: 100.0 };
        let eight = Picture::new(1, 2, Voxels::U8(vec![3, 9]), GreyKind::EightBit);
        assert_eq!(Rendering::of(&Scan::Picture(eight), voi).unwrap(), None);
        let even = Scan::Picture(picture(vec![700.0; 3]));
        assert!(Rendering::of(&even, voi).unwrap_err().to_string().contains("all equal"));
    }
}
