//! A stock is made, taken, crashed on, tampered with and copied: it is used once, by whom it was made for, or not at all.

use blindscan_wire::script::Seat;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::fs;

use super::header::HEADER_BYTES;
use super::seal::{KEY_BYTES, Key, TAG_BYTES};
use super::*;

const PURPOSE: Purpose = Purpose { made_for: [7; 32], suite: "two-party", seat: Seat(0) };

fn header(id: u8) -> StockHeader {
    StockHeader { id: StockId([id; 16]), purpose: PURPOSE }
}

/// A folder of stock and, beside it, that of its keys.
struct Scene(tempfile::TempDir);

impl Scene {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn open(&self) -> StockFolder {
        StockFolder::open(&self.at("stock"), &self.at("keys")).unwrap()
    }

    /// Names in both folders, but for the lock.
    fn left(&self) -> Vec<String> {
        let names = |folder| fs::read_dir(self.at(folder)).unwrap().map(|entry| entry.unwrap().file_name());
        let names = names("stock").chain(names("keys")).map(|name| name.into_string().unwrap());
        names.filter(|name| name != "lock").collect()
    }

    /// A whole stock of this name, changed on the disk by `change`, then taken and read.
    fn tampered(&self, id: u8, change: impl FnOnce(&mut Vec<u8>)) -> Result<Vec<u8>, StockError> {
        let folder = self.open();
        made(&folder, id);
        let path = folder.stock_path(StockId([id; 16]));
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(&path, bytes).unwrap();
        read(&folder, header(id))
    }
}

const SECTIONS: [&[u8]; 3] = [&[1, 2, 3], &[4; 100], &[5; 100]];

fn rng(seed: u8) -> StdRng {
    StdRng::seed_from_u64(seed.into())
}

fn made(folder: &StockFolder, id: u8) {
    let mut writer = folder.create(header(id), &mut rng(id)).unwrap();
    for section in SECTIONS {
        writer.section(section.to_vec()).unwrap();
    }
    writer.store().unwrap();
}

/// Takes a stock and reads it whole.
fn read(folder: &StockFolder, header: StockHeader) -> Result<Vec<u8>, StockError> {
    let mut stock = folder.take(header)?.begin()?;
    let mut bytes = Vec::new();
    for section in SECTIONS {
        bytes.extend_from_slice(&stock.section(section.len())?);
    }
    Ok(bytes)
}

/// Where each section begins in the file, and where it ends.
fn places() -> Vec<std::ops::Range<usize>> {
    let mut at = HEADER_BYTES;
    SECTIONS
        .iter()
        .map(|section| {
            let place = at..at + section.len() + TAG_BYTES;
            at = place.end;
            place
        })
        .collect()
}

#[test]
fn a_stock_comes_back_section_by_section() {
    let scene = Scene::new();
    let folder = scene.open();
    made(&folder, 1);
    let mut stock = folder.take(header(1)).unwrap().begin().unwrap();
    for section in SECTIONS {
        assert_eq!(stock.section(section.len()).unwrap()[..], *section);
    }
    assert!(matches!(stock.section(1), Err(StockError::Damaged { section: 3, .. })));
}

#[test]
fn a_stock_cannot_be_taken_twice() {
    let scene = Scene::new();
    let folder = scene.open();
    made(&folder, 1);
    let first = folder.take(header(1)).unwrap();
    assert!(matches!(folder.take(header(1)), Err(StockError::Absent(_))));
    drop(first);
    assert!(matches!(folder.take(header(1)), Err(StockError::Absent(_))));
    assert!(scene.left().is_empty(), "one that was taken and not used is spent too, with its key");
}

#[test]
fn a_crash_after_taking_leaves_nothing_usable() {
    let scene = Scene::new();
    let folder = scene.open();
    made(&folder, 1);
    made(&folder, 2);
    std::mem::forget(folder.take(header(1)).unwrap());
    std::mem::forget(folder.take(header(2)).unwrap().begin().unwrap());
    drop(folder);
    let reopened = scene.open();
    assert!(reopened.unused().unwrap().is_empty());
    assert!(matches!(reopened.take(header(1)), Err(StockError::Absent(_))));
    assert!(scene.left().is_empty(), "only the lock is left");
}

#[test]
fn a_crash_while_making_leaves_nothing_usable() {
    let scene = Scene::new();
    let folder = scene.open();
    std::mem::forget(folder.create(header(1), &mut rng(1)).unwrap());
    // The worst moment: the key is on the disk, and the stock does not have its name yet.
    folder.keys.keep(StockId([1; 16]), &Key::random(&mut rng(1))).unwrap();
    drop(folder);
    assert!(scene.open().unused().unwrap().is_empty());
    assert!(scene.left().is_empty(), "only the lock is left");
}

#[test]
fn opening_a_folder_in_use_leaves_what_is_being_made() {
    let scene = Scene::new();
    let folder = scene.open();
    let mut writer = folder.create(header(1), &mut rng(1)).unwrap();
    let beside = scene.open();
    writer.section(vec![1]).unwrap();
    writer.store().unwrap();
    assert_eq!(beside.unused().unwrap(), [StockId([1; 16])]);
}

