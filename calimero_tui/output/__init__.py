"""What people and programs read: the only package that writes to stdout. stdout is data, stderr is conversation."""
