//! Cedar's `like`.

use cedar_policy::pst::PatternElem;

/// Whether a text is as a pattern says. A wildcard is as much as need be: when what follows it
/// does not fit, it takes one more.
pub(super) fn matches(pattern: &[PatternElem], text: &str) -> bool {
    let (mut at, mut rest) = (0, text.chars());
    let mut again: Option<(usize, std::str::Chars<'_>)> = None;
    loop {
        match pattern.get(at) {
            Some(PatternElem::Wildcard) => {
                at += 1;
                again = Some((at, rest.clone()));
                continue;
            }
            None if rest.as_str().is_empty() => return true,
            Some(PatternElem::Char(wanted)) => {
                let mut ahead = rest.clone();
                if ahead.next() == Some(*wanted) {
                    (at, rest) = (at + 1, ahead);
                    continue;
                }
            }
            None => {}
        }
        let Some((after, from)) = &mut again else { return false };
        if from.next().is_none() {
            return false;
        }
        (at, rest) = (*after, from.clone());
    }
}
