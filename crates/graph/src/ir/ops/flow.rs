//! How operators treat channels (axis 1 behind a batch of 1): the one table by which constant channels, factors and shifts, and
//! classes are followed through a graph.

use super::{Layer, Tensor};

/// What an operator does to channels.
pub(crate) enum ChannelFlow<'a> {
    /// Each output channel is a weighted sum of input channels, and a bias.
    Mixed(Layer<'a>),
    /// max(x, 0) within each channel: a positive factor passes, a shift does not.
    Rectified,
    /// The largest of several elements of each channel: a positive factor passes, and one shift per channel.
    Largest,
    /// Elements of each channel moved, or averaged: every factor and shift passes. `zeros` when zeros come in.
    Kept {
        /// Whether zeros may take the place of elements.
        zeros: bool,
    },
    /// Elements of each channel picked: each output channel is part of the input's. Factors and shifts are not carried through.
    Picked,
    /// A constant added.
    Shifted(&'a Tensor),
    /// The sum of the inputs, channel by channel.
    Summed,
    /// The inputs' channels one after another.
    Joined,
    /// The inputs side by side along another axis than the channels'.
    Stacked {
        /// The axis.
        axis: usize,
    },
    /// The same elements in the same order: a channel becomes a run of channels, or a run one channel.
    Regrouped,
    /// Channels are mixed with other axes.
    Lost,
}

impl<'a> ChannelFlow<'a> {
    /// The weights and biases of what mixes channels.
    pub(crate) fn layer(self) -> Option<Layer<'a>> {
        match self {
            ChannelFlow::Mixed(layer) => Some(layer),
            ChannelFlow::Rectified
            | ChannelFlow::Largest
            | ChannelFlow::Kept { .. }
            | ChannelFlow::Picked
            | ChannelFlow::Shifted(_)
            | ChannelFlow::Summed
            | ChannelFlow::Joined
            | ChannelFlow::Stacked { .. }
            | ChannelFlow::Regrouped
            | ChannelFlow::Lost => None,
        }
    }
}

/// Whether a list with one entry per axis has `neutral` entries for batch and channels.
pub(super) fn leaves_channels<T: PartialEq>(list: &[T], neutral: [T; 2]) -> bool {
    list.get(..2).is_some_and(|first| *first == neutral)
}
