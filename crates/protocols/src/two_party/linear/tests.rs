//! The dialogue equals its ideal, costs what it declares, and refuses a lying peer.

use std::time::Duration;

use blindscan_arith::conv::LinearShape;
use blindscan_arith::ring::Module;
use blindscan_rlwe::ciphertext::Ciphertext;
use blindscan_rlwe::context::Context;
use blindscan_wire::memory::{Played, pair, play};
use blindscan_wire::{Channel, WireError};
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::*;

type Shared = Result<Share, ProtocolError>;

fn convolution(size: &[usize], kernel: &[usize], channels: (usize, usize), groups: usize) -> LinearShape {
    let rank = size.len();
    LinearShape {
        input_size: size.to_vec(),
        kernel: kernel.to_vec(),
        strides: vec![1; rank],
        dilations: vec![1; rank],
        pads_begin: kernel.iter().map(|k| (k - 1) / 2).collect(),
        pads_end: kernel.iter().map(|k| k / 2).collect(),
        in_channels: channels.0,
        out_channels: channels.1,
        groups,
        rows: 1,
    }
}

fn dense(rows: usize, ins: usize, outs: usize) -> LinearShape {
    LinearShape { rows, ..convolution(&[], &[], (ins, outs), 1) }
}

/// A mask and weights, with the ends of their ranges among them.
fn material(layer: &LinearLayer, seed: u64) -> (Share, Vec<i32>) {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mask = (0..layer.shape.input_count()).map(|_| layer.ring.reduce(rng.next_u32())).collect();
    let weight = |word: u32| match word % 8 {
        0 => 0,
        1 => WEIGHT_BOUND - 1,
        2 => 1 - WEIGHT_BOUND,
        _ => (word >> 16) as i32 % WEIGHT_BOUND - WEIGHT_BOUND / 2,
    };
    let weights = (0..layer.shape.weight_count()).map(|_| weight(rng.next_u32())).collect();
    (Share::of_words(mask), weights)
}

fn played(layer: &LinearLayer, mask: &Share, weights: &[i32]) -> Played<Shared, Shared> {
    play(
        |channel| {
            let mut rng = ChaCha20Rng::seed_from_u64(10);
            let keys = key_exchange::image_owner(&mut rng, channel)?;
            layer.image_owner_offline(mask.view(), &keys, &mut rng, channel)
        },
        |channel| {
            let mut rng = ChaCha20Rng::seed_from_u64(20);
            let peer = key_exchange::model_owner(channel)?;
            layer.model_owner_offline(weights, &peer, &mut rng, channel)
        },
    )
}

fn assert_equals_ideal_at_declared_cost(layer: &LinearLayer, seed: u64) {
    let (mask, weights) = material(layer, seed);
    let played = played(layer, &mask, &weights);
    let (image, model) = (played.left.unwrap(), played.right.unwrap());
    let sums = image.view().plus(layer.ring, model.view());
    let ideal = ideal::linear(&layer.shape, layer.ring_bits(), &weights, mask.words());
    assert_eq!(sums.words(), ideal, "{:?}", layer.shape);
    let mut words = image.words().iter().chain(model.words());
    assert!(words.all(|&word| word == layer.ring.reduce(word)));
    let script = Script::from_iter([key_exchange::script(), layer.script()]);
    assert_eq!(played.left_traffic, script.traffic(Party::ImageOwner));
    assert_eq!(played.right_traffic, script.traffic(Party::ModelOwner));
}

fn assert_shape(shape: LinearShape, ring_bits: u32) {
    assert_equals_ideal_at_declared_cost(&LinearLayer::new(shape, ring_bits).unwrap(), u64::from(ring_bits));
}

#[test]
fn convolutions_over_one_two_and_three_axes_equal_the_ideal() {
    assert_shape(convolution(&[5000], &[5], (2, 3), 1), 32);
    assert_shape(convolution(&[30, 40], &[3, 3], (5, 4), 1), 26);
    assert_shape(convolution(&[90, 70], &[3, 3], (2, 2), 1), 32);
    assert_shape(convolution(&[8, 9, 10], &[3, 3, 3], (3, 2), 1), 28);
}

#[test]
fn strided_dilated_grouped_and_depthwise_layers_equal_the_ideal() {
    let mut stem = convolution(&[40, 41], &[7, 7], (3, 4), 1);
    (stem.strides, stem.pads_begin, stem.pads_end) = (vec![2, 2], vec![3, 2], vec![3, 4]);
    assert_shape(stem, 32);
    let mut subsampled = convolution(&[33, 32], &[1, 1], (6, 5), 1);
    subsampled.strides = vec![2, 2];
    assert_shape(subsampled, 24);
    let mut spread = convolution(&[40, 40], &[3, 3], (2, 2), 1);
    (spread.dilations, spread.pads_begin, spread.pads_end) = (vec![4, 6], vec![4, 6], vec![4, 6]);
    assert_shape(spread, 30);
    assert_shape(convolution(&[20, 20], &[3, 3], (6, 9), 3), 31);
    assert_shape(convolution(&[20, 20], &[3, 3], (8, 8), 8), 20);
}

#[test]
fn dense_layers_equal_the_ideal() {
    assert_shape(dense(1, 1, 1), 2);
    assert_shape(dense(1, 3000, 10), 32);
    assert_shape(dense(3, 500, 40), 27);
    assert_shape(dense(1, 10, 5000), 16);
}

