"""Types and ranges of the framework's keys, RecBole's and ours; the defaults lie in the YAML files."""
from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, field_validator

# Keys of RecBole that would have no effect here, or would write pickles: refused unless they keep this value.
REFUSED: dict[str, tuple[Any, str]] = {
    "save_dataset": (False, "nothing is pickled here"),
    "dataset_save_path": (None, "nothing is pickled here"),
    "save_dataloaders": (False, "nothing is pickled here"),
    "dataloaders_save_path": (None, "nothing is pickled here"),
    "checkpoint_dir": ("saved", "use runs_dir: a run leaves one folder with all that belongs to it"),
    "log_wandb": (False, "each run folder has a log.jsonl instead"),
    "enable_amp": (False, "use precision: bf16"),
    "enable_scaler": (False, "use precision: bf16, which needs no scaler"),
    "neg_sampling": (None, "use train_neg_sample_args"),
    "training_neg_sample_num": (None, "use train_neg_sample_args"),
}


class Searched(BaseModel):
    """What a search found the values by; ``tune`` writes it, and the run's record repeats it.

    Args:
        algorithm: tpe, random or exhaustive. seed: of its proposals and trials. parallel: trials proposed at once.
        trials: all of them, which are finished, stopped before their end, or failed. minutes: of its budget, None: only
            the number of trials bound it. seconds: what the trials took. metric: of validation, which ``score`` is of.
        space_sha256: hash of what was searched.
    """

    model_config = ConfigDict(extra="forbid", strict=True)
    algorithm: Literal["tpe", "random", "exhaustive"]
    seed: NonNegativeInt
    parallel: PositiveInt
    trials: NonNegativeInt
    finished: NonNegativeInt
    stopped: NonNegativeInt
    failed: NonNegativeInt
    minutes: float | None
    seconds: float
    metric: str
    score: float | None
    space_sha256: str


class Settings(BaseModel):
    """Keys that every run has. Values are checked strictly: a quoted number is not a number."""

    model_config = ConfigDict(extra="ignore", strict=True)

    # Data and places
    split: str | None
    labels: str | None
    train_share: float = Field(gt=0, le=1, allow_inf_nan=False)
    images: Literal["catalogue", "photo", "blurred", "none"]
    missing: list[Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]]
    text_columns: dict[Literal["user", "item"], str] | None
    data_path: str
    allow_download: bool
    task: Literal["any", "food", "medication", "next_item", "choice"]
    target_visits: Literal["all", "last"]
    runs_dir: str
    cache_dir: str | None
    keep_states: bool

    # Machine
    device: str = Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    precision: Literal["no", "bf16"]
    progress: Literal["auto"] | bool
    profile: bool
    gpu_id: str | NonNegativeInt
    use_gpu: bool
    worker: NonNegativeInt
    seed: int = Field(ge=0, lt=2**32)
    reproducibility: bool
    show_progress: bool
    state: str = Field(pattern=r"(?i)^(critical|error|warning|info|debug)$")

    # Training
    epochs: PositiveInt
    train_batch_size: PositiveInt
    learner: str = Field(pattern=r"(?i)^(adam|adamw|sgd|adagrad|rmsprop|sparse_adam)$")
    learning_rate: float = Field(gt=0, allow_inf_nan=False)
    weight_decay: float = Field(ge=0, allow_inf_nan=False)
    eval_step: NonNegativeInt
    stopping_step: NonNegativeInt
    clip_grad_norm: dict[str, Any] | None
    shuffle: bool
    require_pow: bool
    loss_decimal_place: NonNegativeInt
    transform: str | None
    train_neg_sample_args: dict[str, Any] | Literal["None"] | None
    gradient_accumulation_steps: PositiveInt
    warmup_steps: NonNegativeInt
    lr_schedule: Literal["constant", "linear", "cosine"]

    # Encoders
    reencode: bool
    encode_batch_tokens: PositiveInt
    verify_rows: NonNegativeInt

    # Evaluation
    eval_args: dict[str, Any]
    repeatable: bool
    leave_out_seen: bool
    orders: PositiveInt
    metrics: list[str]
    topk: list[PositiveInt] = Field(min_length=1)
    valid_metric: str
    eval_batch_size: PositiveInt
    metric_decimal_place: NonNegativeInt
    bootstrap_draws: PositiveInt
    min_group: PositiveInt
    set_threshold: Literal["tuned"] | Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]
    rounds: NonNegativeInt
    round_share: float = Field(gt=0, le=1, allow_inf_nan=False)
    protocol: str | None

    # Search
    search: Searched | None = None

    # Checks
    extra_keys: list[str]

    @field_validator("metrics", "topk", "missing", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        """RecBole takes one name, or one number, for a list of one."""
        return [value] if isinstance(value, (str, int, float)) else value

    @field_validator("precision", mode="before")
    @classmethod
    def _unquoted_no(cls, value: Any) -> Any:
        """YAML reads an unquoted ``no`` as false; what is meant is clear."""
        return "no" if value is False else value
