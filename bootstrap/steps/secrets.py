"""The folders of an installation, and the passwords and keys that it generates."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from bootstrap.airflow.release import generate_fernet_key
from bootstrap.base import secret
from bootstrap.base.secret import Secret
from bootstrap.state.home import FERNET, JWT, SECRET_KEY, Home


class FoldersStep:
    """Make the home's folders and whatever secret is not there yet.

    With `private_logs` the account's group cannot read the logs; with `by_root` the folders of the code are
    root's, and there already. Without `keys` there are none: a worker gets its own from the head.
    """

    name = "home"

    def __init__(
        self,
        home: Home,
        admin_password: Optional[Secret],
        role_password: Optional[Secret] = None,
        *,
        private_logs: bool = False,
        by_root: bool = False,
        keys: bool = True,
    ) -> None:
        self.home = home
        self.private_logs = private_logs
        self.by_root = by_root
        self.keys = keys
        self.given = {home.admin_password: admin_password, home.postgres_password: role_password}

    def describe(self) -> str:
        """One line for the admin."""
        if not self.keys:
            return f"Make {self.home.path}"
        return f"Make {self.home.path}, with generated passwords and keys in {self.home.secrets}"

    def done(self) -> bool:
        """Whether every folder and secret is there."""
        return all(folder.is_dir() for folder, _ in self._folders()) and all(
            path.is_file() for path in self._secrets()
        )

    def apply(self) -> None:
        """Make what is missing; nothing that is there is changed, save that private folders are closed."""
        for folder, mode in self._folders():
            folder.mkdir(parents=True, exist_ok=True)
            if folder != self.home.path:
                folder.chmod(mode)
        for path in self._secrets():
            if not path.is_file():
                # a key of HS512 shorter than 64 bytes is warned of (RFC 7518, 3.2)
                length = 64 if path.name == JWT else 32
                value = generate_fernet_key() if path.name == FERNET else secret.generate(length)
                secret.write(path, self.given.get(path) or value)

    def _folders(self) -> list[tuple[Path, int]]:
        home = self.home
        return [
            (home.path, 0o755),
            *((folder, 0o755) for folder in (home.bin, home.etc) if not self.by_root),
            # what DAGs hold is not for every account of the host
            *((folder, 0o750) for folder in (home.dags, home.path / "plugins")),
            *((folder, 0o700 if self.private_logs else 0o750) for folder in (home.logs, home.own_logs)),
            *([] if self.by_root else [(home.path / "releases", 0o755)]),
            (home.secrets, 0o700),
            (home.run, 0o700),
        ]

    def _secrets(self) -> list[Path]:
        home = self.home
        if not self.keys:
            return []
        keys = [home.secrets / name for name in (FERNET, SECRET_KEY, JWT)]
        return [home.admin_password, home.postgres_password, *keys]
