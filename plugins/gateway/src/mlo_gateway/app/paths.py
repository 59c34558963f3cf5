"""Which endpoint answers at which path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from mlo_gateway.contracts import GatewayError
from mlo_gateway.data.chat import chat_completions
from mlo_gateway.data.embeddings import embeddings
from mlo_gateway.data.incoming import Incoming
from mlo_gateway.data.models import list_models, show_model
from mlo_gateway.data.responses import create_response

__all__ = ["Endpoint", "endpoint_of"]

Endpoint: TypeAlias = Callable[[Incoming], Awaitable[None]]

_ENDPOINTS: dict[str, dict[str, Endpoint]] = {
    "/v1/chat/completions": {"POST": chat_completions},
    "/v1/embeddings": {"POST": embeddings},
    "/v1/models": {"GET": list_models},
    "/v1/responses": {"POST": create_response},
}
_BELOW: dict[str, dict[str, Endpoint]] = {
    "/v1/models/": {"GET": show_model},
}


def endpoint_of(method: str, path: str) -> Endpoint:
    """The endpoint for a request.

    Raises:
        GatewayError: 404 or 405.
    """
    methods = _ENDPOINTS.get(path) or next((found for above, found in _BELOW.items() if path.startswith(above)), None)
    if methods is None and path.startswith("/v1/files"):
        # files belong to the gateway's account at a provider: without owners of its own they would be everybody's
        message = "Files are not served here: pictures can be sent in the request itself."
        raise GatewayError(501, "unsupported_endpoint", "invalid_request_error", message)
    if methods is None:
        raise GatewayError(404, "not_found", "invalid_request_error", f"Invalid URL ({method} {path[:100]}).")
    endpoint = methods.get(method)
    if endpoint is None:
        message = f"Not allowed to {method} on {path}; try {', '.join(methods)}."
        raise GatewayError(405, "method_not_allowed", "invalid_request_error", message)
    return endpoint
