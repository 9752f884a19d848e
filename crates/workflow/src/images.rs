//! Which files of a folder are images: for batches that are compared, and for samples that ranges are fitted to.

use std::path::{Path, PathBuf};

use blindscan_imaging::is_dicom;

use crate::error::{At, InputError, Result};

/// The images at a path, in the order of their names: those of a folder of images; a file or a DICOM series is one by itself.
pub fn images_at(path: &Path) -> Result<Vec<PathBuf>> {
    let images = if path.is_dir() { images_of(path)?.0 } else { Vec::new() };
    Ok(if images.is_empty() { vec![path.to_path_buf()] } else { images })
}

/// The files that a folder of images holds, in the order of their names, and those left aside. Empty when the folder is one
/// scan, a series of DICOM files: then what lies below it belongs to the scan too, and other images beside it are refused,
/// since either could be what is meant. Hidden files are no images.
pub fn images_of(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let entries = std::fs::read_dir(folder).at(folder)?;
    let mut paths =
        entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<PathBuf>>>().at(folder)?;
    paths.sort();
    let is_image = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        path.is_dir()
            || [".png", ".jpg", ".jpeg", ".npy", ".nii", ".nii.gz"]
                .iter()
                .any(|ending| name.ends_with(ending))
    };
    let is_hidden = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().starts_with('.');
    let (images, aside): (Vec<PathBuf>, Vec<PathBuf>) =
        paths.into_iter().partition(|path| !is_hidden(path) && is_image(path));
    let mut slices = Vec::new();
    for path in aside.iter().chain(&images).filter(|path| path.is_file() && !is_hidden(path)) {
        if is_dicom(path)? {
            slices.push(path);
        }
    }
    let beside = images.iter().find(|path| path.is_file() && !slices.contains(path));
    if let (Some(slice), Some(image)) = (slices.first(), beside) {
        return Err(InputError::Mixed {
            folder: folder.into(),
            slices: slices.len(),
            slice: name(slice),
            image: name(image),
        }
        .into());
    }
    Ok(if images.is_empty() || !slices.is_empty() { (Vec::new(), Vec::new()) } else { (images, aside) })
}

/// A file's own name, for people.
pub fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of files and folders (whose names end in a slash), and what the images and the rest are.
    fn found(entries: &[&str]) -> Result<(Vec<String>, Vec<String>)> {
        let folder = tempfile::tempdir().unwrap();
        for entry in entries {
            let path = folder.path().join(entry);
            match entry {
                entry if entry.ends_with('/') => std::fs::create_dir(path).unwrap(),
                // A head without a name that says so: exported series often have none.
                entry if entry.starts_with("IM") || *entry == "DICOMDIR" => {
                    std::fs::write(path, [&[0; 128][..], b"DICM"].concat()).unwrap();
                }
                _ => std::fs::write(path, b"something else").unwrap(),
            }
        }
        let names = |paths: Vec<PathBuf>| paths.iter().map(|path| name(path)).collect();
        images_of(folder.path()).map(|(images, aside)| (names(images), names(aside)))
    }

    #[test]
    fn a_folder_of_images_leaves_hidden_files_and_the_rest_aside() {
        let (images, aside) =
            found(&["b.npy", "a.PNG", "._a.PNG", ".b.npy", "c.nii.gz", "notes.txt"]).unwrap();
        assert_eq!(images, ["a.PNG", "b.npy", "c.nii.gz"]);
        assert_eq!(aside, ["._a.PNG", ".b.npy", "notes.txt"]);
        // Folders are scans of their own; the directory of a medium beside them makes no scan of all.
        assert_eq!(found(&["DICOMDIR", "one/", "two/"]).unwrap().0, ["one", "two"]);
    }

    #[test]
    fn dicom_files_make_a_folder_one_scan_and_images_beside_them_are_refused() {
        let one_scan = (Vec::new(), Vec::new());
        assert_eq!(found(&["IM1", "IM2", "notes.txt"]).unwrap(), one_scan);
        assert_eq!(found(&["IM1", "more/", "._thumbnail.png"]).unwrap(), one_scan);
        assert_eq!(found(&["slice.dcm", "more/"]).unwrap(), one_scan, "its name says what it should be");
        // The name says picture, the head says otherwise.
        assert_eq!(found(&["IM1.png", "IM2"]).unwrap(), one_scan);
        for mixed in [["IM1", "thumbnail.png"], ["slice.dcm", "a.npy"], ["IM1.png", "other.png"]] {
            let refused = found(&mixed).unwrap_err().to_string();
            assert!(mixed.iter().all(|name| refused.contains(name)), "{refused}");
        }
    }

    #[test]
    fn samples_are_the_series_and_not_a_picture_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        assert_eq!(
            images_at(&at("absent.npy")).unwrap(),
            [at("absent.npy")],
            "its reader says that it is not there"
        );
        std::fs::write(at("IM1"), [&[0; 128][..], b"DICM"].concat()).unwrap();
        assert_eq!(images_at(folder.path()).unwrap(), [folder.path()]);
        std::fs::write(at("thumbnail.png"), b"a picture").unwrap();
        assert!(images_at(folder.path()).unwrap_err().to_string().contains("thumbnail.png"));
    }
}
