"""What alembic runs for migrations of any package: its `env.py`."""
