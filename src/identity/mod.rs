//! Who is calling: principals, groups and inbound API keys.
