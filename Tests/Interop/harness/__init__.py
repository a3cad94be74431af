"""Starts servers, makes stubs and certificates, and speaks HTTP/2 by hand for the tests."""
