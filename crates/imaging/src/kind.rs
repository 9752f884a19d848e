//! What grey values mean, and how that is known.

use std::fmt;

/// What grey values mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GreyKind {
    /// Hounsfield units: air is -1000, water 0.
    Hounsfield,
    /// Whole numbers from 0 to 255.
    EightBit,
    /// Neither: MR, 16-bit pictures, doses and so on.
    Other,
}

impl std::str::FromStr for GreyKind {
    type Err = String;

    /// `hu`, `eight-bit` or `other`.
    fn from_str(text: &str) -> Result<GreyKind, String> {
        match text {
            "hu" | "hounsfield" => Ok(GreyKind::Hounsfield),
            "eight-bit" => Ok(GreyKind::EightBit),
            "other" => Ok(GreyKind::Other),
            _ => Err(format!("{text:?} is no unit known here; give hu, eight-bit or other")),
        }
    }
}

impl fmt::Display for GreyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            GreyKind::Hounsfield => "Hounsfield units",
            GreyKind::EightBit => "8-bit grey values (0 to 255)",
            GreyKind::Other => "grey values of another scale",
        })
    }
}

/// How the kind of grey values is known.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KnownBy {
    /// The file's header says it.
    Header,
    /// A CT with slope and intercept, whose rescaled values are Hounsfield units by the standard.
    Rescale,
    /// Nothing says it; the values look so, for this reason.
    Guess(&'static str),
    /// The user said it.
    Stated,
}

impl fmt::Display for KnownBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KnownBy::Header => f.write_str("the file's header says so"),
            KnownBy::Rescale => f.write_str("a CT's rescaled values are in Hounsfield units"),
            KnownBy::Guess(reason) => write!(f, "a guess: {reason}"),
            KnownBy::Stated => f.write_str("stated by the user"),
        }
    }
}
