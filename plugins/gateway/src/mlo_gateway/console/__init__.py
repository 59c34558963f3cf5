"""What ``mlo keys`` and ``mlo gateway`` do: the acts of the admin API, on the database itself."""
