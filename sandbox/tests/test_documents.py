"""Documents that a customer uploads: taken whole or not at all, and kept as a trace."""

import hashlib
from typing import Any

import pytest
from alpaca.broker.client import BrokerClient
from alpaca.broker.enums import DocumentType, UploadDocumentMimeType
from alpaca.broker.models import W8BenDocument
from alpaca.broker.requests import UploadDocumentRequest, UploadW8BenDocumentRequest

from sandbox.tests.conftest import Server, running
from sandbox.tests.customers import Desk, application, paper
from sandbox.world import Settings, World

_FORM: dict[str, Any] = {
    "country_citizen": "GBR",
    "date": "2026-01-01",
    "date_of_birth": "1990-01-01",
    "full_name": "Ada Stone",
    "ip_address": "127.0.0.1",
    "permanent_address_city_state": "Leeds",
    "permanent_address_country": "GBR",
    "permanent_address_street": "1 Quarry Rd",
    "revision": "10-2021",
    "signer_full_name": "Ada Stone",
    "timestamp": "2026-01-01T00:00:00Z",
    "foreign_tax_id": "QQ123456C",
}

_NUMBERS = ("foreign_tax_id", "tax_id_ssn", "ftin_not_required")


@pytest.fixture
def desk(still_server: Server) -> Desk:
    return Desk(still_server)


@pytest.fixture
def account_id(desk: Desk) -> str:
    return desk.open_account()


def kept(desk: Desk, account_id: str) -> list[dict[str, Any]]:
    """What the control plane shows of the documents."""
    path = f"accounts/{account_id}/documents"
    documents: list[dict[str, Any]] = desk.server.control(path, method="GET")["documents"]
    return documents


class TestUpload:
    def test_a_document_is_shown_without_its_content(self, desk, account_id):
        desk.upload(account_id, paper(document_sub_type="passport"))

        [shown] = desk.account(account_id)["documents"]
        assert set(shown) == {
            "id",
            "document_type",
            "document_sub_type",
            "mime_type",
            "created_at",
        }
        assert (shown["document_type"], shown["document_sub_type"], shown["mime_type"]) == (
            "identity_verification",
            "passport",
            "image/png",
        )

    def test_its_size_and_fingerprint_are_kept(self, desk, account_id):
        content = bytes(range(256)) * 40

        desk.upload(account_id, paper(content=content))

        [document] = kept(desk, account_id)
        [effect] = desk.server.effects(kind="document.uploaded")
        assert document["size"] == len(content)
        assert document["sha256"] == hashlib.sha256(content).hexdigest()
        assert (effect["vendor_id"], effect["account_id"]) == (document["id"], account_id)

    def test_the_real_client_uploads_a_file_and_a_form(self, desk, account_id):
        key, secret = desk.server.auth
        client: Any = BrokerClient(key, secret, url_override=desk.server.broker_url)
        picture = UploadDocumentRequest(
            document_type=DocumentType.ADDRESS_VERIFICATION,
            content="ZmFrZQ==",
            mime_type=UploadDocumentMimeType.PDF,
        )
        form = UploadW8BenDocumentRequest(content_data=W8BenDocument(**_FORM))

        client.upload_documents_to_account(account_id, [picture, form])
        documents = client.get_account_by_id(account_id).documents
        client._session.close()

        assert [(each.document_type, each.mime_type) for each in documents] == [
            ("address_verification", "application/pdf"),
            ("w8ben", "application/json"),
        ]

    def test_documents_of_the_application_come_first(self, desk):
        account_id = desk.apply(application() | {"documents": [paper("other")]})
        desk.upload(account_id, paper("cip_result"))

        kinds = [each["document_type"] for each in desk.account(account_id)["documents"]]

        assert kinds == ["other", "cip_result"]
        assert len(desk.server.effects(kind="document.uploaded")) == 2

    def test_nothing_of_the_content_reaches_the_disk(self, tmp_path):
        with running(World.create(Settings(speed=0, data=tmp_path))) as server:
            desk = Desk(server)
            account_id = desk.open_account()
            form = {"document_type": "w8ben", "content_data": _FORM}
            desk.upload(account_id, paper(content=b"a face"), form)

        content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        assert b"identity_verification" in content
        for secret in (b"a face", b"YSBmYWNl", b"QQ123456C"):
            assert secret not in content


class TestRefusals:
    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"document_type": "selfie"}, "documents[1].document_type must be one of"),
            ({"document_type": None}, "documents[1].document_type is required"),
            ({"content": ""}, "documents[1].content is required"),
            ({"content": "ZmFrZ"}, "documents[1].content is not valid base64"),
            ({"content": "ZmFr ZQ=="}, "documents[1].content is not valid base64"),
            ({"content": 7}, "documents[1].content must be a base64 string of at most 10 MB"),
            ({"mime_type": None}, "documents[1].mime_type is required"),
            ({"mime_type": "image/gif"}, "documents[1].mime_type must be one of"),
            ({"mime_type": "application/json"}, "documents[1].mime_type must not be"),
        ],
    )
    def test_one_wrong_document_refuses_them_all(self, desk, account_id, wrong, message):
        answer = desk.upload(account_id, paper(), paper() | wrong, status=422)

        assert answer["code"] == 40010001
        assert answer["message"].startswith(message)
        assert kept(desk, account_id) == []
        assert desk.server.effects(kind="document.uploaded") == []

    def test_a_form_misses_no_field(self, desk, account_id):
        unsigned = _FORM | {"signer_full_name": ""}
        nameless = {key: value for key, value in _FORM.items() if key != "foreign_tax_id"}
        forms = [{"document_type": "w8ben", "content_data": data} for data in (unsigned, nameless)]

        messages = [desk.upload(account_id, form, status=422)["message"] for form in forms]

        assert messages == [
            "documents[0].content_data.signer_full_name is required",
            f"documents[0].content_data must have one of {', '.join(_NUMBERS)}",
        ]

    def test_a_document_has_a_largest_size(self, desk, account_id):
        largest = 10 * 1024 * 1024
        fits = paper() | {"content": "AAAA" * (largest // 4)}
        too_large = paper() | {"content": fits["content"] + "AAAA"}

        answer = desk.upload(account_id, too_large, status=422)
        desk.upload(account_id, fits)

        assert answer["message"].endswith("at most 10 MB")
        assert [each["size"] for each in kept(desk, account_id)] == [largest // 4 * 3]

    @pytest.mark.parametrize("count", [0, 11])
    def test_only_so_many_come_at_once(self, desk, account_id, count):
        answer = desk.upload(account_id, *[paper()] * count, status=422)

        assert answer["message"].startswith("documents must be")
        assert kept(desk, account_id) == []

    def test_they_come_as_a_list(self, desk, account_id):
        path = f"/v1/accounts/{account_id}/documents/upload"

        assert desk.call("POST", path, status=400, json=paper())["code"] == 40010000

    def test_they_need_an_account(self, desk):
        assert desk.upload("nobody", paper(), status=404)["code"] == 40410000
