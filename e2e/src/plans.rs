//! Saved plans of the demonstration's models, each made once for all tests: servers start without importing and calibrating.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use crate::program::{self, run};
use crate::{classifier, segmenter, text};

/// A folder with the plan of the network that segments, as its card says.
pub fn segmenter_plan() -> String {
    static PLAN: OnceLock<String> = OnceLock::new();
    PLAN.get_or_init(|| saved("segmenter", &segmenter())).clone()
}

/// A folder with the plan of the network that classifies, as its card says.
pub fn classifier_plan() -> String {
    static PLAN: OnceLock<String> = OnceLock::new();
    PLAN.get_or_init(|| saved("classifier", &classifier())).clone()
}

/// Plans a model with the program under test, into a folder beside the tests.
fn saved(name: &str, model: &str) -> String {
    let plans = program::profile_folder().join("e2e-plans");
    let folder = plans.join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("the plan of an earlier run can be removed");
    }
    fs::create_dir_all(&plans).expect("a folder can be made");
    run(Path::new(&plans), &["plan", model, "--out", name]).done();
    text(&folder)
}