#[test]
fn a_layer_larger_than_the_memory_budget_is_streamed_in_blocks() {
    let (sum, input) = (Product::memory_bytes(Context::exact()), Ciphertext::memory_bytes(Context::exact()));
    for shape in [
        convolution(&[150, 110], &[3, 3], (2, 2), 1),
        convolution(&[60, 60], &[3, 3], (6, 6), 6),
        convolution(&[100, 60], &[3, 3], (3, 3), 3),
        dense(40, 4096, 3),
    ] {
        // Blocks of one unit, and blocks that begin and end within a group.
        for memory in [sum + 2 * input, 4 * (sum + input)] {
            let layer = LinearLayer::with_memory(shape.clone(), 32, memory).unwrap();
            assert!(layer.blocks().len() >= 2, "{} blocks of {shape:?}", layer.blocks().len());
            assert_equals_ideal_at_declared_cost(&layer, 3);
        }
    }
}

#[test]
fn a_message_is_bounded_however_large_the_layer_is() {
    let layer = LinearLayer::new(convolution(&[512, 512], &[3, 3], (16, 16), 1), 32).unwrap();
    let messages = layer.blocks().flat_map(|block| layer.rows(block)).flat_map(|row| {
        let output = row.output_block;
        row.messages().into_iter().map(move |units| (output, units)).collect::<Vec<_>>()
    });
    let largest =
        messages.map(|(output, units)| layer.answer_lengths(output, &units).iter().sum::<usize>()).max();
    assert!(largest.unwrap() <= 3 << 20);
    assert!(INPUTS_PER_MESSAGE * Ciphertext::byte_count(Context::exact()) <= 3 << 20);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_shape_equals_the_ideal(
        rank in 0usize..=3, seed: u64, ins in 1usize..6, outs in 1usize..6, groups in 1usize..4, bits in 2u32..=32,
        sizes in prop::array::uniform3(1usize..14), kernels in prop::array::uniform3(1usize..4),
        strides in prop::array::uniform3(1usize..4), dilations in prop::array::uniform3(1usize..3),
        before in prop::array::uniform3(0usize..3), behind in prop::array::uniform3(0usize..3), rows in 1usize..5,
    ) {
        let mut shape = convolution(&sizes[..rank], &kernels[..rank], (ins * groups, outs * groups), groups);
        shape.strides = strides[..rank].to_vec();
        shape.dilations = dilations[..rank].to_vec();
        shape.pads_begin = before[..rank].to_vec();
        shape.pads_end = behind[..rank].to_vec();
        shape.rows = if rank == 0 { rows } else { 1 };
        prop_assume!(!shape.output_size().contains(&0));
        assert_equals_ideal_at_declared_cost(&LinearLayer::new(shape, bits).unwrap(), seed);
    }
}

/// An image owner who sends a good key, then `inputs`.
fn model_owner_against(inputs: Vec<u8>) -> Shared {
    let layer = LinearLayer::new(dense(1, 8, 2), 32).unwrap();
    let honest = play(
        |channel| {
            key_exchange::image_owner(&mut ChaCha20Rng::seed_from_u64(1), channel).unwrap();
            channel.send(&inputs).unwrap();
        },
        |channel| {
            let peer = key_exchange::model_owner(channel)?;
            layer.model_owner_offline(&[1; 16], &peer, &mut ChaCha20Rng::seed_from_u64(2), channel)
        },
    );
    honest.right
}

#[test]
fn a_ciphertext_with_a_residue_out_of_range_is_an_error() {
    let length = Ciphertext::byte_count(Context::exact());
    assert!(model_owner_against(vec![0; length]).is_ok());
    assert!(matches!(model_owner_against(vec![0xff; length]), Err(ProtocolError::Peer(_))));
}

#[test]
fn a_short_ciphertext_is_an_error_and_not_a_panic() {
    let length = Ciphertext::byte_count(Context::exact());
    let error = model_owner_against(vec![0; length - 1]);
    assert!(
        matches!(error, Err(ProtocolError::Wire(WireError::UnexpectedLength { expected, .. })) if expected == length)
    );
}

#[test]
fn a_public_key_out_of_range_is_an_error() {
    let length = key_exchange::script().bytes() as usize;
    let played = play(
        |channel| channel.send(&vec![0xff; length]).unwrap(),
        |channel| key_exchange::model_owner(channel).err(),
    );
    assert!(matches!(played.right, Some(ProtocolError::Peer(_))));
}

#[test]
fn an_answer_out_of_range_or_too_short_is_an_error() {
    let layer = LinearLayer::new(dense(1, 8, 2), 32).unwrap();
    let length = layer.script().traffic(Party::ImageOwner).bytes_received as usize;
    for (answer, valid) in
        [(vec![0; length], true), (vec![0xff; length], false), (vec![0; length - 1], false)]
    {
        let played = play(
            |channel| {
                let mut rng = ChaCha20Rng::seed_from_u64(3);
                let keys = key_exchange::image_owner(&mut rng, channel)?;
                layer.image_owner_offline(Share::of_words(vec![1; 8]).view(), &keys, &mut rng, channel)
            },
            |channel| {
                key_exchange::model_owner(channel).unwrap();
                channel.receive(Ciphertext::byte_count(Context::exact())).unwrap();
                channel.send(&answer).unwrap();
            },
        );
        assert_eq!(played.left.is_ok(), valid);
    }
}

#[test]
#[should_panic(expected = "weights are below 2^15")]
fn a_weight_that_is_too_large_is_our_own_fault() {
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let key = SecretKey::generate(Context::exact(), &mut rng).public_key_bytes(&mut rng);
    let peer = PublicKey::from_bytes(Context::exact(), &key).unwrap();
    let (mut channel, _other) = pair(Duration::from_secs(1));
    let layer = LinearLayer::new(dense(1, 1, 1), 32).unwrap();
    let _ = layer.model_owner_offline(&[-WEIGHT_BOUND], &peer, &mut rng, &mut channel);
}
