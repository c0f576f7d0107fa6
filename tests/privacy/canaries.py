"""Words and numbers that belong to one person, and the search for them in any disguise."""

import base64
import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

MARKED = "marked"
PLAIDS_TOKENS = ("access", "public", "processor", "link")
_AROUND = 60


@dataclass(frozen=True)
class Hit:
    """Something personal, and where it was found."""

    where: str
    name: str
    form: str
    around: str

    def __str__(self) -> str:
        return f"{self.name} ({self.form}) in {self.where}: …{self.around}…"


@dataclass(frozen=True)
class Needle:
    """
    One disguise of one canary.

    :param is_folded: upper and lower case count as the same.
    :param is_alone: no hit in the middle of a longer number or word: few digits are in many ids.
    """

    name: str
    form: str
    text: bytes
    is_folded: bool = False
    is_alone: bool = False


@dataclass
class Net:
    """Everything that is looked for."""

    mark: str = field(default_factory=lambda: "".join(secrets.choice("bkqvwxzj") for _ in range(9)))
    needles: list[Needle] = field(default_factory=list)
    planted: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        # The mark is in every word we plant. No escape of JSON, HTML or URLs touches it.
        self.needles.append(Needle(MARKED, "plain", self.mark.encode(), is_folded=True))
        for text in sorted({self.mark, self.mark.upper(), self.mark.title()}):
            self.needles += _coded(MARKED, text)

    def word(self, name: str) -> str:
        """Make a word for a person's text; a hit can be told from others by what follows."""
        self.planted.add(name)
        return f"{self.mark.title()}{name}"

    def number(self, name: str, *forms: str) -> str:
        """Look for a number in these ways of writing it and as mere digits; gives the first."""
        self.planted.add(name)
        digits = "".join(filter(str.isdigit, forms[0]))
        spaced = re.sub(r"\D+", " ", forms[0]).strip()
        for form in dict.fromkeys((*forms, digits, spaced)):
            is_alone = form.isdigit()
            self.needles.append(Needle(name, "plain", form.encode(), is_alone=is_alone))
            self.needles += _coded(name, form)
        return forms[0]

    def secret(self, name: str, text: str) -> str:
        """Look for a token, a key or a password."""
        self.planted.add(name)
        self.needles.append(Needle(name, "plain", text.encode()))
        self.needles += _coded(name, text)
        return text

    def token(self, name: str, text: str) -> str:
        """
        Look for one of many tokens as it is, and without the beginning that all of a kind have.

        What they have in common is found in other disguises, if it is looked for as a secret;
        each needle costs time.
        """
        self.planted.add(name)
        needle = Needle(name, "plain", _without_kind(text).encode(), is_alone=text.isdigit())
        if needle not in self.needles:
            self.needles.append(needle)
        return text

    def shapes(self) -> None:
        """Look for Plaid's tokens by how they begin: those that nobody has planted, and halves."""
        for kind in PLAIDS_TOKENS:
            self.secret(f"{kind}shape", f"{kind}-sandbox-")

    def hits(self, where: str, data: bytes) -> Iterator[Hit]:
        """Give the first hit of every needle."""
        folded = data.lower()
        for needle in self.needles:
            text, place = (folded if needle.is_folded else data), -1
            while (place := text.find(needle.text, place + 1)) >= 0:
                end = place + len(needle.text)
                if needle.is_alone and _is_inside(data, place, end):
                    continue
                yield Hit(where, self._named(needle, folded[end : end + 20]), needle.form,
                          _shown(data[max(0, place - _AROUND) : end + _AROUND]))  # fmt: skip
                if not needle.is_folded:
                    break

    def _named(self, needle: Needle, after: bytes) -> str:
        is_word = needle.name == MARKED and needle.form == "plain"
        found = re.match(rb"[a-z]+", after) if is_word else None
        return found.group().decode() if found else needle.name


def scan(net: Net, sinks: Iterable[tuple[str, bytes]]) -> list[Hit]:
    """Look through everything; one hit for each place, canary and disguise."""
    found: dict[tuple[str, str, str], Hit] = {}
    for where, data in sinks:
        for hit in net.hits(where, data):
            found.setdefault((where, hit.name, hit.form), hit)
    return list(found.values())


def _coded(name: str, text: str) -> Iterator[Needle]:
    """Disguise a text as base64, wherever in a longer one it stands, and as hexadecimal digits."""
    raw = text.encode()
    yield Needle(name, "hex", raw.hex().encode(), is_folded=True)
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + raw)
        # What the neighbours' bits share is left out at both ends.
        start, end = (0, 2, 3)[shift], (shift + len(raw)) * 8 // 6
        yield Needle(name, "base64", whole[start:end])


def _without_kind(token: str) -> str:
    return re.sub(r"^[a-z]+-(sandbox|production)-", "", token)


def _is_inside(data: bytes, start: int, end: int) -> bool:
    before, after = data[max(0, start - 1) : start], data[end : end + 1]
    return before.isalnum() or after.isalnum() or before in {b".", b"_"}


def _shown(data: bytes) -> str:
    return data.decode(errors="replace").replace("\n", " ")
