"""What several tests share: small catalogs, fakes of ports, and the real server on loopback."""
