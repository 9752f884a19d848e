//! Errors in words.

/// An error and its causes in one line. A cause that is told in its neighbour's words already is left out, for many errors
/// repeat the file's name or the system's words.
pub fn told(error: &anyhow::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in error.chain().map(ToString::to_string) {
        match parts.last_mut() {
            Some(last) if last.contains(&part) => {}
            Some(last) if part.contains(last.as_str()) => *last = part,
            _ => parts.push(part),
        }
    }
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn an_error_tells_each_thing_once() {
        let refused = || std::io::Error::other("Connection refused");
        let twice: Result<(), _> =
            Err(refused()).context("host:1 cannot be reached: Connection refused; check it");
        assert_eq!(told(&twice.unwrap_err()), "host:1 cannot be reached: Connection refused; check it");
        let path: Result<(), _> = Err(anyhow::anyhow!("x.nii is damaged")).context("x.nii").context("out");
        assert_eq!(told(&path.unwrap_err()), "out: x.nii is damaged");
    }
}
