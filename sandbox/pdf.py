"""The smallest honest PDF: pages of plain lines in one of the fonts that every reader has."""

from collections.abc import Sequence
from typing import Final

_LINES_PER_PAGE: Final = 50
_HEAD = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
_CATALOG, _PAGES, _FONT = 1, 2, 3


def write(lines: Sequence[str]) -> bytes:
    """Set lines on as many A4 pages as they need."""
    starts = range(0, max(len(lines), 1), _LINES_PER_PAGE)
    sheets = [lines[start : start + _LINES_PER_PAGE] for start in starts]
    # Of each sheet, its page comes first and its text right behind.
    numbers = [_FONT + 1 + 2 * place for place in range(len(sheets))]
    kids = " ".join(f"{number} 0 R" for number in numbers)
    objects = [
        f"<< /Type /Catalog /Pages {_PAGES} 0 R >>".encode(),
        f"<< /Type /Pages /Kids [{kids}] /Count {len(sheets)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, sheet in zip(numbers, sheets, strict=True):
        objects += [_page(number + 1), _text(sheet)]
    return _file(objects)


def _page(text_number: int) -> bytes:
    return (
        f"<< /Type /Page /Parent {_PAGES} 0 R /MediaBox [0 0 595 842] "
        f"/Resources << /Font << /F1 {_FONT} 0 R >> >> /Contents {text_number} 0 R >>"
    ).encode()


def _text(lines: Sequence[str]) -> bytes:
    shown = b"".join(b"(%s) Tj T*\n" % _escaped(line) for line in lines)
    stream = b"BT /F1 10 Tf 14 TL 56 785 Td\n" + shown + b"ET"
    return b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream)


def _escaped(line: str) -> bytes:
    plain = line.encode("cp1252", "replace")
    return plain.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")


def _file(objects: Sequence[bytes]) -> bytes:
    """Put the objects into one file; the table at its end says at which byte each begins."""
    whole = _HEAD
    places: list[int] = []
    for number, body in enumerate(objects, start=1):
        places.append(len(whole))
        whole += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    trailer = b"trailer\n<< /Size %d /Root %d 0 R >>\n" % (size, _CATALOG)
    return whole + b"xref\n0 %d\n%s%sstartxref\n%d\n%%%%EOF\n" % (size, table, trailer, len(whole))
