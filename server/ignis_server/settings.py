"""Settings: read from the environment once, checked together, and shown without secrets."""

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ignis_server.agents.cache.redis_url import check_redis_url
from ignis_server.errors import SettingsInvalid
from ignis_server.telemetry.delivery.environment import Destinations, destinations_of
from ignis_server.telemetry.outbox.settings import BoundPolicy, Durability
from ignis_server.workflow.store_url import check_store_url

__all__ = ["Settings", "read_secret"]

SECRETS = frozenset({"database_url", "redis_url"})
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})


class Settings(BaseSettings):
    """What can be set, by environment (`IGNIS_` and the name in capitals) or by flag of `ignis serve`."""

    model_config = SettingsConfigDict(
        env_prefix="IGNIS_", frozen=True, extra="ignore", populate_by_name=True, validate_default=True
    )

    catalog_paths: Annotated[tuple[Path, ...], NoDecode] = Field(
        default=(), description="Directories that hold agents, separated by ':'."
    )
    workflow_paths: Annotated[tuple[Path, ...], NoDecode] = Field(
        default=(),
        description="Files, and directories that hold them, of workflows, separated by ':'. None: workflows are not served.",
    )
    database_url: SecretStr = Field(
        default=SecretStr("sqlite:///~/.local/state/ignis-agents/runs.db"),
        description="Where runs of workflows are kept: sqlite:///PATH on a local disk, for one process; "
        "postgresql://USER:PASSWORD@HOST/DATABASE for several replicas.",
    )
    run_retention_days: float = Field(
        default=7.0, ge=0.01, le=3_650, description="How long a run is kept after it has ended."
    )
    listen: str = Field(default="127.0.0.1:50051", description="Host and port to serve on; port 0 takes a free one.")
    insecure: bool = Field(
        default=False, description="Serve on other hosts than loopback although nothing authenticates callers."
    )
    default_budget_tokens: int = Field(
        default=20_000, ge=1, le=10_000_000, description="Budget of a load that states none."
    )
    catalog_watch: Literal["events", "polling", "off"] = Field(
        default="events",
        description="How changes of the catalog's files are noticed: by the system's events, by polling (for network file "
        "systems), or not at all.",
    )
    catalog_check_seconds: float = Field(
        default=60.0, ge=1, le=86_400, description="So often the files are read even if no change was noticed."
    )
    remembered_revisions: int = Field(
        default=16, ge=0, le=1_000, description="Past revisions whose agents can still be loaded by digest."
    )
    cache_dir: Path | None = Field(
        default=Path("~/.cache/ignis-agents"),
        description="Where compiled files are kept, so that the next start is faster. Empty: nowhere.",
    )
    cache_disk_bytes: int = Field(
        default=1 << 30, ge=1 << 20, le=1 << 40, description="What may be kept there; the oldest goes first."
    )
    answer_cache_bytes: int = Field(
        default=256 << 20, ge=0, le=1 << 40, description="Memory for answers; 0: every answer is computed."
    )
    answer_cache_memory_seconds: float = Field(
        default=300.0, ge=1, le=86_400, description="How long an answer stays in memory that nobody asks for."
    )
    answer_cache_seconds: float = Field(
        default=3_600.0, ge=1, le=30 * 86_400, description="How long it stays in Redis."
    )
    redis_url: SecretStr | None = Field(
        default=None,
        description="Redis that the replicas share, such as redis://localhost:6379; also rediss://, unix://, "
        "redis+sentinel://host,host/service and redis+cluster://host,host. Unset: each replica has its own cache only.",
    )
    redis_namespace: str = Field(
        default="ignis", pattern=r"^[A-Za-z0-9_.-]{1,64}$", description="The beginning of all keys in Redis."
    )
    max_concurrent_calls: int = Field(
        default=2_000, ge=1, le=100_000, description="Calls served at once; one more is RESOURCE_EXHAUSTED."
    )
    max_watchers: int = Field(
        default=500, ge=1, le=100_000, description="Streams of WatchCatalog at once; one more is RESOURCE_EXHAUSTED."
    )
    drain_seconds: float = Field(
        default=10.0, ge=0, le=600, description="Time that calls in flight get to finish when the server stops."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least level of log lines."
    )
    outbox_dir: Path = Field(
        default=Path("~/.local/state/ignis-agents/outbox"),
        description="Where telemetry is kept until every destination has it; on a local disk. Processes may share it.",
    )
    outbox_bytes: int = Field(
        default=1 << 30, ge=1 << 20, le=1 << 44, description="What may be kept there; then the policy decides."
    )
    outbox_policy: BoundPolicy = Field(
        default=BoundPolicy.SHED,
        description="At that bound: shed gives up the oldest telemetry and counts it, refuse answers calls with RESOURCE_EXHAUSTED, "
        "block lets them wait.",
    )
    outbox_durability: Durability = Field(
        default=Durability.STRICT,
        description="strict: a call is answered when its telemetry survives the end of the process. batched: up to 10 ms later.",
    )
    outbox_fsync_seconds: float | None = Field(
        default=None,
        ge=0.001,
        le=3_600,
        description="How often telemetry that was captured just now is forced to disk, for power cuts. Unset: with each batch.",
    )
    telemetry_drain_seconds: float = Field(
        default=5.0, ge=0, le=600, description="Time that destinations get for what is left when the server stops."
    )
    metric_export_milliseconds: int = Field(
        default=5_000,
        ge=100,
        le=3_600_000,
        validation_alias="OTEL_METRIC_EXPORT_INTERVAL",
        description="How often metrics are collected, in milliseconds.",
    )
    semconv_opt_in: str = Field(
        default="",
        validation_alias="OTEL_SEMCONV_STABILITY_OPT_IN",
        description="rpc/dup among its values: calls also carry what the RPC conventions had before.",
    )
    _destinations: Destinations = PrivateAttr(default=Destinations(()))

    @property
    def destinations(self) -> Destinations:
        """Where telemetry goes, by OTEL_EXPORTER_OTLP_* and the file that IGNIS_DESTINATIONS names."""
        return self._destinations

    @field_validator("catalog_paths", "workflow_paths", mode="before")
    @classmethod
    def _split_paths(cls, value: object) -> object:
        return tuple(part for part in value.split(":") if part) if isinstance(value, str) else value

    @field_validator("cache_dir", "redis_url", "outbox_fsync_seconds", mode="before")
    @classmethod
    def _take_empty_for_unset(cls, value: object) -> object:
        # As OpenTelemetry's specification of environment variables wants it.
        return value or None

    @field_validator("redis_url")
    @classmethod
    def _check_redis(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            check_redis_url(value.get_secret_value())
        return value

    @field_validator("database_url")
    @classmethod
    def _check_database(cls, value: SecretStr) -> SecretStr:
        check_store_url(value.get_secret_value())
        return value

    @field_validator("cache_dir", "outbox_dir")
    @classmethod
    def _expand_home(cls, value: Path | None) -> Path | None:
        return value.expanduser() if value else None

    @field_validator("listen")
    @classmethod
    def _check_listen(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if not host or not port.isdecimal() or int(port) > 65_535:  # noqa: PLR2004 - the greatest port there is
            message = "must be HOST:PORT, such as 127.0.0.1:50051"
            raise ValueError(message)
        return value

    @classmethod
    def read(cls, **given: object) -> Self:
        """Read the environment; what is given here and is not None comes before it.

        Raises:
            SettingsInvalid: Something is wrong; all mistakes at once.
        """
        there = {name: value for name, value in given.items() if value is not None}
        mistakes: list[str] = []
        try:
            destinations = destinations_of({**os.environ, **{name: str(value) for name, value in there.items()}})
        except SettingsInvalid as error:
            mistakes += error.mistakes
        try:
            settings = cls(**there)  # type: ignore[arg-type]  # pydantic checks them
        except ValidationError as error:
            mistakes += map(_mistake, error.errors())
        if mistakes:
            raise SettingsInvalid(tuple(mistakes))
        settings._destinations = destinations
        settings.check_exposure()
        return settings

    def check_exposure(self) -> None:
        """Refuse to serve callers that nothing authenticates beyond this machine, unless told to.

        Raises:
            SettingsInvalid: The host is not loopback, and `insecure` is not set.
        """
        host = self.listen.rpartition(":")[0]
        if host not in LOOPBACK_HOSTS and not self.insecure:
            mistake = (
                f"listen: {self.listen} is open to other machines, and callers are not authenticated: "
                "listen on 127.0.0.1, or say --insecure (IGNIS_INSECURE=true) behind a mesh that authenticates"
            )
            raise SettingsInvalid((mistake,))


def read_secret(name: str) -> str:
    """Return what an environment variable holds that somebody names, such as the key of a model's endpoint; empty: nothing."""
    return os.environ.get(name, "")


def _mistake(error: ErrorDetails) -> str:
    name = ".".join(str(part) for part in error["loc"])
    given = "what is given" if name in SECRETS else repr(error["input"])
    return f"{name}: {given} is refused: {error['msg']}"
