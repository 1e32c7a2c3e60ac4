//! Objects by collection and guid, newest first, bounded.

use std::collections::{HashMap, VecDeque};

use serde_json::{Map, Value};

/// The oldest objects of a collection are forgotten beyond this many.
const MAX_OBJECTS: usize = 20_000;

/// One object of a collection.
#[derive(Clone, Debug, Default)]
pub struct Object {
    /// The fields that everybody with the read scope sees.
    pub public: Map<String, Value>,
    /// The fields shown only with `include_pii` or its like.
    pub private: Map<String, Value>,
    /// The fields shown only when one object is fetched.
    pub detail: Map<String, Value>,
}

impl Object {
    /// A text field, or the empty text.
    pub fn text(&self, field: &str) -> &str {
        text(&self.public, field)
    }

    /// A whole number field, or 0.
    pub fn number(&self, field: &str) -> u64 {
        self.public.get(field).and_then(Value::as_u64).unwrap_or(0)
    }

    /// Sets a field.
    pub fn set(&mut self, field: &str, value: impl Into<Value>) {
        self.public.insert(field.to_owned(), value.into());
    }
}

/// A text field of a map, or the empty text.
pub fn text<'m>(map: &'m Map<String, Value>, field: &str) -> &'m str {
    map.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The objects of one kind.
#[derive(Debug, Default)]
struct Collection {
    order: VecDeque<String>,
    objects: HashMap<String, Object>,
}

/// All collections.
#[derive(Debug, Default)]
pub struct Store {
    collections: HashMap<&'static str, Collection>,
}

impl Store {
    /// Adds an object under its key.
    pub fn add(&mut self, resource: &'static str, key: &str, object: Object) {
        let collection = self.collections.entry(resource).or_default();
        if collection.order.len() >= MAX_OBJECTS
            && let Some(oldest) = collection.order.pop_front()
        {
            collection.objects.remove(&oldest);
        }
        collection.order.push_back(key.to_owned());
        collection.objects.insert(key.to_owned(), object);
    }

    /// One object.
    pub fn get(&self, resource: &str, key: &str) -> Option<&Object> {
        self.collections.get(resource)?.objects.get(key)
    }

    /// One object, to change.
    pub fn get_mut(&mut self, resource: &str, key: &str) -> Option<&mut Object> {
        self.collections.get_mut(resource)?.objects.get_mut(key)
    }

    /// Removes an object.
    pub fn remove(&mut self, resource: &str, key: &str) {
        if let Some(collection) = self.collections.get_mut(resource) {
            collection.objects.remove(key);
            collection.order.retain(|found| found != key);
        }
    }

    /// All objects of a collection, newest first.
    pub fn newest_first(&self, resource: &str) -> impl Iterator<Item = &Object> {
        self.collections
            .get(resource)
            .into_iter()
            .flat_map(|collection| {
                collection
                    .order
                    .iter()
                    .rev()
                    .filter_map(|key| collection.objects.get(key))
            })
    }
}
