"""The command line: `ignis`, whose commands stand one in a module."""
