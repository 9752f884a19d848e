//! Saved plans: two files, `plan.public` and `plan.weights`.
//!
//! Each is magic (8 bytes), layout version (u32), digest (32 bytes, BLAKE3 with a context of its own), body (postcard).
//! Loading trusts neither the body nor the digest, which only finds damage: everything is validated.

use std::path::Path;

use zeroize::Zeroize;

use super::{FixedPlan, PLAN_VERSION, PlanError, PublicPlan, Weights};

/// Name of the public half's file.
pub const PUBLIC_FILE: &str = "plan.public";
/// Name of the model owner's file.
pub const WEIGHTS_FILE: &str = "plan.weights";

const HEADER: usize = 8 + 4 + 32;
/// Largest file: 2^28 weights of five bytes and what surrounds them.
const FILE_MAX: u64 = 3 << 29;
const PUBLIC: FileKind =
    FileKind { file: PUBLIC_FILE, magic: b"BSCNPUB\0", context: "blindscan 2026-11 public plan" };
const WEIGHTS: FileKind =
    FileKind { file: WEIGHTS_FILE, magic: b"BSCNWTS\0", context: "blindscan 2026-11 weights file" };

/// What tells the two files apart.
struct FileKind {
    file: &'static str,
    magic: &'static [u8; 8],
    context: &'static str,
}

impl PublicPlan {
    /// The plan in bytes as it is saved: the header, then what is sent and digested.
    pub fn to_bytes(&self) -> Vec<u8> {
        PUBLIC.seal(&postcard::to_stdvec(self).expect("plans have no part that postcard refuses"))
    }

    /// The plan of its bytes, checked by [`PublicPlan::validate`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PlanError> {
        let plan: Self = PUBLIC.decode(PUBLIC.open(bytes)?)?;
        plan.validate()?;

        Ok(plan)
    }

    /// What both sides compare and bind their keys to.
    pub fn digest(&self) -> [u8; 32] {
        PUBLIC.digest(&postcard::to_stdvec(self).expect("plans have no part that postcard refuses"))
    }

    /// Reads `plan.public` of a folder.
    pub fn load(folder: &Path) -> Result<Self, PlanError> {
        Self::from_bytes(&PUBLIC.read(folder)?)
    }

    /// Writes `plan.public` into a folder.
    pub fn save(&self, folder: &Path) -> Result<(), PlanError> {
        PUBLIC.write(folder, &self.to_bytes())
    }
}

impl FixedPlan {
    /// Reads both files of a folder and checks that they belong together.
    pub fn load(folder: &Path) -> Result<Self, PlanError> {
        let public = PublicPlan::load(folder)?;
        let mut bytes = WEIGHTS.read(folder)?;
        let weights = WEIGHTS.open(&bytes).and_then(|body| WEIGHTS.decode::<Weights>(body));
        bytes.zeroize();
        let weights = weights?;
        weights.check(&public)?;

        Ok(Self { public, weights })
    }

    /// Writes both files into a folder, each whole or not at all.
    pub fn save(&self, folder: &Path) -> Result<(), PlanError> {
        let mut body =
            postcard::to_stdvec(&self.weights).expect("weights have no part that postcard refuses");
        let mut sealed = WEIGHTS.seal(&body);
        body.zeroize();
        let written = WEIGHTS.write(folder, &sealed);
        sealed.zeroize();
        written?;

        self.public.save(folder)
    }
}

impl FileKind {
    fn digest(&self, body: &[u8]) -> [u8; 32] {
        blake3::derive_key(self.context, body)
    }

    fn seal(&self, body: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER + body.len());
        bytes.extend_from_slice(self.magic);
        bytes.extend_from_slice(&PLAN_VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.digest(body));
        bytes.extend_from_slice(body);
        bytes
    }

    fn open<'a>(&self, bytes: &'a [u8]) -> Result<&'a [u8], PlanError> {
        let Some((header, body)) = bytes.split_at_checked(HEADER) else {
            return Err(self.error("it is too short to be a saved plan"));
        };
        if header[..8] != self.magic[..] {
            return Err(self.error("it is not a saved plan of this kind"));
        }
        if header[8..12] != PLAN_VERSION.to_le_bytes() {
            return Err(self.error("it was written by another version; make it again from the model"));
        }
        if header[12..] != self.digest(body) {
            return Err(self.error("it is damaged; make it again from the model"));
        }
        Ok(body)
    }

    fn decode<T: serde::de::DeserializeOwned>(&self, body: &[u8]) -> Result<T, PlanError> {
        match postcard::take_from_bytes(body) {
            Ok((value, [])) => Ok(value),
            _ => Err(self.error("its content cannot be read; make it again from the model")),
        }
    }

    fn read(&self, folder: &Path) -> Result<Vec<u8>, PlanError> {
        let path = folder.join(self.file);
        let length = std::fs::metadata(&path).map_err(|source| self.io(source))?.len();
        if length > FILE_MAX {
            return Err(self.error("it is larger than any plan"));
        }
        std::fs::read(path).map_err(|source| self.io(source))
    }

    /// Writes beside the target and renames, so that no half file is ever found under the name.
    fn write(&self, folder: &Path, bytes: &[u8]) -> Result<(), PlanError> {
        let partial = folder.join(format!("{}.partial", self.file));
        let written =
            write_private(&partial, bytes).and_then(|()| std::fs::rename(&partial, folder.join(self.file)));
        written.map_err(|source| {
            // The first error is what the user must see; a partial file that cannot be removed is only untidy.
            let _ = std::fs::remove_file(&partial);
            self.io(source)
        })
    }

    fn error(&self, problem: &'static str) -> PlanError {
        PlanError::File { file: self.file, problem }
    }

    fn io(&self, source: std::io::Error) -> PlanError {
        PlanError::Io { file: self.file, source }
    }
}

/// Writes a file that its owner alone can read: weights are in it.
fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
