"""Text from outside as a terminal, a file or JSON may show it."""

import unicodedata


def printable(text: str) -> str:
    r"""`text` with every byte of what is not printable written as `\xNN`: control characters, line ends, bidirectional
    overrides, and bytes that are not UTF-8 (surrogate-escaped)."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    # A lone surrogate that stands for no byte is written as the three bytes that it would be.
    number = ord(character)
    data = bytes([number - 0xDC00]) if 0xDC80 <= number <= 0xDCFF else character.encode("utf-8", "surrogatepass")
    return "".join(f"\\x{byte:02x}" for byte in data)


def one_line(text: str) -> str:
    """Text from outside as one line: control and format characters (escape sequences, bidirectional overrides) and
    line ends become spaces."""
    kept = "".join(" " if unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl", "Zp") else each for each in text)
    return " ".join(kept.split())
