"""The closed side: runs from inside the bundle, on Python 3.8 or newer; talks to nothing but this host."""
