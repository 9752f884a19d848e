//! The rules that read text alone. Each is one file with its own tests, one of them red.

mod dependencies;
mod edges;
mod evidence;
mod features;
mod front_lines;
mod front_pages;
mod length;
mod lints;
mod provenance;
mod rust_text;
mod taps;
mod unsafe_code;
mod unused;
mod words;

use std::fmt;

use crate::workspace::Workspace;

/// A place where a rule is broken, and what to do.
#[derive(Debug, PartialEq)]
pub(crate) struct Violation {
    /// The file, and the line where it helps.
    pub(crate) place: String,
    /// What is wrong and what to do instead.
    pub(crate) problem: String,
}

/// A rule: its name, and the search for places that break it.
pub(crate) type Rule = (&'static str, fn(&Workspace) -> Vec<Violation>);

/// All of them.
pub(crate) const RULES: [Rule; 12] = [
    ("edges between crates", edges::check),
    ("test features stay in tests", features::check),
    ("dependencies are used", unused::check),
    ("workspace lints", lints::check),
    ("unsafe only in arith", unsafe_code::check),
    ("a look at shares only in compare and tests", taps::check),
    ("whom a scan belongs to only in its reader", provenance::check),
    ("front lines", front_lines::check),
    ("front pages of protocols", front_pages::check),
    ("length of files", length::check),
    ("words that must not stand", words::check),
    ("tests that are named exist", evidence::check),
];

/// Every place that breaks a rule.
pub(crate) fn violations(workspace: &Workspace) -> Vec<NamedViolation> {
    let named = |(name, check): &Rule| {
        check(workspace)
            .into_iter()
            .map(|violation| NamedViolation { rule: name, violation })
            .collect::<Vec<_>>()
    };
    RULES.iter().flat_map(named).collect()
}

/// A violation with the name of its rule, for people.
pub(crate) struct NamedViolation {
    rule: &'static str,
    violation: Violation,
}

impl fmt::Display for NamedViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} [{}]", self.violation.place, self.violation.problem, self.rule)
    }
}

impl Violation {
    fn new(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { place: place.into(), problem: problem.into() }
    }
}
