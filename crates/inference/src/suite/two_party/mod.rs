//! The operators that speak: each answers four questions in its own file.
//!
//! | question | where |
//! |---|---|
//! | demand: which one-time material | `demand` |
//! | cost: the messages of each phase | `offline_script`, `online_script` |
//! | the image owner's step | `offline` and `online` with `Party::ImageOwner` |
//! | the model owner's step | the same with `Party::ModelOwner` |
//!
//! Where both parties do the same there is one function with a party; where they do not, there are two.

pub(crate) mod activate;
pub(crate) mod answer;
mod image_owner;
pub(crate) mod linear;
pub(crate) mod max_pool;
mod model_owner;
pub(crate) mod transfers;
pub(crate) mod windows;

use std::ops::Range;

use blindscan_wire::script::Script;

pub use image_owner::ImageOwner;
pub use model_owner::ModelOwner;

/// Elements that one dialogue of a non-linear step handles: long vectors are cut, so that memory does not grow with the image.
pub(crate) const CHUNK: usize = 1 << 18;

/// The pieces of a vector of `count` elements each of which is compared so many times.
pub(crate) fn chunks(count: usize, comparisons: usize) -> impl Iterator<Item = Range<usize>> {
    let length = chunk_length(comparisons);
    (0..count).step_by(length).map(move |start| start..(start + length).min(count))
}

/// The messages of a dialogue that is held once for each of the [`chunks`].
pub(crate) fn chunked(count: usize, comparisons: usize, dialogue: impl Fn(usize) -> Script) -> Script {
    let length = chunk_length(comparisons);
    let mut script = Script::default();
    if count >= length {
        script.repeat(count / length, dialogue(length));
    }
    if count % length > 0 {
        script.then(dialogue(count % length));
    }
    script
}

fn chunk_length(comparisons: usize) -> usize {
    (CHUNK / comparisons.max(1)).max(1)
}
