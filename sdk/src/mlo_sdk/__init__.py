"""The toolkit for plugin authors."""
