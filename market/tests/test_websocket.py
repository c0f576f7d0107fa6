"""The client of the price socket, against a vendor that misbehaves."""

import contextlib
import itertools
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta

import msgpack
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

from core.errors import VendorRejected, VendorUnavailable
from market.facts import Covered, Refused, Trade
from market.gateways import websocket
from market.tests.test_alpaca_stream import covers, hear, hear_the_end, opened


@contextlib.contextmanager
def vendor(talk, **serving):
    """Serve one that says whatever a test wants once it has seen the key."""

    def conversation(connection):
        with contextlib.suppress(ConnectionClosed, OSError):
            connection.send(msgpack.packb([{"T": "success", "msg": "connected"}]))
            connection.recv()
            talk(connection)
            for _ in itertools.count():
                connection.recv()

    serving |= {"ping_interval": None, "close_timeout": 0.1}
    with serve(conversation, "127.0.0.1", 0, **serving) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/"
        finally:
            server.shutdown()
            thread.join()


def say(connection, **entry):
    connection.send(msgpack.packb([entry]))


def connect_and_read_on(url):
    """What ends it may come together with the welcome, or later."""
    with opened(url=url) as stream:
        for _ in range(600):
            assert stream.read(timeout_seconds=0.1) == []


def welcome(connection):
    say(connection, T="success", msg="authenticated")


@pytest.fixture
def impatient(monkeypatch, settings):
    settings.VENDOR_CONNECT_SECONDS = 30
    monkeypatch.setattr(websocket, "_PING_SECONDS", 0.1)
    monkeypatch.setattr(websocket, "_PONG_SECONDS", 60.0)
    monkeypatch.setattr(websocket, "_CLOSE_SECONDS", 0.1)


