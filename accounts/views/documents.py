"""Documents: handing them in, and reading what the broker has written."""

from django.http import HttpResponse
from django.utils import timezone
from django.utils.http import content_disposition_header
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import examples, selectors, serializers, services
from core.api import permissions
from core.api.authentication import principal_of
from core.api.idempotency import IdempotentView
from core.api.parser import UploadParser
from core.api.schema import idempotency_key

SCOPES = permissions.scopes("accounts")


class Documents(APIView):
    scopes = SCOPES

    @extend_schema(
        operation_id="api_account_documents_list",
        parameters=[serializers.StatementFilter],
        responses=serializers.DocumentsAnswer,
        examples=examples.DOCUMENTS,
    )
    def get(self, request: Request, account_id: str) -> Response:
        """List the broker's statements, what the customer has handed in, and what is asked for."""
        principal = selectors.principal_for(principal=principal_of(request), account_id=account_id)
        wanted = serializers.StatementFilter(data=request.query_params.dict())
        wanted.is_valid(raise_exception=True)
        statements = services.list_statements(
            principal=principal, account_id=account_id, filters=wanted.to_filters()
        )
        return Response(
            serializers.documents_answer(
                statements,
                selectors.list_uploads(principal=principal, account_id=account_id),
                selectors.list_open_requests(principal=principal, account_id=account_id),
            )
        )


class DocumentUploads(IdempotentView):
    operation = "accounts.upload_document"
    key_required = False
    scopes = SCOPES
    rate = "documents"
    parser_classes = (UploadParser,)

    @extend_schema(
        request=serializers.NewDocument,
        responses={201: serializers.UploadAnswer, 202: serializers.UploadAnswer},
        parameters=[idempotency_key(is_required=False)],
        examples=examples.UPLOAD_DOCUMENT,
    )
    def post(self, request: Request, account_id: str) -> Response:
        """Hand in a document of at most 7.5 MB; 202 while the broker has not answered."""
        principal = selectors.principal_for(principal=principal_of(request), account_id=account_id)
        form = serializers.NewDocument(data=request.data)
        form.is_valid(raise_exception=True)
        upload = services.upload_document(
            principal=principal,
            account_id=account_id,
            document=form.to_document(),
            request=self.idempotency(request, content=form.meaning(), principal=principal),
            at=timezone.now(),
        )
        created = status.HTTP_201_CREATED if upload.is_accepted else status.HTTP_202_ACCEPTED
        answer = serializers.UploadAnswer({"success": True, "upload": upload}).data
        return Response(answer, status=created)


class Statement(APIView):
    scopes = SCOPES

    @extend_schema(responses=serializers.StatementAnswer, examples=examples.STATEMENT)
    def get(self, request: Request, account_id: str, document_id: str) -> Response:
        """Describe a document that the broker has written."""
        principal = selectors.principal_for(principal=principal_of(request), account_id=account_id)
        found = services.get_statement(
            principal=principal, account_id=account_id, document_id=document_id
        )
        return Response(serializers.StatementAnswer({"success": True, "document": found}).data)


class StatementFile(APIView):
    scopes = SCOPES

    @extend_schema(responses={(200, "application/pdf"): OpenApiTypes.BINARY})
    def get(self, request: Request, account_id: str, document_id: str) -> HttpResponse:
        """Download a document that the broker has written."""
        principal = selectors.principal_for(principal=principal_of(request), account_id=account_id)
        found = services.read_statement(
            principal=principal, account_id=account_id, document_id=document_id
        )
        return HttpResponse(
            found.content,
            content_type=found.mime_type or "application/octet-stream",
            headers={
                "Content-Disposition": _attached(document_id),
                "Cache-Control": "no-store",
                "X-Content-Type-Options": "nosniff",
            },
        )


def _attached(name: str) -> str:
    """Have the browser save it: what the broker writes is not shown under our own origin."""
    return content_disposition_header(as_attachment=True, filename=name) or "attachment"
