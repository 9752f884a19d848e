//! The choice of tiles: every candidate's work is counted, the least is taken. Both parties choose alike.

use super::{Axis, Packing};

/// Work of one ciphertext, made, sent and opened, in products of a ciphertext and a kernel: a product takes about 4 us
/// where ciphertexts come from memory, 48 kB about 400 us at 1 Gbit/s, and both parties' arithmetic about 250 us.
pub(super) const CIPHERTEXT: u64 = 160;

/// Work of transforming a kernel, in the same unit.
pub(super) const TRANSFORM: u64 = 4;

/// The best packing of a layer whose axes, channels and groups are given.
pub(super) fn best(layer: Packing, unit_ciphertexts_max: usize) -> Packing {
    let mut best: Option<((bool, u64), Packing)> = None;
    each(&layer, &mut |candidate| {
        let rank = (candidate.channel_blocks() > unit_ciphertexts_max, candidate.work());
        if best.as_ref().is_none_or(|(least, _)| rank < *least) {
            best = Some((rank, candidate.clone()));
        }
    });
    best.expect("with every axis unfolded a tile of one answer fits any degree").1
}

/// Calls `visit` with every candidate.
pub(super) fn each(layer: &Packing, visit: &mut impl FnMut(&Packing)) {
    let unfoldable =
        (0..layer.axes.len()).filter(|&k| layer.axes[k].can_unfold()).fold(0, |set, k| set | 1u32 << k);
    for unfolded in (0..=unfoldable).filter(|set| set & !unfoldable == 0) {
        let mut candidate = layer.clone();
        for (k, axis) in candidate.axes.iter_mut().enumerate() {
            axis.unfolded = unfolded >> k & 1 == 1;
        }
        each_tile(&mut candidate, 0, 1, &mut |tiled| each_block(tiled, visit));
    }
}

/// Calls `visit` with every tile that fits the degree.
fn each_tile(packing: &mut Packing, axis: usize, area: usize, visit: &mut impl FnMut(&mut Packing)) {
    if axis == packing.axes.len() {
        return visit(packing);
    }
    for tile in balanced_parts(packing.axes[axis].outputs) {
        let candidate = Axis { tile_outputs: tile, ..packing.axes[axis] };
        let fits = area.checked_mul(candidate.extent()).filter(|&area| area <= packing.degree);
        if let Some(area) = fits {
            packing.axes[axis] = candidate;
            each_tile(packing, axis + 1, area, visit);
        }
    }
}

/// Calls `visit` with every number of channels in a block, and the most outputs that still fit; then with bundles of two, four,
/// eight.. groups whose channels share one block.
fn each_block(packing: &mut Packing, visit: &mut impl FnMut(&Packing)) {
    let room = packing.degree / packing.area();
    let mut offer = |packing: &mut Packing, channels: usize| {
        let all = packing.bundle_outputs();
        let outputs = all.min(room / channels);
        packing.block_channels = channels;
        packing.block_outputs = all.div_ceil(all.div_ceil(outputs));
        visit(packing);
    };
    packing.bundle = 1;
    for channels in balanced_parts(packing.virtual_channels()).into_iter().filter(|&c| c <= room) {
        offer(packing, channels);
    }
    while packing.bundle < packing.groups {
        packing.bundle = (packing.bundle * 2).min(packing.groups);
        if packing.virtual_channels() > room {
            return;
        }
        offer(packing, packing.virtual_channels());
    }
}

/// The distinct values of ceil(count / parts): sizes that waste least for their number of parts.
fn balanced_parts(count: usize) -> Vec<usize> {
    let mut sizes = Vec::new();
    let mut size = count;
    loop {
        sizes.push(size);
        if size == 1 {
            return sizes;
        }
        size = count.div_ceil(count.div_ceil(size - 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balanced_parts_are_all_the_rounded_quotients() {
        for count in 1..200usize {
            let mut expected: Vec<usize> = (1..=count).map(|parts| count.div_ceil(parts)).collect();
            expected.dedup();
            assert_eq!(balanced_parts(count), expected);
        }
    }
}
