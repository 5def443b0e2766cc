//! What a tool costs in a model's context, in tokens.
//!
//! Every model counts its own way; one public encoding is the same measure for all tools.

/// The encoding that tokens are counted in.
pub const TOKENIZER: &str = "o200k_base";

/// How many tokens a text is. The first count of a process loads the encoding, which takes
/// a moment: nothing that serves calls should count.
pub fn count(text: &str) -> u32 {
    u32::try_from(bpe_openai::o200k_base().count(text)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_those_of_the_encoding() {
        for (text, tokens) in [("", 0), ("hello world", 2), ("{\"type\":\"object\"}", 5)] {
            assert_eq!(count(text), tokens, "{text}");
        }
    }
}
