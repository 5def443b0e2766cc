//! The codes of diagnostics, and what each means in full: `tollbridge explain CODE`.

macro_rules! codes {
    ($($name:ident = $code:literal $text:literal;)*) => {
        $(
            #[doc = concat!("```text\n", $text, "\n```")]
            pub const $name: &str = $code;
        )*

        /// What a code means and how it is mended; `None` for what is no code.
        pub fn explain(code: &str) -> Option<&'static str> {
            match code.to_ascii_uppercase().as_str() {
                $($code => Some($text),)*
                _ => None,
            }
        }
    };
}

codes! {
    UNREADABLE = "TB0001" "The configuration file cannot be read. `tollbridge import SPEC` writes one; `--config FILE` or `TOLLBRIDGE_CONFIG` names another than ./tools.toml.";
    SYNTAX = "TB0002" "The file is no TOML 1.1 document. The rest of its line is masked in the report, because it may hold a secret.";
    UNKNOWN_KEY = "TB0101" "A key that tollbridge does not know. Nothing is ever ignored in a file that sets limits, so a misspelled key is an error.";
    NOT_YET = "TB0102" "A key or a value of the format that this version does not act on. It is refused rather than ignored: a limit that is not enforced is worse than none.";
    MISSING_KEY = "TB0103" "A key that must be there is not.";
    WRONG_TYPE = "TB0104" "A value of another type than the key takes, or none of the values that it takes.";
    MALFORMED = "TB0105" "A value that does not have the form of its kind: a duration, a size, an amount, a URL, a host, an identity, a pattern.";
    LITERAL_SECRET = "TB0106" "A secret stands in the file. Secrets are references: `env:NAME` for an environment variable, `file:PATH` for a file, `cred:NAME` for a systemd credential. The secret is not shown here; since it has been in a file, consider replacing it.";
    DUPLICATE_TOOL = "TB0201" "Two tools have the same name. An agent would not know which it calls; give one of them another `name`.";
    UNKNOWN_API = "TB0202" "A tool names an API that has no table [api.NAME].";
    UNKNOWN_GROUP = "TB0203" "A group that is named (`group:NAME`, or `Group::\"NAME\"` in a policy) is in no table [groups], and no token can claim it, because `groups` of [server.auth] names no claim.";
    TIMEOUTS = "TB0204" "One attempt may take longer than the whole call: the second time limit would never be reached.";
    PRICE = "TB0205" "A price is only charged where [settlement] says how: the asset must be one of `[settlement] assets`.";
    BOUNDS = "TB0206" "The rules of one argument contradict each other, so that no call could pass, or one of them would have no effect.";
    CREDENTIALS = "TB0207" "An API has both `auth`, one credential for everything, and `credentials`, one for each security scheme. Which one would be sent is not decided by guessing.";
    EXPIRY = "TB0208" "A length of time that is zero where something must fit into it.";
    HEADER = "TB0209" "A fixed header that is none, or that the bridge itself sets.";
    UNPROTECTED = "TB0210" "Something that looks like a mistake, though it can be meant.";
    BUDGET = "TB0212" "A budget names a tool that is none, is about no tool, or adds up an argument that one of its tools does not have or that is no number.";
    TOKEN = "TB0211" "What tokens are got with does not hold together: each grant takes its own members, and a token endpoint is asked over https, but on this machine.";
    INBOUND = "TB0213" "What callers prove who they are by does not hold together: tokens are verified in one way, for an audience, with keys that come over https or from this machine; certificates of authorities that `client_ca` names, and something says who callers are.";
    UNKNOWN_OPERATION = "TB0301" "A tool names an operation that its API's description does not have.";
    UNKNOWN_ARGUMENT = "TB0302" "A rule names an argument that the operation does not have.";
    DESCRIPTION = "TB0303" "An API's description cannot be read.";
    UNKNOWN_SCHEME = "TB0304" "A credential names a security scheme that the API's description does not have.";
    NO_SERVER = "TB0305" "Neither the description nor the configuration says where the API is: set `base_url`.";
    BLOCKED_HOST = "TB0306" "The description's server is at a host that the configuration does not name. No host is contacted that does not stand in it: set `base_url`, or add the host to `hosts`.";
    ARGUMENT_RULE = "TB0307" "A rule for an argument that the argument's schema cannot carry.";
    CHANGED = "TB0308" "The description is not the one that was accepted. `tollbridge diff` says for each tool what that changes; `tollbridge diff --accept` accepts it, which writes its digest into the file and a copy of it beside the others in specs/accepted/.";
    SECRET = "TB0309" "A reference to a secret leads nowhere: the variable is not set, or the file is missing or empty. Servers and calls need it; `check` only warns.";
    READING = "TB0310" "The API's description is wrong at that place, and was read in the only way that makes sense.";
    UPSTREAM = "TB0311" "The API cannot be called as it is configured.";
    PORTABILITY = "TB0312" "A tool that some client would drop, cut or misread.";
    CREDENTIAL = "TB0313" "An operation needs a credential that the configuration does not give. Name it under `auth`, or by its scheme under `credentials`.";
    QUARANTINED = "TB0315" "The tool's operation is not the one that was accepted. Until `tollbridge diff --accept` the tool stays listed as it was, and calls of it are refused with the code `quarantined`; tools whose operations are the same go on. `stale = \"warn\"` in the API's table lets tools change with the description instead.";
    FALLBACK = "TB0318" "What stands in for a tool, or tells what became of its calls, does more than it may: a read falls back to reads, and only reads have answers that can be given once more.";
    SHAPE = "TB0316" "What a tool says of its answers (`shape`, `pages`) cannot hold for its operation.";
    MANY_TOOLS = "TB0314" "More tools than clients handle well: models choose worse from a long list, and some clients drop what is beyond their limit.";
    SCOPE = "TB0319" "A token is asked for that allows more than the tools need. Whoever gets hold of it can do more than it has to.";
    LOGIN = "TB0325" "An API is called for a person who has not logged in, or whose login allows more or less than the tools need. `tollbridge login API` logs in, in a browser or with a code on another device.";
    POLICY = "TB0326" "A policy that is no Cedar, that names a tool, an argument or an attribute that is not there, or compares what is of different types; or a policy file that cannot be read. Policies are checked against the input schemas of the tools, so that none of them is there and does nothing. docs/policies.md says what a policy can read.";
    DISCOVERY = "TB0327" "Operations that `discover` opens and that cannot be found: they cannot be called as the API is configured, or discovery is off. `[server] discovery = true` turns it on; docs/discovery.md says what may be found.";
    SUSPICIOUS = "TB0317" "A description says something that is not for the people who read it: it holds characters that do not show, names that look like others, HTML that acts or hides, or words that are meant to steer a model. What agents see is cleaned of what does not show; read the rest, and set `description` where you do not trust it.";
}
