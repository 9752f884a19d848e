//! An allocator for tests that looks into memory when it is given back: is a secret still there?
//!
//! A test program makes one its allocator and names secrets to it. It sees every block of words (of alignment four and more) that is
//! freed or moved, however deep the code that did it. It does not see bytes, the stack, registers, nor what is never freed.
//!
//! ```
//! use blindscan_arith::freed::Freed;
//!
//! #[global_allocator]
//! static FREED: Freed = Freed::idle();
//!
//! fn main() {
//!     let left_as_it_is = vec![0x1234_5678_u32; 8];
//!     let secret = FREED.watch(&left_as_it_is);
//!     drop(left_as_it_is);
//!     assert!(FREED.has_seen(secret));
//! }
//! ```

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

/// Words of a secret that are looked for.
pub const WORDS: usize = 4;

/// Secrets that can be watched for.
const SECRETS_MAX: usize = 1 << 12;

/// Entries of the first sieve: what the first word of a secret is, by its low bits.
const SIEVE: usize = 1 << 16;

/// The system's allocator, and what it watches for.
pub struct Freed {
    secrets: [Secret; SECRETS_MAX],
    count: AtomicUsize,
    sieve: [AtomicBool; SIEVE],
}

struct Secret {
    words: [AtomicU32; WORDS],
    seen: AtomicBool,
}

/// One of the secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretId(usize);

impl Freed {
    /// An allocator that watches for nothing yet.
    pub const fn idle() -> Self {
        let secrets =
            [const { Secret { words: [const { AtomicU32::new(0) }; WORDS], seen: AtomicBool::new(false) } };
                SECRETS_MAX];
        Self { secrets, count: AtomicUsize::new(0), sieve: [const { AtomicBool::new(false) }; SIEVE] }
    }

    /// Watches for the first [`WORDS`] of these words from now on, at every place that is a multiple of four bytes. One thread at
    /// a time may call it.
    ///
    /// # Panics
    /// When there are fewer, or more secrets than there is room for.
    pub fn watch(&self, words: &[u32]) -> SecretId {
        let id = self.count.load(Ordering::SeqCst);
        assert!(words.len() >= WORDS && id < SECRETS_MAX, "a secret is long enough and one of few");
        for (kept, word) in self.secrets[id].words.iter().zip(words) {
            kept.store(*word, Ordering::SeqCst);
        }
        self.count.store(id + 1, Ordering::SeqCst);
        self.sieve[words[0] as usize % SIEVE].store(true, Ordering::SeqCst);
        SecretId(id)
    }

    /// Whether a block was given back with this secret in it.
    pub fn has_seen(&self, secret: SecretId) -> bool {
        self.secrets[secret.0].seen.load(Ordering::SeqCst)
    }

    fn look(&self, block: &[u32]) {
        let secrets = &self.secrets[..self.count.load(Ordering::SeqCst)];
        for window in block.windows(WORDS) {
            if self.sieve[window[0] as usize % SIEVE].load(Ordering::Relaxed) {
                secrets.iter().filter(|secret| secret.is(window)).for_each(Secret::found);
            }
        }
    }
}

impl Secret {
    fn is(&self, window: &[u32]) -> bool {
        self.words.iter().zip(window).all(|(kept, word)| kept.load(Ordering::Relaxed) == *word)
    }

    fn found(&self) {
        self.seen.store(true, Ordering::SeqCst);
    }
}

// SAFETY: every call goes to the system's allocator with the layout it was given.
unsafe impl GlobalAlloc for Freed {
    /// Zeroed, so that what is read when the block is given back has been written.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise about the layout is the one that is asked for.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if layout.align() >= align_of::<u32>() && self.count.load(Ordering::SeqCst) > 0 {
            // SAFETY: the block was given out with this layout and has not been given back; it is aligned for words and was
            // zeroed before anything was written to it.
            self.look(unsafe { std::slice::from_raw_parts(block.cast(), layout.size() / size_of::<u32>()) });
        }
        // SAFETY: the caller's promise about the block and its layout is the one that is asked for.
        unsafe { System.dealloc(block, layout) }
    }
}
