//! Weights in a file beside the model: read from its own folder only, within bounds, and never through a link.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use blindscan_graph::float;
use blindscan_graph::ir::Tensor;
use blindscan_graph::onnx::proto::{StringStringEntryProto, TensorProto, data_type};
use blindscan_graph::onnx::{self, Options};

use super::builder::*;

/// A folder of its own for a test, gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("blindscan-beside-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A model that scales two numbers by a weight that is kept elsewhere, as `entries` say.
fn scaled(entries: &[(&str, &str)]) -> Model {
    let mut model = Model::new(&[1, 2]).node("Mul", &["x", "w"], "y", vec![]);
    let entry =
        |&(key, value): &(&str, &str)| StringStringEntryProto { key: key.into(), value: value.into() };
    model.graph_mut().initializer.push(TensorProto {
        name: "w".into(),
        dims: vec![2],
        data_type: data_type::FLOAT,
        data_location: 1,
        external_data: entries.iter().map(entry).collect(),
        ..TensorProto::default()
    });
    model
}

/// What comes of a model in a folder: the answer to (1, 1), or the problems.
fn read(folder: &Path, model: &Model) -> Result<Vec<f32>, String> {
    let path = folder.join("model.onnx");
    std::fs::write(&path, model.bytes()).unwrap();
    let import = onnx::read(&path, &Options::default()).unwrap();
    let problems = import.report.to_string();
    let graph = import.into_graph().map_err(|_| problems)?;
    let ones = Tensor { shape: vec![1, 2], data: vec![1.0; 2] };
    Ok(float::evaluate(&graph, &ones).unwrap().data)
}

fn weights() -> Vec<u8> {
    [7.0f32, 2.0, 3.0].iter().flat_map(|x| x.to_le_bytes()).collect()
}

#[test]
fn weights_are_read_at_their_offset() {
    let folder = Folder::new();
    std::fs::write(folder.path().join("model.onnx.data"), weights()).unwrap();
    let place = [("location", "model.onnx.data"), ("offset", "4"), ("length", "8"), ("checksum", "ab")];
    assert_eq!(read(folder.path(), &scaled(&place)).unwrap(), [2.0, 3.0]);
    assert_eq!(
        read(folder.path(), &scaled(&place[..1])).unwrap(),
        [7.0, 2.0],
        "offset and length are optional"
    );
}

#[test]
fn a_missing_file_is_one_problem_however_many_tensors_it_has() {
    let folder = Folder::new();
    let mut model = scaled(&[("location", "gone.data")]);
    let more = TensorProto { name: "more".into(), ..model.graph_mut().initializer[0].clone() };
    model.graph_mut().initializer.push(more);
    let problems = read(folder.path(), &model).unwrap_err();
    assert_eq!(problems.matches("gone.data").count(), 1, "{problems}");
    assert!(problems.contains("put both into one folder"), "{problems}");
}

#[test]
fn no_place_outside_the_folder_is_read() {
    let outer = Folder::new();
    let inner = outer.path().join("inner");
    std::fs::create_dir_all(inner.join("sub")).unwrap();
    for place in [outer.path().join("w.data"), inner.join("sub/w.data")] {
        std::fs::write(place, weights()).unwrap();
    }
    let absolute = outer.path().join("w.data").display().to_string();
    for name in [
        "../w.data",
        "sub/w.data",
        "./w.data",
        "sub\\w.data",
        "..",
        ".",
        "",
        "c:w.data",
        "w\0.data",
        &absolute,
    ] {
        let problems = read(&inner, &scaled(&[("location", name), ("length", "8")])).unwrap_err();
        assert!(problems.contains("only a file in its own folder"), "{name:?}: {problems}");
    }
}

#[cfg(unix)]
#[test]
fn a_link_and_a_folder_are_no_plain_files() {
    let folder = Folder::new();
    std::fs::write(folder.path().join("real.data"), weights()).unwrap();
    std::os::unix::fs::symlink(folder.path().join("real.data"), folder.path().join("link.data")).unwrap();
    std::fs::create_dir(folder.path().join("folder.data")).unwrap();
    for name in ["link.data", "folder.data"] {
        let problems = read(folder.path(), &scaled(&[("location", name)])).unwrap_err();
        assert!(problems.contains("no plain file of that name"), "{name}: {problems}");
    }
}

#[test]
fn offsets_and_lengths_beyond_the_file_are_refused() {
    let folder = Folder::new();
    std::fs::write(folder.path().join("w.data"), weights()).unwrap();
    for (offset, length) in [
        ("8", "8"),
        ("4", "12"),
        ("0", "4"),
        ("18446744073709551615", "8"),
        ("-4", "8"),
        ("0", "eight"),
        ("", "8"),
    ] {
        let place = [("location", "w.data"), ("offset", offset), ("length", length)];
        assert!(read(folder.path(), &scaled(&place)).is_err(), "{offset} {length}");
    }
}

#[test]
fn many_tensors_of_one_place_cannot_swell() {
    let folder = Folder::new();
    std::fs::write(folder.path().join("w.data"), vec![0; 1 << 24]).unwrap();
    let mut model = scaled(&[("location", "w.data")]);
    model.graph_mut().initializer[0].dims = vec![1 << 22];
    for copy in 0..64 {
        let more = TensorProto { name: format!("c{copy}"), ..model.graph_mut().initializer[0].clone() };
        model.graph_mut().initializer.push(more);
    }
    let problems = read(folder.path(), &model).unwrap_err();
    assert!(problems.contains("far larger than the file"), "{problems}");
}

#[test]
fn a_file_beside_that_is_too_large_is_refused_before_it_is_read() {
    let folder = Folder::new();
    let file = std::fs::File::create(folder.path().join("w.data")).unwrap();
    file.set_len(onnx::FILE_BYTES_MAX).unwrap();
    let problems = read(folder.path(), &scaled(&[("location", "w.data"), ("length", "8")])).unwrap_err();
    assert!(problems.contains("more than the"), "{problems}");
}
