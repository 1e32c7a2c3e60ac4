//! The description of the API (OpenAPI 3.1), made of the routes.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::BASE;
use super::route::{Answer, Kind, Method, Param, Place, Route, Shape};
use crate::domain::access::Permission;
use crate::domain::problem::MEDIA_TYPE;
use crate::edge::admin::model::Problem;

/// Statuses that say what is wrong with a request, or that it cannot be answered at the moment.
const OF_ALL: &[u16] = &[400, 403, 413, 415, 421, 500, 503];
const OF_THE_KNOWN: &[u16] = &[401, 429, 504];

fn meaning(status: u16) -> &'static str {
    match status {
        200 => "Done",
        201 => "Made",
        204 => "Done, and nothing to say",
        400 => "The request cannot be understood",
        401 => "It is not known who asks",
        403 => "The roles do not allow it, or another site asks",
        404 => "There is no such thing",
        409 => "It cannot be done as things are",
        413 => "The body is too large",
        415 => "The body must be JSON",
        421 => "The listener does not go by this name",
        429 => "Too many wrong keys",
        503 => "It cannot be answered at the moment",
        504 => "It took too long",
        _ => "It went wrong",
    }
}

#[derive(Default)]
struct Schemas(BTreeMap<String, Value>);

impl Schemas {
    /// Takes in a type with those that it refers to; gives the reference to it.
    fn refer(&mut self, shape: Shape) -> Value {
        let name = (shape.name)().into_owned();
        if !self.0.contains_key(&name) {
            let mut others = vec![(name.clone(), (shape.schema)())];
            (shape.others)(&mut others);
            for (name, schema) in others {
                let schema = serde_json::to_value(schema).unwrap_or_default();
                self.0.entry(name).or_insert(schema);
            }
        }
        json!({ "$ref": format!("#/components/schemas/{name}") })
    }
}

fn schema_of(kind: &Kind) -> Value {
    match kind {
        Kind::Text(max) => json!({
            "type": "string", "minLength": 1, "maxLength": max, "pattern": "^[^\\x00-\\x1f\\x7f]*$",
        }),
        Kind::Form(pattern) => json!({ "type": "string", "pattern": pattern }),
        Kind::Number(min, max) => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Words(words) => json!({ "type": "string", "enum": words }),
    }
}

fn param(param: &Param) -> Value {
    let schema = match param.most {
        1 => schema_of(&param.kind),
        most => json!({ "type": "array", "items": schema_of(&param.kind), "maxItems": most }),
    };
    let place = match param.place {
        Place::Path => "path",
        Place::Query => "query",
    };
    json!({
        "name": param.name, "in": place, "required": param.is_required,
        "description": param.about, "schema": schema,
    })
}

fn answer(answer: &Answer, schemas: &mut Schemas) -> (u16, Map<String, Value>) {
    let mut content = Map::new();
    let file = json!({ "schema": { "type": "string" } });
    let status = match answer {
        Answer::Json(status, shape) => {
            let schema = schemas.refer(*shape);
            content.insert("application/json".to_owned(), json!({ "schema": schema }));
            *status
        }
        Answer::Done => 204,
        Answer::Document(shape, media) => {
            let schema = schemas.refer(*shape);
            content.insert("application/json".to_owned(), json!({ "schema": schema }));
            content.extend(
                media
                    .iter()
                    .map(|media| ((*media).to_owned(), file.clone())),
            );
            200
        }
        Answer::File(media) => {
            content.extend(
                media
                    .iter()
                    .map(|media| ((*media).to_owned(), file.clone())),
            );
            200
        }
        Answer::Events => {
            content.insert("text/event-stream".to_owned(), file);
            200
        }
    };
    (status, content)
}

fn operation(route: &Route, schemas: &mut Schemas) -> Value {
    let (status, content) = answer(&route.answer, schemas);
    let mut good = json!({ "description": meaning(status) });
    if let (false, Value::Object(good)) = (content.is_empty(), &mut good) {
        good.insert("content".to_owned(), Value::Object(content));
    }
    let mut responses = Map::from_iter([(status.to_string(), good)]);
    let known: &[u16] = match route.permission {
        Some(_) => OF_THE_KNOWN,
        None => &[],
    };
    for status in OF_ALL.iter().chain(known).chain(route.also) {
        let problem = json!({
            "description": meaning(*status),
            "content": { MEDIA_TYPE: { "schema": schemas.refer(Shape::of::<Problem>()) } },
        });
        responses.insert(status.to_string(), problem);
    }
    let mut operation = json!({
        "operationId": route.id,
        "summary": route.summary,
        "tags": [route.permission.map_or("door", Permission::as_str)],
        "parameters": route.params.iter().map(param).collect::<Vec<_>>(),
        "responses": responses,
        "security": [],
    });
    if let Value::Object(members) = &mut operation {
        if let Some(permission) = route.permission {
            members.insert(
                "security".to_owned(),
                json!([{ "bearer": [] }, { "session": [] }]),
            );
            members.insert("x-egret-permission".to_owned(), permission.as_str().into());
        }
        if let Some(body) = route.body {
            let schema = schemas.refer(body);
            let body = json!({ "required": true, "content": { "application/json": { "schema": schema } } });
            members.insert("requestBody".to_owned(), body);
        }
    }
    operation
}

/// The document.
pub(super) fn document(routes: &[Route], version: &str) -> Value {
    let mut schemas = Schemas::default();
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for route in routes {
        let method = match route.method {
            Method::Get => "get",
            Method::Post => "post",
            Method::Put => "put",
            Method::Delete => "delete",
        };
        let operation = operation(route, &mut schemas);
        let path = paths.entry(format!("{BASE}{}", route.path)).or_default();
        path.insert(method.to_owned(), operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Egret admin API",
            "version": version,
            "description": "What operators, auditors and the web console see and do. Every access is on record.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas.0,
            "securitySchemes": {
                "bearer": {
                    "type": "http", "scheme": "bearer",
                    "description": "An admin key, or a token of the identity provider",
                },
                "session": { "type": "apiKey", "in": "cookie", "name": "egret-session",
                    "description": "Given by POST /api/v1/session; __Host-egret-session under TLS" },
            },
        },
    })
}
