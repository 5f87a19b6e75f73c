"""Validation and serialisation: pydantic, marshmallow, hiredis and their kin."""
