//! Ciphertexts and answers: what each owner decodes of the other's homomorphic messages.
#![no_main]

use std::sync::LazyLock;

use blindscan_arith::ring::Ring32;
use blindscan_rlwe::answer::answer_bytes;
use blindscan_rlwe::ciphertext::Ciphertext;
use blindscan_rlwe::context::Context;
use blindscan_rlwe::keys::SecretKey;
use blindscan_rlwe::packing::Place;
use libfuzzer_sys::fuzz_target;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

/// Few values, so that inputs reach the second component too.
const VALUES: usize = 3;

static KEY: LazyLock<SecretKey> =
    LazyLock::new(|| SecretKey::generate(Context::exact(), &mut ChaCha8Rng::seed_from_u64(0)));

fuzz_target!(|bytes: &[u8]| {
    let context = Context::exact();
    let places: Vec<Place> = (0..VALUES).map(|i| Place { coefficient: i, element: i }).collect();
    let ring = Ring32::new(32);

    // As they came: another length than the object has is refused.
    let length = Ciphertext::byte_count(context);
    assert!(bytes.len() == length || Ciphertext::from_bytes(context, bytes).is_err());
    let length_of_answer = answer_bytes(context, VALUES);
    assert!(bytes.len() == length_of_answer || KEY.open(ring, &places, bytes).is_err());

    // Inputs are far shorter than the objects; these begin like the input and have the right lengths.
    let _ = Ciphertext::from_bytes(context, &filled(bytes, length));
    if let Ok(shares) = KEY.open(ring, &places, &filled(bytes, length_of_answer)) {
        assert_eq!(shares.len(), VALUES);
    }
});

/// `bytes`, cut or continued with zeros.
fn filled(bytes: &[u8], length: usize) -> Vec<u8> {
    let mut whole = bytes[..bytes.len().min(length)].to_vec();
    whole.resize(length, 0);
    whole
}
