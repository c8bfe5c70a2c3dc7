"""The ignis-agents server: agents of a catalog, loaded over gRPC under a token budget."""
