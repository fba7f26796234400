"""File systems of a given size that can lose their power: what was not written through is gone afterwards."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import subprocess
import time
from pathlib import Path

# linux/ext4.h: EXT4_IOC_SHUTDOWN, EXT4_GOING_FLAGS_NOLOGFLUSH: stop at once, flush not even the journal
_SHUTDOWN = 0x8004587D
_NO_FLUSH = struct.pack("I", 2)


class Disk:
    """An ext4 in memory, mounted at `folder`; its image lies below the mount and shows while it is not."""

    def __init__(self, folder: Path, size: str) -> None:
        self.folder = folder
        self.size = size
        self.image = folder / "image"
        self.mounted = False
        folder.mkdir(parents=True, exist_ok=True)
        self._mount("-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs")

    def make(self) -> None:
        """An empty file system, mounted."""
        self.image.unlink(missing_ok=True)
        with self.image.open("wb") as stream:
            stream.truncate(_bytes(self.size) * 9 // 10)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-E", "nodiscard", self.image], check=True)
        self.mount()

    def lay(self, image: Path) -> None:
        """The file system of an image that :meth:`keep` made, mounted."""
        subprocess.run(["cp", "--sparse=always", image, self.image], check=True)
        self.mount()

    def keep(self, image: Path) -> None:
        """Copy the image without what was deleted; the file system must not be mounted."""
        self.mount()
        subprocess.run(["fstrim", self.folder], check=True)
        self.unmount()
        image.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "--sparse=always", self.image, image], check=True)

    def mount(self) -> None:
        """Mount it; what its journal holds is made good.

        Without ``discard``: a shutdown in mid-commit discards the blocks that the lost commit had freed, and
        zeros are what the recovered file is then made of. No disk without power does that.
        """
        self._mount("-o", "loop", str(self.image))
        self.mounted = True

    def cut(self) -> None:
        """No byte reaches the disk from now on; every access fails."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, _NO_FLUSH)
        finally:
            os.close(descriptor)

    def unmount(self, seconds: float = 30) -> None:
        """Unmount it as soon as nobody uses it any more, if it is mounted."""
        if self.mounted:
            self._unmount(seconds)
            self.mounted = False

    def remove(self) -> None:
        """Unmount everything and remove the folder."""
        self.unmount()
        self._unmount(30)
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    def _unmount(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while True:
            ran = subprocess.run(["umount", self.folder], check=False, capture_output=True, text=True)
            if ran.returncode == 0:
                return
            assert time.monotonic() < deadline, ran.stderr
            time.sleep(0.1)

    def _mount(self, *words: str) -> None:
        subprocess.run(["mount", *words, self.folder], check=True)


def _bytes(size: str) -> int:
    return int(size[:-1]) << {"m": 20, "g": 30}[size[-1]]
