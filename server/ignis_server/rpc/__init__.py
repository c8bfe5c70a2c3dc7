"""What every call shares, whatever the capability: the server, interceptors, errors, page tokens."""
