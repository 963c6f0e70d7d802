"""The nouns and the rules of Sereno: standard library only, no input or output."""

__version__ = "0.1.0"
