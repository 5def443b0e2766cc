//! Values that know where in the file they stand.
//!
//! A check that runs after parsing (an operation that no description has, a limit on an
//! argument that does not exist) points at the place that caused it.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, Range};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A value and its place in the file.
#[derive(Debug, Clone)]
pub struct Located<T> {
    span: Range<usize>,
    value: T,
}

impl<T> Located<T> {
    /// Puts a value at a place.
    pub fn new(span: Range<usize>, value: T) -> Self {
        Self { span, value }
    }

    /// A value that stands nowhere in the file: a default, or made by a test.
    pub fn nowhere(value: T) -> Self {
        Self { span: 0..0, value }
    }

    /// The place, in bytes of the file.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The value alone.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T> Deref for Located<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Display> fmt::Display for Located<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

/// The value counts, not its place.
impl<T: PartialEq> PartialEq for Located<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Located<T> {}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = toml::Spanned::<T>::deserialize(deserializer)?;
        Ok(Self { span: spanned.span(), value: spanned.into_inner() })
    }
}

impl<T: JsonSchema> JsonSchema for Located<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// A table of the file whose keys are the user's: in the file's order, each key with its
/// place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyed<K, V>(Vec<(Located<K>, V)>);

impl<K, V> Keyed<K, V> {
    /// The entries in the file's order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Located<K>, &V)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The entry of that key.
    pub fn get(&self, key: &K) -> Option<&V>
    where
        K: PartialEq,
    {
        self.0.iter().find(|(own, _)| **own == *key).map(|(_, value)| value)
    }
}

impl<K, V> Default for Keyed<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K, V> FromIterator<(Located<K>, V)> for Keyed<K, V> {
    fn from_iter<I: IntoIterator<Item = (Located<K>, V)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Deserialize<'de> for Keyed<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<K, V>(PhantomData<(K, V)>);
        impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Visitor<'de> for Entries<K, V> {
            type Value = Keyed<K, V>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Keyed(entries))
            }
        }
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

/// The form of a [`Keyed`] table's keys, as the check of the document knows it.
pub(super) trait KeyForm {
    /// The name of the format; `None` where any key will do.
    const FORMAT: Option<&'static str>;
}

impl KeyForm for String {
    const FORMAT: Option<&'static str> = None;
}

impl KeyForm for tollbridge_operation::ApiName {
    const FORMAT: Option<&'static str> = Some("tollbridge-api-name");
}

impl KeyForm for super::values::ArgumentPath {
    const FORMAT: Option<&'static str> = Some("tollbridge-argument");
}

impl<K: KeyForm, V: JsonSchema> JsonSchema for Keyed<K, V> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Keyed_{}", V::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<V>();
        match K::FORMAT {
            Some(format) => json_schema!({
                "type": "object",
                "propertyNames": {"format": format},
                "additionalProperties": value
            }),
            None => json_schema!({"type": "object", "additionalProperties": value}),
        }
    }
}
