//! Trees of seeds, of which the other party learns every leaf but one.
//!
//! A node's children are the first two blocks of its stream. Leaves are numbered by the path, the root's choice in the
//! most significant bit. The owner tells, for each level, the sum of all left and the sum of all right nodes; the other
//! knows one of the two by transfer, the one that leaves out the path to its missing leaf, and completes the level.
//! Source: the tree is that of Goldreich, Goldwasser and Micali, JACM 1986; Roy, ePrint 2022/192, uses it so.

use blindscan_arith::block::Block;
use blindscan_arith::prg::Prg;
use zeroize::Zeroizing;

/// Seeds, erased when dropped.
pub(super) type Seeds = Zeroizing<Vec<Block>>;

/// All 2^depth leaves of a tree, and for each level the sums of its left and of its right nodes.
pub(super) fn grow(root: Block, depth: usize) -> (Seeds, Vec<[Block; 2]>) {
    let mut nodes = Zeroizing::new(vec![root]);
    let mut sums = Vec::with_capacity(depth);
    for _ in 0..depth {
        nodes = Zeroizing::new(nodes.iter().flat_map(|&node| children(node)).collect());
        sums.push(sums_of(&nodes));
    }
    (nodes, sums)
}

/// The leaves but that of number `missing`: leaf number y of the result, counted from 1, has number `y xor missing`.
///
/// `known[level]` is the sum of the nodes of that level which `missing` does not pass on its last step. Counting from
/// the missing leaf makes the order of all steps independent of it, for it is secret.
pub(super) fn regrow(known: &[Block], missing: u32) -> Seeds {
    let depth = known.len();
    let mut nodes = Zeroizing::new(vec![0]);
    for (level, &sum) in known.iter().enumerate() {
        let turn = Block::from(missing >> (depth - 1 - level) & 1).wrapping_neg();
        // The children of the missing node stand as zeros; the second is then what the others leave of the sum.
        let mut next = Zeroizing::new(vec![0; 2]);
        for &node in &nodes[1..] {
            let [left, right] = children(node);
            let swap = (left ^ right) & turn;
            next.extend([left ^ swap, right ^ swap]);
        }
        next[1] = sum ^ sums_of(&next)[1];
        nodes = next;
    }
    nodes.remove(0);
    nodes
}

fn children(node: Block) -> [Block; 2] {
    let mut stream = Prg::new(node);
    [stream.block(), stream.block()]
}

fn sums_of(nodes: &[Block]) -> [Block; 2] {
    nodes.chunks_exact(2).fold([0; 2], |[left, right], pair| [left ^ pair[0], right ^ pair[1]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_leaf_but_the_missing_one_is_grown_again() {
        for depth in [1, 2, 4, 8] {
            let (leaves, sums) = grow(99, depth);
            for missing in 0..1u32 << depth {
                let known: Vec<Block> = (0..depth)
                    .map(|level| sums[level][1 - (missing >> (depth - 1 - level) & 1) as usize])
                    .collect();
                let again = regrow(&known, missing);
                assert_eq!(again.len(), leaves.len() - 1);
                for (index, &leaf) in again.iter().enumerate() {
                    assert_eq!(
                        leaf,
                        leaves[(index + 1) ^ missing as usize],
                        "depth {depth}, missing {missing}"
                    );
                }
            }
        }
    }
}
