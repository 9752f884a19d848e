//! Rust source with comments, strings and characters blanked, so that rules on words see code alone.

/// The same text, line for line, where only code is left; blanked characters become spaces.
pub(super) fn code_only(source: &str) -> String {
    let characters: Vec<char> = source.chars().collect();
    let mut code = String::with_capacity(source.len());
    let mut at = 0;
    while at < characters.len() {
        let end = skipped_end(&characters, at);
        if end == at {
            code.push(characters[at]);
            at += 1;
        } else {
            code.extend(characters[at..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    code
}

/// Lines (counted from 1) whose code holds `word` as a word of its own.
pub(super) fn lines_with_word<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.lines().enumerate().filter(move |(_, line)| has_word(line, word)).map(|(index, _)| index + 1)
}

fn has_word(line: &str, word: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].chars().next_back().is_some_and(is_name)
            && !line[at + word.len()..].chars().next().is_some_and(is_name)
    })
}

/// Where the comment or literal that begins at `at` ends; `at` itself when none begins there.
fn skipped_end(text: &[char], at: usize) -> usize {
    match text[at] {
        '/' if text.get(at + 1) == Some(&'/') => find(text, at, |c| c == '\n'),
        '/' if text.get(at + 1) == Some(&'*') => block_comment_end(text, at),
        '"' => string_end(text, at),
        'r' if !follows_name(text, at) => raw_string_end(text, at).unwrap_or(at),
        '\'' => character_end(text, at).unwrap_or(at),
        _ => at,
    }
}

/// A raw string's `r` may come behind a `b`, never behind another letter of a name.
fn follows_name(text: &[char], at: usize) -> bool {
    let is_name =
        |index: Option<usize>| index.is_some_and(|index| text[index].is_alphanumeric() || text[index] == '_');
    let before = at.checked_sub(1);
    let is_byte_mark = before.is_some_and(|index| text[index] == 'b') && !is_name(at.checked_sub(2));
    is_name(before) && !is_byte_mark
}

fn find(text: &[char], from: usize, stop: impl Fn(char) -> bool) -> usize {
    (from..text.len()).find(|&index| stop(text[index])).unwrap_or(text.len())
}

fn block_comment_end(text: &[char], start: usize) -> usize {
    let mut depth = 0;
    let mut at = start;
    while at + 1 < text.len() {
        match (text[at], text[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

fn string_end(text: &[char], start: usize) -> usize {
    let mut at = start + 1;
    while at < text.len() {
        match text[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

fn raw_string_end(text: &[char], start: usize) -> Option<usize> {
    let hashes = text[start + 1..].iter().take_while(|&&c| c == '#').count();
    let open = start + 1 + hashes;
    if text.get(open) != Some(&'"') {
        return None;
    }
    let closes = |at: usize| {
        text[at] == '"' && text[at + 1..].iter().take(hashes).filter(|&&c| c == '#').count() == hashes
    };
    Some((open + 1..text.len()).find(|&at| closes(at)).map_or(text.len(), |at| at + 1 + hashes))
}

/// A lifetime begins with the same mark, but has no second one behind its first letter.
fn character_end(text: &[char], start: usize) -> Option<usize> {
    if text.get(start + 1) == Some(&'\\') {
        return Some((find(text, start + 3, |c| c == '\'') + 1).min(text.len()));
    }
    (text.get(start + 2) == Some(&'\'')).then_some(start + 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_strings_and_characters_are_blanked_and_lines_stay() {
        let source = "a // b\nc /* d /* e */ f\n */ g \"h \\\" i\" j r#\"k \" l\"# m 'n' o '\\'' p";
        let code = code_only(source);
        assert_eq!(code.split_whitespace().collect::<String>(), "acgjmop");
        assert_eq!(code.lines().count(), source.lines().count());
    }

    #[test]
    fn a_lifetime_is_code_and_so_is_a_name_that_ends_in_r() {
        let code = code_only("fn f<'a>(x: &'a str) { var(\"s\") }");
        assert!(code.contains("<'a>(x: &'a str)"));
        assert!(code.contains("var("));
        assert!(!code.contains('"'));
    }

    #[test]
    fn a_word_is_found_only_as_a_whole() {
        assert_eq!(lines_with_word("x\nunsafe {}\n", "unsafe").collect::<Vec<_>>(), [2]);
        assert_eq!(lines_with_word("forbid(unsafe_code)\nnot_unsafe", "unsafe").count(), 0);
    }
}
