//! Resizing as Pillow's `Image.resize` does it, for networks that were trained behind it.
//!
//! Separable convolution: columns first, then rows; a pass is left out when its extent does not change. When shrinking,
//! the filter is stretched by the ratio (this is the antialiasing). 8-bit pixels take fixed-point weights of 22 fraction
//! bits and are rounded to 8 bits after *each* pass, which makes answers equal to Pillow's bit for bit; other pixels
//! are summed in double precision and kept as 32-bit floats between the passes.
//! Source: Pillow, `src/libImaging/Resample.c` (`precompute_coeffs`, `normalize_coeffs_8bpc`). Known answers:
//! `vectors/resize_pillow.txt`.

/// The kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// A triangle.
    Bilinear,
    /// Keys' cubic with a = -0.5: Pillow's default for grey images.
    Bicubic,
}

impl Filter {
    fn support(self) -> f64 {
        match self {
            Filter::Bilinear => 1.0,
            Filter::Bicubic => 2.0,
        }
    }

    fn weight(self, distance: f64) -> f64 {
        const A: f64 = -0.5;
        let x = distance.abs();
        match self {
            Filter::Bilinear if x < 1.0 => 1.0 - x,
            Filter::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
            Filter::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
            _ => 0.0,
        }
    }
}

/// Fraction bits of 8-bit weights: 32 less 8 for the pixel and 2 for overshoot.
const PRECISION_BITS: u32 = 32 - 8 - 2;

/// Resizes 8-bit pixels, given row by row.
///
/// # Panics
/// When the number of pixels is not rows x columns, or an extent is 0.
pub fn resize_8bit(pixels: &[u8], from: (usize, usize), to: (usize, usize), filter: Filter) -> Vec<u8> {
    resize(
        pixels,
        from,
        to,
        filter,
        &|taps: &Taps| {
            // Pillow rounds away from zero: half is added to positive, taken from negative weights, then truncated.
            let one = f64::from(1u32 << PRECISION_BITS);
            taps.weights
                .iter()
                .map(|&w| if w < 0.0 { (w * one - 0.5) as i64 } else { (w * one + 0.5) as i64 })
                .collect()
        },
        &|weights: &[i64], values: &mut dyn Iterator<Item = u8>| {
            let sum: i64 = weights.iter().zip(values).map(|(&w, v)| w * i64::from(v)).sum();
            ((sum + (1 << (PRECISION_BITS - 1))) >> PRECISION_BITS).clamp(0, 255) as u8
        },
    )
}

/// Resizes floats, given row by row.
///
/// # Panics
/// When the number of pixels is not rows x columns, or an extent is 0.
pub fn resize_float(pixels: &[f32], from: (usize, usize), to: (usize, usize), filter: Filter) -> Vec<f32> {
    resize(pixels, from, to, filter, &|taps: &Taps| taps.weights.clone(), &|weights: &[f64], values| {
        weights.iter().zip(values).map(|(&w, v)| w * f64::from(v)).sum::<f64>() as f32
    })
}

/// What makes one pixel of the answer: the first source pixel, and weights from there.
struct Taps {
    start: usize,
    weights: Vec<f64>,
}

fn taps(from: usize, to: usize, filter: Filter) -> Vec<Taps> {
    let scale = from as f64 / to as f64;
    let stretch = scale.max(1.0);
    let support = filter.support() * stretch;
    (0..to)
        .map(|position| {
            let centre = (position as f64 + 0.5) * scale;
            let start = (centre - support + 0.5).max(0.0) as usize;
            let end = ((centre + support + 0.5) as usize).min(from);
            let raw: Vec<f64> =
                (start..end).map(|x| filter.weight((x as f64 - centre + 0.5) * (1.0 / stretch))).collect();
            let sum: f64 = raw.iter().sum();
            Taps { start, weights: raw.into_iter().map(|w| if sum != 0.0 { w / sum } else { w }).collect() }
        })
        .collect()
}

type Prepare<'a, W> = &'a dyn Fn(&Taps) -> Vec<W>;
type Combine<'a, T, W> = &'a dyn Fn(&[W], &mut dyn Iterator<Item = T>) -> T;

