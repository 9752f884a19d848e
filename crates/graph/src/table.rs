//! A public plan as a table to read: one line per step.
#![deny(clippy::wildcard_enum_match_arm)]

use std::fmt::Write;

use crate::plan::{PublicPlan, Range, TensorSpec};

/// The table, header first. Columns: node, step, shape, bits of the ring, fraction bits (with divisor), bound in bits, how the
/// bound is known, and what the step drops or shifts.
pub fn table(plan: &PublicPlan) -> String {
    let mut rows =
        vec![["node", "step", "shape", "ring", "scale", "bound", "range", "numbers"].map(String::from)];
    rows.push(row(&plan.tensors[plan.input].name, "input", &plan.tensors[plan.input], String::new()));
    for node in &plan.nodes {
        rows.push(row(
            &node.name,
            node.step.name(),
            &plan.tensors[node.output],
            node.step.operator().numbers(),
        ));
    }
    let widths: Vec<usize> =
        (0..8).map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, &width) in row.iter().zip(&widths) {
            write!(line, "{cell:<width$}  ").expect("a string takes everything");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn row(node: &str, step: &str, tensor: &TensorSpec, numbers: String) -> [String; 8] {
    let shape: Vec<String> = tensor.shape.iter().map(usize::to_string).collect();
    let scale = match tensor.divisor {
        1 => format!("2^-{}", tensor.fraction),
        divisor => format!("2^-{} / {divisor}", tensor.fraction),
    };
    let range = match tensor.range {
        Range::Proven => "proven",
        Range::Calibrated => "calibrated",
    };
    [
        printable(node),
        step.to_string(),
        shape.join("x"),
        tensor.ring_bits.to_string(),
        scale,
        format!("2^{:.1}", (tensor.bound.max(1) as f64).log2()),
        range.to_string(),
        numbers,
    ]
}

/// A name without what a terminal would obey: plans come from peers.
fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '?' } else { c }).take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::random_plan;

    #[test]
    fn every_node_has_a_line_and_names_cannot_steer_the_terminal() {
        let (mut plan, _) = random_plan(2);
        plan.public.nodes[0].name = "evil\u{1b}[2J\nname".into();
        let text = table(&plan.public);
        assert_eq!(text.lines().count(), plan.public.nodes.len() + 2);
        assert!(text.contains("evil?[2J?name") && !text.contains('\u{1b}'));
        for tensor in &plan.public.tensors {
            let shape: Vec<String> = tensor.shape.iter().map(usize::to_string).collect();
            assert!(text.contains(&shape.join("x")));
        }
    }
}
