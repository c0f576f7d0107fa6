"""Everything that closing an account does, by noun; imported by submodule."""
