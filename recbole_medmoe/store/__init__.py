"""What a run leaves: record, rows, model folder. Written whole or not at all, never pickled.

torch, pyarrow and jsonschema load inside the functions that need them.
"""
from __future__ import annotations

from ..files import atomic_write, file_sha256
from .environment import PeakMemory, code_version, environment
from .folder import new_run_id, run_folder
from .gpu import GpuBusy, gpu_driver
from .model_folder import StoredModel, load_model, save_model
from .record import read_record, record_schema, write_record
from .rows import hashed_ids, read_rows, salt_of, write_rows

__all__ = [
    "GpuBusy", "PeakMemory", "StoredModel", "atomic_write", "code_version", "environment", "file_sha256",
    "gpu_driver", "hashed_ids", "load_model", "new_run_id", "read_record", "read_rows", "record_schema", "run_folder",
    "salt_of", "save_model", "write_record", "write_rows",
]
