"""The papers of an import approval, all made beside the bundle; none of them changes a byte of it."""
