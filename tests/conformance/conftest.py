"""Leaves out what needs data that is not there."""

import os

collect_ignore = [] if "IGNIS_CATALOGS" in os.environ else ["test_real_catalogs.py"]
