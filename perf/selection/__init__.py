"""How well agents are selected, measured on labelled data: `python -m perf.selection --help`."""
