//! A report as a person reads it: the result, what was read and noticed, the totals; each layer too when asked.

use std::fmt::Write;

use blindscan_workflow::report::{CanaryReport, JobReport};
use blindscan_workflow::study::Found;

/// What a person reads: the result, what was read and noticed, the totals; each layer too when asked.
pub(crate) fn words(report: &JobReport, layers: bool) -> String {
    let mut lines: Vec<String> =
        report.untrusted.iter().map(|reason| format!("UNTRUSTED: {reason}")).collect();
    lines.extend(result_lines(report));
    lines.extend(report.canaries.iter().map(canary_line));
    lines.extend(proof_lines(report));
    lines.extend(report.files.iter().map(|file| format!("wrote {file}")));
    lines.extend(reading_lines(report));
    let text: String = lines.into_iter().map(|line| line + "\n").collect();
    text + &totals(report, layers)
}

/// What was read, assumed and noticed.
pub(crate) fn reading_lines(report: &JobReport) -> Vec<String> {
    let notes = report.notes.iter().map(|note| format!("note: {note}"));
    report.input.iter().flat_map(Found::lines).chain(notes).collect()
}

/// The answer.
fn result_lines(report: &JobReport) -> Vec<String> {
    let named = |name: &Option<String>| name.as_ref().map_or(String::new(), |name| format!(" {name}"));
    let mut lines = Vec::new();
    for class in &report.classes {
        let ml = class.ml.map_or(String::new(), |ml| format!(", {ml:.3} ml"));
        lines.push(format!("class {}{}: {} voxels{ml}", class.label, named(&class.name), class.voxels));
    }
    for (index, finding) in report.findings.iter().enumerate() {
        let word = if finding.present { "yes" } else { "no" };
        let probability = finding.probability.map_or(String::new(), |p| format!(" ({p:.4})"));
        lines.push(format!("finding {index}{}: {word}{probability}", named(&finding.name)));
    }
    if let Some(label) = report.label {
        let class = report.class.as_ref().map_or(String::new(), |class| format!(": {class}"));
        lines.push(format!("class {label}{class}"));
        if let Some(probabilities) = &report.probabilities {
            let all: Vec<String> = probabilities.iter().map(|p| format!("{p:.4}")).collect();
            lines.push(format!("probabilities: {}", all.join(", ")));
        }
    }
    if !lines.is_empty() {
        lines.push("for research, not for diagnosis".into());
    }
    lines
}

/// How the answer compares with references.
fn proof_lines(report: &JobReport) -> Vec<String> {
    let mut lines = Vec::new();
    if let (Some(equal), Some(total), Some(same)) =
        (report.equals_reference, report.values_total, report.values_equal)
    {
        let word = if equal { "yes" } else { "NO" };
        lines.push(format!("equals the clear integer model: {word}, {same} of {total} values"));
    }
    for (name, value) in [
        ("the clear integer model", report.dice.reference),
        ("the float model", report.dice.float),
        ("the expert's mask", report.dice.expert),
    ] {
        lines.extend(value.map(|value| format!("Dice against {name}: {value:.4}")));
    }
    lines
}

/// Time and bytes of each phase, and of each layer when asked.
pub(crate) fn totals(report: &JobReport, layers: bool) -> String {
    let mut text = String::new();
    let mb = |bytes: u64| bytes as f64 / 1e6;
    let _ = writeln!(text, "{:<44} {:>9} {:>10} {:>10} {:>7}", "", "seconds", "MB sent", "MB recv", "turns");
    for phase in ["offline", "online"] {
        for layer in report.layers.iter().filter(|layer| layers && layer.phase == phase) {
            let name: String = format!("  {} {}", layer.kind, layer.name).chars().take(44).collect();
            let _ = writeln!(
                text,
                "{name:<44} {:>9.2} {:>10.3} {:>10.3} {:>7}",
                layer.seconds,
                mb(layer.sent),
                mb(layer.received),
                layer.turns
            );
        }
        let (seconds, ways) = match phase {
            "offline" => (report.seconds.offline, report.bytes.offline),
            _ => (report.seconds.online, report.bytes.online),
        };
        let turns: u64 =
            report.layers.iter().filter(|layer| layer.phase == phase).map(|layer| layer.turns).sum();
        let _ = writeln!(
            text,
            "{phase:<44} {seconds:>9.2} {:>10.3} {:>10.3} {turns:>7}",
            mb(ways.sent),
            mb(ways.received)
        );
    }
    let _ = writeln!(text, "{:<44} {:>9.2}", "total", report.seconds.total);
    let _ = writeln!(text, "plan digest {}", report.plan_digest);
    let _ = writeln!(
        text,
        "frames and TLS add {:.3} MB; peak memory {:.0} MB; processor {:.1} s",
        mb(report.overhead_bytes),
        mb(report.peak_memory_bytes),
        report.cpu_seconds
    );
    text
}

/// How canaries went.
fn canary_line(canaries: &CanaryReport) -> String {
    format!("known answers: {} of {} right", canaries.right, canaries.asked)
}

#[cfg(test)]
mod tests {
    use blindscan_workflow::report::{ClassReport, FindingReport, LayerReport};

    use super::*;

    #[test]
    fn the_result_comes_first_and_layers_when_asked() {
        let layer =
            LayerReport { phase: "online".into(), name: "conv7".into(), turns: 1, ..LayerReport::default() };
        let report = JobReport {
            classes: vec![
                ClassReport { label: 0, name: Some("background".into()), voxels: 900, ml: Some(2.88) },
                ClassReport { label: 1, name: None, voxels: 100, ml: None },
            ],
            findings: vec![FindingReport {
                name: Some("mass".into()),
                present: true,
                probability: Some(0.75),
            }],
            notes: vec!["the steps differ".into()],
            input: Some(Found { form: "picture".into(), ..Found::default() }),
            files: vec!["out/mask.nii.gz".into()],
            layers: vec![layer],
            ..JobReport::default()
        };
        let lines: Vec<String> = words(&report, false).lines().map(str::to_string).collect();
        assert_eq!(lines[0], "class 0 background: 900 voxels, 2.880 ml");
        assert_eq!(lines[1], "class 1: 100 voxels");
        assert_eq!(lines[2], "finding 0 mass: yes (0.7500)");
        let place = |part: &str| lines.iter().position(|line| line.contains(part)).unwrap();
        assert!(place("wrote") < place("read: picture") && place("read: picture") < place("note: the steps"));
        assert!(place("note: the steps") < place("offline"));
        assert!(!words(&report, false).contains("conv7") && words(&report, true).contains("conv7"));
    }
}
