//! Text from descriptions, made fit to be shown to a model: bounded, and without characters
//! that a reader does not see.

/// Text in one line, without control and invisible characters, runs of space as one.
pub(super) fn clean_line(text: &str) -> String {
    clean(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Text without control and invisible characters. Line breaks stay, at most two in a row.
pub(super) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(8_192));
    let mut breaks = 2;
    for c in text.replace("\r\n", "\n").chars() {
        match c {
            '\n' | '\r' | '\u{2028}' | '\u{2029}' | '\u{85}' => {
                if breaks < 2 {
                    out.truncate(out.trim_end_matches([' ', '\t']).len());
                    out.push('\n');
                    breaks += 1;
                }
            }
            '\t' => out.push(' '),
            c if invisible(c) => {}
            c => {
                out.push(c);
                if !c.is_whitespace() {
                    breaks = 0;
                }
            }
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// Control characters, and those that hide or reorder text: zero width, bidirectional
/// controls, tags. A description could speak to a model with them and not to a person.
fn invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// At most `longest` characters: cut after a sentence where one ends in the last third, else
/// after a word, and marked with `…`.
pub(super) fn cut(text: &str, longest: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(longest) else { return text.to_owned() };
    let last = text[..end].char_indices().next_back().map_or(0, |(at, _)| at);
    let head = &text[..last];
    let third = head.len() - head.len() / 3;
    let sentence = head
        .char_indices()
        .filter(|(at, c)| matches!(c, '.' | '!' | '?') && head[at + 1..].starts_with([' ', '\n']))
        .map(|(at, _)| at + 1)
        .next_back()
        .filter(|at| *at >= third);
    let word = head.rfind(char::is_whitespace).filter(|at| *at >= third);
    let at = sentence.or(word).unwrap_or(last);
    format!("{}…", head[..at].trim_end())
}

/// The first sentence of a text, in one line.
pub(super) fn first_sentence(text: &str) -> String {
    let paragraph = clean(text);
    let line = clean_line(paragraph.split("\n\n").next().unwrap_or_default());
    let end = line
        .char_indices()
        .find(|(at, c)| matches!(c, '.' | '!' | '?') && line[at + 1..].starts_with(' '))
        .map_or(line.len(), |(at, _)| at);
    line[..end].trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_is_removed() {
        assert_eq!(clean("a\u{0}b\u{200b}c\u{202e}d\u{e0041}e"), "abcde");
        assert_eq!(clean("a\r\n\r\n\r\n\r\nb \n"), "a\n\nb");
        assert_eq!(clean_line("  a\n\tb  "), "a b");
    }

    #[test]
    fn a_cut_keeps_sentences_and_never_exceeds() {
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("One two. Three four five", 12), "One two.…");
        assert_eq!(cut("aaaa bbbb cccc", 12), "aaaa bbbb…");
        assert_eq!(cut("ääääääää", 4), "äää…");
        assert!(cut(&"x. ".repeat(1_000), 1_024).chars().count() <= 1_024);
    }

    #[test]
    fn a_title_is_the_first_sentence() {
        assert_eq!(first_sentence("Gets v1.2 stock. Then more."), "Gets v1.2 stock");
        assert_eq!(first_sentence("One\nline\n\nNext"), "One line");
    }
}
