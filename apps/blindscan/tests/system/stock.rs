//! `prepare`: the offline phase ahead of time, and each stock once.

use std::fs;

use blindscan_e2e::hospital::Hospital;
use blindscan_e2e::vendor::Vendor;
use blindscan_e2e::{classifier_plan, ct, segmenter, segmenter_plan, xray};

use crate::reports;

#[test]
fn a_stock_is_made_before_the_scan_exists_and_outlives_both_programs() {
    let hospital = Hospital::new();
    let mut vendor = Vendor::serve(&segmenter_plan(), &[&hospital], &[]);
    let prepared = hospital.ask(&["prepare", "--stock", "stock"], &vendor.join()).done().json();
    reports::assert_keys(&prepared);
    assert!(reports::bytes(&prepared, "offline").0 > 0);
    assert_eq!(reports::bytes(&prepared, "online"), (0, 0));
    assert_eq!((hospital.stocks("stock").len(), vendor.stocks("stock").len()), (1, 1));
    assert_eq!((hospital.stock_keys().len(), vendor.stock_keys().len()), (1, 1));

    vendor.restart();
    fs::copy(ct("scan.nii.gz"), hospital.at("scan.nii.gz")).unwrap();
    let reference = segmenter();
    let asked = [
        "segment",
        "scan.nii.gz",
        "--out",
        "out",
        "--slices",
        "10",
        "--stock",
        "stock",
        "--reference",
        &reference,
    ];
    let report = hospital.ask(&asked, &vendor.join()).done().json();
    reports::assert_equal(&report, 16384);
    assert_eq!(reports::bytes(&report, "offline"), (0, 0));
    assert!(reports::bytes(&report, "online").0 > 0);
    vendor.event("ended");
    for ending in ["stock", "spent", "part"] {
        assert_eq!((hospital.stocks(ending).len(), vendor.stocks(ending).len()), (0, 0), "{ending}");
    }
    assert!(hospital.stock_keys().is_empty() && vendor.stock_keys().is_empty());
}

#[test]
fn several_stocks_serve_several_images_and_then_no_more() {
    let hospital = Hospital::new();
    let vendor = Vendor::serve(&classifier_plan(), &[&hospital], &[]);
    hospital.ask(&["prepare", "--stock", "stock", "--count", "2"], &vendor.join()).done();
    assert_eq!((hospital.stocks("stock").len(), vendor.stocks("stock").len()), (2, 2));
    let classify = |file: &str| hospital.ask(&["classify", &xray(file), "--stock", "stock"], &vendor.join());
    assert_eq!(classify("pneumonia.jpeg").done().json()["class"], "pneumonia");
    assert_eq!(classify("normal.jpeg").done().json()["class"], "normal");
    classify("normal.jpeg").failed(&["holds no unused stock", "blindscan prepare"]);
}

#[test]
fn a_stock_for_fewer_slices_than_were_asked_for_is_not_begun() {
    let hospital = Hospital::new();
    let vendor = Vendor::serve(&segmenter_plan(), &[&hospital], &[]);
    hospital.ask(&["prepare", "--stock", "stock"], &vendor.join()).done();
    let scan = ct("scan.nii.gz");
    let asked = ["segment", &scan, "--out", "out", "--slices", "3..6", "--stock", "stock"];
    hospital.ask(&asked, &vendor.join()).failed(&["3 images", "1 unused", "prepare --count 2"]);
    assert_eq!((hospital.stocks("stock").len(), vendor.stocks("stock").len()), (1, 1));
}

#[test]
fn a_used_stock_that_is_put_back_is_refused_by_the_other_side() {
    let hospital = Hospital::new();
    let vendor = Vendor::serve(&classifier_plan(), &[&hospital], &[]);
    hospital.ask(&["prepare", "--stock", "stock"], &vendor.join()).done();
    let [file, key] = [hospital.stocks("stock").remove(0), hospital.stock_keys().remove(0)];
    let [kept, kept_key] = [&file, &key].map(|path| fs::read(path).unwrap());
    let image = xray("pneumonia.jpeg");
    let classify = || hospital.ask(&["classify", &image, "--stock", "stock", "--out", "out"], &vendor.join());
    classify().done();
    fs::remove_dir_all(hospital.at("out")).unwrap();

    fs::write(&file, &kept).unwrap();
    classify().failed(&["has no key", "has been used before"]);
    vendor.event("failed"); // its client has left without a word
    fs::write(&key, &kept_key).unwrap();
    classify().failed(&["the server refused", "has been used"]);
    assert!(!hospital.at("out/report.json").exists());
    assert!(vendor.event("failed")["reason"].as_str().unwrap().contains("has been used"));
    classify().failed(&["holds no unused stock"]);
}

#[test]
fn a_stock_of_one_client_is_of_no_use_to_another() {
    let (one, two) = (Hospital::new(), Hospital::new());
    let vendor = Vendor::serve(&classifier_plan(), &[&one, &two], &[]);
    one.ask(&["prepare", "--stock", "stock"], &vendor.join()).done();
    for (file, folder) in [(one.stocks("stock"), "stock"), (one.stock_keys(), "keys/stock-keys")] {
        fs::create_dir(two.at(folder)).unwrap();
        fs::copy(&file[0], two.at(folder).join(file[0].file_name().unwrap())).unwrap();
    }
    let image = xray("pneumonia.jpeg");
    two.ask(&["classify", &image, "--stock", "stock"], &vendor.join()).failed(&["the server refused"]);
    one.ask(&["classify", &image, "--stock", "stock"], &vendor.join()).done();
}

#[test]
fn a_damaged_stock_is_named_and_never_used() {
    let hospital = Hospital::new();
    let vendor = Vendor::serve(&classifier_plan(), &[&hospital], &[]);
    hospital.ask(&["prepare", "--stock", "stock"], &vendor.join()).done();
    let file = hospital.stocks("stock").remove(0);
    let mut content = fs::read(&file).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    fs::write(&file, &content).unwrap();
    let image = xray("pneumonia.jpeg");
    let classify = || hospital.ask(&["classify", &image, "--stock", "stock"], &vendor.join());
    classify().failed(&["damaged"]);
    classify().failed(&["holds no unused stock"]);
}
