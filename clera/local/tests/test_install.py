import subprocess
import sys

import pytest

from clera.local import install
from clera.local.home import CHECKOUT


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """
    A checkout with an environment, made once because that takes seconds.

    Its lock file pins nothing, so that installing needs no network; its environment was broken
    at first, as after the Python it was made with is gone.
    """
    folder = tmp_path_factory.mktemp("bare")
    (folder / install.LOCK).write_text("# nothing\n")
    python = install.interpreter(folder)
    python.parent.mkdir(parents=True)
    python.symlink_to("/nowhere/python3")
    assert not install.runs(folder)
    install.make_environment(folder)
    return folder


class TestInstall:
    def test_makes_a_broken_environment_anew(self, bare):
        assert install.runs(bare)

    def test_is_done_once(self, bare, capfd):
        assert install.main(bare) == 0
        assert "0 packages" in capfd.readouterr().out
        assert install.is_current(bare)

        assert install.main(bare) == 0
        assert capfd.readouterr().out == ""

    def test_is_due_again_when_the_lock_file_changes(self, bare):
        install.main(bare)
        lock = bare / install.LOCK
        lock.write_text("# something else\n")

        assert not install.is_current(bare)
        lock.write_text("# nothing\n")
        assert install.is_current(bare)

    def test_that_fails_shows_what_pip_said_and_is_due_again(self, bare, capfd):
        lock = bare / install.LOCK
        lock.write_text("no-such-package==1.0 --hash=sha256:00\n")

        assert install.main(bare) != 0
        said = capfd.readouterr().err
        assert "install.log" in said
        assert "the same command goes on from here" in said
        assert not install.is_current(bare)
        lock.write_text("# nothing\n")

    def test_forgets_a_package_that_pip_was_interrupted_in(self, bare):
        folder = next(install.packages_folders(bare))
        half, whole = folder / "half-1.0.dist-info", folder / "whole-1.0.dist-info"
        for record in (half, whole):
            record.mkdir()
            (record / "METADATA").touch()
        (whole / "INSTALLER").touch()

        install.remove_halves(bare)

        assert not half.exists()
        assert whole.exists()


class TestProgress:
    def test_counts_what_pip_reports(self, tmp_path, capsys):
        progress = install.Progress(total=3, folder=tmp_path)
        progress.note("Collecting asgiref==3.9 (from -r requirements.txt (line 4))")
        progress.note("  Downloading asgiref-3.9-py3-none-any.whl (23 kB)")
        progress.note("Collecting django==5.2")
        progress.show()

        assert capsys.readouterr().out.endswith("s: fetching 2 of 3: django\n")

    def test_counts_what_is_there_while_pip_is_silent(self, tmp_path, capsys):
        (tmp_path / "django-5.2.dist-info").mkdir()
        progress = install.Progress(total=3, folder=tmp_path)
        progress.note("Installing collected packages: django, asgiref")
        progress.show()

        assert capsys.readouterr().out.endswith("s: installing 1 of 3\n")


class TestRequirePython:
    @pytest.mark.parametrize(
        ("python", "sentence"),
        [
            ("no-such-python", "finds no no-such-python"),
            ("{old}", "name another: make PYTHON=python3.13"),
            ("{bare}", "apt-get install python3-venv"),
        ],
    )
    def test_says_in_one_sentence_what_is_missing(self, tmp_path, python, sentence):
        said = {
            "old": "case $2 in *exit*) exit 1;; *) echo 3.9.1;; esac",
            "bare": "case $2 in *ensurepip*) exit 1;; esac",
        }
        for name, script in said.items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / name).chmod(0o755)
        chosen = python.format(old=tmp_path / "old", bare=tmp_path / "bare")

        told = subprocess.run(
            ["make", "--no-print-directory", "require-python", f"PYTHON={chosen}"],
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            check=False,
        )

        lines = told.stderr.splitlines()
        assert sentence in lines[0]
        assert lines[0].startswith("Clera needs ")
        assert len(lines) == 2  # the second is make's own
        assert told.returncode != 0

    def test_is_content_with_the_one_that_runs_this(self):
        told = subprocess.run(
            ["make", "--no-print-directory", "require-python", f"PYTHON={sys.executable}"],
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            check=False,
        )

        assert (told.returncode, told.stdout, told.stderr) == (0, "", "")
