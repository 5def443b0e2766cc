//! Text without meaning, the same every time.

/// So many words; another seed has others.
pub(crate) fn words(seed: usize, count: usize) -> String {
    const WORDS: [&str; 16] = [
        "account",
        "balance",
        "of",
        "the",
        "warehouse",
        "order",
        "with",
        "a",
        "delivery",
        "date",
        "and",
        "its",
        "currency",
        "for",
        "each",
        "customer",
    ];
    let mut state = seed as u64 * 2 + 1;
    let mut out = String::new();
    for n in 0..count {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        if n > 0 {
            out.push(' ');
        }
        out.push_str(WORDS[(state >> 60) as usize]);
    }
    out
}
