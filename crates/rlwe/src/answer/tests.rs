//! Answers are right, their noise is what the bound says, and detectors tell broken sealing from honest.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::*;
use crate::ciphertext::Encryptor;
use crate::noise;
use crate::parameters::EXACT;

/// How a test breaks the sealing of answers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sabotage {
    /// Not at all.
    None,
    /// The mask is zero.
    MaskLeftOut,
    /// The mask is a multiple of q / 2^32: it hides the message, and leaves noise times weights bare.
    MaskCoarse,
    /// All answers take the same mask.
    MaskReused,
    /// All answers take the randomness of one seed.
    ZeroEncryptionReused,
}

impl Sabotage {
    pub(super) fn before(self, randomness: &mut Sampler) {
        if self == Self::ZeroEncryptionReused {
            *randomness = Sampler::new(7);
        }
    }

    pub(super) fn mask(self, context: &Context, mask: Coefficients) -> Coefficients {
        match self {
            Self::MaskLeftOut => Coefficients::zero(context),
            Self::MaskCoarse => {
                let words: Vec<u32> = (0..EXACT.degree).map(|i| context.scale(RING, mask.at(i))).collect();
                context.encode(RING, &everywhere(), &words)
            }
            Self::MaskReused => Sampler::new(9).uniform_coefficients(context),
            Self::None | Self::ZeroEncryptionReused => mask,
        }
    }
}

const RING: Ring32 = Ring32::new(32);

/// Both owners, with one input ciphertext between them.
struct Table {
    secret: SecretKey,
    public: PublicKey,
    ciphertext: Ciphertext,
    rng: ChaCha20Rng,
}

fn everywhere() -> Vec<Place> {
    (0..EXACT.degree).map(|i| Place { coefficient: i, element: i }).collect()
}

fn table(seed: u64, message: &[u32]) -> Table {
    let context = Context::exact();
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let secret = SecretKey::generate(context, &mut rng);
    let public = PublicKey::from_bytes(context, &secret.public_key_bytes(&mut rng)).unwrap();
    let mut bytes = Vec::new();
    let mut encryptor = Encryptor::new(&secret, &mut rng);
    let randomness = encryptor.randomness();
    encryptor.encrypt(randomness, RING, &everywhere(), message, &mut bytes);
    let ciphertext = Ciphertext::from_bytes(context, &bytes).unwrap();
    Table { secret, public, ciphertext, rng }
}

/// The weights that stand at coefficients 0, 1, ...
fn kernel(weights: &[i32]) -> Spectrum {
    let places: Vec<Place> = (0..weights.len()).map(|i| Place { coefficient: i, element: i }).collect();
    Context::exact().kernel(&places, weights)
}

/// Answers for each list of weights: bytes and the model owner's shares.
fn answers(table: &mut Table, sabotage: Sabotage, weights: &[&[i32]]) -> Vec<(Vec<u8>, Vec<u32>)> {
    let mut sealer = Sealer::new(&table.public, &mut table.rng);
    sealer.sabotage = sabotage;
    weights
        .iter()
        .map(|weights| {
            let mut product = Product::zero(Context::exact());
            product.add(&[(&table.ciphertext, &kernel(weights))]);
            let (mut bytes, randomness) = (Vec::new(), sealer.randomness());
            let shares = sealer.seal(product, randomness, RING, &everywhere(), &mut bytes);
            (bytes, shares)
        })
        .collect()
}

/// The message times the weights, modulo X^N + 1 and 2^32.
fn expected(message: &[u32], weights: &[i32]) -> Vec<u32> {
    let mut product = vec![0u32; message.len()];
    for (i, &x) in message.iter().enumerate() {
        for (j, &w) in weights.iter().enumerate() {
            let term = x.wrapping_mul(w as u32);
            let place = &mut product[(i + j) % message.len()];
            *place = if i + j < message.len() { place.wrapping_add(term) } else { place.wrapping_sub(term) };
        }
    }
    product
}

fn message() -> Vec<u32> {
    (0..EXACT.degree as u32).map(|i| i.wrapping_mul(0x9e37_79b9) ^ 0x0bad_5eed).collect()
}

