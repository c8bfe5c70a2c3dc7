"""WorkflowService: decode, call the use case, encode."""
