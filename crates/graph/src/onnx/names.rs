//! A file's names as labels: printable, of bounded length, and no two alike. They are shown and stored, and decide nothing.

use std::collections::HashMap;

use crate::plan::steers_a_terminal;

/// Characters of a label.
const CHARACTERS: usize = 120;

/// A name as messages show it: many messages may repeat one, and the file chose its length and its characters.
pub(super) fn printable(name: &str) -> String {
    let mut characters = name.chars().map(|c| if steers_a_terminal(c) { '?' } else { c });
    let label: String = characters.by_ref().take(CHARACTERS).collect();
    if characters.next().is_some() { label + "..." } else { label }
}

/// Gives out labels.
#[derive(Default)]
pub(super) struct Labels {
    /// How often a label was wanted.
    wanted: HashMap<String, usize>,
}

impl Labels {
    /// The printable name, with a number behind it when another thing has that label already.
    pub(super) fn label(&mut self, name: &str) -> String {
        let plain = printable(name);
        let mut label = plain.clone();
        while self.wanted.contains_key(&label) {
            let count = self.wanted.entry(plain.clone()).or_default();
            *count += 1;
            label = format!("{plain}~{count}");
        }
        self.wanted.insert(label.clone(), 1);
        label
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_printable_short_and_unique() {
        let mut labels = Labels::default();
        assert_eq!(labels.label("conv1"), "conv1");
        assert_eq!(labels.label("img\t1\n\u{1b}[2J\u{202e}"), "img?1??[2J?");
        assert_eq!(labels.label("img?1??[2J?"), "img?1??[2J?~2");
        assert_eq!(labels.label("conv1"), "conv1~2");
        assert_eq!(labels.label("conv1"), "conv1~3");
        assert_eq!(labels.label(""), "");
        let long = "é".repeat(100_000);
        assert_eq!(labels.label(&long).chars().count(), CHARACTERS + 3);
        assert!(labels.label(&long).ends_with("...~2"));
    }
}
