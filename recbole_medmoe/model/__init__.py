"""Models: one paper, one file."""
from __future__ import annotations

from ..compat import apply

apply()
