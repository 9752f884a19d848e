//! The library without a screen or a second process: a server in one thread, a client in another, the clear answer beside them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use blindscan_workflow::canaries::CanaryOptions;
use blindscan_workflow::classify::{ClassifyOptions, classify};
use blindscan_workflow::connection::{ServerOptions, identity};
use blindscan_workflow::error::{InputError, ModelError};
use blindscan_workflow::events::{Events, JobProgress, Silent};
use blindscan_workflow::model::{self, PlanOptions};
use blindscan_workflow::segment::{SegmentOptions, segment};
use blindscan_workflow::serve::{ModelServer, ServeOptions, ServerEvent, ServerEvents};
use blindscan_workflow::study::StudyOptions;
use blindscan_workflow::transfers::OtChoice;
use blindscan_workflow::{Result, WorkflowError};

fn demo(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo").join(name)
}

/// Keeps what a server says.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl ServerEvents for Heard {
    fn happened(&self, event: ServerEvent<'_>) {
        let word = match event {
            ServerEvent::Done { done, client, .. } => format!("{done:?} {}", client.name),
            ServerEvent::Ended { client } => format!("Ended {}", client.name),
            other => format!("{other:?}"),
        };
        self.0.lock().unwrap().push(word);
    }
}

/// Counts progress.
#[derive(Default)]
struct Layers(Mutex<usize>);

impl Events for Layers {
    fn progress(&self, progress: &JobProgress<'_>) {
        assert!(progress.layer <= progress.layers && progress.bytes_done <= progress.bytes_expected);
        *self.0.lock().unwrap() += 1;
    }
}

/// Serves a saved plan to a client that it knows while `ask` runs.
fn served<T>(plan: &Path, place: &Path, heard: Heard, ask: impl FnOnce(ServerOptions) -> T) -> T {
    let keys = place.join("hospital");
    let known = identity(&keys, &Silent).unwrap().fingerprint();
    let clients = place.join("allowed.toml");
    std::fs::write(&clients, format!("[[client]]\nname = \"hospital\"\nfingerprint = \"{known}\"\n"))
        .unwrap();
    let options = ServeOptions {
        listen: "127.0.0.1:0".into(),
        host: None,
        clients: Some(clients),
        enrol: false,
        keys: place.join("vendor"),
        stock: place.join("stock"),
        clients_max: 1,
        deadline: Duration::from_secs(120),
    };
    let model = model::load(plan, &PlanOptions::default(), None).unwrap();
    let server = ModelServer::open(model, &options, &Silent, Box::new(heard)).unwrap();
    let join = server.join_line().to_string();
    let stopper = server.stopper().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| server.run());
        let asked = ask(ServerOptions {
            server: join,
            keys,
            plan_digest: None,
            deadline: Duration::from_secs(120),
            ot: OtChoice::Softspoken,
        });
        stopper.stop();
        asked
    })
}

fn saved_plan(model: &Path, place: &Path) -> PathBuf {
    let folder = place.join("plan");
    std::fs::create_dir(&folder).unwrap();
    model::load(model, &PlanOptions::default(), None).unwrap().save(&folder).unwrap();
    folder
}

#[test]
fn an_image_is_classified_as_the_clear_model_does_it() {
    let place = tempfile::tempdir().unwrap();
    let plan = saved_plan(&demo("xray/dnn1_150x125.onnx"), place.path());
    let (heard, layers) = (Heard::default(), Layers::default());
    let classified = served(&plan, place.path(), heard.clone(), |server| {
        let options = ClassifyOptions {
            server,
            study: StudyOptions::default(),
            canaries: CanaryOptions::default(),
            slice: None,
            out: None,
            stock: None,
            reference: Some(plan.clone()),
            values: true,
        };
        let missing = classify(&demo("xray/absent.jpeg"), &options, &Silent);
        assert!(missing.is_err());
        classify(&demo("xray/pneumonia.jpeg"), &options, &layers)
    });
    let (report, labels) = classified.unwrap();
    assert_eq!((report.equals_reference, report.values_total, labels), (Some(true), Some(1), 1));
    assert_eq!(report.class.as_deref(), Some("pneumonia"));
    let seats: Vec<(u8, &str)> = report.seats.iter().map(|seat| (seat.seat, seat.role.as_str())).collect();
    assert_eq!(seats, [(0, "image owner"), (1, "model owner")]);
    let client = identity(&place.path().join("hospital"), &Silent).unwrap().fingerprint();
    assert_eq!(report.seats[0].fingerprint, client.to_string());
    assert!(*layers.0.lock().unwrap() > 4, "progress comes layer by layer");
    let heard = heard.0.lock().unwrap();
    assert!(heard.starts_with(&["Served hospital".into()]), "a missing image was never asked for: {heard:?}");
}

#[test]
fn slices_are_segmented_as_the_clear_model_does_it() {
    let place = tempfile::tempdir().unwrap();
    let plan = saved_plan(&demo("covid-ct/covid_unet_w8_128.onnx"), place.path());
    let out = place.path().join("out");
    let segmented = served(&plan, place.path(), Heard::default(), |server| -> Result<_> {
        let options = SegmentOptions {
            server,
            study: StudyOptions::default(),
            canaries: CanaryOptions::default(),
            out: out.clone(),
            slices: "10".into(),
            stock: None,
            reference: Some(plan.clone()),
            expert: Some(demo("covid-ct/expert.nii.gz")),
        };
        let beyond = SegmentOptions { slices: "92".into(), ..options.clone() };
        let refused = segment(&demo("covid-ct/scan.nii.gz"), &beyond, &Silent).unwrap_err();
        let no_slice = InputError::NoSuchSlice { slice: 92, count: 92 };
        assert_eq!(refused.reason().to_string(), no_slice.to_string());
        assert!(!out.exists(), "nothing is left of a job that was refused");
        segment(&demo("covid-ct/scan.nii.gz"), &options, &Silent)
    });
    let report = segmented.unwrap();
    assert_eq!((report.equals_reference, report.values_total), (Some(true), Some(16384)));
    assert!(report.dice.expert.is_some_and(|dice| dice > 0.8));
    assert!(out.join("mask.nii.gz").exists() && out.join("report.json").exists());
}

#[test]
fn a_refusal_has_a_type_and_says_what_to_do() {
    let place = tempfile::tempdir().unwrap();
    let plan = saved_plan(&demo("xray/dnn1_150x125.onnx"), place.path());
    let proven = PlanOptions { proven_only: true, ..PlanOptions::default() };
    let error = model::load(&plan, &proven, None).err().unwrap();
    assert!(matches!(error.reason(), WorkflowError::Model(ModelError::NotProven { .. })), "{error:?}");
    assert!(error.one_line().contains("make the plan again"), "{}", error.one_line());
}
