//! The clients a server knows: `allowed.toml`, a list of names and fingerprints that people may edit.
//!
//! ```toml
//! [[client]]
//! name = "st-mary-radiology"
//! fingerprint = "64 hexadecimal digits"
//! ```
//!
//! The file is read anew at every connection: who is taken from it is refused from then on. When it cannot
//! be read, everybody is refused.

use std::path::{Path, PathBuf};

use blindscan_wire::fingerprint::Fingerprint;
use serde::{Deserialize, Serialize};

use crate::files::{self, StoreError};

/// The list's name in the state directory.
pub const FILE: &str = "allowed.toml";

/// A client that may connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// What people call it, in lists and logs.
    pub name: String,
    /// The fingerprint of its certificate.
    pub fingerprint: Fingerprint,
}

impl Client {
    /// A client that nobody has named yet goes by the first digits of its fingerprint.
    pub fn unnamed(fingerprint: Fingerprint) -> Self {
        Self { name: fingerprint.to_string()[..12].into(), fingerprint }
    }
}

/// The list on disk.
#[derive(Clone, Debug)]
pub struct AllowList {
    path: PathBuf,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    client: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    fingerprint: String,
}

impl AllowList {
    /// The list of a state directory. It need not exist: then it is empty.
    pub fn of(directory: &Path) -> Self {
        Self { path: directory.join(FILE) }
    }

    /// The list in a file of its own. It need not exist: then it is empty.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_path_buf() }
    }

    /// Every client, as the file stands now.
    pub fn clients(&self) -> Result<Vec<Client>, StoreError> {
        let file: File = files::load_toml(&self.path)?;
        file.client.into_iter().map(|entry| self.client(entry)).collect()
    }

    /// The client with this fingerprint, if it is known.
    pub fn find(&self, fingerprint: &Fingerprint) -> Result<Option<Client>, StoreError> {
        Ok(self.clients()?.into_iter().find(|client| client.fingerprint == *fingerprint))
    }

    /// Adds a client, or gives a known one a new name. On the disk when this returns.
    pub fn add(&self, client: &Client) -> Result<(), StoreError> {
        require_name(&client.name)?;
        let fingerprint = client.fingerprint.to_string();
        files::update_toml(&self.path, |file: &mut File| {
            file.client.retain(|entry| entry.fingerprint.parse() != Ok(client.fingerprint));
            file.client.push(Entry { name: client.name.clone(), fingerprint });
            Ok(())
        })
    }

    /// Takes a client from the list; false when it was not there.
    pub fn remove(&self, fingerprint: &Fingerprint) -> Result<bool, StoreError> {
        files::update_toml(&self.path, |file: &mut File| {
            let before = file.client.len();
            file.client.retain(|entry| entry.fingerprint.parse() != Ok(*fingerprint));
            Ok(file.client.len() < before)
        })
    }

    fn client(&self, entry: Entry) -> Result<Client, StoreError> {
        let unreadable =
            |reason: String| StoreError::unreadable(&self.path, format!("client `{}`: {reason}", entry.name));
        require_name(&entry.name).map_err(|error| unreadable(error.to_string()))?;
        let fingerprint = entry.fingerprint.parse().map_err(|error| unreadable(format!("{error}")))?;
        Ok(Client { name: entry.name, fingerprint })
    }
}

/// Checks that a name reads well in a list, a log and a terminal.
fn require_name(name: &str) -> Result<(), StoreError> {
    let fine = |c: char| c.is_ascii_alphanumeric() || " ._@-".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(fine) {
        return Err(StoreError::Name);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(name: &str, byte: u8) -> Client {
        Client { name: name.into(), fingerprint: Fingerprint::from_bytes([byte; 32]) }
    }

    #[test]
    fn clients_are_added_found_renamed_and_removed() {
        let directory = tempfile::tempdir().unwrap();
        let list = AllowList::of(directory.path());
        assert_eq!(list.clients().unwrap(), []);
        let (one, two) = (client("st-mary", 1), client("City Hospital", 2));
        list.add(&one).unwrap();
        list.add(&two).unwrap();
        assert_eq!(list.find(&two.fingerprint).unwrap(), Some(two.clone()));
        let renamed = client("St. Mary", 1);
        list.add(&renamed).unwrap();
        assert_eq!(list.clients().unwrap(), [two.clone(), renamed.clone()]);
        assert!(list.remove(&two.fingerprint).unwrap());
        assert!(!list.remove(&two.fingerprint).unwrap());
        assert_eq!(list.find(&two.fingerprint).unwrap(), None);
        assert_eq!(list.clients().unwrap(), [renamed]);
    }

    #[test]
    fn a_list_edited_by_hand_is_read_at_the_next_look() {
        let directory = tempfile::tempdir().unwrap();
        let list = AllowList::of(directory.path());
        let fingerprint = Fingerprint::from_bytes([0xab; 32]);
        let digits = fingerprint.to_string();
        let pairs: Vec<&str> = (0..32).map(|i| &digits[2 * i..2 * i + 2]).collect();
        let colons = pairs.join(":").to_uppercase();
        let text = format!("# by hand\n[[client]]\nname = \"x\"\nfingerprint = \"{colons}\"\n");
        std::fs::write(directory.path().join(FILE), text).unwrap();
        assert!(list.find(&fingerprint).unwrap().is_some());
        assert!(list.remove(&fingerprint).unwrap());
    }

    #[test]
    fn a_broken_list_is_an_error_that_names_the_client() {
        let directory = tempfile::tempdir().unwrap();
        let list = AllowList::of(directory.path());
        let broken = [
            ("[[client]]\nname = \"x\"\nfingerprint = \"12\"\n", "client `x`"),
            ("[[client]]\nname = \"x\"\n", "fingerprint"),
            ("[[klient]]\n", "klient"),
            ("\u{0}", "TOML"),
        ];
        for (text, part) in broken {
            std::fs::write(directory.path().join(FILE), text).unwrap();
            let error = list.find(&Fingerprint::from_bytes([1; 32])).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains(FILE), "{error}");
        }
    }

    #[test]
    fn a_list_that_cannot_be_read_is_not_written_over() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(FILE), "[[client]\n").unwrap();
        assert!(AllowList::of(directory.path()).add(&client("x", 1)).is_err());
        assert_eq!(std::fs::read(directory.path().join(FILE)).unwrap(), b"[[client]\n");
    }

    #[test]
    fn names_that_could_disturb_a_log_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let list = AllowList::of(directory.path());
        for name in ["", "a\nb", "\u{1b}[31m", "ü", &"x".repeat(65)] {
            assert!(matches!(list.add(&client(name, 1)), Err(StoreError::Name)));
        }
    }
}
