"""A reference receiver: takes OTLP in, checks what each batch says of itself, and answers with what it has."""
