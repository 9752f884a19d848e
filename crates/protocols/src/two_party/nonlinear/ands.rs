//! ANDs of shared bits by triples; one or two products that have a factor in common.
//!
//! | step | who | message | bits |
//! |---|---|---|---|
//! | 1 | both, at once | x xor a, y xor b, and z xor c for the second product | 2 or 3 |
//!
//! Ideal: `([x], [y], [z]) -> ([x and y], [x and z])`. Stock: a, b, ab and c, ac in shares, from **one** pair
//! of random transfers, one in each direction, of messages of 2 bits (of 1 bit for one product), without
//! traffic: forward, the image owner's pads are m0, m1 and its (b0, c0) = m0 xor m1; the model owner's choice
//! is a1 and its pad m0 xor a1 (b0, c0); backward the same with n0, n1, (b1, c1) and a0. So the image owner's
//! share of ab is a0 b0 xor m0 xor n_a0, the model owner's a1 b1 xor m_a1 xor n0.
//!
//! Security: every opened bit is masked by a random bit used once. The common factor is opened once; b and c
//! are independent.
//! Source: Beaver, CRYPTO '91, section 2; triples from random transfers: Asharov et al., CCS 2013.

use blindscan_arith::bits::Bits;
use blindscan_wire::Channel;

use super::digits::Order;
use super::message::{Reader, Writer};
use super::pads::Digits;
use super::supply::{PadDemand, PadEnds};
use crate::ProtocolError;
use crate::ot::pads::{DigitPadsReceiver, DigitPadsSender};
use crate::two_party::Party;

/// Shares of a, and of b and ab for each product. Erased on drop; not `Clone`.
pub(super) struct Triple {
    common: Bits,
    factors: Vec<Factor>,
}

struct Factor {
    mask: Bits,
    product: Bits,
}

impl Triple {
    /// One pair of transfers per element.
    pub(super) const DEMAND: PadDemand = PadDemand { forward_cots: 1, backward_cots: 1 };

    /// Triples for one or two products.
    pub(super) fn offline(
        n: usize,
        products: u32,
        ends: &mut PadEnds,
        channel: &mut dyn Channel,
    ) -> Result<Self, ProtocolError> {
        let (sent, received) = ends.both(Digits { choice_bits: 1, message_bits: products }, n, channel)?;
        Ok(Self::of_pads(&sent, received))
    }

    fn of_pads(sent: &DigitPadsSender, mut received: DigitPadsReceiver) -> Self {
        let common = received.choice.remove(0);
        let factors = (0..received.pad.len())
            .map(|product| {
                let (zero, one) = (&sent.pads[0][product], &sent.pads[1][product]);
                let mask = zero.xor(one);
                let mut product = common.and(&mask).xor(&received.pad[product]);
                product.xor_assign(zero);
                Factor { mask, product }
            })
            .collect();
        Self { common, factors }
    }

    pub(super) fn stock_bytes(n: usize, products: u32) -> usize {
        (1 + 2 * products as usize) * Bits::byte_count(n)
    }

    pub(super) fn write(&self, out: &mut Writer) {
        out.plane(&self.common);
        for factor in &self.factors {
            out.plane(&factor.mask);
            out.plane(&factor.product);
        }
    }

    pub(super) fn read(products: u32, from: &mut Reader) -> Self {
        let common = from.plane();
        let factors = (0..products).map(|_| Factor { mask: from.plane(), product: from.plane() }).collect();
        Self { common, factors }
    }
}

/// Two neighbouring ranges of digits on their way to being one:
/// greater = greater_high xor equal_high and greater_low; equal = equal_high and equal_low.
pub(super) struct Joining {
    triple: Triple,
    masked: Vec<Bits>,
    greater_high: Bits,
}

impl Joining {
    /// Masks this party's shares and writes them.
    pub(super) fn open(triple: Triple, high: &Order, low: &Order, out: &mut Writer) -> Self {
        let equal_high = high.equal.as_ref().expect("only the lowest range is without equality");
        let mut masked = vec![equal_high.xor(&triple.common)];
        for (share, factor) in
            [Some(&low.greater), low.equal.as_ref()].into_iter().flatten().zip(&triple.factors)
        {
            masked.push(share.xor(&factor.mask));
        }
        assert_eq!(masked.len(), 1 + triple.factors.len(), "a triple has the products of its node");
        masked.iter().for_each(|plane| out.plane(plane));
        Self { triple, masked, greater_high: high.greater.clone() }
    }

    /// This party's shares of the joined range, given the peer's masked shares.
    pub(super) fn close(mut self, party: Party, from: &mut Reader) -> Order {
        for plane in &mut self.masked {
            plane.xor_assign(&from.plane());
        }
        let mut products = self
            .triple
            .factors
            .iter()
            .zip(&self.masked[1..])
            .map(|(factor, opened)| product(party, &self.masked[0], opened, &self.triple.common, factor));
        let mut greater = products.next().expect("a node has at least one product");
        greater.xor_assign(&self.greater_high);
        Order { greater, equal: products.next() }
    }
}

/// A share of xy, given x xor a and y xor b in the clear: ab xor (x xor a) b xor (y xor b) a, and at one
/// party (x xor a)(y xor b).
fn product(party: Party, x: &Bits, y: &Bits, common: &Bits, factor: &Factor) -> Bits {
    let once = match party {
        Party::ImageOwner => u64::MAX,
        Party::ModelOwner => 0,
    };
    let (x, y, a) = (x.words(), y.words(), common.words());
    let (b, ab) = (factor.mask.words(), factor.product.words());
    assert!([y.len(), a.len(), b.len(), ab.len()] == [x.len(); 4], "planes of one length");
    let words = (0..x.len()).map(|i| ab[i] ^ x[i] & (b[i] ^ y[i] & once) ^ y[i] & a[i]).collect();
    Bits::from_words(words, common.len())
}
