//! Scans and command lines that cannot be used: a clear reason, exit code 1, no file half written, and the server goes on.

use std::fs;
use std::path::Path;
use std::process::Command;

use blindscan_e2e::files::{SIGNED_WORDS, UNSIGNED_BYTES, nifti};
use blindscan_e2e::hospital::Hospital;
use blindscan_e2e::program::{self, Job, run};
use blindscan_e2e::vendor::Vendor;
use blindscan_e2e::{classifier, classifier_plan, ct, root, segmenter_plan, text, xray};

/// No answer was written, and no empty folder is left behind.
fn assert_nothing_at(folder: &Path) {
    let found: Vec<_> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    assert!(!folder.exists(), "{found:?}");
}

#[test]
fn scans_that_do_not_fit_the_network_are_refused_with_what_came_and_what_was_expected() {
    let hospital = Hospital::new();
    let vendor = Vendor::serve(&segmenter_plan(), &[&hospital], &[]);
    let write = |name: &str, content: &[u8]| fs::write(hospital.at(name), content).unwrap();

    let scan = fs::read(ct("scan.nii.gz")).unwrap();
    write("short.nii.gz", &scan[..scan.len() / 2]);
    let whole = nifti([128, 128, 12], UNSIGNED_BYTES, &vec![100; 128 * 128 * 12], "");
    write("short.nii", &whole[..whole.len() - 1000]);
    write("header.nii", &whole[..200]);
    write("small.nii", &nifti([64, 64, 12], UNSIGNED_BYTES, &ramp(64 * 64 * 12), ""));
    let hounsfield =
        (0..128 * 128 * 12).flat_map(|i| (i % 2000 - 1000i16 as i32).to_le_bytes()[..2].to_vec());
    write("hounsfield.nii", &nifti([128, 128, 12], SIGNED_WORDS, &hounsfield.collect::<Vec<u8>>(), ""));
    write("short.dcm", &[&[0; 128][..], b"DICM", &[2, 0, 0, 0, b'U', b'L', 4, 0, 150, 0]].concat());
    write("words.txt", b"not a scan at all");
    fs::create_dir(hospital.at("empty")).unwrap();
    let picture = xray("pneumonia.jpeg");

    let cases: [(&str, &[&str]); 10] = [
        ("short.nii.gz", &["short.nii.gz", "damaged"]),
        ("short.nii", &["short.nii", "damaged"]),
        ("header.nii", &["header.nii", "damaged"]),
        ("short.dcm", &["short.dcm"]),
        ("words.txt", &["words.txt", "no scan that can be read"]),
        ("empty", &["empty"]),
        ("missing.nii.gz", &["missing.nii.gz"]),
        ("small.nii", &["does not fit the network", "64 rows and 64 columns", "128 rows and 128 columns"]),
        ("hounsfield.nii", &["does not fit the network", "Hounsfield"]),
        (&picture, &["does not fit the network", "was expected"]),
    ];
    for (scan, parts) in cases {
        hospital.ask(&["segment", scan, "--out", "out"], &vendor.join()).failed(parts);
        assert_nothing_at(&hospital.at("out"));
    }

    let scan = ct("scan.nii.gz");
    for (slices, part) in [
        ("92", "the scan has 92"),
        ("90..93", "the scan has 92"),
        ("5..5", "no slice"),
        ("x", "--slices"),
        ("1-3", "5..9"),
    ] {
        hospital.ask(&["segment", &scan, "--out", "out", "--slices", slices], &vendor.join()).failed(&[part]);
        assert_nothing_at(&hospital.at("out"));
    }
    let expert = hospital.at("small.nii");
    let asked = ["segment", &scan, "--out", "out", "--slices", "10", "--expert", expert.to_str().unwrap()];
    hospital.ask(&asked, &vendor.join()).failed(&["grid"]);
    assert_nothing_at(&hospital.at("out"));
}

fn ramp(count: usize) -> Vec<u8> {
    (0..count).map(|index| (index % 256) as u8).collect()
}

