"""The bounds of definitions and runs, each in one place, with what was reckoned."""

__all__ = [
    "MAX_APPROVAL_SECONDS",
    "MAX_ARTIFACTS",
    "MAX_ATTEMPTS",
    "MAX_BACKOFF_SECONDS",
    "MAX_CAPABILITIES",
    "MAX_CHOICES",
    "MAX_DEFINITIONS_PER_FILE",
    "MAX_DESCRIPTION_CHARACTERS",
    "MAX_EXPRESSION_CHARACTERS",
    "MAX_FILES",
    "MAX_FILE_BYTES",
    "MAX_FOLDER_DEPTH",
    "MAX_FOR_EACH_WIDTH",
    "MAX_GUIDANCE",
    "MAX_GUIDANCE_CHARACTERS",
    "MAX_ID_CHARACTERS",
    "MAX_INLINE_BYTES",
    "MAX_INPUTS",
    "MAX_INSTRUCTION_CHARACTERS",
    "MAX_LOST_LEASES",
    "MAX_NAME_CHARACTERS",
    "MAX_NEEDS",
    "MAX_OUTPUTS",
    "MAX_PROMPT_CHARACTERS",
    "MAX_RETRY_ATTEMPTS",
    "MAX_RUN_OUTPUT_BYTES",
    "MAX_RUN_STEPS",
    "MAX_STEPS",
    "MAX_STEP_ID_CHARACTERS",
    "MAX_STEP_INPUT_BYTES",
    "MAX_STORE_SECONDS",
    "MAX_TAGS",
    "MAX_TIMEOUT_SECONDS",
    "MAX_VALUE_DEPTH",
    "MAX_YAML_DEPTH",
]

# Files. The largest of BMAD's workflows has 11 KiB; a whole repository of them has some dozens.
MAX_FILES = 2_000
MAX_FILE_BYTES = 256 << 10
MAX_FOLDER_DEPTH = 32
MAX_YAML_DEPTH = 24
MAX_DEFINITIONS_PER_FILE = 16

# Definitions.
MAX_ID_CHARACTERS = 1_024
MAX_NAME_CHARACTERS = 128
MAX_DESCRIPTION_CHARACTERS = 8_192
MAX_STEPS = 256
MAX_STEP_ID_CHARACTERS = 64
MAX_INSTRUCTION_CHARACTERS = 16_384
MAX_PROMPT_CHARACTERS = 4_096
MAX_NEEDS = 256
MAX_INPUTS = 64
MAX_OUTPUTS = 32
MAX_CAPABILITIES = 32
MAX_CHOICES = 32
MAX_TAGS = 32
MAX_GUIDANCE = 64
MAX_GUIDANCE_CHARACTERS = 16_384
MAX_EXPRESSION_CHARACTERS = 1_024

# Times. A week is longer than any attempt, and a year longer than any person is waited for.
MAX_TIMEOUT_SECONDS = 7 * 86_400
MAX_BACKOFF_SECONDS = 86_400
MAX_APPROVAL_SECONDS = 366 * 86_400

# Runs. A step that is repeated has an instance for each item, and each is some 200 bytes of
# state before it begins, and 700 with a short output.
MAX_FOR_EACH_WIDTH = 1_000
MAX_RUN_STEPS = 10_000
MAX_VALUE_DEPTH = 64
# A message may have 4 MiB: an output with its artefacts, or a step's inputs, must fit beside everything else.
MAX_INLINE_BYTES = 1 << 20
MAX_STEP_INPUT_BYTES = 2 << 20
MAX_RUN_OUTPUT_BYTES = 16 << 20
MAX_ARTIFACTS = 64

# Attempts. Failures are bounded by each step's policy; a lost worker is none of the step's doing, but a step that
# takes sixteen workers with it is. The third bound holds for both together with what people send back.
MAX_RETRY_ATTEMPTS = 100
MAX_LOST_LEASES = 16
MAX_ATTEMPTS = 1_000

# The journal. A write takes a millisecond: what takes five thousand has failed, and its caller still has time to say so.
MAX_STORE_SECONDS = 5.0