#[test]
fn the_two_shares_of_an_answer_sum_to_the_product() {
    let weights: Vec<i32> = (0..100).map(|i| [32_767, -32_767, 0, i, -i][i as usize % 5]).collect();
    let mut table = table(1, &message());
    let (bytes, model) = answers(&mut table, Sabotage::None, &[&weights]).remove(0);
    let image = table.secret.open(RING, &everywhere(), &bytes).unwrap();
    let sums: Vec<u32> = image.iter().zip(&model).map(|(a, b)| a.wrapping_add(*b)).collect();
    assert_eq!(sums, expected(&message(), &weights));
}

#[test]
fn the_noise_of_answers_is_what_the_bound_says() {
    for (seed, weights) in [(2, vec![1; 1]), (3, vec![127; 1000]), (4, vec![-32_767; 300])] {
        let mut table = table(seed, &vec![0; EXACT.degree]);
        let (bytes, _) = answers(&mut table, Sabotage::MaskLeftOut, &[&weights]).remove(0);
        // Without message and mask the phase is the noise.
        let noise: Vec<f64> =
            table.secret.phases(&everywhere(), &bytes).unwrap().iter().map(signed).collect();
        let squares: f64 = weights.iter().map(|&w| f64::from(w) * f64::from(w)).sum();
        let bound = noise::answer_variance(&EXACT, squares);
        let variance = noise.iter().map(|e| e * e).sum::<f64>() / noise.len() as f64;
        // Neighbouring coefficients share most of their terms when the weights are many: the sample is a small one.
        assert!((0.5..1.5).contains(&(variance / bound)), "variance {variance:e}, bound {bound:e}");
        assert!(noise.iter().all(|e| e.abs() < 7.0 * bound.sqrt()), "no coefficient beyond seven sigma");
    }
}

/// The residue modulo q nearest to zero.
fn signed(residues: &[u64; PRIMES]) -> f64 {
    let modulus = Context::exact().transform(1).modulus();
    let [p0, p1] = EXACT.primes;
    let lifted = modulus.multiply(
        modulus.subtract(residues[1], modulus.reduce(residues[0])),
        modulus.inverse(modulus.reduce(p0)),
    );
    let x = u128::from(residues[0]) + u128::from(p0) * u128::from(lifted);
    assert!(x < u128::from(p0) * u128::from(p1));
    if x > EXACT.modulus() / 2 { -((EXACT.modulus() - x) as f64) } else { x as f64 }
}

/// Chi-squared of 2^bits bins of equal size.
fn chi_squared(bits: u32, numbers: impl Iterator<Item = u32>) -> f64 {
    let mut counts = vec![0f64; 1 << bits];
    numbers.for_each(|number| counts[number as usize] += 1.0);
    let mean = counts.iter().sum::<f64>() / counts.len() as f64;
    counts.iter().map(|count| (count - mean) * (count - mean) / mean).sum()
}

/// Whether residues modulo q look uniform in their upper part, six bits of x / q, and in their low part, four bits of
/// x * 2^32 / q, where what a mask of multiples of q / 2^32 leaves bare would lie. False alarm once in a million: 130 for 63
/// degrees of freedom, 60 for 15.
fn look_uniform(residues: &[[u64; PRIMES]]) -> bool {
    let context = Context::exact();
    let low = |residues: &[u64; PRIMES]| -> [u64; PRIMES] {
        std::array::from_fn(|k| {
            let modulus = context.transform(k).modulus();
            modulus.multiply(residues[k], modulus.reduce(1 << 32))
        })
    };
    let upper = chi_squared(6, residues.iter().map(|&x| context.scale(Ring32::new(6), x)));
    upper < 130.0 && chi_squared(4, residues.iter().map(|x| context.scale(Ring32::new(4), low(x)))) < 60.0
}

