"""A bundle that is not written yet, to be asked as if it were."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from dentify.bundle.manifest import Manifest
from dentify.bundle.open import Bundle


def unwritten(manifest: Manifest, files: Mapping[str, bytes], *, where: str) -> Bundle:
    """The bundle of a manifest and its files; until it is written its hash is that of the files.

    Args:
        manifest: all but its list of files.
        files: bytes by name.
        where: what messages call it.
    """
    sha256 = hashlib.sha256(b"".join(files[name] for name in sorted(files))).hexdigest()
    return Bundle(manifest, sha256, files, where)
