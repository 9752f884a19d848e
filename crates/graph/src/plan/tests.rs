//! Plans saved, read, digested and, when they are not whole, refused.

use proptest::prelude::*;

use super::*;
use crate::fixed::evaluate;
use crate::ir::{Classes, Head, Window};
use crate::random::random_plan;

/// A folder that is removed with its content.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("blindscan-plan-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_saved_plan_comes_back_as_it_was() {
    let folder = Folder::new("round-trip");
    for seed in 0..20 {
        let (plan, _) = random_plan(seed);
        plan.save(&folder.0).unwrap();
        let loaded = FixedPlan::load(&folder.0).unwrap();
        assert_eq!(loaded, plan);
        assert_eq!(loaded.public.digest(), plan.public.digest());
        assert_eq!(PublicPlan::load(&folder.0).unwrap(), plan.public);
    }
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 2, "nothing else is left in the folder");
}

#[cfg(unix)]
#[test]
fn saved_weights_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("private");
    random_plan(1).0.save(&folder.0).unwrap();
    let mode = std::fs::metadata(folder.0.join(WEIGHTS_FILE)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn names_that_would_steer_a_terminal_are_refused() {
    for name in ["\u{1b}[2J", "a\nb", "\u{9b}31m", "\u{202e}live", "\0"] {
        let places: [fn(&mut PublicPlan, &str); 4] = [
            |plan, name| plan.name = name.into(),
            |plan, name| plan.nodes[0].name = name.into(),
            |plan, name| plan.tensors[0].name = name.into(),
            |plan, name| plan.answer.class_names = vec![name.into()],
        ];
        for place in places {
            let mut plan = random_plan(1).0.public;
            place(&mut plan, name);
            let error = plan.validate().unwrap_err().to_string();
            assert!(error.contains("control character") && !error.contains(name), "{error:?}");
        }
    }
}

#[test]
fn a_digest_of_weights_tells_every_weight_and_bias_apart() {
    let weights = random_plan(1).0.weights;
    let mut others = [weights.clone(), weights.clone()];
    first(&mut others[0]).weight[0] ^= 1;
    first(&mut others[1]).bias[0] ^= 1;
    assert!(others.iter().all(|other| other.digest() != weights.digest()));
    assert_eq!(weights.clone().digest(), weights.digest());
}

#[test]
fn a_damaged_exchanged_or_missing_file_is_named() {
    let folder = Folder::new("damage");
    assert!(matches!(FixedPlan::load(&folder.0), Err(PlanError::Io { file: PUBLIC_FILE, .. })));
    let (plan, _) = random_plan(1);
    plan.save(&folder.0).unwrap();
    let good = std::fs::read(folder.0.join(WEIGHTS_FILE)).unwrap();
    for at in [0, 9, 20, 44, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(folder.0.join(WEIGHTS_FILE), bad).unwrap();
        assert!(matches!(FixedPlan::load(&folder.0), Err(PlanError::File { file: WEIGHTS_FILE, .. })));
    }
    for length in [0, 43, 44, good.len() - 1] {
        std::fs::write(folder.0.join(WEIGHTS_FILE), &good[..length]).unwrap();
        assert!(matches!(FixedPlan::load(&folder.0), Err(PlanError::File { file: WEIGHTS_FILE, .. })));
    }
    std::fs::write(folder.0.join(WEIGHTS_FILE), plan.public.to_bytes()).unwrap();
    assert!(matches!(FixedPlan::load(&folder.0), Err(PlanError::File { file: WEIGHTS_FILE, .. })));

    let other =
        (2..20).map(|seed| random_plan(seed).0).find(|other| other.weights.check(&plan.public).is_err());
    other.expect("random models differ").save(&folder.0).unwrap();
    plan.public.save(&folder.0).unwrap();
    assert!(matches!(FixedPlan::load(&folder.0), Err(PlanError::Weights { .. })));
}

#[test]
fn the_digest_sees_every_part_and_the_commitment_hides_by_its_salt() {
    let (plan, _) = random_plan(5);
    let mut other = plan.public.clone();
    other.answer.class_names.push("x".into());
    assert_ne!(other.digest(), plan.public.digest());
    let mut other = plan.public.clone();
    other.tensors[0].bound += 1;
    assert_ne!(other.digest(), plan.public.digest());

    let commitment = plan.weights.commitment(&[1; 32]);
    assert_eq!(commitment, plan.weights.commitment(&[1; 32]));
    assert_ne!(commitment, plan.weights.commitment(&[2; 32]));
    let mut changed = plan.weights.clone();
    first(&mut changed).weight[0] ^= 1;
    assert_ne!(commitment, changed.commitment(&[1; 32]));
}

/// The weights of the first linear layer.
fn first(weights: &mut Weights) -> &mut LayerWeights {
    weights.layers_mut().next().expect("a network has a linear layer").1
}

/// The constants that are added first.
fn constants(weights: &mut Weights) -> &mut Vec<i64> {
    &mut weights.constants_mut().next().expect("the plan adds constants").1.values
}

#[test]
fn weights_that_do_not_fit_are_refused() {
    let (plan, _) = random_plan(8);
    let changed = |change: fn(&mut Weights)| {
        let mut weights = plan.weights.clone();
        change(&mut weights);
        weights.check(&plan.public)
    };
    assert!(changed(|_| ()).is_ok());
    let refused: [fn(&mut Weights); 8] = [
        |weights| drop(weights.secrets.pop()),
        |weights| weights.secrets.push((usize::MAX, Secret::Constants(Constants { values: vec![] }))),
        |weights| weights.secrets.insert(0, (usize::MAX, Secret::Constants(Constants { values: vec![] }))),
        |weights| weights.secrets[0].0 += 1000,
        |weights| weights.secrets[0].1 = Secret::Constants(Constants { values: vec![] }),
        |weights| first(weights).weight.push(0),
        |weights| first(weights).bias.clear(),
        |weights| first(weights).weight[0] = i32::MIN,
    ];
    for change in refused {
        assert!(matches!(changed(change), Err(PlanError::Weights { .. })));
    }
}

/// A plan that adds constants.
fn with_constants() -> FixedPlan {
    let adds = |plan: &FixedPlan| plan.weights.constants().count() > 0;
    (0..).map(|seed| random_plan(seed).0).find(adds).unwrap()
}

#[test]
fn constants_that_do_not_fit_are_refused_and_the_digest_sees_each() {
    let plan = with_constants();
    let check = |change: fn(&mut Weights)| {
        let mut weights = plan.weights.clone();
        change(&mut weights);
        weights.check(&plan.public)
    };
    assert!(check(|_| ()).is_ok());
    let refused: [fn(&mut Weights); 4] = [
        |weights| weights.secrets.retain(|(_, secret)| matches!(secret, Secret::Linear(_))),
        |weights| constants(weights).push(0),
        |weights| constants(weights)[0] = 1 << 40,
        |weights| {
            for (_, secret) in &mut weights.secrets {
                if let Secret::Constants(constants) = secret {
                    let weight = vec![0; constants.values.len()];
                    *secret = Secret::Linear(LayerWeights { weight, bias: vec![] });
                }
            }
        },
    ];
    for change in refused {
        assert!(matches!(check(change), Err(PlanError::Weights { .. })));
    }
    let mut other = plan.weights.clone();
    constants(&mut other)[0] ^= 1;
    assert_ne!(other.digest(), plan.weights.digest());
    assert_ne!(other.commitment(&[1; 32]), plan.weights.commitment(&[1; 32]));
}

#[test]
fn a_step_whose_constants_do_not_fit_its_tensor_is_refused() {
    let plan = with_constants().public;
    let refused: [fn(&mut AddConstant); 5] = [
        |step| step.shape[1] += 1,
        |step| step.shape.truncate(1),
        |step| step.bits = 0,
        |step| step.bits = 33,
        |step| step.shift_left = 32,
    ];
    for change in refused {
        let mut broken = plan.clone();
        let steps = broken.nodes.iter_mut().map(|node| &mut node.step);
        steps.for_each(|step| {
            if let Step::Local(Local::AddConstant(step)) = step {
                change(step);
            }
        });
        assert!(matches!(broken.validate(), Err(PlanError::Invalid { .. })));
    }
}

/// One change to a plan that makes it contradict itself.
type Break = fn(&mut PublicPlan);

#[test]
fn plans_that_contradict_themselves_are_refused() {
    let breaks: [(&str, Break); 18] = [
        ("version", |plan| plan.version += 1),
        ("radix", |plan| plan.suite = SuiteSpec::two_party(0)),
        ("input", |plan| plan.input = usize::MAX),
        ("output", |plan| plan.output = plan.tensors.len()),
        ("order", |plan| plan.nodes.reverse()),
        ("missing tensor", |plan| drop(plan.tensors.pop())),
        ("made twice", |plan| plan.nodes.last_mut().unwrap().output = plan.input),
        ("own input", |plan| plan.nodes[0].inputs[0] = plan.nodes[0].output),
        ("no input", |plan| plan.nodes[0].inputs.clear()),
        ("shape", |plan| *plan.tensors[plan.output].shape.last_mut().unwrap() += 1),
        ("huge", |plan| plan.tensors[plan.input].shape = vec![usize::MAX, usize::MAX]),
        ("ring", |plan| plan.tensors[plan.output].ring_bits = 33),
        ("narrow ring", |plan| plan.tensors[plan.output].bound = 1 << 40),
        ("divisor", |plan| plan.tensors[plan.output].divisor = 0),
        ("scale", |plan| plan.tensors[plan.output].fraction += 1),
        ("axis", |plan| plan.answer.meaning = Meaning::Class { axis: 9 }),
        ("names", |plan| plan.answer.class_names = vec!["one".into(); 70]),
        ("slices", |plan| {
            plan.input_spec = InputSpec::ct_min_max((128, 128), vec![0; 9]);
        }),
    ];
    for seed in 0..10 {
        let (plan, _) = random_plan(seed);
        plan.public.validate().unwrap();
        for (name, change) in &breaks {
            let mut broken = plan.public.clone();
            change(&mut broken);
            if *name == "order" && broken.nodes.len() < 2 {
                continue;
            }
            assert!(matches!(broken.validate(), Err(PlanError::Invalid { .. })), "{name}, seed {seed}");
        }
    }
}

/// The answer of logits of a shape.
fn answer(classes: Classes, shape: &[usize]) -> Answer {
    Answer::of(Head::Logits, classes, shape, OutputPolicy::Logits)
}

#[test]
fn each_finding_of_a_multi_label_model_has_a_name_and_a_yes_or_no() {
    let of = |shape: &[usize], classes| answer(classes, shape).meaning;
    for (shape, axis) in [(&[1, 5][..], 1), (&[1, 5, 1, 1], 1), (&[1, 3, 8, 9], 1)] {
        assert_eq!(of(shape, Classes::Single), Meaning::Findings { axis }, "{shape:?}");
    }
    for single in [&[1, 1][..], &[1, 1, 8, 9], &[1, 8, 9], &[1, 8, 9, 1]] {
        assert_eq!(of(single, Classes::Single), Meaning::YesNo, "{single:?}");
    }
    assert_eq!(of(&[1, 5], Classes::Along(1)), Meaning::Class { axis: 1 }, "classes that are compared");
    assert_eq!(of(&[1, 9, 9, 2], Classes::Unknown), Meaning::Values);

    let named = |seed: u64| random_plan(seed).0.public;
    let mut plan = (0..).map(named).find(|plan| plan.tensors[plan.output].count() > 2).unwrap();
    let shape = plan.tensors[plan.output].shape.clone();
    plan.answer = Answer::of(Head::Sigmoid, Classes::Single, &shape, plan.answer.policy);
    let names = |count: usize| (0..count).map(|index| format!("finding {index}")).collect();
    let findings = plan.findings().expect("the random plan ends in a vector");
    plan.answer.class_names = names(findings);
    plan.validate().unwrap();
    plan.answer.class_names = names(findings - 1);
    let refused = plan.validate().unwrap_err().to_string();
    assert!(refused.contains("findings, each a yes or no"), "{refused}");
}

#[test]
fn the_plan_says_where_labels_lie() {
    let plane = |rows, columns| Places::Plane { rows, columns };
    let places = [
        (&[1, 4][..], Classes::Along(1), Places::Whole),
        (&[1, 4, 1, 1], Classes::Along(1), Places::Whole),
        (&[1, 1], Classes::Single, Places::Whole),
        (&[1, 5], Classes::Single, Places::Whole),
        (&[1, 4, 8, 9], Classes::Along(1), plane(2, 3)),
        (&[1, 8, 9, 4], Classes::Along(3), plane(1, 2)),
        (&[1, 4, 1, 9], Classes::Along(1), plane(2, 3)),
        (&[1, 4, 1, 8, 9], Classes::Along(1), plane(3, 4)),
        (&[1, 1, 8, 9], Classes::Single, plane(2, 3)),
        (&[1, 3, 8, 9], Classes::Single, plane(2, 3)),
        (&[1, 4, 7, 8, 9], Classes::Along(1), Places::Block { depth: 2, rows: 3, columns: 4 }),
        (&[1, 4, 9], Classes::Along(1), Places::List),
        (&[1, 9, 9, 2], Classes::Unknown, Places::List),
    ];
    for (shape, classes, expected) in places {
        let answer = answer(classes, shape);
        assert_eq!(answer.places, expected, "{shape:?}");
        assert_eq!(answer.problem(shape), None, "{shape:?}");
    }
}

#[test]
fn a_peers_word_on_where_labels_lie_is_checked() {
    let shape = [1, 4, 8, 9];
    let sound = answer(Classes::Along(1), &shape);
    let refused: [fn(&mut Answer); 9] = [
        |answer| answer.places = Places::Whole,
        |answer| answer.places = Places::Plane { rows: 3, columns: 2 },
        |answer| answer.places = Places::Plane { rows: 2, columns: 2 },
        |answer| answer.places = Places::Plane { rows: 0, columns: 2 },
        |answer| answer.places = Places::Plane { rows: 2, columns: 4 },
        |answer| answer.places = Places::Plane { rows: 1, columns: 3 },
        |answer| answer.places = Places::Block { depth: 1, rows: 2, columns: 3 },
        |answer| answer.meaning = Meaning::YesNo,
        |answer| answer.meaning = Meaning::Values,
    ];
    assert_eq!(sound.problem(&shape), None);
    for change in refused {
        let mut lying = sound.clone();
        change(&mut lying);
        assert!(lying.problem(&shape).is_some(), "{lying:?}");
    }
    let values = answer(Classes::Unknown, &shape);
    let labelled = Answer { policy: OutputPolicy::Labels, ..values.clone() };
    assert!(values.problem(&shape).is_none() && labelled.problem(&shape).is_some());
    let named = Answer { class_names: vec!["a".into(); 4], ..values };
    assert!(named.problem(&shape).is_some(), "plain values have no names");
}

#[test]
fn a_window_of_absurd_size_is_refused_without_being_walked() {
    let (plan, _) = (0..).map(random_plan).find(|(plan, _)| has_convolution(plan)).unwrap();
    for absurd in [0, 1 << 17, usize::MAX] {
        let changes: [fn(&mut Window, usize); 5] = [
            |window, n| window.kernel[0] = n,
            |window, n| window.strides[0] = n,
            |window, n| window.dilations[0] = n,
            |window, n| window.pads_begin[0] = n,
            |window, n| drop(window.pads_end.drain(..n.min(1))),
        ];
        for change in changes {
            let mut broken = plan.public.clone();
            let mut before = None;
            for node in &mut broken.nodes {
                if let Step::Spoken(Spoken::Linear(linear)) = &mut node.step
                    && !linear.window.kernel.is_empty()
                    && before.is_none()
                {
                    before = Some(linear.window.clone());
                    change(&mut linear.window, absurd);
                    before = before.filter(|window| *window != linear.window);
                }
            }
            assert!(before.is_none() || broken.validate().is_err());
        }
    }
}

fn has_convolution(plan: &FixedPlan) -> bool {
    let convolution = |node: &PlanNode| matches!(&node.step, Step::Spoken(Spoken::Linear(linear)) if !linear.window.kernel.is_empty());
    plan.public.nodes.iter().any(convolution)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Bytes of a plan with a few changed, under a digest that fits: what a hostile peer can send. Either it is refused, or
    /// it is whole enough to be evaluated without a panic.
    #[test]
    fn a_mutated_plan_is_refused_or_harmless(
        seed in 0u64..30,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::weighted(0.1, any::<prop::sample::Index>()),
    ) {
        let (plan, inputs) = random_plan(seed);
        let mut body = postcard::to_stdvec(&plan.public).unwrap();
        for (at, value) in changes {
            let at = at.index(body.len());
            body[at] = value;
        }
        if let Some(cut) = cut {
            body.truncate(cut.index(body.len()));
        }
        let Ok((mutated, _)) = postcard::take_from_bytes::<PublicPlan>(&body) else { return Ok(()) };
        if mutated.validate().is_ok() {
            let elements: usize = mutated.tensors.iter().map(TensorSpec::count).sum();
            let affordable = elements < 1 << 16;
            if affordable && plan.weights.check(&mutated).is_ok() && mutated.tensors[mutated.input].count() == inputs[0].len() {
                evaluate(&mutated, &plan.weights, &inputs[0]).unwrap();
            }
            crate::table::table(&mutated);
        }
    }

    #[test]
    fn arbitrary_bytes_are_no_plan_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(PublicPlan::from_bytes(&bytes).is_err());
        if let Ok(plan) = postcard::from_bytes::<PublicPlan>(&bytes) {
            let _ = plan.validate();
        }
    }
}
