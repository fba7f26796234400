"""Tasks on further hosts: the engine, what a head keeps of its workers, and the way from one to the other."""