fn resize<T: Copy, W>(
    pixels: &[T],
    from: (usize, usize),
    to: (usize, usize),
    filter: Filter,
    prepare: Prepare<'_, W>,
    combine: Combine<'_, T, W>,
) -> Vec<T> {
    let ((rows, columns), (rows_to, columns_to)) = (from, to);
    assert_eq!(pixels.len(), rows * columns, "an image has one value per pixel");
    assert!(rows > 0 && columns > 0 && rows_to > 0 && columns_to > 0, "no extent of an image is 0");
    let prepared = |from: usize, to: usize| -> Vec<(usize, Vec<W>)> {
        taps(from, to, filter).iter().map(|t| (t.start, prepare(t))).collect()
    };

    let mut wide = pixels.to_vec();
    if columns != columns_to {
        let kernel = prepared(columns, columns_to);
        wide = Vec::with_capacity(rows * columns_to);
        for row in pixels.chunks_exact(columns) {
            wide.extend(
                kernel.iter().map(|(start, weights)| combine(weights, &mut row[*start..].iter().copied())),
            );
        }
    }
    if rows == rows_to {
        return wide;
    }
    let mut answer = Vec::with_capacity(rows_to * columns_to);
    for (start, weights) in prepared(rows, rows_to) {
        for column in 0..columns_to {
            let below = wide[start * columns_to + column..].iter().step_by(columns_to).copied();
            answer.push(combine(&weights, &mut { below }));
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halving_by_the_triangle_is_the_known_filter() {
        // Support 2, weights 1/8, 3/8, 3/8, 1/8; at the edge the part that falls outside is left out: 3/7, 3/7, 1/7.
        assert_eq!(resize_8bit(&[0, 80, 160, 240], (1, 4), (1, 2), Filter::Bilinear), [57, 183]);
        let floats = resize_float(&[0.0, 80.0, 160.0, 240.0], (1, 4), (1, 2), Filter::Bilinear);
        assert!((floats[0] - 400.0 / 7.0).abs() < 1e-4 && (floats[1] - 1280.0 / 7.0).abs() < 1e-4);
    }

    #[test]
    fn doubling_by_the_triangle_takes_quarters() {
        assert_eq!(resize_8bit(&[0, 100], (2, 1), (4, 1), Filter::Bilinear), [0, 25, 75, 100]);
    }

    #[test]
    fn bicubic_overshoot_is_clipped_in_8_bits_and_kept_in_floats() {
        let step = [0u8, 0, 255, 255];
        let eight = resize_8bit(&step, (1, 4), (1, 8), Filter::Bicubic);
        assert!(eight.contains(&0) && eight.contains(&255));
        let floats = resize_float(&step.map(f32::from), (1, 4), (1, 8), Filter::Bicubic);
        assert!(floats.iter().any(|&v| v < 0.0) && floats.iter().any(|&v| v > 255.0));
    }

    #[test]
    fn the_same_size_and_an_even_grey_stay_as_they_are() {
        assert_eq!(resize_8bit(&[1, 2, 3, 4], (2, 2), (2, 2), Filter::Bicubic), [1, 2, 3, 4]);
        assert!(resize_8bit(&[93; 35], (5, 7), (3, 11), Filter::Bicubic).iter().all(|&v| v == 93));
    }

    /// A picture both languages can make: a linear congruential generator, its high byte.
    fn noise(seed: u32, count: usize) -> Vec<u8> {
        let mut state = seed;
        (0..count)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect()
    }

    #[test]
    fn answers_equal_pillows_bit_for_bit() {
        let vectors = include_str!("../../../vectors/resize_pillow.txt");
        let mut count = 0;
        for line in vectors.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let words: Vec<&str> = line.split(' ').collect();
            let n = |i: usize| words[i].parse::<usize>().unwrap();
            let filter = if words[1] == "bicubic" { Filter::Bicubic } else { Filter::Bilinear };
            let (from, to) = ((n(3), n(4)), (n(5), n(6)));
            let pixels = noise(n(2) as u32, from.0 * from.1);
            let answer = match words[0] {
                "L" => resize_8bit(&pixels, from, to, filter),
                "F" => {
                    let floats: Vec<f32> = pixels.iter().map(|&v| f32::from(v)).collect();
                    resize_float(&floats, from, to, filter).iter().flat_map(|v| v.to_le_bytes()).collect()
                }
                other => panic!("the vector file has an unknown mode {other}"),
            };
            let hex: String = answer.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, words[7], "{} {} {from:?} to {to:?}", words[0], words[1]);
            count += 1;
        }
        assert!(count >= 12, "only {count} vectors were found");
    }
}
