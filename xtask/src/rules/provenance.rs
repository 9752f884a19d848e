//! Whom a DICOM scan belongs to is for its reader and the writer of a derived object: nobody else names a provenance.

use super::Violation;
use super::rust_text::code_only;
use crate::workspace::{TextFile, Workspace};

/// Who may: the reader, what hands it over, and the fuzz target that uses it up.
const HOMES: [&str; 5] = [
    "crates/imaging/src/dicom/",
    "crates/imaging/src/open.rs",
    "crates/imaging/src/lib.rs",
    "fuzz/targets/dicom.rs",
    "xtask/",
];
const NAMES: [&str; 3] = ["Provenance", "DerivedElements", ".into_elements("];

pub(super) fn check(workspace: &Workspace) -> Vec<Violation> {
    let may = |file: &TextFile| HOMES.iter().any(|home| file.path.starts_with(home));
    let files = workspace.rust_files().filter(|file| !may(file) && names_it(file));
    files
        .map(|file| {
            Violation::new(
                &file.path,
                "a provenance goes from the reader to the writer of a DICOM object alone",
            )
        })
        .collect()
}

fn names_it(file: &TextFile) -> bool {
    let code = code_only(&file.text);
    NAMES.iter().any(|name| code.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, code: &str) -> usize {
        check(&Workspace::made_up(&[], &[(path, code)])).len()
    }

    #[test]
    fn the_reader_may_name_it_and_what_makes_tensors_or_jobs_may_not() {
        let code = "//! x\nuse blindscan_imaging::Provenance;\n";
        assert_eq!(found("crates/imaging/src/dicom/series.rs", code), 0);
        for path in ["crates/imaging/src/prepare.rs", "crates/workflow/src/study.rs", "apps/a/src/main.rs"] {
            assert_eq!(found(path, code), 1, "{path}");
        }
        assert_eq!(found("crates/workflow/src/study.rs", "//! x\nlet e = p.unwrap().into_elements();\n"), 1);
        assert_eq!(found("crates/workflow/src/study.rs", "//! A Provenance is not for us.\n"), 0);
    }
}
