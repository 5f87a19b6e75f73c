"""What every refusal looks like."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class ErrorSerializer(serializers.Serializer[Any]):
    """An error, described in a sentence."""

    detail = serializers.CharField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """With ``errors``, which as an attribute would hide the serializer's own."""
        errors = serializers.DictField(required=False, help_text="Errors by the name of the parameter or field")
        return {**super().get_fields(), "errors": errors}
