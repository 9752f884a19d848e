//! Public plans: saved, and as a server sends them to a client that does not trust it.
#![no_main]

use blindscan_graph::plan::PublicPlan;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = PublicPlan::from_bytes(bytes);

    // A saved plan begins with a digest that no mutation keeps right, so the body is read apart, as the handshake reads it.
    let Ok(plan) = postcard::from_bytes::<PublicPlan>(bytes) else { return };
    if plan.validate().is_ok() {
        let again = PublicPlan::from_bytes(&plan.to_bytes()).expect("a valid plan is read again");
        assert_eq!(plan.digest(), again.digest());
    }
});
