"""The control plane: the admin API under ``/admin/v1`` and the OpenAPI document of the whole gateway."""