#[test]
fn a_stock_of_another_plan_suite_or_seat_is_refused() {
    let scene = Scene::new();
    let folder = scene.open();
    let others = [
        Purpose { made_for: [8; 32], ..PURPOSE },
        Purpose { suite: "two-part", ..PURPOSE },
        Purpose { suite: "two-party-16byte", ..PURPOSE },
        Purpose { seat: Seat(1), ..PURPOSE },
    ];
    for (id, other) in (1..).zip(others) {
        made(&folder, id);
        assert!(matches!(folder.take_any(other), Err(StockError::Empty(_))), "{other:?}");
        let wanted = StockHeader { purpose: other, ..header(id) };
        assert!(matches!(folder.take(wanted), Err(StockError::Foreign(_))), "{other:?}");
    }
    made(&folder, 9);
    assert!(folder.take_any(PURPOSE).is_ok());
}

#[test]
fn a_stock_of_another_version_is_refused_as_that() {
    let scene = Scene::new();
    let age = |bytes: &mut Vec<u8>| bytes[8] -= 1;
    let is_old = |error: &StockError| {
        let old = matches!(error, StockError::Version { found, expected, .. } if found + 1 == *expected);
        old && error.to_string().contains("another version made it")
    };
    assert!(is_old(&scene.tampered(1, age).unwrap_err()));

    let folder = scene.open();
    made(&folder, 2);
    let path = folder.stock_path(StockId([2; 16]));
    let mut bytes = fs::read(&path).unwrap();
    age(&mut bytes);
    // The header was shorter then.
    bytes.truncate(61);
    fs::write(&path, bytes).unwrap();
    assert!(is_old(&folder.take_any(PURPOSE).unwrap_err()), "and is not passed over in silence");
    made(&folder, 3);
    assert_eq!(folder.take_any(PURPOSE).unwrap().0, StockId([3; 16]), "but does not stand in the way");
}

#[test]
fn programs_that_take_at_once_share_the_stocks_and_none_comes_twice() {
    let scene = Scene::new();
    let folder = scene.open();
    (0..32).for_each(|id| made(&folder, id));
    let take_all = || {
        let folder = scene.open();
        let mut taken = Vec::new();
        loop {
            match folder.take_any(PURPOSE) {
                Ok((id, stock)) => taken.push((id.0, stock)),
                Err(StockError::Empty(_)) => return taken,
                Err(error) => panic!("a stock that another program took is no error: {error}"),
            }
        }
    };
    let taken: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(take_all)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let mut ids: Vec<_> = taken.iter().map(|(id, _)| *id).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..32).map(|id| [id; 16]).collect::<Vec<_>>());
}

#[cfg(unix)]
#[test]
fn a_stock_and_its_key_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new();
    made(&scene.open(), 1);
    let mode = |path: &str| fs::metadata(scene.at(path)).unwrap().permissions().mode() & 0o777;
    let name = StockId([1; 16]);
    assert_eq!((mode("stock"), mode(&format!("stock/{name}.stock"))), (0o700, 0o600));
    assert_eq!((mode("keys"), mode(&format!("keys/{name}.key"))), (0o700, 0o600));
}

#[test]
fn a_flipped_bit_anywhere_in_a_section_is_an_error_that_names_it() {
    let scene = Scene::new();
    for (section, place) in places().into_iter().enumerate() {
        for at in [place.start, place.end - TAG_BYTES - 1, place.end - TAG_BYTES, place.end - 1] {
            let damaged = scene.tampered(1, |bytes| bytes[at] ^= 1).unwrap_err();
            let named =
                matches!(damaged, StockError::Damaged { section: found, .. } if found == section as u64);
            assert!(named, "byte {at}: {damaged}");
        }
    }
}

#[test]
fn a_section_in_anothers_place_is_an_error() {
    let scene = Scene::new();
    let [_, second, third] = places().try_into().unwrap();
    let swapped = scene.tampered(1, |bytes| {
        let kept = bytes[second.clone()].to_vec();
        bytes.copy_within(third.clone(), second.start);
        bytes[third].copy_from_slice(&kept);
    });
    assert!(matches!(swapped, Err(StockError::Damaged { section: 1, .. })));
}

#[test]
fn a_section_of_another_stock_is_an_error() {
    let scene = Scene::new();
    let folder = scene.open();
    made(&folder, 2);
    let other = fs::read(folder.stock_path(StockId([2; 16]))).unwrap();
    let second = places()[1].clone();
    let mixed = scene.tampered(1, |bytes| bytes[second.clone()].copy_from_slice(&other[second]));
    assert!(matches!(mixed, Err(StockError::Damaged { section: 1, .. })));
}

#[test]
fn a_stock_cut_short_is_an_error() {
    let scene = Scene::new();
    let cut = scene.tampered(1, |bytes| bytes.truncate(places()[2].end - 1));
    assert!(matches!(cut, Err(StockError::Damaged { section: 2, .. })));
}

