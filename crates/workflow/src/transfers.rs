//! Which kind of correlated transfers makes the stock: chosen by the client, by hand or by the link's bandwidth.
//!
//! SoftSpoken sends 31 bits per transfer; Ferret sends about one, for about 10 ns more work at each end (the example
//! `ot_speed` of the crate of protocols). A link of 1 Gbit/s carries 31 bits in 31 ns, longer than the work of both ends:
//! below that `auto` takes Ferret. Up to about 3 Gbit/s the two differ little.

use blindscan_graph::plan::{Rounding, SuiteSpec};
use blindscan_inference::OtKind;
use blindscan_wire::link::LinkSpec;

use crate::error::Result;

/// Links with less than this are slow.
const SLOW_BITS_PER_SECOND: u64 = 1_000_000_000;

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OtChoice {
    /// Ferret on links slower than 1 Gbit/s, else SoftSpoken.
    #[default]
    Auto,
    /// For fast links: least work.
    Softspoken,
    /// For slow links: fewest bytes.
    Ferret,
}

impl From<OtKind> for OtChoice {
    fn from(kind: OtKind) -> Self {
        match kind {
            OtKind::SoftSpoken => Self::Softspoken,
            OtKind::Ferret => Self::Ferret,
        }
    }
}

impl OtChoice {
    /// The kind on a link whose bandwidth `bits_per_second` gives, which is asked only when it matters.
    pub(crate) fn kind(self, bits_per_second: impl FnOnce() -> Result<u64>) -> Result<OtKind> {
        Ok(match self {
            Self::Softspoken => OtKind::SoftSpoken,
            Self::Ferret => OtKind::Ferret,
            Self::Auto if bits_per_second()? < SLOW_BITS_PER_SECOND => OtKind::Ferret,
            Self::Auto => OtKind::SoftSpoken,
        })
    }

    /// The kind on a link that was declared.
    pub fn on(self, link: LinkSpec) -> OtKind {
        self.kind(|| Ok(link.bits_per_second)).expect("a declared bandwidth is known")
    }

    /// What to ask of two processes on this machine: `auto` is settled by the link put between them, not by how busy the
    /// machine is.
    pub fn between_processes(self, link: Option<LinkSpec>) -> &'static str {
        name(link.map_or_else(|| self.in_memory(), |link| self.on(link)))
    }

    /// The kind inside one process: no link at all.
    pub fn in_memory(self) -> OtKind {
        self.kind(|| Ok(u64::MAX)).expect("no link is no slow link")
    }
}

/// The kind's name in reports.
pub fn name(kind: OtKind) -> &'static str {
    match kind {
        OtKind::SoftSpoken => "softspoken",
        OtKind::Ferret => "ferret",
    }
}

/// The protocols that answer, for reports.
pub fn suite(suite: SuiteSpec, kind: Option<OtKind>) -> String {
    let SuiteSpec::TwoParty { rounding: Rounding::Exact, .. } = suite;
    let made_by = match kind {
        Some(OtKind::SoftSpoken) => "SoftSpoken k=4",
        Some(OtKind::Ferret) => "Ferret, regular noise",
        None => "prepared stock",
    };
    format!("two-party exact, {made_by}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_takes_ferret_on_slow_links_and_nothing_else_asks_for_the_bandwidth() {
        let link = |text: &str| text.parse::<LinkSpec>().unwrap();
        assert_eq!(OtChoice::Auto.on(link("100mbit:40ms")), OtKind::Ferret);
        assert_eq!(OtChoice::Auto.on(link("10gbit:0.1ms")), OtKind::SoftSpoken);
        assert_eq!(OtChoice::Ferret.on(link("10gbit:0.1ms")), OtKind::Ferret);
        assert_eq!(OtChoice::Auto.in_memory(), OtKind::SoftSpoken);
        let never = || -> Result<u64> { panic!("nobody needs the bandwidth") };
        assert_eq!(OtChoice::Softspoken.kind(never).unwrap(), OtKind::SoftSpoken);
        assert_eq!(OtChoice::Ferret.kind(never).unwrap(), OtKind::Ferret);
    }
}
