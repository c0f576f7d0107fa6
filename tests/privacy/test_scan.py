"""The search must be able to find: whatever is planted for it, it names."""

import base64
import html
import json
import os
from urllib.parse import quote

import psycopg
import pytest
import redis
from celery import current_app

from core.tests.wires import answer, vendor
from tests.privacy import sinks
from tests.privacy.canaries import PLAIDS_TOKENS, Net, scan
from tests.privacy.clients import Answers, Client

SSN = "612-47-1234"


@pytest.fixture
def net():
    net = Net()
    net.number("ssn", SSN)
    net.number("born", "1971-03-29", "03/29/1971")
    net.secret("token", "Zx9_-8sLq0vT")
    return net


def found(net, sink):
    return {(hit.name, hit.form) for hit in scan(net, sink)}


def shifted(text, by):
    return base64.b64encode(b"abc"[:by] + text.encode() + b"and more")


WORD_DISGUISES = {
    "as it is": lambda word: word.encode(),
    "in capitals": lambda word: word.upper().encode(),
    "case reversed": lambda word: f"{word}@example.com".swapcase().encode(),
    "JSON": lambda word: json.dumps({"name": f"Zoë O'{word}"}).encode(),
    "HTML": lambda word: html.escape(f"O'{word} & <sons>").encode(),
    "URL": lambda word: quote(f"{word}@example.com/ü").encode(),
    "hex": lambda word: f"name {word}".encode().hex().encode(),
    "hex in capitals": lambda word: word.encode().hex().upper().encode(),
    "base64": lambda word: shifted(word, 0),
    "base64, one byte later": lambda word: shifted(word, 1),
    "base64, two bytes later": lambda word: shifted(word, 2),
    "base64 in capitals": lambda word: shifted(word.upper(), 1),
}
NUMBER_DISGUISES = {
    "as it is": b"tax id 612-47-1234.",
    "without dashes": b'{"tax_id": "612471234"}',
    "with spaces": b"612 47 1234",
    "hex": b"612471234".hex().encode(),
    "base64": shifted("612471234", 2),
    "base64 with dashes": shifted(SSN, 1),
}


class TestDisguises:
    @pytest.mark.parametrize("disguise", WORD_DISGUISES)
    def test_a_word_is_found(self, net, disguise):
        data = b"before " + WORD_DISGUISES[disguise](net.word("family")) + b" after"

        [hit] = scan(net, [("here", data)])
        assert hit.where == "here"
        assert hit.name in {"family", "familyexample", "marked"}

    @pytest.mark.parametrize("disguise", NUMBER_DISGUISES)
    def test_a_number_is_found(self, net, disguise):
        [hit] = scan(net, [("here", b"before " + NUMBER_DISGUISES[disguise] + b" after")])
        assert hit.name == "ssn"

    @pytest.mark.parametrize("text", [b"1971-03-29", b"03/29/1971", b"19710329", b"1971 03 29"])
    def test_a_date_is_found(self, net, text):
        assert found(net, [("here", b'"' + text + b'"')]) == {("born", "plain")}

    def test_every_word_is_named(self, net):
        text = " ".join(map(net.word, ("given", "family", "street"))).encode()
        assert {hit.name for hit in scan(net, [("here", text)])} == {"given", "family", "street"}

    @pytest.mark.parametrize(
        "text", [b"16124712345", b"0.19710329", b"a19710329f", b"nothing", b"612-48-1234"]
    )
    def test_what_only_looks_alike_is_not(self, net, text):
        assert found(net, [("here", text)]) == set()


