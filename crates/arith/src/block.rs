//! 128-bit blocks: keys, seeds and correlated-OT strings.

use bytemuck::{Pod, Zeroable};

/// 128 bits, little endian. The unit of symmetric cryptography here.
pub type Block = u128;

/// Bytes of a slice of blocks, little endian (the wire form on the little-endian machines we run on).
pub fn bytes_of(blocks: &[Block]) -> Vec<u8> {
    bytemuck::cast_slice(blocks).to_vec()
}

/// Blocks from their wire form.
///
/// # Panics
/// When the length is not a multiple of 16: the channel has already fixed it.
pub fn from_bytes(bytes: &[u8]) -> Vec<Block> {
    assert!(bytes.len().is_multiple_of(16), "a vector of blocks has a multiple of 16 bytes");
    let mut blocks = vec![0u128; bytes.len() / 16];
    bytemuck::cast_slice_mut(&mut blocks).copy_from_slice(bytes);
    blocks
}

const _: () = assert!(cfg!(target_endian = "little"), "wire forms are written for little-endian machines");

fn _pod<T: Pod + Zeroable>() {}
const _: fn() = _pod::<Block>;