@pytest.mark.usefixtures("impatient")
class TestAVendorThatMisbehaves:
    def test_one_that_does_not_answer_the_key_is_given_up(self, settings):
        settings.VENDOR_CONNECT_SECONDS = 0.3
        with vendor(lambda _: None) as url:
            began = time.monotonic()
            with pytest.raises(VendorUnavailable), opened(url=url):
                pass

        assert 0.2 < time.monotonic() - began < 30.0

    def test_one_that_says_other_things_meanwhile_is_given_up_in_time_too(self, settings):
        settings.VENDOR_CONNECT_SECONDS = 0.3

        def chatter(connection):
            for _ in range(2000):
                say(connection, T="success", msg="connected")
                threading.Event().wait(0.05)

        with vendor(chatter) as url:
            began = time.monotonic()
            with pytest.raises(VendorUnavailable), opened(url=url):
                pass

        assert time.monotonic() - began < 30.0  # long before it has nothing more to say

    @pytest.mark.parametrize("message", ["[]", b"\xc1", msgpack.packb({"T": "t"}), b""])
    def test_a_message_that_is_no_array_ends_it(self, message):
        def talk(connection):
            welcome(connection)
            connection.send(message)

        with vendor(talk) as url, pytest.raises(VendorUnavailable):
            connect_and_read_on(url)

    def test_a_spoiled_entry_costs_its_own_price_only(self):
        good = {"T": "t", "S": "A", "p": 1.5, "t": msgpack.Timestamp(1_767_627_000)}

        def talk(connection):
            welcome(connection)
            connection.send(msgpack.packb([good, {"T": "t", "S": "A"}, 7, good | {"p": 2.5}]))

        with vendor(talk) as url, opened(url=url) as stream:
            news = hear(stream, lambda told: type(told) is Trade)

        assert [told.price for told in news] == [1.5, 2.5]

    def test_a_message_in_pieces_is_put_together(self):
        message = msgpack.packb([{"T": "subscription", "trades": ["A", "B"]}])

        def talk(connection):
            welcome(connection)
            connection.send([message[:5], message[5:9], message[9:]])

        with vendor(talk) as url, opened(url=url) as stream:
            assert hear(stream, covers("A", "B")) == [Covered(frozenset({"A", "B"}))]

    def test_the_rest_of_an_answer_is_read_after_its_first_message(self):
        def talk(connection):
            connection.send(
                msgpack.packb(
                    [
                        {"T": "success", "msg": "authenticated"},
                        {"T": "error", "code": 400, "msg": "invalid syntax"},
                    ]
                )
            )
            say(connection, T="error", code=400, msg="invalid syntax")

        with vendor(talk) as url, opened(url=url) as stream:
            assert Refused(400) in hear(stream, lambda told: type(told) is Refused)

    @pytest.mark.parametrize("code", [401, 402, 403, 404, 406, 407, 409, 500, None, "402", [402]])
    def test_errors_that_end_the_connection_do(self, code):
        def talk(connection):
            welcome(connection)
            say(connection, T="error", code=code, msg="?")

        kind = VendorRejected if code in (402, 409) else VendorUnavailable
        with vendor(talk) as url, pytest.raises(kind) as caught:
            connect_and_read_on(url)

        assert caught.value.vendor_code == (str(code) if type(code) is int else "0")

    def test_one_that_sends_no_end_of_pings_does_not_keep_the_reader_from_looking_up(self):
        is_over = threading.Event()

        def flood(connection):
            welcome(connection)
            while not is_over.is_set():
                connection.socket.sendall(b"\x89\x00" * 500)

        with vendor(flood) as url, opened(url=url) as stream:
            began = time.monotonic()
            assert [stream.read(timeout_seconds=0.1) for _ in range(3)] == [[]] * 3
            took = time.monotonic() - began
            is_over.set()

        assert took < 30.0

    def test_one_that_answers_pings_may_be_silent(self):
        with vendor(welcome) as url, opened(url=url) as stream:
            for _ in range(8):
                assert stream.read(timeout_seconds=0.1) == []

    def test_one_that_answers_no_ping_is_dead(self, monkeypatch):
        monkeypatch.setattr(websocket, "_PONG_SECONDS", 0.2)
        may_go_on = threading.Event()

        def freeze(connection):
            welcome(connection)
            with connection.protocol_mutex:  # its thread that would answer needs it
                may_go_on.wait(100)

        with vendor(freeze) as url, opened(url=url) as stream:
            try:
                hear_the_end(stream, match="TimeoutError")
            finally:
                may_go_on.set()

    def test_a_redirect_is_not_followed(self):
        def redirect(connection, _request):
            answer = connection.respond(302, "")
            answer.headers["Location"] = "ws://127.0.0.1:9/"
            return answer

        with serve(lambda _: None, "127.0.0.1", 0, process_request=redirect) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}/"
            with pytest.raises(VendorUnavailable, match="InvalidStatus"), opened(url=url):
                pass
            server.shutdown()
            thread.join()


@pytest.fixture
def certificate(tmp_path, settings):
    """The name of a file with a key and a certificate for this machine, signed by itself."""
    settings.VENDOR_CONNECT_SECONDS = 30
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "localhost.pem"
    path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + made.public_bytes(Encoding.PEM)
    )
    return str(path)


class TestTls:
    def test_a_trusted_certificate_lets_us_in_and_long_messages_through(
        self, certificate, monkeypatch
    ):
        monkeypatch.setenv("SSL_CERT_FILE", certificate)
        many = [f"X{number}" for number in range(20_000)]

        def talk(connection):
            welcome(connection)
            say(connection, T="subscription", trades=many)

        with vendor(talk, ssl=tls(certificate)) as url, opened(url=secure(url)) as stream:
            hear(stream, covers(*many))
            assert stream.read(timeout_seconds=0.05) == []

    def test_any_other_certificate_is_refused(self, certificate):
        with (
            vendor(welcome, ssl=tls(certificate)) as url,
            pytest.raises(VendorUnavailable, match="SSLCertVerificationError"),
            opened(url=secure(url)),
        ):
            pass


def tls(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def secure(url):
    return url.replace("ws://127.0.0.1", "wss://localhost")
