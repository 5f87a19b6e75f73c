"""What every refusal looks like."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class ErrorSerializer(serializers.Serializer[Any]):
    """What is wrong, in a sentence."""

    detail = serializers.CharField()
    errors = serializers.DictField(required=False, help_text="By the name of the parameter or field")
