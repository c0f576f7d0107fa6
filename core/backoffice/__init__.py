"""What every page of the admin has in common: to read much, to change next to nothing."""
