"""Between the API's messages and the domain's types: validates all that comes in, at once, and encodes answers."""
