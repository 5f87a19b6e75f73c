"""Validators of a recursive schema."""

from pydantic_core import SchemaValidator, core_schema

schema = core_schema.definitions_schema(
    core_schema.definition_reference_schema("branch"),
    [
        core_schema.typed_dict_schema(
            {
                "name": core_schema.typed_dict_field(core_schema.str_schema()),
                "branch": core_schema.typed_dict_field(
                    core_schema.nullable_schema(core_schema.definition_reference_schema("branch"))
                ),
            },
            ref="branch",
        )
    ],
)


def call():
    SchemaValidator(schema)
