//! Files of the shared folder, for tests that are ignored where it is missing.

use std::io::Read;
use std::path::{Path, PathBuf};

use blindscan_graph::ir::{Graph, Tensor};
use blindscan_graph::onnx;

/// The shared folder, which lies beside the repository.
pub(crate) fn shared() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")).to_path_buf()
}

/// A model of a file.
pub(crate) fn graph(path: &Path) -> Graph {
    onnx::read(path, &onnx::Options::default())
        .and_then(onnx::Import::into_graph)
        .expect("the model is supported")
}

/// A volume of a `.nii.gz` file: extents (x, y, z), and its values, x fastest.
pub(crate) struct Volume {
    pub(crate) extents: [usize; 3],
    pub(crate) values: Vec<f32>,
}

/// Reads the little-endian single-file NIfTI-1 volumes of 8, 16 or 32 bits that the data set consists of.
pub(crate) fn volume(path: &Path) -> Volume {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
    let short = |at: usize| i16::from_le_bytes([bytes[at], bytes[at + 1]]);
    let float = |at: usize| f32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let extents = [42, 44, 46].map(|at| short(at) as usize);
    let (slope, intercept) = (float(112), float(116));
    let slope = if slope == 0.0 || !slope.is_finite() { 1.0 } else { slope };
    let body = &bytes[float(108) as usize..];
    let raw: Vec<f32> = match short(70) {
        2 => body.iter().map(|&b| f32::from(b)).collect(),
        4 => body.chunks_exact(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]]))).collect(),
        16 => body.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect(),
        64 => body.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap()) as f32).collect(),
        other => panic!("data type {other}"),
    };
    let count = extents.iter().product();
    Volume { extents, values: raw[..count].iter().map(|x| x * slope + intercept).collect() }
}

impl Volume {
    /// All values brought to 0..1 by the smallest and largest of the volume.
    pub(crate) fn min_max(mut self) -> Self {
        let (low, high) = self.values.iter().fold((f32::MAX, f32::MIN), |(l, h), &x| (l.min(x), h.max(x)));
        self.values.iter_mut().for_each(|x| *x = (*x - low) / (high - low));
        self
    }

    /// The slices at `offsets` from slice `z` as channels, zeros outside.
    pub(crate) fn slices(&self, z: usize, offsets: &[i64]) -> Tensor {
        let [columns, rows, depth] = self.extents;
        let mut data = Vec::with_capacity(offsets.len() * rows * columns);
        for offset in offsets {
            let at = z as i64 + offset;
            if (0..depth as i64).contains(&at) {
                data.extend_from_slice(&self.values[at as usize * rows * columns..][..rows * columns]);
            } else {
                data.resize(data.len() + rows * columns, 0.0);
            }
        }
        Tensor { shape: vec![1, offsets.len(), rows, columns], data }
    }
}
