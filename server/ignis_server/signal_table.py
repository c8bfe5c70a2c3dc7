"""All that leaves this process as telemetry: each span, metric and event with its attributes, and how private these are.

What is not in the table does not leave. Metrics are made from its rows, and attributes of events that no row names are dropped.
`docs/signals.md` is written from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = ["EVENTS", "METRICS", "RESOURCE", "SPANS", "STAYS_LOCAL", "Attribute", "Kind", "Privacy", "Row"]


class Kind(StrEnum):
    """What a row is, in OpenTelemetry's words."""

    SPAN = "span"
    COUNTER = "counter"
    UP_DOWN_COUNTER = "up-down counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    EVENT = "event"


class Privacy(StrEnum):
    """Whom an attribute says anything of."""

    SERVICE = "service"
    """This service alone: its methods, states, figures, addresses."""
    CATALOG = "catalog"
    """The operator's catalog: digests of it; never its text."""
    CORRELATION = "correlation"
    """Random ids that tie records together."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """What a measurement is told apart by, or what an event says."""

    name: str
    meaning: str
    privacy: Privacy = Privacy.SERVICE


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that leaves.

    Attributes:
        name: As it leaves.
        kind: What it is.
        meaning: What one reads from it.
        unit: In UCUM, as OpenTelemetry has it; empty for spans, events and bare numbers.
        attributes: All that it may carry.
        boundaries: Of a histogram's buckets, in its unit.
    """

    name: str
    kind: Kind
    meaning: str
    unit: str = ""
    attributes: tuple[Attribute, ...] = ()
    boundaries: Sequence[float] = ()


def _span(name: str, meaning: str, *attributes: Attribute) -> Row:
    return Row(name, Kind.SPAN, meaning, "", (*CALL, *OLD_CALL, *attributes))


def _counter(name: str, unit: str, meaning: str, *attributes: Attribute) -> Row:
    return Row(name, Kind.COUNTER, meaning, unit, attributes)


def _up_down_counter(name: str, unit: str, meaning: str, *attributes: Attribute) -> Row:
    return Row(name, Kind.UP_DOWN_COUNTER, meaning, unit, attributes)


def _gauge(name: str, unit: str, meaning: str, *attributes: Attribute) -> Row:
    return Row(name, Kind.GAUGE, meaning, unit, attributes)


def _histogram(name: str, unit: str, boundaries: Sequence[float], meaning: str, *attributes: Attribute) -> Row:
    return Row(name, Kind.HISTOGRAM, meaning, unit, attributes, boundaries)


def _event(name: str, meaning: str, *attributes: Attribute) -> Row:
    return Row(name, Kind.EVENT, meaning, "", attributes)


# Of the resource, which comes with each request. What the operator's OTEL_RESOURCE_ATTRIBUTES says is there, too.
RESOURCE: Final = (
    Attribute("service.name", '"ignis-agents", or what OTEL_SERVICE_NAME says.'),
    Attribute("service.version", "The release."),
    Attribute("service.instance.id", "Random; another one for each process.", Privacy.CORRELATION),
    Attribute("telemetry.sdk.language", '"python".'),
    Attribute("telemetry.sdk.name", '"opentelemetry".'),
    Attribute("telemetry.sdk.version", "Release of OpenTelemetry."),
    Attribute("ignis.outbox.id", "The outbox that numbers the batch.", Privacy.CORRELATION),
    Attribute("ignis.batch.sequence", "Number of the batch in it, from 1 and without gaps."),
    Attribute("ignis.batch.items", "Spans, metric points or log records of the batch."),
    Attribute("ignis.batch.digest", "SHA-256 of the batch's content, by which it is verified."),
    Attribute(
        "ignis.batch.part", 'Which piece this is, such as "2/4", of a batch that was too large for its destination.'
    ),
)

# Fields of log lines that may hold paths, addresses or texts of others. They are written to the log of this machine and never leave.
STAYS_LOCAL: Final = frozenset({"error", "exc_info", "file", "message", "root", "why"})

