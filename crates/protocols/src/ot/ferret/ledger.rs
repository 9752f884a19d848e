//! Which trees are grown when: the arithmetic that both ends, and the declared cost, have in common.

use super::LpnSet;

/// One thing that both ends do at the same point, in this order within a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ot) enum Step {
    /// Transfers of another kind feed the first iteration.
    Begin,
    /// The last trees of an iteration are grown, and feed the next.
    Renew { first: usize, count: usize },
    /// Trees are grown and handed out.
    Grow { first: usize, count: usize },
}

/// How far the transfers of a phase have come.
#[derive(Clone, Copy, Debug)]
pub(in crate::ot) struct Ledger {
    set: LpnSet,
    begun: bool,
    next_tree: usize,
    at_hand: usize,
}

impl Ledger {
    /// Before the first transfer.
    pub(in crate::ot) fn new(set: LpnSet) -> Self {
        Self { set, begun: false, next_tree: 0, at_hand: 0 }
    }

    /// Enters a request; what must be done for it.
    pub(in crate::ot) fn request(&mut self, transfers: usize) -> Vec<Step> {
        let mut trees = transfers.saturating_sub(self.at_hand).div_ceil(self.set.leaves());
        self.at_hand = self.at_hand + trees * self.set.leaves() - transfers;
        let mut steps = Vec::new();
        while trees > 0 {
            if !self.begun {
                self.begun = true;
                steps.push(Step::Begin);
            }
            let free = self.set.free_trees();
            if self.next_tree == free {
                self.next_tree = 0;
                steps.push(Step::Renew { first: free, count: self.set.kept_trees() });
            }
            let count = trees.min(free - self.next_tree);
            steps.push(Step::Grow { first: self.next_tree, count });
            self.next_tree += count;
            trees -= count;
        }
        steps
    }
}
