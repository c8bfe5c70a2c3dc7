"""What the caches are worth: a published workload, and what each kind of answer costs."""
