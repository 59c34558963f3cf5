"""What the command lines look like, one module per command. Only click is loaded here; the work is elsewhere."""
