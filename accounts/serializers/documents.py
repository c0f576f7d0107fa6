"""The JSON of documents: those handed in, and those the broker has written."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any, Final, cast

from rest_framework import serializers

from accounts.gateways import Statement
from accounts.models import DocumentRequest, DocumentUpload
from accounts.serializers.words import DOCUMENT_TYPES, MIME_TYPES, STATEMENT_TYPES
from accounts.services import Document
from core import crypto
from core.api.fields import StrictBooleanField, StrictCharField, StrictSerializer

LARGEST_CONTENT: Final = 10 * 1024 * 1024  # in base64, which is what the broker measures
_BEGINNINGS: Final = {
    "application/pdf": b"%PDF-",
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "application/json": b"{",
}


class DocumentForm(StrictSerializer):
    """A document as the broker takes it: its content in base64."""

    ignores_unknown = True
    document_type = serializers.ChoiceField(choices=DOCUMENT_TYPES)
    document_sub_type = StrictCharField(max_length=64, required=False)
    content = serializers.CharField(trim_whitespace=False)
    mime_type = serializers.ChoiceField(choices=MIME_TYPES)

    def validate_content(self, value: str) -> bytes:
        """Refuse what is no base64, empty, or more than the broker takes."""
        if len(value) > LARGEST_CONTENT:
            raise serializers.ValidationError("A document has at most 7.5 MB: 10 MB in base64.")
        try:
            content = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise serializers.ValidationError("Write the file's content in base64.") from None
        if not content:
            raise serializers.ValidationError("The file is empty.")
        return content

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a file that is not what it says it is."""
        if not attrs["content"].startswith(_BEGINNINGS[attrs["mime_type"]]):
            rule = "The content does not begin as such a file does."
            raise serializers.ValidationError({"mime_type": [rule]})
        return attrs


class NewDocument(DocumentForm):
    """The body of an upload."""

    allow_duplicate = StrictBooleanField(required=False, default=False)

    def to_document(self) -> Document:
        """Make what the service takes."""
        data = self.validated_data
        return Document(
            document_type=data["document_type"],
            document_sub_type=data.get("document_sub_type", ""),
            mime_type=data["mime_type"],
            content=data["content"],
        )

    def meaning(self) -> dict[str, Any]:
        """Say what makes two uploads the same, with a fingerprint in place of the content."""
        data = dict(self.validated_data)
        return {**data, "content": crypto.fingerprint(data["content"], purpose="document")}


class StatementFilter(StrictSerializer):
    """The original's filters."""

    ignores_unknown = True
    start_date = serializers.DateField(input_formats=["%Y-%m-%d"], required=False)
    end_date = serializers.DateField(input_formats=["%Y-%m-%d"], required=False)
    document_type = serializers.ChoiceField(choices=STATEMENT_TYPES, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a time that ends before it begins."""
        start, end = attrs.get("start_date"), attrs.get("end_date")
        if start and end and end < start:
            raise serializers.ValidationError({"end_date": ["Must not be before start_date."]})
        return attrs

    def to_filters(self) -> dict[str, str]:
        """Name the filters as the broker does."""
        names = {"start_date": "start", "end_date": "end", "document_type": "type"}
        return {names[name]: str(value) for name, value in self.validated_data.items()}


class StatementDetail(serializers.Serializer[Statement]):
    """A document that the broker has written."""

    id = serializers.CharField(source="document_id", read_only=True)
    name = serializers.CharField(read_only=True)
    type = serializers.CharField(read_only=True)
    sub_type = serializers.CharField(read_only=True)
    date = serializers.CharField(read_only=True)


class UploadDetail(serializers.Serializer[DocumentUpload]):
    """A document that the customer has handed in; its content is not kept."""

    id = serializers.UUIDField(source="pk", read_only=True)
    document_type = serializers.CharField(read_only=True)
    document_sub_type = serializers.CharField(read_only=True)
    mime_type = serializers.CharField(read_only=True)
    size_bytes = serializers.IntegerField(read_only=True)
    state = serializers.CharField(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)


class RequestDetail(serializers.Serializer[DocumentRequest]):
    """A document that is asked of the customer."""

    id = serializers.UUIDField(source="pk", read_only=True)
    document_type = serializers.CharField(read_only=True)
    note = serializers.CharField(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)


class DocumentsAnswer(serializers.Serializer[Any]):
    """What there is of documents: the broker's, the customer's, and those asked for."""

    success = serializers.BooleanField(read_only=True)
    documents = StatementDetail(many=True, read_only=True)
    uploads = UploadDetail(many=True, read_only=True)
    requested = RequestDetail(many=True, read_only=True)


class StatementAnswer(serializers.Serializer[Any]):
    success = serializers.BooleanField(read_only=True)
    document = StatementDetail(read_only=True)


class UploadAnswer(serializers.Serializer[Any]):
    success = serializers.BooleanField(read_only=True)
    upload = UploadDetail(read_only=True)


def documents_answer(
    statements: Sequence[Statement],
    uploads: Sequence[DocumentUpload],
    requested: Sequence[DocumentRequest],
) -> dict[str, Any]:
    """Answer the list of documents."""
    shown = DocumentsAnswer(
        {"success": True, "documents": statements, "uploads": uploads, "requested": requested}
    )
    return cast("dict[str, Any]", shown.data)
