"""What all accounts together are worth: read in bulk, valued by the sockets' own kernel, kept."""
