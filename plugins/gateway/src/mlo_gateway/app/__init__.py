"""The gateway as an ASGI application: one request at a time, and who watches over all of them."""
