"""The base of the recurrent text families."""