class TestPlaidsTokens:
    @pytest.mark.parametrize("kind", PLAIDS_TOKENS)
    @pytest.mark.parametrize(
        "disguise",
        [
            lambda token: json.dumps({"token": token}).encode(),
            lambda token: token[: len(token) // 2].encode(),
            lambda token: quote(f"?t={token}").encode(),
            lambda token: token.encode().hex().encode(),
            lambda token: shifted(token, 0),
            lambda token: shifted(token, 1),
            lambda token: shifted(token, 2),
        ],
    )
    def test_one_that_nobody_has_planted_is_found(self, net, kind, disguise):
        net.shapes()
        data = disguise(f"{kind}-sandbox-8ab976e6-64bc-4b38-98f7-731e7a349970")

        assert {name for name, _ in found(net, [("here", data)])} == {f"{kind}shape"}

    def test_a_planted_one_is_found_without_its_beginning(self, net):
        token = net.token("accesstoken", "access-production-8ab976e6-64bc-4b38")

        assert found(net, [("here", token[18:].encode())]) == {("accesstoken", "plain")}
        assert found(net, [("here", b"access-production-8ab976e6-64bc-4b39")]) == set()


class TestSinks:
    def test_a_line_of_a_log_is_found_with_its_process(self, net, tmp_path):
        log = tmp_path / "run.log"
        log.write_text(f"web      | fine\nworker   | name={net.word('family')}\nno process\n")

        [hit] = scan(net, sinks.lines(log, name="run"))
        assert (hit.where, hit.name) == ("log run worker", "family")

    def test_every_kind_of_key_is_found(self, net):
        url, word = os.environ["REDIS_URL"], net.word("given")
        with redis.Redis.from_url(url) as client:
            made = ["canary:text", "canary:hash", "canary:list", "canary:set", "canary:sorted",
                    "canary:stream", f"canary:{word}"]  # fmt: skip
            client.set("canary:text", SSN)
            client.hset("canary:hash", "field", "612471234")
            client.rpush("canary:list", word)
            client.sadd("canary:set", word)
            client.zadd("canary:sorted", {word: 1})
            client.xadd("canary:stream", {"name": word})
            client.set(f"canary:{word}", "")

            places = {hit.where for hit in scan(net, sinks.keys(url))}
            client.delete(*made)

        assert {place.removeprefix("redis ") for place in places} == set(made)

    def test_a_command_and_the_arguments_of_a_task_are_found(self, net):
        url = os.environ["REDIS_URL"]
        with sinks.commands_of(url) as commands, redis.Redis.from_url(url) as client:
            client.publish("canary", f"token {net.word('given')}")
            current_app.send_task("canary.look", kwargs={"tax_id": SSN}, queue="canary")
            client.delete("canary")
            client.srem("_kombu.binding.canary", *client.smembers("_kombu.binding.canary"))

        hits = found(net, commands.sink())
        places = {(hit.where, hit.name) for hit in scan(net, commands.sink())}
        assert ("redis command PUBLISH", "given") in places
        assert ("task arguments", "ssn") in places
        assert ("ssn", "base64") in hits

    @pytest.mark.parametrize(
        ("kind", "value"),
        [("text", SSN), ("jsonb", json.dumps({"a": [SSN]})), ("bytea", SSN.encode()),
         ("text[]", [SSN]), ("bytea", b"..." + b"612471234")],
    )  # fmt: skip
    def test_a_column_is_found_whatever_its_type(self, net, kind, value):
        url = os.environ["DATABASE_URL"]
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute(f"CREATE TABLE canary (id int, held {kind})")
            try:
                owner.execute("INSERT INTO canary VALUES (1, %s)", [value])
                places = {(hit.where, hit.name) for hit in scan(net, sinks.tables(url))}
            finally:
                owner.execute("DROP TABLE canary")

        assert places == {("table public.canary", "ssn")}

    def test_a_page_and_a_header_are_found(self, net):
        page = f"<td>{html.escape(net.word('family'))}</td>".encode()
        said = answer("200 OK", page, "location: /?t=Zx9_-8sLq0vT")
        answers = Answers()
        with vendor(lambda connection, _: connection.sendall(said)) as (url, _):
            Client(url, answers).get("/admin/x/")
        answers.close()

        assert found(net, answers) == {("family", "plain"), ("token", "plain")}
        assert answers[0][0] == "answer GET /admin/x/ 200"

    def test_a_file_of_the_database_is_found(self, net, tmp_path):
        for name in ("base/5/2619", "base/5/1255", "pg_wal/000000010000000000000001"):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"\0\0" + SSN.encode() + b"\0")
        os.utime(tmp_path / "base/5/1255", (0, 0))

        places = {hit.where for hit in scan(net, sinks.disk(tmp_path, since=1))}
        assert places == {"disk base/2619", "disk pg_wal/000000010000000000000001"}
