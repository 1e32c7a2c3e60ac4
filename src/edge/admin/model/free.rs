//! Objects whose members other parts of the program know: the schema is made of what they say.

use utoipa::openapi::schema::{
    AdditionalProperties, Array, ObjectBuilder, Schema, SchemaType, Type,
};
use utoipa::openapi::{OneOfBuilder, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::adapters::ledger::row::{COLUMNS, Kind};

/// A call: every column of the ledger.
pub struct Call;

/// An incident, as `egret alert show --format json` prints it.
pub struct Incident;

/// A report or an investigation, as the commands write it.
pub struct Document;

fn nullable(kind: Type) -> Schema {
    Schema::Object(
        ObjectBuilder::new()
            .schema_type(SchemaType::Array(vec![kind, Type::Null]))
            .build(),
    )
}

impl PartialSchema for Call {
    fn schema() -> RefOr<Schema> {
        let object = COLUMNS.iter().fold(ObjectBuilder::new(), |object, column| {
            let schema = match column.kind {
                Kind::Integer => nullable(Type::Integer),
                Kind::Text => nullable(Type::String),
                Kind::Json => Schema::OneOf(
                    OneOfBuilder::new()
                        .item(any_object())
                        .item(Schema::Array(Array::new(any_value())))
                        .item(nullable(Type::Null))
                        .build(),
                ),
            };
            object.property(column.name, schema).required(column.name)
        });
        object
            .description(Some("A call: every column of the ledger"))
            .into()
    }
}

impl ToSchema for Call {}

fn any_value() -> Schema {
    Schema::Object(
        ObjectBuilder::new()
            .schema_type(SchemaType::AnyValue)
            .build(),
    )
}

fn any_object() -> Schema {
    Schema::Object(
        ObjectBuilder::new()
            .additional_properties(Some(AdditionalProperties::FreeForm(true)))
            .build(),
    )
}

impl PartialSchema for Incident {
    fn schema() -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(Type::String).build();
        let names = ["id", "state", "severity", "category", "title", "sentence"];
        let object = names.iter().fold(ObjectBuilder::new(), |object, name| {
            object.property(*name, text()).required(*name)
        });
        object
            .additional_properties(Some(AdditionalProperties::FreeForm(true)))
            .description(Some("As `egret alert show --format json` prints it"))
            .into()
    }
}

impl ToSchema for Incident {}

impl PartialSchema for Document {
    fn schema() -> RefOr<Schema> {
        any_object().into()
    }
}

impl ToSchema for Document {}
