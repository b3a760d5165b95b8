"""How what is learned was learned: run by developers, never by the daemon. Its libraries are the extra `train`."""