# Calls. Names are those of OpenTelemetry's RPC conventions.
CALL: Final = (
    Attribute("rpc.system.name", '"grpc".'),
    Attribute("rpc.method", "Full name of the method."),
    Attribute("rpc.response.status_code", "The code that the client saw."),
    Attribute("error.type", "The reason of the error (ErrorReason), or the code where there is none."),
)
OLD_CALL: Final = (
    Attribute("rpc.system", '"grpc"; only with OTEL_SEMCONV_STABILITY_OPT_IN=rpc/dup.'),
    Attribute("rpc.service", "Full name of the service; likewise."),
    Attribute("rpc.grpc.status_code", "Number of the code; likewise."),
)

# From a cached answer in a fraction of a millisecond to a drained long poll.
CALL_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
MESSAGE_BYTES: Final = (64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304)
COMPUTE_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
TOKENS: Final = (100, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000)
# From what is sent at once to what waited for a destination that was away for a week.
LAG_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3_600.0, 86_400.0, 604_800.0)

CACHE_OUTCOME: Final = Attribute(
    "ignis.cache.outcome", '"computed", "process-hit", "shared-hit" or "coalesced": where an answer came from.'
)
LOADED: Final = (
    CACHE_OUTCOME,
    Attribute("ignis.load.agents", "Agents sent."),
    Attribute("ignis.load.new_tokens", "Tokens sent."),
    Attribute("ignis.load.tokens", "Tokens sent and held."),
    Attribute("ignis.load.budget_tokens", "Tokens that might be spent."),
    Attribute("ignis.load.load_all_tokens", "Tokens of all agents in full."),
    Attribute("ignis.load.needs", "Needs that the request was understood to have."),
    Attribute("ignis.load.unanswered_needs", "Those that no agent answers."),
)

# Runs and attempts. Names are those of OpenTelemetry's conventions for generative AI.
GENAI: Final = (
    Attribute("gen_ai.operation.name", '"invoke_workflow" or "invoke_agent".'),
    Attribute("gen_ai.conversation.id", "The run.", Privacy.CORRELATION),
    Attribute("gen_ai.usage.input_tokens", "Input tokens, as workers told; those from a cache included."),
    Attribute("gen_ai.usage.output_tokens", "Output tokens, as workers told."),
    Attribute("gen_ai.usage.cache_read.input_tokens", "Input tokens that a provider's cache had."),
    Attribute("gen_ai.usage.cache_creation.input_tokens", "Input tokens that went into a provider's cache."),
    Attribute("error.type", "How it ended, where that is neither well nor what a person decides."),
)
RUN_STATE: Final = Attribute("ignis.run.state", "Where a run stands, in the words of A2A's TaskState.")
RUN_STEPS: Final = Attribute("ignis.run.steps", "Steps that it had.")
ATTEMPT: Final = Attribute("ignis.step.attempt", "Which attempt of the step it was, from 1.")
ATTEMPT_OUTCOME: Final = Attribute("ignis.step.outcome", '"completed", "held", "failed", "lost" or "canceled".')

AGENT_LOADER: Final = "ignis.agents.v1.AgentLoaderService"
WORKFLOW: Final = "ignis.workflow.v1.WorkflowService"
TELEMETRY: Final = "ignis.telemetry.v1.TelemetryService"
UNSERVED: Final = "Not served by this release: says how often it is asked for."