/// Whether the phases of answers look uniform, each alone and every pair's differences.
fn phases_look_uniform(table: &Table, answers: &[(Vec<u8>, Vec<u32>)]) -> bool {
    let context = Context::exact();
    let phases: Vec<_> =
        answers.iter().map(|(bytes, _)| table.secret.phases(&everywhere(), bytes).unwrap()).collect();
    let difference = |a: &[[u64; PRIMES]], b: &[[u64; PRIMES]]| -> Vec<[u64; PRIMES]> {
        let subtract = |k: usize, a: u64, b: u64| context.transform(k).modulus().subtract(a, b);
        a.iter().zip(b).map(|(a, b)| std::array::from_fn(|k| subtract(k, a[k], b[k]))).collect()
    };
    let pairs = (0..phases.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
    phases.iter().all(|phases| look_uniform(phases))
        && pairs.into_iter().all(|(i, j)| look_uniform(&difference(&phases[i], &phases[j])))
}

#[test]
fn a_mask_left_out_coarse_or_used_twice_is_seen_in_the_phases() {
    // An image owner who wants the weights encrypts 1: without a mask the phases are the weights.
    let mut one = vec![0; EXACT.degree];
    one[0] = 1 << 20;
    let weights: [&[i32]; 3] = [&[0], &[5, -3, 8], &[1000; 2000]];
    let mut table = table(5, &one);
    let honest = answers(&mut table, Sabotage::None, &weights);
    assert!(phases_look_uniform(&table, &honest));
    for sabotage in [Sabotage::MaskLeftOut, Sabotage::MaskCoarse] {
        for answer in answers(&mut table, sabotage, &weights) {
            assert!(!phases_look_uniform(&table, &[answer]), "the detector sees the mask that is missing");
        }
    }
    let reused = answers(&mut table, Sabotage::MaskReused, &weights);
    assert!(phases_look_uniform(&table, &reused[..1]));
    assert!(!phases_look_uniform(&table, &reused), "the detector sees a mask that is used twice");
}

/// What the second component has beside the product of the input's second component and the weights.
fn offset(table: &Table, bytes: &[u8], weights: &[i32]) -> Vec<f64> {
    let context = Context::exact();
    let mut known = Product::zero(context);
    known.add(&[(&table.ciphertext, &kernel(weights))]);
    let [_, known] = known.components();
    let second = read_rounded(context, &bytes[bytes.len() / 2..]).unwrap();
    let difference = |index: usize| {
        let (sent, known) = (second.at(index), known.at(index));
        signed(&std::array::from_fn(|k| context.transform(k).modulus().subtract(sent[k], known[k])))
    };
    (0..EXACT.degree).map(difference).collect()
}

/// Offsets of one encryption of zero differ by rounding alone.
fn all_offsets_differ(offsets: &[Vec<f64>]) -> bool {
    let near = |a: &Vec<f64>, b: &Vec<f64>| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= f64::from(1 << 14));
    (0..offsets.len()).all(|i| (0..i).all(|j| !near(&offsets[i], &offsets[j])))
}

#[test]
fn an_encryption_of_zero_used_twice_is_seen_in_the_second_components() {
    let weights: [&[i32]; 4] = [&[1, 2, 3], &[1, 2, 3], &[-7; 40], &[0]];
    let mut table = table(6, &message());
    for (sabotage, expected) in [(Sabotage::None, true), (Sabotage::ZeroEncryptionReused, false)] {
        let answers = answers(&mut table, sabotage, &weights);
        let offsets: Vec<Vec<f64>> =
            answers.iter().zip(weights).map(|((bytes, _), weights)| offset(&table, bytes, weights)).collect();
        assert_eq!(all_offsets_differ(&offsets), expected);
        // A second component without any encryption of zero would have an offset of rounding alone.
        assert!(offsets.iter().all(|offset| offset.iter().any(|x| x.abs() > f64::from(1 << 30))));
    }
}

#[test]
fn an_answer_out_of_range_or_of_another_length_is_refused() {
    let mut table = table(7, &message());
    let (bytes, _) = answers(&mut table, Sabotage::None, &[&[1]]).remove(0);
    assert_eq!(bytes.len(), answer_bytes(Context::exact(), EXACT.degree));
    let places = everywhere();
    let (expected, found) = (bytes.len(), bytes.len() - 1);
    assert_eq!(
        table.secret.open(RING, &places, &bytes[1..]).unwrap_err(),
        InvalidBytes::Length { expected, found }
    );
    for at in [0, bytes.len() - 11] {
        let mut wrong = bytes.clone();
        wrong[at..at + 11].copy_from_slice(&(EXACT.answer_max() + 1).to_le_bytes()[..11]);
        assert_eq!(table.secret.open(RING, &places, &wrong).unwrap_err(), InvalidBytes::Residue);
    }
}
