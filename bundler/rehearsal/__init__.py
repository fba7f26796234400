"""An install of a bundle on the internet host, cut off from the network."""
