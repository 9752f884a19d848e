//! `--slices`: one, a range, a range with a step, or a list of these.

use crate::error::InputError;

/// Which slices of `count`: `all`, or a list such as `3,7..20,30..60:5`. The end of a range is not included; behind a colon
/// stands its step. In ascending order, each once.
pub fn selection(text: &str, count: usize) -> Result<Vec<usize>, InputError> {
    if text == "all" {
        return Ok((0..count).collect());
    }
    let mut which = Vec::new();
    for part in text.split(',') {
        let (first, end, step) = range(part).ok_or_else(|| InputError::NoSlices { text: text.into() })?;
        if first >= end {
            return Err(InputError::EmptyRange { text: text.into(), part: part.into() });
        }
        if end > count {
            let slice = first.max(count).min(end - 1);
            return Err(InputError::NoSuchSlice { slice, count });
        }
        which.extend((first..end).step_by(step));
    }
    which.sort_unstable();
    which.dedup();
    Ok(which)
}

/// First, end and step of a part of the list.
fn range(part: &str) -> Option<(usize, usize, usize)> {
    let number = |text: &str| text.parse::<usize>().ok();
    let Some((first, rest)) = part.split_once("..") else {
        let one = number(part)?;
        return Some((one, one.checked_add(1)?, 1));
    };
    let (end, step) = match rest.split_once(':') {
        Some((end, step)) => (end, number(step).filter(|&step| step > 0)?),
        None => (rest, 1),
    };
    Some((number(first)?, number(end)?, step))
}

/// The numbers as a person writes them: `3, 7 to 19`.
pub fn listed(which: &[usize]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut rest = which;
    while let Some((&first, _)) = rest.split_first() {
        let run = rest.iter().enumerate().take_while(|&(index, &slice)| slice == first + index).count();
        parts.push(match run {
            1 => first.to_string(),
            2 => format!("{first}, {}", first + 1),
            _ => format!("{first} to {}", first + run - 1),
        });
        rest = &rest[run..];
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_one_a_range_a_step_a_list_or_all() {
        assert_eq!(selection("2", 5).unwrap(), [2]);
        assert_eq!(selection("1..3", 5).unwrap(), [1, 2]);
        assert_eq!(selection("0..5:2", 5).unwrap(), [0, 2, 4]);
        assert_eq!(selection("4,1..3,2", 5).unwrap(), [1, 2, 4]);
        assert_eq!(selection("all", 3).unwrap(), [0, 1, 2]);
    }

    #[test]
    fn what_names_no_slice_is_refused_with_the_count_or_an_example() {
        for (wrong, part) in [("5", "slice 5"), ("3..7", "slice 5"), ("7..9", "slice 7"), ("0,9", "slice 9")]
        {
            let error = selection(wrong, 5).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("the scan has 5"), "{wrong}: {error}");
        }
        assert!(selection("3..3", 5).unwrap_err().to_string().contains("names no slice"));
        for wrong in ["x", "-1", "", "1-3", "1,", "0..4:0", "0..4:", "..", "18446744073709551615"] {
            let error = selection(wrong, 5).unwrap_err().to_string();
            assert!(error.contains("5..9") && !error.contains("digit"), "{wrong}: {error}");
        }
    }

    #[test]
    fn numbers_in_a_row_are_told_as_a_range() {
        assert_eq!(listed(&[3, 7, 8, 9, 12, 13]), "3, 7 to 9, 12, 13");
        assert_eq!(listed(&[]), "");
    }
}
