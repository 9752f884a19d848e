//! A look at every share of an image, for who holds both parties' files anyway: `compare`, and tests.
//!
//! A deployed role runs an image by [`ImageOwner::online`] and [`ModelOwner::online`], which look at nothing; the look is another
//! function, and nothing but this module has it. [`image_owner`] and [`model_owner`] are an image in one go, from set-up on, with a
//! stock that is made now and kept nowhere; a deployed session says its control messages between the same calls.

use blindscan_graph::plan::{TensorId, Weights};
use blindscan_protocols::ot::source::OtKind;
use blindscan_protocols::share::ShareView;
use blindscan_protocols::two_party::Party;
use blindscan_wire::Channel;
use rand_core::CryptoRng;

use crate::assigned::AssignedPlan;
use crate::phase::{Observer, Phase};
use crate::roles::{ImageOwner, ModelOwner};
use crate::stock::{Stock, StockHeader, StockId, StockWriter};
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

/// What both ends of an image in one go agree on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct WholeRun {
    /// What the handshake of a session would give.
    pub session: [u8; 32],
    /// How the transfers are made.
    pub kind: OtKind,
}

/// The image owner from set-up to the answer.
pub fn image_owner(
    plan: &AssignedPlan,
    input: &[i64],
    run: WholeRun,
    rng: &mut impl CryptoRng,
    observer: &mut dyn Observer,
    tap: &mut impl Tap,
    channel: &mut dyn Channel,
) -> Result<Output, InferenceError> {
    observer.begin(Phase::Offline, channel.traffic());
    let mut owner = ImageOwner::set_up(run.session, rng, channel)?;
    observer.ready(channel.traffic());
    owner.set_ot(run.kind);
    let writer = StockWriter::anonymous(header(plan, Party::ImageOwner), rng)?;
    let stock = owner.offline(plan, writer, rng, observer, channel)?.into_stock()?;
    observer.begin(Phase::Online, channel.traffic());
    image_owner_online(plan, input, stock, observer, tap, channel)
}

/// The model owner from set-up to the last message.
pub fn model_owner(
    plan: &AssignedPlan,
    weights: &Weights,
    run: WholeRun,
    rng: &mut impl CryptoRng,
    observer: &mut dyn Observer,
    tap: &mut impl Tap,
    channel: &mut dyn Channel,
) -> Result<(), InferenceError> {
    observer.begin(Phase::Offline, channel.traffic());
    let mut owner = ModelOwner::set_up(run.session, channel)?;
    observer.ready(channel.traffic());
    owner.set_ot(run.kind);
    let writer = StockWriter::anonymous(header(plan, Party::ModelOwner), rng)?;
    let stock = owner.offline(plan, weights, writer, rng, observer, channel)?.into_stock()?;
    ModelOwner::stored(channel)?;
    observer.begin(Phase::Online, channel.traffic());
    model_owner_online(plan, weights, stock, observer, tap, channel)
}

/// Of a stock that no folder ever holds: its name tells nothing.
fn header(plan: &AssignedPlan, party: Party) -> StockHeader {
    StockHeader { id: StockId([0; 16]), purpose: plan.purpose(party, plan.digest()) }
}