#[test]
fn a_changed_header_is_an_error_also_to_whom_it_was_changed_for() {
    let scene = Scene::new();
    let changed = scene.tampered(1, |bytes| bytes[30] ^= 1);
    assert!(matches!(changed, Err(StockError::Foreign(_))), "the header says what it was made for");

    let folder = scene.open();
    made(&folder, 2);
    let other = StockHeader { purpose: Purpose { made_for: [8; 32], ..PURPOSE }, ..header(2) };
    let path = folder.stock_path(other.id);
    let mut bytes = fs::read(&path).unwrap();
    bytes[..HEADER_BYTES].copy_from_slice(&other.bytes());
    fs::write(&path, bytes).unwrap();
    let read = read(&folder, other);
    assert!(
        matches!(read, Err(StockError::Damaged { section: 0, .. })),
        "the header is sealed into each section"
    );
}

#[test]
fn a_stock_whose_key_is_missing_or_cut_short_is_an_error_and_the_next_one_is_taken() {
    let scene = Scene::new();
    let folder = scene.open();
    (1..4).for_each(|id| made(&folder, id));
    let key = |id: u8| scene.at("keys").join(format!("{}.key", StockId([id; 16])));
    fs::remove_file(key(1)).unwrap();
    let error = folder.take(header(1)).unwrap_err();
    assert!(matches!(error, StockError::NoKey { .. }) && error.to_string().contains("--keys"), "{error}");
    fs::write(key(2), [1; KEY_BYTES - 1]).unwrap();
    assert!(matches!(folder.take(header(2)), Err(StockError::NoKey { .. })));

    made(&folder, 2);
    fs::remove_file(key(2)).unwrap();
    assert_eq!(folder.take_any(PURPOSE).unwrap().0, StockId([3; 16]));
    assert!(matches!(folder.take_any(PURPOSE), Err(StockError::NoKey { .. })));
    assert_eq!(folder.unused().unwrap(), [StockId([2; 16])], "one without a key is not spent");
}

#[test]
fn the_key_of_another_stock_opens_nothing() {
    let scene = Scene::new();
    let folder = scene.open();
    (1..3).for_each(|id| made(&folder, id));
    let key = |id: u8| scene.at("keys").join(format!("{}.key", StockId([id; 16])));
    fs::copy(key(2), key(1)).unwrap();
    assert!(matches!(read(&folder, header(1)), Err(StockError::Damaged { section: 0, .. })));
}

#[test]
fn a_used_stock_that_is_put_back_cannot_be_read_for_its_key_is_gone() {
    let scene = Scene::new();
    let folder = scene.open();
    made(&folder, 1);
    let path = folder.stock_path(StockId([1; 16]));
    let kept = fs::read(&path).unwrap();
    let taken = folder.take(header(1)).unwrap();
    assert!(folder.keys.has(StockId([1; 16])), "the key is there until both have agreed");
    let begun = taken.begin().unwrap();
    assert!(!folder.keys.has(StockId([1; 16])), "and is gone before the first section is read");
    fs::write(&path, &kept).unwrap();
    assert!(matches!(folder.take(header(1)), Err(StockError::NoKey { .. })));
    drop(begun);
}

#[test]
fn nothing_of_a_section_lies_in_the_file_in_the_clear() {
    let scene = Scene::new();
    let folder = scene.open();
    let secret: Vec<u8> = (0..4096u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut writer = folder.create(header(1), &mut rng(1)).unwrap();
    writer.section(secret.clone()).unwrap();
    writer.store().unwrap();
    let found = |bytes: &[u8]| secret.windows(8).any(|part| bytes.windows(8).any(|window| window == part));
    let file = fs::read(folder.stock_path(StockId([1; 16]))).unwrap();
    assert_eq!(file.len(), HEADER_BYTES + secret.len() + TAG_BYTES);
    assert!(!found(&file));
    assert!(found(&secret), "the search finds what is there");
    let key = fs::read(scene.at("keys").join(format!("{}.key", StockId([1; 16])))).unwrap();
    assert!(!file.windows(8).any(|window| key.windows(8).any(|part| part == window)), "nor the key");
}

#[test]
fn an_anonymous_stock_comes_back_and_keeps_nothing_on_the_disk() {
    let mut writer = StockWriter::anonymous(header(1), &mut rng(1)).unwrap();
    writer.section(vec![9; 40]).unwrap();
    let mut stock = writer.into_stock().unwrap();
    assert_eq!(stock.section(40).unwrap()[..], [9; 40]);
}

#[test]
fn a_name_that_is_taken_is_refused_and_the_stock_that_has_it_stays() {
    let scene = Scene::new();
    let folder = scene.open();
    made(&folder, 1);
    let writer = folder.create(header(1), &mut rng(2)).unwrap();
    assert!(matches!(writer.store(), Err(StockError::Io { .. })));
    assert_eq!(read(&folder, header(1)).unwrap(), SECTIONS.concat());
    assert!(scene.left().is_empty());
}
