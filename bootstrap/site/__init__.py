"""What an installation is told of its site: the address for browsers, certificates, the proxy in front."""