SPANS: Final = (
    _span(f"{AGENT_LOADER}/LoadAgents", "A load: what was decided, and what it saved.", *LOADED),
    _span(f"{AGENT_LOADER}/SearchAgents", "A search."),
    _span(f"{AGENT_LOADER}/GetAgent", "An agent was read."),
    _span(f"{AGENT_LOADER}/ListAgents", "A page of agents was read."),
    _span(f"{AGENT_LOADER}/GetCatalog", "The catalog's summary was read."),
    _span(f"{AGENT_LOADER}/ListDiagnostics", "A page of diagnostics was read."),
    _span(f"{AGENT_LOADER}/WatchCatalog", "A watch of the catalog, from its beginning to its end."),
    _span(f"{WORKFLOW}/ListDefinitions", "A page of workflows was read."),
    _span(f"{WORKFLOW}/GetDefinition", "A workflow was read."),
    _span(f"{WORKFLOW}/StartRun", "A run was begun."),
    _span(f"{WORKFLOW}/GetRun", "A run was read."),
    _span(f"{WORKFLOW}/GetStep", "A step was read."),
    _span(f"{WORKFLOW}/ListRuns", "A page of runs was read."),
    _span(f"{WORKFLOW}/CancelRun", "A run was ended."),
    _span(f"{WORKFLOW}/ClaimStep", "A worker asked for a step, the time that it waited included."),
    _span(f"{WORKFLOW}/HeartbeatStep", "A worker extended its lease."),
    _span(f"{WORKFLOW}/CompleteStep", "A worker reported that a step is done."),
    _span(f"{WORKFLOW}/FailStep", "A worker reported that an attempt failed."),
    _span(f"{WORKFLOW}/ResolveInput", "A person answered."),
    _span(f"{WORKFLOW}/WatchRun", "A watch of a run, from its beginning to its end."),
    Row("invoke_workflow", Kind.SPAN, "A run, from its start to its end.", "", (*GENAI, RUN_STATE, RUN_STEPS)),
    Row(
        "invoke_agent",
        Kind.SPAN,
        "An attempt of a step, from its claim to its end; a child of the call that began the run, as its run's span is.",
        "",
        (*GENAI, ATTEMPT, ATTEMPT_OUTCOME),
    ),
    _span(f"{TELEMETRY}/GetDeliveryLedger", "The ledger was read."),
    _span(f"{TELEMETRY}/VerifyDelivery", "The ledger was compared with what a destination has."),
    _span(f"{TELEMETRY}/PreviewEgress", "Somebody looked at what would leave."),
    *(
        _span(f"{TELEMETRY}/{method}", UNSERVED)
        for method in (
            "RecordInteractions",
            "StreamInteractions",
            "ReportUsage",
            "GetAnalytics",
            "ListInsights",
            "ListIssues",
            "GetIssue",
            "ResolveIssue",
            "EraseSubject",
            "ExportSubject",
        )
    ),
    _span("grpc.health.v1.Health/Check", "A health check."),
    _span("grpc.health.v1.Health/Watch", "A watch of the service's health, from its beginning to its end."),
    _span("grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "Somebody asked what there is."),
)

RPC_SERVER_CALL_DURATION: Final = _histogram(
    "rpc.server.call.duration", "s", CALL_SECONDS, "Time from the first byte of a call to its status.", *CALL, *OLD_CALL
)
RPC_SERVER_REQUEST_SIZE: Final = _histogram(
    "rpc.server.request.size",
    "By",
    MESSAGE_BYTES,
    "Uncompressed bytes of all requests of a call. The conventions have dropped the name and have no other.",
    *CALL,
    *OLD_CALL,
)
RPC_SERVER_RESPONSE_SIZE: Final = _histogram(
    "rpc.server.response.size",
    "By",
    MESSAGE_BYTES,
    "Uncompressed bytes of all responses of a call; likewise.",
    *CALL,
    *OLD_CALL,
)
RPC_SERVER_DURATION: Final = _histogram(
    "rpc.server.duration",
    "ms",
    tuple(seconds * 1_000 for seconds in CALL_SECONDS),
    "What rpc.server.call.duration was before; only with OTEL_SEMCONV_STABILITY_OPT_IN=rpc/dup.",
    *CALL,
    *OLD_CALL,
)

BASELINE: Final = Attribute("ignis.baseline", '"load_all", "index_only" or "cached_load_all".')
LOAD_ANSWERS: Final = _counter(
    "ignis.load.answers",
    "{answer}",
    "Loads that were answered, by where the answer came from and whether it is an error.",
    CACHE_OUTCOME,
    Attribute("ignis.refused", "Whether it is an error that follows from request and catalog."),
)
LOAD_AGENTS: Final = _counter("ignis.load.agents", "{agent}", "Agents sent in bundles.")
LOAD_NEW_TOKENS: Final = _counter("ignis.load.new_tokens", "{token}", "Tokens sent in bundles.")
LOAD_TOKENS: Final = _counter("ignis.load.tokens", "{token}", "Tokens of bundles and of what callers held.")
LOAD_NEEDS: Final = _counter(
    "ignis.load.needs",
    "{need}",
    "Needs of briefs, by whether an agent answers them.",
    Attribute("ignis.answered", "Whether an agent that is sent or held answers it."),
)
LOAD_BASELINE_TOKENS: Final = _counter(
    "ignis.load.baseline_tokens",
    "{token}",
    "Tokens that other ways of loading would have cost; weighted by price where a cache is involved.",
    BASELINE,
)
LOAD_SAVED_TOKENS: Final = _up_down_counter(
    "ignis.load.saved_tokens",
    "{token}",
    "Tokens saved against other ways of loading; what costs more saves less than nothing.",
    BASELINE,
)
LOAD_DURATION: Final = _histogram(
    "ignis.load.duration", "s", COMPUTE_SECONDS, "Time to choose agents and put a bundle together."
)
LOAD_BUNDLE_TOKENS: Final = _histogram(
    "ignis.load.bundle.tokens", "{token}", TOKENS, "Tokens of a bundle that was computed."
)
SEARCH_DURATION: Final = _histogram(
    "ignis.search.duration", "s", COMPUTE_SECONDS, "Time to rank the catalog for a query."
)
CATALOG_AGENTS: Final = _gauge("ignis.catalog.agents", "{agent}", "Agents in the catalog that is served.")
CATALOG_TOKENS: Final = _gauge("ignis.catalog.tokens", "{token}", "Tokens of the whole catalog in full.")
CATALOG_DIAGNOSTICS: Final = _gauge(
    "ignis.catalog.diagnostics",
    "{diagnostic}",
    "Remarks on the catalog's files.",
    Attribute("ignis.severity", '"error" or "warning".'),
)
CATALOG_COMPILE_DURATION: Final = _histogram(
    "ignis.catalog.compile.duration", "s", COMPUTE_SECONDS, "Time to compile the catalog."
)
CATALOG_RELOADS: Final = _counter(
    "ignis.catalog.reloads",
    "{reload}",
    "Times that the catalog's files changed.",
    Attribute("ignis.outcome", '"replaced", or "kept" where the files as they are now cannot be served.'),
)

OPERATION: Final = Attribute("ignis.cache.operation", '"read" or "write".')
OCCASION: Final = Attribute("ignis.cache.occasion", '"start" of a replica, or a new "revision" of the catalog.')
CACHE_FAILURES: Final = _counter(
    "ignis.cache.failures",
    "{failure}",
    "Times that a cache could not be read or written.",
    Attribute("ignis.cache.store", '"disk" or "shared".'),
    OPERATION,
    Attribute("ignis.cache.reason", "What was wrong, in a word."),
)
CACHE_SHARED_AVAILABLE: Final = _gauge(
    "ignis.cache.shared.available", "", "1 where the shared cache is used, 0 while it is in trouble.", OPERATION
)
CACHE_WARMED: Final = _counter("ignis.cache.warmed", "{answer}", "Answers that were made ready ahead.", OCCASION)
CACHE_WARM_DURATION: Final = _histogram(
    "ignis.cache.warm.duration", "s", COMPUTE_SECONDS, "Time to make answers ready ahead.", OCCASION
)
BACKGROUND_FAILURES: Final = _counter(
    "ignis.background.failures",
    "{failure}",
    "Times that work beside the calls failed and began anew.",
    Attribute("ignis.task", "Which."),
)

SIGNAL: Final = Attribute("ignis.telemetry.signal", '"traces", "metrics" or "logs".')
DESTINATION: Final = Attribute("ignis.telemetry.destination", "Its name in the settings.")
LOSS: Final = Attribute("ignis.telemetry.reason", "Why it was given up, in a word.")
OUTBOX_AVAILABLE: Final = _gauge(
    "ignis.outbox.available", "", "1 where telemetry goes to disk as it is captured, 0 while the disk is in trouble."
)
OUTBOX_TROUBLES: Final = _counter(
    "ignis.outbox.troubles",
    "{trouble}",
    "Times that the disk got into trouble.",
    Attribute("ignis.outbox.reason", '"full", "read-only" or "broken".'),
)
OUTBOX_SIZE: Final = _gauge("ignis.outbox.size", "By", "Telemetry that waits for a destination.")
OUTBOX_LIMIT: Final = _gauge("ignis.outbox.limit", "By", "Telemetry that may wait; then the outbox's policy decides.")
OUTBOX_AGE: Final = _gauge("ignis.outbox.age", "s", "Time since the oldest telemetry that waits was captured.")
TELEMETRY_LOST: Final = _counter(
    "ignis.telemetry.lost", "{item}", "Spans, metric points and log records that were given up.", SIGNAL, LOSS
)
TELEMETRY_LOST_SIZE: Final = _counter("ignis.telemetry.lost.size", "By", "Bytes that were given up.", SIGNAL, LOSS)
DESTINATION_AVAILABLE: Final = _gauge(
    "ignis.telemetry.destination.available",
    "",
    "1 where a destination takes telemetry, 0 while it does not.",
    DESTINATION,
    SIGNAL,
)
TELEMETRY_DELIVERED: Final = _counter(
    "ignis.telemetry.delivered",
    "{item}",
    "Spans, metric points and log records that a destination took.",
    DESTINATION,
    SIGNAL,
)
TELEMETRY_REJECTED: Final = _counter(
    "ignis.telemetry.rejected", "{item}", "Those that it rejected for good.", DESTINATION, SIGNAL
)
TELEMETRY_DELIVERY_LAG: Final = _histogram(
    "ignis.telemetry.delivery.lag",
    "s",
    LAG_SECONDS,
    "Time from the capture of a batch to the answer of a destination.",
    DESTINATION,
    SIGNAL,
)

RUNS: Final = _counter("ignis.workflow.runs", "{run}", "Times that a run came to a state.", RUN_STATE)
RUN_DURATION: Final = _histogram(
    "ignis.workflow.run.duration", "s", LAG_SECONDS, "Time from the start of a run to its end.", RUN_STATE
)
ATTEMPT_DURATION: Final = _histogram(
    "ignis.workflow.attempt.duration",
    "s",
    LAG_SECONDS,
    "Time from the claim of a step to the end of the attempt.",
    ATTEMPT_OUTCOME,
)
TOKEN_USAGE: Final = _histogram(
    "gen_ai.client.token.usage",
    "{token}",
    TOKENS,
    "Tokens of an attempt, as its worker told.",
    Attribute("gen_ai.operation.name", '"invoke_agent".'),
    Attribute("gen_ai.token.type", '"input" or "output".'),
)

PROCESS_CPU_TIME: Final = _counter(
    "process.cpu.time", "s", "Processor time of this process.", Attribute("cpu.mode", '"user" or "system".')
)
PROCESS_MEMORY_USAGE: Final = _up_down_counter("process.memory.usage", "By", "Physical memory in use.")
PROCESS_THREADS: Final = _up_down_counter("process.thread.count", "{thread}", "Threads.")
PROCESS_FILE_DESCRIPTORS: Final = _up_down_counter(
    "process.unix.file_descriptor.count", "{file_descriptor}", "Open files, sockets and the like."
)
PROCESS_UPTIME: Final = _gauge("process.uptime", "s", "Time since the service began.")
EVENT_LOOP_LAG: Final = _gauge(
    "ignis.event_loop.lag", "s", "The longest time since the last export that the event loop came late."
)
EVENT_LOOP_TASKS: Final = _up_down_counter("ignis.event_loop.tasks", "{task}", "Tasks on the event loop.")

METRICS: Final = (
    RPC_SERVER_CALL_DURATION,
    RPC_SERVER_REQUEST_SIZE,
    RPC_SERVER_RESPONSE_SIZE,
    RPC_SERVER_DURATION,
    LOAD_ANSWERS,
    LOAD_AGENTS,
    LOAD_NEW_TOKENS,
    LOAD_TOKENS,
    LOAD_NEEDS,
    LOAD_BASELINE_TOKENS,
    LOAD_SAVED_TOKENS,
    LOAD_DURATION,
    LOAD_BUNDLE_TOKENS,
    SEARCH_DURATION,
    CATALOG_AGENTS,
    CATALOG_TOKENS,
    CATALOG_DIAGNOSTICS,
    CATALOG_COMPILE_DURATION,
    CATALOG_RELOADS,
    CACHE_FAILURES,
    CACHE_SHARED_AVAILABLE,
    CACHE_WARMED,
    CACHE_WARM_DURATION,
    BACKGROUND_FAILURES,
    OUTBOX_AVAILABLE,
    OUTBOX_TROUBLES,
    OUTBOX_SIZE,
    OUTBOX_LIMIT,
    OUTBOX_AGE,
    TELEMETRY_LOST,
    TELEMETRY_LOST_SIZE,
    DESTINATION_AVAILABLE,
    TELEMETRY_DELIVERED,
    TELEMETRY_REJECTED,
    TELEMETRY_DELIVERY_LAG,
    RUNS,
    RUN_DURATION,
    ATTEMPT_DURATION,
    TOKEN_USAGE,
    PROCESS_CPU_TIME,
    PROCESS_MEMORY_USAGE,
    PROCESS_THREADS,
    PROCESS_FILE_DESCRIPTORS,
    PROCESS_UPTIME,
    EVENT_LOOP_LAG,
    EVENT_LOOP_TASKS,
)

SECONDS: Final = Attribute("seconds", "How long it took.")
REVISION: Final = Attribute("revision", "Digest of the catalog's content.", Privacy.CATALOG)
SLOT: Final = Attribute("slot", "Number of the folder in the outbox.")
SIZE_BYTES: Final = Attribute("size_bytes", "Bytes concerned.")
OUTBOX_ID: Final = Attribute("outbox_id", "The outbox.", Privacy.CORRELATION)

EVENTS: Final = (
    _event(
        "server.started",
        "The service accepts calls.",
        Attribute("address", "Where."),
    ),
    _event("settings.passed_over", "A setting says nothing that this service knows, and was passed over."),
    _event("server.stopping", "It takes no more.", Attribute("drain_seconds", "Time that calls in flight get.")),
    _event(
        "call.failed",
        "A call failed in a way that nobody foresaw.",
        Attribute("method", "Full name of the method."),
        Attribute("error_id", "The id that the caller was given.", Privacy.CORRELATION),
        Attribute("exception.type", "Class of the error."),
        Attribute("exception.stacktrace", "Where it arose: files, lines and functions; no values."),
    ),
    _event(
        "background.failed",
        "Work beside the calls failed, and begins anew.",
        Attribute("task", "Which."),
        Attribute("retry_seconds", "When."),
        Attribute("exception.type", "Class of the error."),
        Attribute("exception.stacktrace", "Where it arose; no values."),
    ),
    _event(
        "catalog.compiled",
        "A catalog was compiled.",
        REVISION,
        Attribute("agents", "Agents."),
        Attribute("files", "Files."),
        Attribute("reused_files", "Files that were found compiled already."),
        SECONDS,
    ),
    _event(
        "catalog.replaced",
        "Another revision is served.",
        REVISION,
        Attribute("previous_revision", "The one before.", Privacy.CATALOG),
        Attribute("added", "Agents added."),
        Attribute("changed", "Agents changed."),
        Attribute("removed", "Agents removed."),
        SECONDS,
    ),
    _event("catalog.kept", "The files as they are now cannot be served; what was served before is."),
    _event(
        "catalog.not_watched",
        "The system does not tell of changes of files.",
        Attribute("retry_seconds", "When it is asked again."),
    ),
    _event(
        "cache.warmed",
        "Answers were made ready ahead.",
        Attribute("occasion", '"start" or "revision".'),
        Attribute("ready", "Answers ready by then."),
        Attribute("left", "Answers that there was no time for yet."),
        SECONDS,
    ),
    _event(
        "cache.left_alone",
        "The shared cache is in trouble.",
        Attribute("operation", '"read" or "write".'),
        Attribute("reason", "What is wrong, in a word."),
    ),
    _event("cache.used_again", "The shared cache is well again.", Attribute("operation", '"read" or "write".')),
    _event(
        "cache.disk_failed",
        "Compiled files could not be read or kept.",
        Attribute("operation", '"read" or "write".'),
    ),
    _event(
        "workflows.with_errors",
        "Some workflows cannot be started; `ignis workflow lint` says why.",
        Attribute("errors", "Mistakes in their files."),
    ),
    _event(
        "workflows.compiled",
        "Workflows can be started.",
        Attribute("workflows", "How many."),
        Attribute("files", "Files that they are in."),
    ),
    _event(
        "store.unavailable", "The database of runs did not do what was asked.", Attribute("reason", "Why, in a word.")
    ),
    _event(
        "wakeups.lost",
        "This replica does not hear of what others write, and looks now and then instead.",
        Attribute("retry_seconds", "When it listens again."),
    ),
    _event(
        "run.not_swept",
        "A deadline of a run has passed, and what follows could not be done.",
        Attribute("run_id", "The run.", Privacy.CORRELATION),
    ),
    _event("outbox.opened", "Telemetry goes to disk from now on.", OUTBOX_ID, SIZE_BYTES),
    _event("outbox.adopted", "Telemetry of a process that died is delivered here.", OUTBOX_ID, SIZE_BYTES),
    _event("outbox.adopted_emptied", "All of it was.", OUTBOX_ID),
    _event("outbox.troubled", "The disk takes no telemetry.", Attribute("reason", "What is wrong, in a word.")),
    _event("outbox.well", "The disk takes telemetry again."),
    _event(
        "outbox.lost",
        "Telemetry was given up.",
        Attribute("reason", "Why, in a word."),
        Attribute("signal", '"traces", "metrics", "logs", or "unknown".'),
        Attribute("items", "How much."),
        SIZE_BYTES,
    ),
    _event(
        "outbox.destination_gone",
        "A destination is no longer in the settings; what waited for it alone goes.",
        Attribute("destination", "Its name."),
        Attribute("signal", '"traces", "metrics" or "logs".'),
        Attribute("waiting", "Items that waited for it."),
    ),
    _event(
        "outbox.closed_too_late", "Not everything was sealed when the process ended; the next one does it.", SECONDS
    ),
    _event("outbox.not_forced", "The disk did not confirm what was written.", Attribute("reason", "In a word.")),
    _event("outbox.database_damaged", "The outbox's database is damaged, and put aside.", SLOT, SIZE_BYTES),
    _event("outbox.removed", "Somebody deleted the outbox's files.", SLOT, SIZE_BYTES),
    _event("outbox.slot_left_alone", "A folder of the outbox cannot be opened.", SLOT),
    _event("outbox.slot_of_another_release", "A folder of the outbox was written by another release.", SLOT),
    _event(
        "destination.troubled",
        "A destination does not take a signal.",
        Attribute("destination", "Its name."),
        Attribute("signal", '"traces", "metrics" or "logs".'),
        Attribute("reason", "What is wrong, in a word."),
    ),
    _event(
        "destination.well",
        "A destination takes a signal again.",
        Attribute("destination", "Its name."),
        Attribute("signal", '"traces", "metrics" or "logs".'),
    ),
)
