//! What a program hears while this crate works: progress, and sentences for a person. Nothing is printed here.

use std::time::Duration;

use blindscan_inference::roles::Phase;

/// Hears what goes on. Every method may be called from several threads; none may fail.
pub trait Events: Send + Sync {
    /// A layer is done.
    fn progress(&self, _progress: &JobProgress<'_>) {}

    /// No more progress of this job comes.
    fn finished(&self) {}

    /// Something that a person may want to know.
    fn note(&self, _text: &str) {}

    /// Something that makes an answer doubtful or a server useless.
    fn warning(&self, _text: &str) {}
}

/// Hears nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Events for Silent {}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JobProgress<'a> {
    /// Offline or online.
    pub phase: Phase,
    /// Layers of this phase that are done.
    pub layer: usize,
    /// Of so many.
    pub layers: usize,
    /// What the last of them does.
    pub kind: &'a str,
    /// Bytes that went both ways so far.
    pub bytes_done: u64,
    /// Of so many.
    pub bytes_expected: u64,
    /// Since the job began.
    pub elapsed: Duration,
}