#[test]
fn images_and_tensors_that_do_not_fit_the_classifier_are_refused() {
    let hospital = Hospital::new();
    let vendor = Vendor::serve(&classifier_plan(), &[&hospital], &[]);
    let image = fs::read(xray("pneumonia.jpeg")).unwrap();
    fs::write(hospital.at("short.jpeg"), &image[..image.len() / 2]).unwrap();
    fs::write(hospital.at("short.png"), b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").unwrap();
    fs::write(hospital.at("short.npy"), b"\x93NUMPY\x01\0").unwrap();
    let volume = ct("scan.nii.gz");
    let cases: [(&str, &[&str]); 5] = [
        ("short.jpeg", &["short.jpeg", "damaged"]),
        ("short.png", &["short.png", "damaged"]),
        ("short.npy", &["short.npy"]),
        ("missing.png", &["missing.png"]),
        (&volume, &["does not fit the network"]),
    ];
    for (image, parts) in cases {
        hospital.ask(&["classify", image, "--out", "out"], &vendor.join()).failed(parts);
        assert_nothing_at(&hospital.at("out"));
    }
    let picture = xray("pneumonia.jpeg");
    hospital
        .ask(&["segment", &picture, "--out", "out"], &vendor.join())
        .failed(&["gives no masks", "classify"]);
    assert_nothing_at(&hospital.at("out"));
    hospital.ask(&["classify", &picture], &vendor.join()).done();
}

#[test]
fn a_folder_that_cannot_be_made_is_named_before_anything_is_sent() {
    let hospital = Hospital::new();
    let vendor = Vendor::serve(&classifier_plan(), &[&hospital], &[]);
    fs::write(hospital.at("file"), "").unwrap();
    let (scan, image) = (ct("scan.nii.gz"), xray("pneumonia.jpeg"));
    hospital.ask(&["segment", &scan, "--out", "file/out"], &vendor.join()).failed(&["file/out"]);
    hospital.ask(&["classify", &image, "--out", "file/out"], &vendor.join()).failed(&["file/out"]);
    hospital.ask(&["prepare", "--stock", "file/stock"], &vendor.join()).failed(&["file/stock"]);
    let data = text(&root().join("demo/covid-ct"));
    run(hospital.folder(), &["demo", "--data", &data, "--out", "file/out"]).failed(&["file/out"]);
}

/// Runs a job that may write no file longer than this, as on a disk with no room left.
fn with_little_room(hospital: &Hospital, blocks: u32, arguments: &[&str], join: &str) -> program::Ended {
    let wanted = hospital.command(arguments, join);
    let mut command = Command::new("sh");
    // Told to ignore the signal, the program gets an error from each write beyond the limit (in blocks of 512 bytes).
    command.args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"")]);
    command.arg(wanted.get_program()).args(wanted.get_args()).current_dir(hospital.folder());
    Job::start(command).finish()
}

#[test]
fn a_disk_without_room_for_the_stock_is_an_error_and_leaves_nothing() {
    let hospital = Hospital::new();
    let vendor = Vendor::serve(&classifier_plan(), &[&hospital], &[]);
    with_little_room(&hospital, 64, &["prepare", "--stock", "stock"], &vendor.join()).failed(&["stock"]);
    assert!(hospital.stocks("stock").is_empty() && hospital.stocks("part").is_empty());
    vendor.event("failed");
    assert!(vendor.stocks("stock").is_empty() && vendor.stocks("part").is_empty());
    let image = xray("pneumonia.jpeg");
    with_little_room(&hospital, 64, &["classify", &image, "--out", "out"], &vendor.join()).failed(&["stock"]);
    assert_nothing_at(&hospital.at("out"));
}

#[test]
fn a_disk_without_room_for_the_answer_leaves_no_file_half_written() {
    let hospital = Hospital::new();
    let vendor = Vendor::serve(&segmenter_plan(), &[&hospital], &[]);
    hospital.ask(&["prepare", "--stock", "stock"], &vendor.join()).done();
    let scan = ct("scan.nii.gz");
    let asked = ["segment", &scan, "--out", "out", "--slices", "10", "--stock", "stock"];
    with_little_room(&hospital, 2, &asked, &vendor.join()).failed(&["written"]);
    assert_nothing_at(&hospital.at("out"));
}

#[test]
fn what_is_wrong_with_a_command_line_is_said() {
    let hospital = Hospital::new();
    let image = xray("pneumonia.jpeg");
    for (line, part) in [
        ("http://host", "begins with `blindscan:`"),
        ("blindscan:host:1", "no fingerprint"),
        ("blindscan:127.0.0.1:1#c5c5", "fingerprint"),
    ] {
        let part = if part == "no fingerprint" { "has a #" } else { part };
        hospital.ask(&["classify", &image], line).failed(&["join line", part]);
    }
    for arguments in
        [&["segmentt"][..], &["serve"], &["segment", "scan"], &["compare", "a", "b", "--processes"]]
    {
        let ended = run(hospital.folder(), arguments);
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        assert!(ended.stderr.contains("Usage") || ended.stderr.contains("--help"), "{}", ended.stderr);
    }
    let model = classifier();
    run(hospital.folder(), &["estimate", &model, "--link", "fast"]).failed(&["1gbit:1ms"]);
    run(hospital.folder(), &["plan", &model, "--policy", "all"]).failed(&["labels or logits"]);
    run(hospital.folder(), &["keys", "new", "--dir", "keys"]).failed(&["keys"]);
    run(hospital.folder(), &["keys", "show", "--dir", "none"]).failed(&["none"]);
    Vendor::try_serve(hospital.folder(), &model, &["--listen", "127.0.0.1:notaport"]);
}

#[test]
fn a_list_of_clients_that_cannot_be_read_is_named() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("allowed.toml"), "[[client]]\nname = \"x\"\n").unwrap();
    Vendor::try_serve(place.path(), &classifier(), &[]).failed(&["allowed.toml", "fingerprint"]);
}
