//! How fast the widest layer of the unit of work is convolved modulo 2^32: 32 channels of 512x512 into 16, windows of 3x3.
//!
//! `cargo bench -p blindscan-arith --bench conv`. The best of some rounds: what is slower had company on the processor.

use std::hint::black_box;
use std::time::{Duration, Instant};

use blindscan_arith::conv::{LinearShape, convolve_wrapping};
use blindscan_arith::prg::Prg;

const ROUNDS: usize = 5;

fn main() {
    let shape = LinearShape {
        input_size: vec![512; 2],
        kernel: vec![3; 2],
        strides: vec![1; 2],
        dilations: vec![1; 2],
        pads_begin: vec![1; 2],
        pads_end: vec![1; 2],
        in_channels: 32,
        out_channels: 16,
        groups: 1,
        rows: 1,
    };
    let weights: Vec<i32> =
        Prg::new(1).words32(shape.weight_count()).iter().map(|word| (word & 0xff) as i32 - 128).collect();
    let input = Prg::new(2).words32(shape.input_count());
    let round = |_| {
        let start = Instant::now();
        black_box(convolve_wrapping(&shape, black_box(&weights), black_box(&input)));
        start.elapsed()
    };
    let best: Duration = (0..ROUNDS).map(round).min().expect("some rounds");
    let rate = shape.macs() as f64 / best.as_secs_f64() / 1e9;
    println!("{:.3} s, {rate:.1} thousand million multiplications a second", best.as_secs_f64());
}
