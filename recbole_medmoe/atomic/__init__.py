"""The data set folder: reader, writer, validator, manifest, statistics. No torch, no RecBole.

pandas and PIL load inside the functions that need them.
"""
from __future__ import annotations

from .candidates import read_candidates
from .faults import MAX_FAULTS, AtomicError, Fault
from .layout import PARTS, inter_path, label_variants, text_path
from .manifest import (Manifest, check_manifest, data_sha256, is_credentialed, read_manifest, refresh_manifest,
                       write_manifest)
from .replace import replace_folder, restore_folder
from .statistics import Statistics, statistics
from .table import TYPES, read_atomic, write_atomic
from .texts import ImageRow, image_rows, read_images, read_texts, write_texts
from .validator import TAKEN_FOR_MISSING, validate_folder
from .vectors import first_of, read_matrix, read_vectors, vectors_path, write_vectors

__all__ = [
    "AtomicError", "Fault", "ImageRow", "MAX_FAULTS", "Manifest", "PARTS", "Statistics", "TAKEN_FOR_MISSING", "TYPES",
    "check_manifest", "data_sha256", "first_of", "image_rows", "inter_path", "is_credentialed", "label_variants",
    "read_atomic", "read_candidates", "read_images", "read_manifest", "read_matrix", "read_texts", "read_vectors",
    "refresh_manifest", "replace_folder", "restore_folder", "statistics", "text_path", "validate_folder",
    "vectors_path", "write_atomic", "write_manifest", "write_texts", "write_vectors",
]
