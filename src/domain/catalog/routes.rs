//! Checks that operations can be told apart.

use std::collections::HashMap;
use std::sync::Arc;

use super::model::{Method, Operation};
use super::reader::{At, Faults};
use super::template::{self, Segment};

/// Most routes of a provider with all versions filled in.
const MAX_ROUTES: usize = 100_000;

/// Reports ids that occur twice, routes that two operations claim, and `recorded_as` that leads
/// nowhere.
pub fn check_routes(operations: &[At<Arc<Operation>>], faults: &mut Faults<'_>) {
    let mut ids: HashMap<&str, &At<Arc<Operation>>> = HashMap::new();
    for operation in operations {
        if let Some(first) = ids.insert(&operation.value.id, operation) {
            let line = faults.line(first.at);
            let what = format!(
                "a second operation {:?}, first on line {line}",
                operation.value.id
            );
            faults.add(operation.at, what, "give it another id");
        }
    }
    let mut routes: HashMap<(u8, Method, String), &At<Arc<Operation>>> = HashMap::new();
    for operation in operations {
        if let Some(target) = &operation.value.recorded_as {
            check_target(operation, target, &ids, faults);
            continue;
        }
        for template in operation.value.templates() {
            let key = (
                operation.value.service.0,
                operation.value.method,
                shape_of(&template),
            );
            let Some(first) = routes.insert(key, operation) else {
                continue;
            };
            let line = faults.line(first.at);
            let what = format!(
                "{} {template} is also the route of {:?} on line {line}",
                operation.value.method, first.value.id
            );
            faults.add(
                operation.at,
                what,
                "change method, path or versions, or write recorded_as = the other id",
            );
            // One fault an operation: with many versions the others say the same.
            break;
        }
        if routes.len() > MAX_ROUTES {
            faults.add(
                operation.at,
                "too many routes",
                format!("keep at most {MAX_ROUTES}"),
            );
            return;
        }
    }
}

fn check_target(
    operation: &At<Arc<Operation>>,
    target: &str,
    ids: &HashMap<&str, &At<Arc<Operation>>>,
    faults: &mut Faults<'_>,
) {
    let same = |other: &Operation| {
        other.service == operation.value.service
            && other.method == operation.value.method
            && other.recorded_as.is_none()
    };
    if !ids.get(target).is_some_and(|other| same(&other.value)) {
        let what = format!("recorded_as names {target:?}, which is not matched in its place");
        faults.add(
            operation.at,
            what,
            "write the id of a matched operation of the same service and method",
        );
    }
}

/// A template without the names of its parameters.
fn shape_of(template: &str) -> String {
    let segments = template::parse(template).unwrap_or_default();
    let mut shape = String::with_capacity(template.len());
    for segment in segments {
        shape.push('/');
        match segment {
            Segment::Literal(text) => shape.push_str(text),
            Segment::Param(_) => shape.push_str("{}"),
            Segment::Tail(_) => shape.push_str("{+}"),
        }
    }
    shape
}
