"""The members of a bundle: wheels, tools, the closed side's own programs."""
