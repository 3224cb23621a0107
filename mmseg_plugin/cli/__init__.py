"""What every command-line tool shares."""
