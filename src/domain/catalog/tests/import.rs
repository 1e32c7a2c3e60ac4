//! Importing OpenAPI documents.

use super::super::*;
use crate::types::{Effect, Environment, PiiClass};

const DOCUMENT: &str = r##"
openapi: 3.0.3
info: {title: "Acme \"Pay\"\nAPI", version: "1"}
servers:
  - url: https://api.acme.example/v1
  - url: https://sandbox.acme.example/v1
    description: test system
  - url: "https://{region}.acme.example"
security:
  - oauth: [things:read]
components:
  securitySchemes:
    oauth:
      type: oauth2
      flows: {clientCredentials: {tokenUrl: /token, scopes: {"things:read": read}}}
    key: {type: apiKey, in: header, name: X-Key}
  schemas:
    Person:
      type: object
      properties:
        email: {type: string}
        date_of_birth: {type: string}
        address: {type: object, properties: {street: {type: string}}}
        next: {$ref: "#/components/schemas/Person"}
paths:
  /people/{email}:
    parameters:
      - {name: page, in: query, schema: {type: integer}}
    get:
      operationId: get person
      summary: "Fetch\na person"
      parameters:
        - {name: token, in: query, schema: {type: string}}
        - {name: sort, in: query, schema: {type: string, enum: [asc, desc]}}
      responses:
        200: {content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Person"}}}}}
  /payments:
    post:
      requestBody: {content: {application/json: {schema: {properties: {card: {properties: {cvv: {}, number: {}}}}}}}}
      responses: {default: {description: ok}}
  /files/{name}.json:
    get: {responses: {}}
"##;

fn imported() -> (String, Provider) {
    let text = import_openapi("acme", DOCUMENT).unwrap();
    let provider = Provider::parse("acme.toml", &text).unwrap();
    (text, provider)
}

#[test]
fn a_yaml_document_becomes_a_file_that_loads() {
    let (_, provider) = imported();
    assert_eq!(provider.operations.len(), 2);
    let person = provider.operation("get_person").unwrap();
    assert_eq!(person.effect, Effect::Read);
    assert_eq!(person.params[0].keep, ParamKeep::Pii(PiiClass::Email));
    assert_eq!(
        person.query.get("page"),
        Some(&QueryKeep::Value(Shape::Int))
    );
    assert_eq!(person.query.get("token"), Some(&QueryKeep::Mask));
    assert!(matches!(
        person.query.get("sort"),
        Some(QueryKeep::Value(Shape::Enum(_)))
    ));
    let birth = person
        .response_pii
        .iter()
        .find(|rule| rule.class == PiiClass::DateOfBirth)
        .unwrap();
    assert_eq!(birth.at[0].as_str(), "[].date_of_birth");
    assert_eq!(&*person.scopes_required[0], "things:read");
    let payment = provider.operation("POST_payments").unwrap();
    assert_eq!(payment.effect, Effect::Money);
    assert_eq!(payment.request_secrets[0].to_string(), "card.cvv");
}

#[test]
fn servers_become_base_urls() {
    let (text, provider) = imported();
    let service = &provider.services[0];
    assert_eq!(
        service
            .base_url(Environment::Production)
            .unwrap()
            .to_string(),
        "https://api.acme.example/v1"
    );
    assert_eq!(
        service.base_url(Environment::Sandbox).unwrap().host(),
        "sandbox.acme.example"
    );
    assert!(
        text.contains("# Review: left out the server number 3"),
        "{text}"
    );
}

#[test]
fn the_file_says_what_to_review() {
    let (text, _) = imported();
    for expected in [
        "# Review: left out GET /files/{name}.json",
        "# Review: guessed from \"payments\"",
        "# Review: the security scheme \"key\" (apiKey)",
        "# Review before use:",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
}

#[test]
fn json_is_read_too() {
    let text = r#"{"openapi":"3.1.0","info":{"title":"T"},"paths":{"/a":{"get":{}}}}"#;
    let file = import_openapi("t", text).unwrap();
    assert!(file.contains("path = \"/a\""));
}

#[test]
fn other_documents_are_refused_with_a_reason() {
    for (id, text, expected) in [
        ("acme", "{", "cannot read the document"),
        ("acme", "swagger: '2.0'", "it has no `openapi: 3.x`"),
        ("acme", "openapi: 3.0.0", "it has no `paths`"),
        ("Acme!", DOCUMENT, "is not an id"),
    ] {
        let error = import_openapi(id, text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
