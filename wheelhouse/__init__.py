"""The bundle: what crosses the gap. Standard library only; never prints, runs a process or opens a socket."""

__version__ = "0.1.0"
