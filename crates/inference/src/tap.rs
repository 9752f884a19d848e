//! A look at every share of an image, for who holds both parties' files anyway: `compare`, and tests.
//!
//! A deployed role runs an image by [`ImageOwner::online`] and [`ModelOwner::online`], which look at nothing; the look is another
//! function, and nothing but this module has it.

use blindscan_graph::plan::{TensorId, Weights};
use blindscan_protocols::share::ShareView;
use blindscan_wire::Channel;

use crate::assigned::AssignedPlan;
use crate::phase::Observer;
use crate::roles::{ImageOwner, ModelOwner};
use crate::stock::Stock;
use crate::{InferenceError, Output};

/// Sees one party's share of every tensor that a node makes.
pub trait Tap<W: Copy + Default = u32> {
    /// This party's share of a tensor.
    fn share(&mut self, tensor: TensorId, share: ShareView<'_, W>);
}

/// Sees nothing.
pub(crate) struct NoTap;

impl<W: Copy + Default> Tap<W> for NoTap {
    fn share(&mut self, _: TensorId, _: ShareView<'_, W>) {}
}

/// [`ImageOwner::online`] under a look.
pub fn image_owner_online(
    plan: &AssignedPlan,
    input: &[i64],
    stock: Stock,
    observer: &mut dyn Observer,
    tap: &mut impl Tap,
    channel: &mut dyn Channel,
) -> Result<Output, InferenceError> {
    ImageOwner::online_under(plan, input, stock, observer, tap, channel)
}

/// [`ModelOwner::online`] under a look.
pub fn model_owner_online(
    plan: &AssignedPlan,
    weights: &Weights,
    stock: Stock,
    observer: &mut dyn Observer,
    tap: &mut impl Tap,
    channel: &mut dyn Channel,
) -> Result<(), InferenceError> {
    ModelOwner::online_under(plan, weights, stock, observer, tap, channel)
}
