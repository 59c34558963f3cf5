"""The data plane: what happens to a request between its bytes and the router."""
