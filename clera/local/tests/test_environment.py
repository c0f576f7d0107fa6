import pytest

from clera.local import environment, ports
from clera.local.errors import LocalError
from clera.local.home import Home


class TestDotEnv:
    def test_gives_what_the_shell_has_not(self, tmp_path):
        (tmp_path / ".env").write_text("PORT=9000\nLOG_LEVEL=debug\n")

        env = environment.load(tmp_path, {"PORT": "9001"})

        assert env == {"PORT": "9001", "LOG_LEVEL": "debug"}

    def test_may_be_missing(self, tmp_path):
        assert environment.load(tmp_path, {"A": "1"}) == {"A": "1"}

    @pytest.mark.parametrize(
        ("line", "value"),
        [
            ("A=plain", "plain"),
            ("A = spaced ", "spaced"),
            ("export A=exported", "exported"),
            ("A='single # kept'", "single # kept"),
            ('A="double" # dropped', "double"),
            ("A=value # dropped", "value"),
            ("A=a#b", "a#b"),
            ("A=", ""),
            ("A=x=y", "x=y"),
        ],
    )
    def test_is_read_the_way_shells_do(self, tmp_path, line, value):
        (tmp_path / ".env").write_text(f"# a comment\n\n{line}\n")

        assert environment.read_file(tmp_path / ".env") == {"A": value}

    def test_says_which_line_is_wrong(self, tmp_path):
        (tmp_path / ".env").write_text("A=1\nnonsense\n")

        with pytest.raises(LocalError, match=r"\.env, line 2: expected NAME=value\."):
            environment.read_file(tmp_path / ".env")


class TestNumber:
    @pytest.mark.parametrize("text", ["many", "0", "65536", "-1", "80.5"])
    def test_refuses_what_is_no_port(self, text):
        with pytest.raises(LocalError, match=f"PORT={text} is not a port number"):
            environment.number({"PORT": text}, "PORT", 8000)

    def test_has_a_default(self):
        assert environment.number({"PORT": ""}, "PORT", 8000) == 8000


class TestPorts:
    def test_next_free_passes_over_the_ones_in_use(self, taken_port):
        assert ports.next_free(taken_port) > taken_port

    def test_any_free_is_free(self):
        assert ports.is_free(ports.any_free())


class TestPublished:
    def test_is_what_was_published_until_it_is_withdrawn(self, tmp_path):
        where = Home(tmp_path)
        environment.publish(where, {"DATABASE_URL": "postgresql://a:b@c:1/d"})

        assert environment.published(where) == {"DATABASE_URL": "postgresql://a:b@c:1/d"}
        environment.withdraw(where)
        assert environment.published(where) == {}
