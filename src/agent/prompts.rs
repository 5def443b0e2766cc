//! The usual plans as prompts: what a person picks from a menu of their client, and an agent then
//! follows.
//!
//! A prompt is text of ours with the person's words in it. It grants nothing: each step is a call
//! like any other.

use rmcp::model::{JsonObject, Prompt, PromptArgument, PromptMessage, Role};
use serde_json::Value;

/// The longest argument that is taken up.
const LONGEST: usize = 4_000;

/// A plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// Find the operations for a task, and do it.
    Do,
    /// Get to know what there is.
    LookAround,
    /// Find out why a call ended as it did.
    Explain,
}

struct About {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    argument: Option<(&'static str, &'static str)>,
}

impl Plan {
    const ALL: [Self; 3] = [Self::Do, Self::LookAround, Self::Explain];

    fn about(self) -> About {
        match self {
            Self::Do => About {
                name: "do_task",
                title: "Do a task with the APIs at hand",
                description: "Finds the operations that a task needs, and carries it out.",
                argument: Some(("task", "What is to be done, in words.")),
            },
            Self::LookAround => About {
                name: "look_around",
                title: "What can be done here?",
                description: "Tells which APIs there are and what they are for.",
                argument: None,
            },
            Self::Explain => About {
                name: "explain_call",
                title: "Why did a call end so?",
                description: "Reads a call's record and explains it.",
                argument: Some(("call", "The call's id, as results name it.")),
            },
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|plan| plan.about().name == name)
    }

    pub(super) fn name(self) -> &'static str {
        self.about().name
    }

    /// Whether its argument of that name is the id of a call.
    pub(super) fn asks_for_call(self, argument: &str) -> bool {
        self == Self::Explain && argument == "call"
    }

    pub(super) fn description(self) -> &'static str {
        self.about().description
    }

    /// The plan with what was given. The error says what is missing.
    pub(super) fn messages(
        self,
        arguments: Option<&JsonObject>,
    ) -> Result<Vec<PromptMessage>, String> {
        let given = match self.about().argument {
            None => String::new(),
            Some((name, _)) => {
                let value = arguments.and_then(|all| all.get(name)).and_then(Value::as_str);
                let value = value.map(str::trim).filter(|value| !value.is_empty());
                value.ok_or_else(|| format!("`{name}` is missing"))?.chars().take(LONGEST).collect()
            }
        };
        let text = match self {
            Self::Do => format!(
                "Do this with the tools of this server: {given}\n\n\
                 1. Call search_operations with what is to be done, in a few words; once for each \
                 step that is something else.\n\
                 2. Call describe_operations with the ids that you mean to use, before you use them.\n\
                 3. Read before you write: look up every id that you pass on.\n\
                 4. Call invoke_operation. Where a call is held, tell the person its id and what it \
                 would do, and make it again once it is approved.\n\
                 5. Where a call fails, do what its `next_step` says. Do not repeat a write whose \
                 outcome is unknown.\n\
                 6. Say at the end what was done, with the ids of what was changed.",
            ),
            Self::LookAround => "Call search_operations with an empty query: it tells which APIs \
                 there are. Then search for two or three things that one would do with each, and \
                 tell the person in a short list what can be done here, and what of it needs an \
                 approval. Change nothing."
                .to_owned(),
            Self::Explain => format!(
                "Read the resource tollbridge://calls/{given} and explain to the person what was \
                 called, what was decided, each attempt and why there was another one, and how it \
                 ended. Say what can be done now. Call nothing."
            ),
        };
        Ok(vec![PromptMessage::new_text(Role::User, text)])
    }
}

/// All plans, as they are listed.
pub(super) fn all() -> Vec<Prompt> {
    let prompt = |plan: Plan| {
        let about = plan.about();
        let arguments = about.argument.map(|(name, description)| {
            vec![PromptArgument::new(name).with_description(description).with_required(true)]
        });
        Prompt::new(about.name, Some(about.description), arguments).with_title(about.title)
    };
    Plan::ALL.into_iter().map(prompt).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_plan_is_listed_and_has_its_words() {
        for prompt in all() {
            let plan = Plan::named(&prompt.name).expect("a plan");
            let arguments = prompt.arguments.unwrap_or_default();
            let given = arguments.iter().map(|one| (one.name.clone(), json!("the very words")));
            let given: JsonObject = given.collect();
            let text = format!("{:?}", plan.messages(Some(&given)).expect("a plan"));
            assert_eq!(text.contains("the very words"), !arguments.is_empty(), "{text}");
            assert_eq!(plan.messages(None).is_err(), !arguments.is_empty());
        }
        assert_eq!(Plan::named("rm"), None);
    }
}
