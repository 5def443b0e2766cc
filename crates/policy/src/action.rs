//! The names of things in Cedar: types, actions, and the tool's own action.

use cedar_policy::{EntityId, EntityTypeName, EntityUid};

/// The action that every call is: each tool's own action is in it.
pub const CALL: &str = "call";

/// The action of finding an operation that is no tool.
pub const DISCOVER: &str = "discover";

/// The name of the action of calling a tool: the tool's, unless that is taken.
pub fn action_of(tool: &str) -> String {
    if [CALL, DISCOVER].contains(&tool) { format!("tool:{tool}") } else { tool.to_owned() }
}

/// The kinds of entities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Identity,
    Group,
    Tool,
    Operation,
    Api,
    Action,
}

impl Type {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Identity => "Identity",
            Self::Group => "Group",
            Self::Tool => "Tool",
            Self::Operation => "Operation",
            Self::Api => "Api",
            Self::Action => "Action",
        }
    }

    /// The type of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let all =
            [Self::Identity, Self::Group, Self::Tool, Self::Operation, Self::Api, Self::Action];
        all.into_iter().find(|one| one.name() == name)
    }

    /// The entity of this type with that name.
    pub(crate) fn uid(self, name: &str) -> EntityUid {
        let type_name: EntityTypeName =
            self.name().parse().expect("the names above are identifiers");
        EntityUid::from_type_name_and_id(type_name, EntityId::new(name))
    }

    pub(crate) fn is(self, name: &EntityTypeName) -> bool {
        name.basename() == self.name() && name.namespace_components().next().is_none()
    }
}
