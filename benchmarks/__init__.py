"""How fast Sereno is, always beside a peer or a floor that runs on the same machine at the same time."""
